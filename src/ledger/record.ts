// The ledger's words on the wire: keys, records, claims, pauses and heartbeats as JSON, and the hashes that name a run and a
// schedule. Pure; nothing here talks to Kafka.
import { createHash, randomBytes } from 'node:crypto';
import type { LedgerRecord, Outcome, RecordedError, RunId, SkipReason } from '../model/run.ts';
import type { JobName, ServerName, Slot } from '../model/units.ts';
import { formatInstant } from '../model/units.ts';
import { fieldsOf } from './json-fields.ts';

/** One `pgtally start` process: new for each process, so that a restarted one is never taken for its predecessor. */
export type ReplicaId = string;
/** One partition of the ledger topic. */
export type Shard = number;

/** The range of slots one `backfill` command covers; it is part of the key its progress is kept under. */
export interface BackfillRange {
  readonly from: Slot;
  readonly to: Slot;
}

/** Who owns a shard: the last claim in its partition. A fresh nonce each time, so that its writer can wait for its own. */
export interface Claim {
  readonly nonce: string;
  readonly replica: ReplicaId;
  /** Set when the shard was given back: nobody has to be waited for. */
  readonly released?: true;
}

export interface Pause {
  readonly since: string;
  readonly note?: string;
}

/** What a key of the ledger stands for. Keys that start with `#` are ours; a newer version's are `other`. */
export type LedgerKey =
  | { readonly kind: 'run'; readonly job: JobName; readonly server: ServerName }
  | { readonly kind: 'claim' }
  | { readonly kind: 'pause'; readonly job: JobName }
  | ({ readonly kind: 'backfill'; readonly job: JobName; readonly server: ServerName } & BackfillRange)
  | { readonly kind: 'other' };

export const CLAIM_KEY = '#claim';

/** The longest error text kept in a record: a ledger record may never be what makes a commit too large. */
const LONGEST_ERROR_TEXT = 2000;
const OUTCOMES: readonly string[] = ['published', 'empty', 'failed', 'skipped', 'registered'] satisfies Outcome[];
const TRIGGERS: readonly string[] = ['schedule', 'catchup', 'manual', 'backfill'] satisfies LedgerRecord['trigger'][];
const REASONS: readonly string[] = ['overlap', 'missed', 'paused', 'stopped'] satisfies SkipReason[];

/** The public key of a (job, server): `job/server`. A server's name may hold a `/` (its database), a job's may not. */
export function runKey(job: JobName, server: ServerName): string {
  return `${job}/${server}`;
}

/** `#pause/<job>`. */
export function pauseKey(job: JobName): string {
  return `#pause/${job}`;
}

/** `#backfill/<job>/<server>/<from>/<to>`, instants as RFC 3339 in UTC. */
export function backfillKey(job: JobName, server: ServerName, range: BackfillRange): string {
  return `#backfill/${job}/${server}/${formatInstant(range.from)}/${formatInstant(range.to)}`;
}

/** What a ledger key stands for. Never throws: what cannot be read is `other`, for a later version may have written it. */
export function parseLedgerKey(key: string): LedgerKey {
  if (!key.startsWith('#')) {
    const slash = key.indexOf('/');
    if (slash < 1 || slash === key.length - 1) return { kind: 'other' };
    return { kind: 'run', job: key.slice(0, slash), server: key.slice(slash + 1) };
  }
  if (key === CLAIM_KEY) return { kind: 'claim' };
  const [word, ...rest] = key.split('/');
  if (word === '#pause' && rest.length === 1 && rest[0]) return { kind: 'pause', job: rest[0] };
  if (word === '#backfill' && rest.length >= 4) {
    const job = rest[0] ?? '';
    const server = rest.slice(1, -2).join('/');
    const [from, to] = rest.slice(-2).map((text) => Date.parse(text));
    if (job && server && from !== undefined && to !== undefined && !Number.isNaN(from) && !Number.isNaN(to)) {
      return { kind: 'backfill', job, server, from, to };
    }
  }
  return { kind: 'other' };
}

/** The `pgtally-run` header of a scheduled or caught-up run: the same on every retry and replica (32 hex digits). */
export function scheduledRunId(run: RunId): string {
  return digest([run.job, run.server, formatInstant(run.slot)], 32);
}

/** The `pgtally-run` header of a manual or backfill run: fresh each time (32 hex digits). */
export function freshRunId(): string {
  return randomBytes(16).toString('hex');
}

/** A ledger record as the public JSON value, fields always in the same order; an error's long text is cut. */
export function formatRecord(record: LedgerRecord): string {
  const { slot, outcome, rows, bytes, run, trigger, started, finished, schedule } = record;
  const { reason, since, slots, attempts, error, failures, failure, succeeded } = record;
  return JSON.stringify({
    slot,
    outcome,
    rows,
    bytes,
    run,
    trigger,
    started,
    finished,
    schedule,
    reason,
    since,
    slots,
    attempts,
    error: error && cutError(error),
    failures,
    failure: failure && cutError(failure),
    succeeded,
  });
}

/** Reads a ledger record; fields of later versions are passed over. Throws a Failure that names the field that is wrong. */
export function parseRecord(json: string): LedgerRecord {
  const at = fieldsOf(json);
  const reason = at.optional('reason', (name) => at.oneOf(name, REASONS));
  const since = at.optional('since', at.instant);
  const slots = at.optional('slots', at.count);
  const attempts = at.optional('attempts', at.count);
  const error = at.optional('error', (name) => parseError(JSON.stringify(at.value(name))));
  const failures = at.optional('failures', at.count);
  const failure = at.optional('failure', (name) => parseError(JSON.stringify(at.value(name))));
  const succeeded = at.optional('succeeded', at.instant);
  return {
    slot: at.instant('slot'),
    outcome: at.oneOf('outcome', OUTCOMES) as Outcome,
    rows: at.count('rows'),
    bytes: at.count('bytes'),
    run: at.text('run'),
    trigger: at.oneOf('trigger', TRIGGERS) as LedgerRecord['trigger'],
    started: at.instant('started'),
    finished: at.instant('finished'),
    schedule: at.text('schedule'),
    ...(reason === undefined ? {} : { reason: reason as SkipReason }),
    ...(since === undefined ? {} : { since }),
    ...(slots === undefined ? {} : { slots }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(error === undefined ? {} : { error }),
    ...(failures === undefined ? {} : { failures }),
    ...(failure === undefined ? {} : { failure }),
    ...(succeeded === undefined ? {} : { succeeded }),
  };
}

export function formatClaim(claim: Claim): string {
  return JSON.stringify({ nonce: claim.nonce, replica: claim.replica, released: claim.released });
}

/** Reads a claim. Throws a Failure that names the field that is wrong. */
export function parseClaim(json: string): Claim {
  const at = fieldsOf(json);
  const released = at.value('released') === true;
  return { nonce: at.text('nonce'), replica: at.text('replica'), ...(released ? { released } : {}) };
}

export function formatPause(pause: Pause): string {
  return JSON.stringify({ since: pause.since, note: pause.note });
}

/** Reads a pause. Throws a Failure that names the field that is wrong. */
export function parsePause(json: string): Pause {
  const at = fieldsOf(json);
  const note = at.optional('note', at.text);
  return { since: at.instant('since'), ...(note === undefined ? {} : { note }) };
}

function parseError(json: string): RecordedError {
  const at = fieldsOf(json);
  const code = at.optional('code', at.text);
  const hint = at.optional('hint', at.text);
  return {
    kind: at.text('kind'),
    message: at.text('message'),
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function digest(parts: readonly string[], hexDigits: number): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, hexDigits);
}

function cutError(error: RecordedError): RecordedError {
  return { ...error, message: cut(error.message), ...(error.hint ? { hint: cut(error.hint) } : {}) };
}

function cut(text: string): string {
  return text.length <= LONGEST_ERROR_TEXT ? text : `${text.slice(0, LONGEST_ERROR_TEXT - 1)}…`;
}
