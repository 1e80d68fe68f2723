// What the page is told, as JSON: runs as short tuples, because a fleet has tens of thousands. Read by page/model.js, which has to
// know each place. Pure.
import type { LedgerRecord, RecordedError } from '../model/run.ts';
import type { JobName, ServerName } from '../model/units.ts';

/** Seconds since 1970, as slots are whole seconds. */
export type Seconds = number;

/** What only some runs have; absent fields are the usual: one attempt, by schedule. */
export interface MoreOfRun {
  readonly reason?: string;
  readonly since?: Seconds;
  readonly slots?: number;
  readonly attempts?: number;
  readonly trigger?: string;
  readonly error?: RecordedError;
}

/** Outcomes by their first letter: published, empty, failed, skipped, registered. */
export type RunTuple = readonly [
  server: ServerName,
  slot: Seconds,
  outcome: string,
  rows: number,
  milliseconds: number,
  bytes: number,
  more?: MoreOfRun,
];

/** The last runs of one job, in columns, which compress well. `at`: places in the state's `servers`. */
export interface RunColumns {
  readonly at: readonly number[];
  /** After `from` of the state. */
  readonly slots: readonly number[];
  readonly outcomes: string;
  readonly rows: readonly number[];
  readonly ms: readonly number[];
  readonly bytes: readonly number[];
  /** By place in the columns; an error is its place in the state's `errors`. */
  readonly more: Readonly<Record<number, Omit<MoreOfRun, 'error'> & { readonly error?: number }>>;
}

export interface JobLine {
  readonly name: JobName;
  readonly description?: string;
  readonly kind: 'publish' | 'ingest';
  readonly schedule?: string;
  readonly timezone?: string;
  readonly stream?: true;
  readonly topic?: string;
  /** Places in the state's `servers`. */
  readonly servers: readonly number[];
  /** Absent: the ledger has it, this replica's files do not. */
  readonly known?: true;
  readonly runs: RunColumns;
}

export interface ServerLine {
  readonly name: ServerName;
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Of a job: its next slot, and the slot that every server should have an outcome of by now. */
export type Timing = readonly [next: Seconds, expected: Seconds];

export function toRun(server: ServerName, record: LedgerRecord): RunTuple {
  const more: MoreOfRun = {
    ...(record.reason === undefined ? {} : { reason: record.reason }),
    ...(record.since === undefined ? {} : { since: toSeconds(record.since) }),
    ...(record.slots === undefined ? {} : { slots: record.slots }),
    ...(record.attempts === undefined ? {} : { attempts: record.attempts }),
    ...(record.trigger === 'schedule' ? {} : { trigger: record.trigger }),
    ...(record.error === undefined ? {} : { error: record.error }),
  };
  const run = [
    server,
    toSeconds(record.slot),
    record.outcome.slice(0, 1),
    record.rows,
    Date.parse(record.finished) - Date.parse(record.started),
    record.bytes,
  ] as const;
  return Object.keys(more).length === 0 ? run : [...run, more];
}

/** Collects the last runs of a job. `errors` and `placeOf` are shared by the jobs of one state. */
export function createRunColumns(from: Seconds, placeOf: (server: ServerName) => number, errors: ErrorTable) {
  const at: number[] = [];
  const slots: number[] = [];
  const outcomes: string[] = [];
  const rows: number[] = [];
  const ms: number[] = [];
  const bytes: number[] = [];
  const more: Record<number, Omit<MoreOfRun, 'error'> & { error?: number }> = {};
  return {
    add([server, slot, outcome, rowCount, took, size, rest]: RunTuple): void {
      if (rest) {
        const { error, ...others } = rest;
        more[at.length] = error ? { ...others, error: errors.place(error) } : others;
      }
      at.push(placeOf(server));
      slots.push(slot - from);
      outcomes.push(outcome);
      rows.push(rowCount);
      ms.push(took);
      bytes.push(size);
    },
    columns: (): RunColumns => ({ at, slots, outcomes: outcomes.join(''), rows, ms, bytes, more }),
  };
}

/** A thousand servers that fail do so for one reason: each error is told once. */
export interface ErrorTable {
  place(error: RecordedError): number;
  readonly errors: readonly RecordedError[];
}

export function createErrorTable(): ErrorTable {
  const errors: RecordedError[] = [];
  const places = new Map<string, number>();
  return {
    errors,
    place(error) {
      const text = JSON.stringify(error);
      const known = places.get(text);
      if (known !== undefined) return known;
      places.set(text, errors.length);
      return errors.push(error) - 1;
    },
  };
}

export function toSeconds(instant: string | number): Seconds {
  return Math.floor((typeof instant === 'string' ? Date.parse(instant) : instant) / 1000);
}
