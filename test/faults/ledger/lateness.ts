// How late slots were published under faults, for the log of a test: figures, never assertions.
import type { Fleet } from './fleet.ts';

/** So many seconds, or what PGTALLY_FAULT_SECONDS says when that is less. */
export function seconds(usual: number): number {
  return Math.min(usual, Number(process.env.PGTALLY_FAULT_SECONDS ?? usual));
}

/** p50, p95, p99 and the worst of (published - slot), in ms. */
export function describeLateness(fleet: Fleet): string {
  const late = [...fleet.published()]
    .map(([run, { at }]) => at - Number(run.split(' ')[1]) * 1000)
    .sort((a, b) => a - b);
  const quantile = (part: number): number =>
    Math.round(late[Math.min(late.length - 1, Math.floor(late.length * part))] ?? Number.NaN);
  return `${late.length} runs, late by p50 ${quantile(0.5)} p95 ${quantile(0.95)} p99 ${quantile(0.99)} max ${quantile(1)} ms`;
}

/** For each kill, and each shard the killed replica ran: ms until another published a run of it. */
export function failovers(fleet: Fleet, kills: readonly { readonly at: number; readonly replica: string }[]): number[] {
  const events = [...fleet.published().values()].sort((a, b) => a.at - b.at);
  return kills.flatMap(({ at, replica }) => {
    const owned = new Set(
      events
        .filter((event) => event.by === replica && event.at > at - 2500 && event.at <= at)
        .map(({ shard }) => shard),
    );
    return [...owned].flatMap((shard) => {
      const next = events.find((event) => event.shard === shard && event.at > at && event.by !== replica);
      return next ? [next.at - at] : [];
    });
  });
}
