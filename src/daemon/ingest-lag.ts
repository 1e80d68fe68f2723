// How many offsets each partition of each ingest job has yet to read, as last seen: for metrics.
import type { IngestProgress } from '../ingest/run-types.ts';
import type { JobName } from '../model/units.ts';

export interface IngestLag {
  report(job: JobName, progress: Omit<IngestProgress, 'rows'>): void;
  /** By job and partition; a job that nobody here reads any more keeps its last word until `forget`. */
  readonly lags: ReadonlyMap<JobName, ReadonlyMap<number, number>>;
  forget(job: JobName): void;
}

export function createIngestLag(): IngestLag {
  const lags = new Map<JobName, Map<number, number>>();
  return {
    report(job, { partition, next, end }) {
      const partitions = lags.get(job) ?? new Map<number, number>();
      partitions.set(partition, Math.max(0, end - next));
      lags.set(job, partitions);
    },
    lags,
    forget: (job) => void lags.delete(job),
  };
}
