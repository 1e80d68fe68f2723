// A job with everything that can be known without a server: its schedule parsed, its SQL checked and ready to be rendered,
// the defaults of its sort filled in. What the daemon and `run` work with.
import type { IngestJob, PublishJob } from '../model/project.ts';
import type { Schedule } from '../schedule/parse.ts';
import type { CompiledIngestSql } from '../sql/ingest.ts';
import type { CompiledSql } from '../sql/job-sql.ts';

/** A schedule in its time zone, with the identity that the ledger keeps. */
export interface Timetable {
  readonly schedule: Schedule;
  readonly timezone: string;
  readonly hash: string;
}

export interface PreparedPublish {
  readonly kind: 'publish';
  readonly job: PublishJob;
  /** Absent for a job that runs only by hand. */
  readonly timetable: Timetable | undefined;
  readonly sql: CompiledSql;
  /** Its SQL uses the window; any other is a snapshot job (design 1). */
  readonly interval: boolean;
  readonly overlap: 'skip' | 'queue';
  readonly catchup: 'none' | 'latest' | 'all';
  /** Changes when what the job says changes. */
  readonly fingerprint: string;
}

export interface PreparedIngest {
  readonly kind: 'ingest';
  readonly job: IngestJob;
  readonly timetable: Timetable | undefined;
  readonly sql: CompiledIngestSql;
  readonly fingerprint: string;
}

export type PreparedJob = PreparedPublish | PreparedIngest;
