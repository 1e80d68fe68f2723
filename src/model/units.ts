// The units and instants that signatures of every layer share, and how they are written by people.

/** A count of milliseconds. */
export type Milliseconds = number;
/** A count of bytes. */
export type Bytes = number;
/** A nominal instant of a schedule: epoch milliseconds, UTC, always a whole second. */
export type Slot = number;
export type JobName = string;
/** The name of one target: a server's, or `server/database` where it lists databases. */
export type ServerName = string;

const DURATION_UNITS: Readonly<Record<string, Milliseconds>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_UNITS: Readonly<Record<string, Bytes>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** `30s`, `1h30m`, `500ms` → milliseconds; undefined when it is not a duration. A bare number is none (no unit). */
export function parseDuration(text: string): Milliseconds | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATION_UNITS[unit ?? ''] ?? Number.NaN);
  }
  return Math.round(total);
}

/** `8 MiB`, `64KiB`, `1 GB` → bytes; undefined when it is not a size. */
export function parseSize(text: string): Bytes | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|kB|MB|GB)$/.exec(text);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (SIZE_UNITS[match[2] ?? ''] ?? Number.NaN));
}

/** The shortest exact form in one unit: 90000 → `90s`, 3600000 → `1h`, 0 → `0s`. */
export function formatDuration(duration: Milliseconds): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = DURATION_UNITS[unit] ?? 1;
    if (duration >= size && duration % size === 0) return `${duration / size}${unit}`;
  }
  return duration === 0 ? '0s' : `${duration}ms`;
}

/** 8388608 → `8 MiB`; the largest binary unit that divides well, else one decimal. */
export function formatSize(bytes: Bytes): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    const size = SIZE_UNITS[unit] ?? 1;
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} B`;
}

/** RFC 3339 in UTC without fractions when they are zero: `2027-03-28T01:00:00Z`. */
export const formatInstant = rememberingLast((instant) => new Date(instant).toISOString().replace('.000Z', 'Z'));

/** `format`, which is asked for one and the same instant many times in a row: a slot, and the moment when many runs end. */
export function rememberingLast(format: (instant: number) => string): (instant: number) => string {
  let last = Number.NaN;
  let text = '';
  return (instant) => {
    if (instant !== last) {
      text = format(instant);
      last = instant;
    }
    return text;
  };
}
