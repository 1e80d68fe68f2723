// What is derived from names by hashing: a server's splay, and the identity of a schedule. Pure, and the same in every
// release and on every machine: a changed result would move dispatches or register jobs anew.
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import type { Schedule } from './parse.ts';

/**
 * By how much later this server's runs of the job are dispatched: hash(job, server) mod min(splay, interval), so that 200
 * servers are not asked in the same millisecond. `interval` is the time between two slots. The slot itself does not move.
 */
export function splayOf(job: JobName, server: ServerName, splay: Milliseconds, interval: Milliseconds): Milliseconds {
  const room = Math.floor(Math.min(splay, interval));
  return room > 0 ? hash(`${job}/${server}`) % room : 0;
}

/**
 * Eight hexadecimal digits that change when the slots do: made from the fields' values and the time zone, so `@hourly` and
 * `0 * * * *` are one schedule. In every ledger record (design 6).
 */
export function scheduleHash(schedule: Schedule, timezone: string): string {
  const { seconds, minutes, hours, daysOfMonth, months, daysOfWeek, wildcard } = schedule;
  const text = JSON.stringify([seconds, minutes, hours, daysOfMonth, months, daysOfWeek, wildcard, timezone]);
  return hash(text).toString(16).padStart(8, '0');
}

/** FNV-1a over UTF-16 units (Fowler, Noll, Vo), then MurmurHash3's finalizer: alone its low bits follow the last letters. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
