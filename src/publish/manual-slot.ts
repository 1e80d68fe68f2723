// Which slot and window a run by hand has (design 5): an interval job's latest completed slot, else the present moment.
import { Failure } from '../model/failure.ts';
import { formatInstant, type Slot } from '../model/units.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import { nextTick, previousTick, window } from '../schedule/ticks.ts';

export interface ManualSlot {
  readonly slot: Slot;
  readonly window: { readonly start: Slot; readonly end: Slot };
}

/** `wanted` is what `--slot` said. Throws a Failure (configuration) when an interval job has no such slot. */
export function manualSlot(prepared: PreparedPublish, wanted: number | undefined, now: number): ManualSlot {
  const { timetable, interval, job } = prepared;
  if (!timetable || !interval) {
    const slot = wanted ?? Math.floor(now / 1000) * 1000;
    return { slot, window: { start: slot, end: slot } };
  }
  const { schedule, timezone } = timetable;
  const slot = wanted ?? previousTick(schedule, timezone, now - job.delay);
  const nearest = previousTick(schedule, timezone, slot);
  if (nearest !== slot) {
    throw new Failure(`${formatInstant(slot)} is not a slot of job \`${job.name}\``, {
      kind: 'configuration',
      hint: `its nearest slots are ${formatInstant(nearest)} and ${formatInstant(nextTick(schedule, timezone, slot))}`,
    });
  }
  return { slot, window: window(schedule, timezone, slot) };
}
