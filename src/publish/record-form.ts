// What every record of a run carries besides the row (design 4): our headers, and the partition of rows without a key.
import { murmur2PartitionOfText } from '../kafka/murmur2.ts';
import type { Trigger } from '../model/project.ts';
import { formatInstant, type JobName, type ServerName, type Slot } from '../model/units.ts';

export interface RunHeaders {
  readonly job: JobName;
  readonly server: ServerName;
  readonly slot: Slot;
  readonly trigger: Trigger;
  readonly run: string;
}

/** The headers that are the same on all records of a run, in the order they are written. */
export function recordHeaders(run: RunHeaders): readonly (readonly [name: string, value: string])[] {
  return [
    ['pgtally-job', run.job],
    ['pgtally-server', run.server],
    ['pgtally-slot', formatInstant(run.slot)],
    ['pgtally-trigger', run.trigger],
    ['pgtally-run', run.run],
  ];
}

/** One partition a run for records without a key: spread over the runs, the same on every retry of one. */
export function keylessPartition(job: JobName, server: ServerName, slot: Slot, partitions: number): number {
  return murmur2PartitionOfText(`${job}/${server}/${slot}`, partitions);
}
