// A project as loaded from its files: every default filled in, every text still knowing its place. Types only.
import type { Located, SourceText } from './source.ts';
import type { Bytes, JobName, Milliseconds, ServerName } from './units.ts';

export interface Project {
  /** The folder of pgtally.yaml; relative paths in it start here. */
  readonly folder: string;
  readonly kafka: KafkaSettings;
  readonly servers: readonly Server[];
  readonly jobs: readonly Job[];
  readonly ledger: LedgerSettings;
  readonly limits: Limits;
  readonly status: StatusSettings;
  readonly metrics: MetricsSettings;
  /** `defaults.privileged`: what to do with a superuser or a role that can write. */
  readonly privileged: 'warn' | 'refuse';
  /** Every file read, for watching. */
  readonly files: readonly string[];
  /** Every folder in which a new file would belong to the project, for watching. */
  readonly folders?: readonly string[];
}

export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly compression: 'none' | 'gzip' | 'lz4' | 'zstd';
  readonly tls?: TlsFiles & { readonly serverName?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: SecretSource;
  };
}

/** A secret that may live in a file that changes: read it when it is needed, never keep it in a message. */
export type SecretSource = { readonly value: string } | { readonly file: string };

export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** One target: exactly one database of one server. */
export interface Server {
  readonly name: ServerName;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: SecretSource;
  /** A file in ~/.pgpass form, looked up when no password is given. */
  readonly passfile?: string;
  /** `application_name` and other whitelisted parameters of the URL, sent at start-up. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly tls: TlsFiles & { readonly mode: TlsMode };
  readonly labels: Readonly<Record<string, string>>;
  /** Place of its declaration, for messages. */
  readonly declared: Located<string>;
}

/** Which servers a job runs on. Names may be globs; labels are ANDed, a list value is OR. */
export type Selector =
  | { readonly all: true }
  | { readonly names: readonly Located<string>[] }
  | { readonly labels: readonly { readonly label: Located<string>; readonly values: readonly string[] }[] };

export interface TopicSettings {
  readonly name: string;
  readonly partitions?: number;
  readonly replication?: number;
  readonly config: Readonly<Record<string, string>>;
}

export type Trigger = 'schedule' | 'catchup' | 'manual' | 'backfill';

interface JobCommon {
  readonly name: JobName;
  readonly declared: Located<string>;
  readonly description?: string;
  readonly schedule?: SourceText;
  readonly timezone: Located<string>;
  readonly selector: Selector;
  /** The matching servers, in the order of the file. */
  readonly servers: readonly Server[];
  readonly timeout: Milliseconds;
  readonly retries: number;
}

export interface PublishJob extends JobCommon {
  readonly kind: 'publish';
  readonly query: SourceText;
  readonly topic: TopicSettings;
  /** Absent = no key; one = its text; several (or a list of one) = a JSON array. */
  readonly key?: { readonly list: boolean; readonly expressions: readonly SourceText[] };
  readonly value?: SourceText;
  readonly headers: readonly { readonly name: string; readonly expression: SourceText }[];
  readonly nullKey: 'error' | 'allow';
  readonly delay: Milliseconds;
  /** Undefined = the default of the job's sort: snapshot `skip`, interval `queue`. */
  readonly overlap?: 'skip' | 'queue';
  /** Undefined = the default of the job's sort: snapshot `latest`, interval `all`. */
  readonly catchup?: 'none' | 'latest' | 'all';
  readonly catchupWindow: Milliseconds;
  readonly splay: Milliseconds;
  readonly concurrency: number;
  readonly delivery: 'exactly_once' | 'at_least_once';
}

export interface IngestJob extends JobCommon {
  readonly kind: 'ingest';
  readonly stream: boolean;
  readonly topic: string;
  readonly from: 'stored' | 'beginning' | 'end';
  /** Undefined = all. */
  readonly partitions?: readonly number[];
  readonly limit?: number;
  readonly into: Located<string>;
  readonly columns: readonly { readonly name: Located<string>; readonly expression: SourceText }[];
  readonly onError: 'stop' | 'dead_letter';
}

export type Job = PublishJob | IngestJob;

export interface LedgerSettings {
  readonly topic: string;
  readonly shards: number;
  /** Undefined = min(3, brokers). */
  readonly replication?: number;
}

export interface Limits {
  readonly concurrency: number;
  readonly memory: Bytes;
  readonly connections: number;
  readonly keep: Milliseconds;
  /** A result up to this size is complete before its Kafka transaction opens; a larger one streams. */
  readonly buffer: Bytes;
  /** How long SQL that is running at a stop may go on before it is cancelled. Absent = 1 s. */
  readonly stopGrace: Milliseconds;
}

export interface StatusSettings {
  readonly listen: string;
  readonly token?: string;
  readonly hosts: readonly string[];
  /** A fraction of a job's servers, 0 to 1: above it `/health` answers 503. */
  readonly maxFailedServers: number;
}

export interface MetricsSettings {
  /** Whether series carry the server's name. */
  readonly perServer: 'auto' | 'on' | 'off';
}
