import { describe, expect, it } from 'vitest';
import { createKafkaClient, type KafkaLogEntry } from '../../../src/kafka/client.ts';
import { checkVersion, loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import { freePorts } from '../../stack/ports.ts';

const settings = (brokers: readonly string[]): KafkaSettings => ({ brokers, clientId: 'test', compression: 'none' });

describe('createKafkaClient', () => {
  it('says who refused and what to check when no broker listens', async () => {
    const address = `127.0.0.1:${(await freePorts(1))[0]}`;
    const client = createKafkaClient(settings([address]));
    const failure = await client.kafka
      .admin()
      .connect()
      .catch((error: unknown) => client.failure(error, ''));
    expect(failure).toMatchObject({ kind: 'kafka', retryable: true, code: 'ECONNREFUSED' });
    expect((failure as Error).message).toBe(`kafka: connection refused by ${address}`);
    client.close();
  });

  it('adds the port of Kafka to a broker without one and refuses an IPv6 address', () => {
    expect(createKafkaClient(settings(['kafka.example', 'b:9093'])).brokers).toEqual(['kafka.example:9092', 'b:9093']);
    expect(() => createKafkaClient(settings(['[::1]:9092']))).toThrow('`[::1]:9092` is not a broker');
    expect(() => createKafkaClient(settings(['a:99999']))).toThrow('is not a broker');
  });
});

describe('onLog', () => {
  it('is given warnings and errors of kafkajs, but none about a transaction that is still being ended', async () => {
    const entries: KafkaLogEntry[] = [];
    const address = `127.0.0.1:${(await freePorts(1))[0]}`;
    const client = createKafkaClient(settings([address]), { onLog: (entry) => void entries.push(entry) });
    const logger = client.kafka.logger();
    const noise = loadKafkajs().internals.createErrorFromCode(51).message;
    logger.error('Response AddPartitionsToTxn(key: 24, version: 1)', { error: noise });
    logger.error('Response EndTxn(key: 26, version: 1)', { error: 'something else', broker: 'a:9092' });
    logger.info('too little to say');
    client.kafka.producer();
    expect(entries).toEqual([
      { level: 'error', message: 'Response EndTxn(key: 26, version: 1): something else', broker: 'a:9092' },
    ]);
    await expect(client.kafka.admin().connect()).rejects.toThrow();
    expect(entries.some(({ message }) => message.includes('ECONNREFUSED'))).toBe(true);
    client.close();
  });
});

describe('loadKafkajs', () => {
  it('gives the same corrected copy each time', () => {
    expect(loadKafkajs()).toBe(loadKafkajs());
  });

  it('refuses any other version by name', () => {
    expect(() => checkVersion('2.2.5')).toThrow('kafkajs 2.2.5 is installed, but pgtally works with exactly 2.2.4');
  });
});
