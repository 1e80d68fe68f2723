import { describe, expect, it } from 'vitest';
import { createKafkaClient } from '../../../src/kafka/client.ts';
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

describe('loadKafkajs', () => {
  it('gives the same corrected copy each time', () => {
    expect(loadKafkajs()).toBe(loadKafkajs());
  });

  it('refuses any other version by name', () => {
    expect(() => checkVersion('2.2.5')).toThrow('kafkajs 2.2.5 is installed, but pgtally works with exactly 2.2.4');
  });
});
