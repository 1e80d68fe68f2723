import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ERROR_MEANINGS } from '../../../src/kafka/error-codes.ts';
import { codeFailure, errorName, kafkaFailure } from '../../../src/kafka/errors.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import { Failure } from '../../../src/model/failure.ts';

const { library, internals } = loadKafkajs();
const BROKERS = ['a:9092', 'b:9092'];
const protocolError = (code: number) => internals.createErrorFromCode(code);
const named = (name: string, message: string, fields: object = {}) =>
  Object.assign(new Error(message), { name, ...fields });
const retriesExceeded = (error: Error) =>
  new library.KafkaJSNumberOfRetriesExceeded(error, { retryCount: 5, retryTime: 100 });

describe('kafkaFailure', () => {
  it('returns a Failure as it is, also from inside kafkajs’s wrappers', () => {
    const failure = new Failure('kafka: cannot read the password file /x: no such file', { kind: 'authentication' });
    expect(kafkaFailure(failure, 'anything', BROKERS)).toBe(failure);
    expect(kafkaFailure(retriesExceeded(failure), '', BROKERS)).toBe(failure);
  });

  it.each([
    [3, 'topic', false, 'topic `T` does not exist'],
    [5, 'topic', true, 'a partition of topic `T` has no leader'],
    [6, 'kafka', true, 'the leader of a partition of topic `T` moved'],
    [7, 'kafka', true, 'the broker did not finish in time'],
    [10, 'record', false, 'a record batch is larger than topic `T` takes'],
    [18, 'record', false, 'a record batch is larger than a segment of topic `T`'],
    [19, 'topic', true, 'topic `T` has fewer replicas in sync than its min.insync.replicas'],
    [29, 'topic', false, 'the user may not use topic `T`'],
    [47, 'fenced', false, 'another producer took over the transactional id, or the transaction timed out'],
    [90, 'fenced', false, 'another producer took over the transactional id'],
    [53, 'authentication', false, 'the user may not use the transactional id'],
    [58, 'authentication', false, 'user name or password refused'],
    [87, 'record', false, 'topic `T` refuses a record'],
    [51, 'kafka', true, 'the previous transaction is still being ended'],
    [50, 'configuration', false, "the transaction timeout is above the broker's transaction.max.timeout.ms"],
    [62, 'kafka', false, 'delegation Token is not found on server (DELEGATION_TOKEN_NOT_FOUND)'],
  ] as const)('knows error %i as %s (retryable: %s)', (code, kind, retryable, text) => {
    const failure = kafkaFailure(protocolError(code), 'sending to `T`', BROKERS, 'T');
    expect(failure).toMatchObject({ kind, retryable, message: `kafka: ${text} while sending to \`T\`` });
    expect(kafkaFailure(retriesExceeded(protocolError(code)), 'sending to `T`', BROKERS, 'T').message).toBe(
      failure.message,
    );
  });

  it('names the command that creates a missing topic', () => {
    expect(kafkaFailure(protocolError(3), '', BROKERS, 'AGGREGATIONS').hint).toBe(
      'create it: `pgtally topics create AGGREGATIONS`',
    );
    expect(kafkaFailure(protocolError(3), '', BROKERS).message).toBe('kafka: the topic does not exist');
  });

  it('opens what kafkajs and Node wrap around a refused connection, and names the broker that was tried', async () => {
    const refused = await new Promise<Error>((resolve) => createConnection(1, 'localhost').once('error', resolve));
    expect(kafkaFailure(refused, '', BROKERS)).toMatchObject({ kind: 'kafka', code: 'ECONNREFUSED', retryable: true });
    const aggregate = new AggregateError([
      Object.assign(new Error('connect ECONNREFUSED ::1:1'), { code: 'ECONNREFUSED' }),
    ]);
    expect(kafkaFailure(aggregate, '', BROKERS).message).toBe('kafka: connection refused by a:9092, b:9092');
    // What kafkajs makes of Node's AggregateError has an empty text.
    const connection = new library.KafkaJSConnectionError('Connection error: ', {
      broker: 'b:9092',
      code: 'ECONNREFUSED',
    });
    expect(kafkaFailure(retriesExceeded(connection), 'connecting', BROKERS)).toMatchObject({
      message: 'kafka: connection refused by b:9092 while connecting',
      hint: 'check that Kafka runs and that `kafka.brokers` in pgtally.yaml names its address and port',
    });
  });

  it.each([
    [named('KafkaJSConnectionError', 'Connection timeout', { broker: 'b:9092' }), 'connecting to b:9092 timed out'],
    [named('KafkaJSConnectionClosedError', 'Closed connection', { broker: 'b:9092' }), 'connection closed by b:9092'],
    [named('KafkaJSRequestTimeoutError', 'Request timed out', { broker: 'b:9092' }), 'b:9092 did not answer in time'],
    [named('KafkaJSBrokerNotFound', 'No broker'), 'no broker (a:9092, b:9092)'],
  ])('takes %s for downtime', (error, text) => {
    expect(kafkaFailure(error, '', BROKERS)).toMatchObject({
      kind: 'kafka',
      retryable: true,
      message: `kafka: ${text}`,
    });
  });

  it('takes a host that does not exist for downtime, naming it', () => {
    const error = new library.KafkaJSConnectionError('Connection error: getaddrinfo ENOTFOUND kafka.nowhere', {
      broker: 'kafka.nowhere:9092',
      code: 'ENOTFOUND',
    });
    expect(kafkaFailure(error, '', BROKERS).message).toBe('kafka: the host of kafka.nowhere:9092 is unknown');
  });

  it('takes a defect for internal, keeping it as the cause', () => {
    const defect = new TypeError('x is not a function');
    expect(kafkaFailure(defect, 'sending', BROKERS)).toMatchObject({
      kind: 'internal',
      retryable: false,
      cause: defect,
    });
    expect(kafkaFailure('thrown text', '', BROKERS).message).toBe('kafka: Error: thrown text');
    expect(kafkaFailure(undefined, '', BROKERS).kind).toBe('internal');
  });
});

describe('codeFailure', () => {
  it('adds what the broker said, and has no gaps in any of its texts', () => {
    expect(codeFailure('INVALID_CONFIG', '', 'T', 'Unknown topic config name: x.').message).toBe(
      'kafka: topic `T` cannot have that configuration: unknown topic config name: x',
    );
    for (const name of Object.keys(ERROR_MEANINGS)) {
      const { message, hint = '' } = codeFailure(name, '', 'T');
      expect(`${message} ${hint}`).not.toMatch(/[{}]|undefined|NAME/);
    }
  });
});

describe('errorName', () => {
  it('knows kafkajs’s codes, some later ones, and numbers the rest', () => {
    expect([3, 47, 90, 120, 4711].map(errorName)).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
      'INVALID_PRODUCER_EPOCH',
      'PRODUCER_FENCED',
      'TRANSACTION_ABORTABLE',
      'ERROR_4711',
    ]);
  });
});
