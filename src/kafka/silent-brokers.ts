// Corrections to how kafkajs treats a broker that accepts connections but does not answer (frozen, overloaded, behind a dead
// line): it keeps the connection and asks the same broker again, for ever. corrections.ts puts them in place.
import type { Socket } from 'node:net';

/** kafkajs's `Connection.send`. */
export type Send = (this: { readonly socket?: Socket }, protocol: unknown) => Promise<unknown>;
/** kafkajs's `Broker.connect`. */
export type Connect = (this: Broker) => Promise<void>;

interface Broker {
  readonly brokerAddress: string;
  versions: unknown;
  isConnected(): boolean;
}

const TIMED_OUT = 'KafkaJSRequestTimeoutError';

/**
 * kafkajs's `Connection.send`, which keeps a connection whose broker did not answer in time, so that metadata are asked of the
 * same frozen broker again and again. As in Kafka's own client, what is silent is closed, and all that waits on it fails.
 */
export function sendOrClose(original: Send): Send {
  return async function sendAnswered(protocol) {
    try {
      return await original.call(this, protocol);
    } catch (error) {
      const { socket } = this;
      if ((error as Error).name === TIMED_OUT && socket && !socket.closed) {
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
        await closed;
      }
      throw error;
    }
  };
}

/**
 * kafkajs's `Broker.connect`, which asks nothing of a broker whose versions it knows, and treats one that does not answer that
 * question (ApiVersions) otherwise than one that cannot be reached: only for the latter it tries another of the configured
 * brokers. Here every new connection asks, and silence is a connection error.
 */
export function connectOrGiveUp(
  original: Connect,
  ConnectionError: new (message: string, options: { broker: string; code: string }) => Error,
): Connect {
  return async function connectAnswered() {
    if (!this.isConnected()) this.versions = null;
    try {
      await original.call(this);
    } catch (error) {
      if ((error as Error).name !== TIMED_OUT) throw error;
      throw new ConnectionError('Connection timeout', { broker: this.brokerAddress, code: 'ETIMEDOUT' });
    }
  };
}
