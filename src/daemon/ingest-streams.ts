// The jobs with `stream: true`: each is read by the replica that holds the shard of its (job, server), and by nobody while it is
// paused. Reading itself, and what it comes through, is ingest/stream.ts.
import type { IngestContext } from '../ingest/run-types.ts';
import { type Stream, startStream } from '../ingest/stream.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Server } from '../model/project.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import type { PreparedIngest, PreparedJob } from '../project/prepared.ts';
import type { HeldUp, WatchedStream } from '../status/operations.ts';
import type { IngestLag } from './ingest-lag.ts';
import type { Log } from './log.ts';
import type { RunLogs } from './run-log.ts';

export interface IngestStreams {
  /** The jobs as they are now: one that changed is started anew. */
  update(jobs: readonly PreparedJob[]): void;
  /** Starts and ends streams as the ledger says. */
  evaluate(): void;
  /** Those that this replica reads. */
  readonly running: readonly WatchedStream[];
  /** Resolves when none runs. */
  stop(grace: Milliseconds): Promise<void>;
}

export interface IngestStreamsOptions {
  readonly context: IngestContext;
  readonly ledger: Ledger;
  readonly lag: IngestLag;
  readonly log: Log;
  readonly runLogs: RunLogs;
  readonly clock: () => number;
  /** Rows as they are written. */
  readonly onRows: (job: JobName, server: ServerName, rows: number) => void;
  /** For a stream that is ended while the daemon goes on. */
  readonly grace: Milliseconds;
}

interface Entry {
  readonly prepared: PreparedIngest;
  readonly server: Server;
  stream: Stream | undefined;
  /** By partition, `undefined` for the whole job. */
  readonly heldUp: Map<number | undefined, HeldUp>;
}

export function createIngestStreams(options: IngestStreamsOptions): IngestStreams {
  const { context, ledger, lag, log, runLogs, clock, onRows, grace } = options;
  const entries = new Map<string, Entry>();
  const leaving = new Set<Promise<void>>();
  let names: readonly string[] = [];
  let stopping = false;

  const open = ({ prepared, server, heldUp }: Entry): Stream => {
    const place = { job: prepared.job.name, server: server.name };
    log.info('stream started', { ...place, topic: prepared.job.topic });
    let told = 0;
    onRows(place.job, place.server, 0);
    return startStream(context, {
      prepared,
      server,
      jobs: names,
      onWarning: (message) => runLogs.of(place.job, place.server).warned(message),
      onPositions(positions) {
        told = 0;
        for (const position of positions) lag.report(place.job, position);
      },
      onProgress(progress) {
        lag.report(place.job, progress);
        onRows(place.job, place.server, progress.rows - told);
        told = progress.rows;
      },
      onHeldUp(partition, failure) {
        const { message, code, hint } = failure;
        heldUp.set(partition, { since: heldUp.get(partition)?.since ?? clock(), failure });
        log.error('stream held up', { ...place, partition, error: message, code, hint });
      },
      onRecovered(partition) {
        heldUp.delete(partition);
        log.info('stream goes on', { ...place, partition });
      },
    });
  };
  const close = (entry: Entry, within: Milliseconds): void => {
    const { stream } = entry;
    if (!stream) return;
    entry.stream = undefined;
    entry.heldUp.clear();
    const { job } = entry.prepared;
    const ended = stream.stop(within).then(() => {
      lag.forget(job.name);
      log.info('stream ended', { job: job.name, server: entry.server.name });
    });
    leaving.add(ended);
    void ended.finally(() => leaving.delete(ended));
  };
  const evaluate = (entry: Entry): void => {
    const { job } = entry.prepared;
    const wanted =
      !stopping && ledger.available && ledger.owns(job.name, entry.server.name) && !ledger.paused(job.name);
    if (!wanted) close(entry, grace);
    else entry.stream ??= open(entry);
  };

  return {
    update(jobs) {
      names = jobs.map(({ job }) => job.name);
      const wanted = new Map(
        jobs.flatMap((prepared): [string, Entry][] => {
          const [server] = prepared.job.servers;
          if (prepared.kind !== 'ingest' || !prepared.job.stream || !server) return [];
          const identity = JSON.stringify([prepared.fingerprint, server], (key, value: unknown) =>
            key === 'declared' ? undefined : value,
          );
          return [[identity, { prepared, server, stream: undefined, heldUp: new Map() }]];
        }),
      );
      for (const [identity, entry] of entries) {
        if (wanted.has(identity)) continue;
        entries.delete(identity);
        close(entry, grace);
      }
      for (const [identity, entry] of wanted) if (!entries.has(identity)) entries.set(identity, entry);
      for (const entry of entries.values()) evaluate(entry);
    },
    evaluate() {
      for (const entry of entries.values()) evaluate(entry);
    },
    get running() {
      return [...entries.values()].flatMap(({ prepared, server, stream, heldUp }) =>
        stream ? [{ job: prepared.job.name, server: server.name, heldUp: [...heldUp.values()] }] : [],
      );
    },
    async stop(within) {
      stopping = true;
      for (const entry of entries.values()) close(entry, within);
      await Promise.all(leaving);
    },
  };
}
