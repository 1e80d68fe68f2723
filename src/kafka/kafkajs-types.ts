// The parts of kafkajs 2.2.4 that its own types leave out: what we import from its inside (Connection, protocol requests,
// request queue) and the shapes its classes hand around. Types only; kafkajs.ts loads the real things.
import type { Socket } from 'node:net';
import type * as KafkajsLibrary from 'kafkajs';

export type { KafkajsLibrary };

/** What kafkajs's `createLogger` returns. */
export interface KafkajsLogger {
  namespace(name: string, level?: number): KafkajsLogger;
  error(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  info(message: string, extra?: object): void;
  debug(message: string, extra?: object): void;
}

/** One entry as kafkajs hands it to a log creator's function. */
export interface KafkajsLogEntry {
  readonly namespace: string;
  readonly level: number;
  readonly label: string;
  readonly log: { readonly message: string; readonly error?: unknown; readonly broker?: unknown };
}

export interface KafkajsSocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl?: unknown;
  readonly onConnect: () => void;
}

export type KafkajsSocketFactory = (request: KafkajsSocketRequest) => Socket;

/** kafkajs's `{host, port, logger, saslAuthenticate}`; passed on untouched. */
export type KafkajsAuthenticationArguments = Parameters<KafkajsLibrary.Mechanism['authenticationProvider']>[0];
export type KafkajsAuthenticator = ReturnType<KafkajsLibrary.Mechanism['authenticationProvider']>;
/** One of kafkajs's own mechanisms: a user and a password to an authenticator. */
export type KafkajsMechanism = (sasl: {
  readonly username: string;
  readonly password: string;
}) => (args: KafkajsAuthenticationArguments) => KafkajsAuthenticator;

/** Writes big-endian protocol fields; grows by itself. */
export interface KafkajsEncoder {
  readonly buffer: Buffer;
  writeInt8(value: number): KafkajsEncoder;
  writeInt16(value: number): KafkajsEncoder;
  writeInt32(value: number): KafkajsEncoder;
  writeInt64(value: number | bigint | string): KafkajsEncoder;
  writeBoolean(value: boolean): KafkajsEncoder;
  writeString(value: string | null): KafkajsEncoder;
  writeEncoder(value: KafkajsEncoder): KafkajsEncoder;
}

/** Reads big-endian protocol fields from `buffer`, moving `offset`. */
export interface KafkajsDecoder {
  readonly buffer: Buffer;
  offset: number;
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readBoolean(): boolean;
  readString(): string | null;
  readBytes(length?: number): Buffer | null;
  readAll(): Buffer;
  readArray<T>(read: (decoder: KafkajsDecoder) => T): T[];
  canReadBytes(length: number): boolean;
}

/** A request and how its answer is read; `parse` is where kafkajs turns the first error code it finds into a throw. */
export interface KafkajsProtocol<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<KafkajsEncoder>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<Answer>;
    parse(answer: Answer): Promise<Answer>;
  };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}

export interface KafkajsApiVersion {
  readonly minVersion: number;
  readonly maxVersion: number;
}

export interface KafkajsConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly logger: KafkajsLogger;
  readonly socketFactory: KafkajsSocketFactory;
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly clientId: string;
  readonly ssl?: object | null;
  readonly sasl?: object | null;
}

/** One socket to one broker, with its request queue (kafkajs/src/network/connection). */
export interface KafkajsConnection {
  readonly host: string;
  readonly port: number;
  isConnected(): boolean;
  connect(): Promise<boolean>;
  disconnect(): Promise<boolean>;
  authenticate(): Promise<void>;
  setVersions(versions: Readonly<Record<number, KafkajsApiVersion>>): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  send<Answer>(protocol: KafkajsProtocol<Answer>): Promise<Answer>;
}

/** All versions kafkajs knows of one request; `protocol({version})` gives a function of the request's fields. */
export interface KafkajsRequestDefinition {
  readonly versions: readonly string[];
  protocol(choice: { version: number }): (fields: object) => KafkajsProtocol<never>;
}

/** The modules kafkajs.ts loads by path. */
export interface KafkajsInternals {
  readonly Connection: new (options: KafkajsConnectionOptions) => KafkajsConnection;
  readonly Encoder: new () => KafkajsEncoder;
  readonly Decoder: new (buffer: Buffer) => KafkajsDecoder;
  readonly requests: Readonly<Record<string, KafkajsRequestDefinition>>;
  readonly createLogger: (options: {
    level: number;
    logCreator: () => (entry: KafkajsLogEntry) => void;
  }) => KafkajsLogger;
  readonly createErrorFromCode: (code: number) => Error & { readonly type: string; readonly code: number };
  readonly mechanisms: {
    readonly plain: KafkajsMechanism;
    readonly scram256: KafkajsMechanism;
    readonly scram512: KafkajsMechanism;
  };
}
