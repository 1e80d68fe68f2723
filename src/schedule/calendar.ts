// Which local date-times a schedule names, as pure arithmetic on a calendar without time zones. A local time is written as
// the epoch milliseconds it would have in UTC. Zones and their gaps are in zone.ts and ticks.ts.
import type { Schedule } from './parse.ts';

/** A wall-clock reading, as the epoch milliseconds it would be in UTC; always a whole second here. */
export type LocalTime = number;

const SECOND = 1000;
const DAY = 86_400_000;

/** The first local time of the schedule in [from, before), or undefined. */
export function nextMatch(schedule: Schedule, from: LocalTime, before: LocalTime): LocalTime | undefined {
  let day = Math.floor(from / DAY);
  let rank = rankOf(schedule, from - day * DAY);
  while (day * DAY < before) {
    const date = new Date(day * DAY);
    if (!schedule.months.includes(date.getUTCMonth() + 1)) {
      day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY;
      rank = 0;
      continue;
    }
    if (rank < timesADay(schedule) && dayMatches(schedule, date)) {
      const match = day * DAY + timeAt(schedule, rank);
      return match < before ? match : undefined;
    }
    day += 1;
    rank = 0;
  }
  return undefined;
}

/** The last local time of the schedule in [from, until], or undefined. */
export function previousMatch(schedule: Schedule, from: LocalTime, until: LocalTime): LocalTime | undefined {
  let day = Math.floor(until / DAY);
  let rank = rankOf(schedule, until - day * DAY + SECOND);
  while ((day + 1) * DAY > from) {
    const date = new Date(day * DAY);
    if (!schedule.months.includes(date.getUTCMonth() + 1)) {
      day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 0) / DAY;
      rank = timesADay(schedule);
      continue;
    }
    if (rank > 0 && dayMatches(schedule, date)) {
      const match = day * DAY + timeAt(schedule, rank - 1);
      return match >= from ? match : undefined;
    }
    day -= 1;
    rank = timesADay(schedule);
  }
  return undefined;
}

/** How many local times of the schedule lie in [from, before); its cost grows with days, not with matches. */
export function countMatches(schedule: Schedule, from: LocalTime, before: LocalTime): number {
  if (from >= before) return 0;
  let count = 0;
  for (let day = Math.floor(from / DAY); day * DAY < before; day += 1) {
    if (!dayMatches(schedule, new Date(day * DAY))) continue;
    const start = Math.max(from - day * DAY, 0);
    count += rankOf(schedule, Math.min(before - day * DAY, DAY)) - rankOf(schedule, start);
  }
  return count;
}

function dayMatches(schedule: Schedule, date: Date): boolean {
  return (
    schedule.daysOfMonth.includes(date.getUTCDate()) &&
    schedule.daysOfWeek.includes(date.getUTCDay()) &&
    schedule.months.includes(date.getUTCMonth() + 1)
  );
}

function timesADay(schedule: Schedule): number {
  return schedule.hours.length * schedule.minutes.length * schedule.seconds.length;
}

/** The schedule's times of a day are numbered from 0 in order: this is the one of number `rank`, in milliseconds. */
function timeAt(schedule: Schedule, rank: number): number {
  const { hours, minutes, seconds } = schedule;
  const second = seconds[rank % seconds.length] ?? 0;
  const minute = minutes[Math.floor(rank / seconds.length) % minutes.length] ?? 0;
  const hour = hours[Math.floor(rank / (seconds.length * minutes.length))] ?? 0;
  return ((hour * 60 + minute) * 60 + second) * SECOND;
}

/** How many of the schedule's times of a day come before `time` (milliseconds into the day, 0 … 24 h). */
function rankOf(schedule: Schedule, time: number): number {
  const { hours, minutes, seconds } = schedule;
  const whole = Math.ceil(time / SECOND);
  const second = whole % 60;
  const minute = Math.floor(whole / 60) % 60;
  const hour = Math.floor(whole / 3600);
  let rank = countBelow(hours, hour) * minutes.length * seconds.length;
  if (!hours.includes(hour)) return rank;
  rank += countBelow(minutes, minute) * seconds.length;
  return minutes.includes(minute) ? rank + countBelow(seconds, second) : rank;
}

function countBelow(ascending: readonly number[], bound: number): number {
  let count = 0;
  while (count < ascending.length && (ascending[count] ?? bound) < bound) count += 1;
  return count;
}
