// Numbers and times as people read them. Times are UTC, as in the log; slots are seconds since 1970.

/** 1234 → `1,234`; 12345 → `12.3k`. */
export function shortNumber(value) {
  if (value < 10_000) return value.toLocaleString('en-US');
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (value >= size) return `${(value / size).toFixed(value / size < 100 ? 1 : 0)}${unit}`;
  }
  return String(value);
}

export function fullNumber(value) {
  return value.toLocaleString('en-US');
}

export function plural(count, one, many = `${one}s`) {
  return `${fullNumber(count)} ${count === 1 ? one : many}`;
}

/** Milliseconds: `12 ms`, `1.2 s`, `2 m 5 s`. */
export function took(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${Math.round((ms % 60_000) / 1000)} s`;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  for (const [size, unit] of [
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
    [1024, 'KiB'],
  ]) {
    if (count >= size) return `${(count / size).toFixed(1)} ${unit}`;
  }
  return '';
}

/** `21:03:10`, with the day when it is not today's. */
export function clock(seconds, now) {
  const text = new Date(seconds * 1000).toISOString();
  const day = text.slice(0, 10);
  const today = new Date(now * 1000).toISOString().slice(0, 10);
  return day === today ? text.slice(11, 19) : `${day} ${text.slice(11, 19)}`;
}

export function instant(seconds) {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** `now`, `12 s ago`, `3 h ago`, `in 8 s`. One unit says what is late. */
export function relative(seconds, now) {
  const distance = Math.round(now - seconds);
  if (distance === 0) return 'now';
  const text = span(Math.abs(distance));
  return distance > 0 ? `${text} ago` : `in ${text}`;
}

function span(seconds) {
  for (const [size, unit] of [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

/** The wall clock of a time zone, for the next slots. */
export function inZone(seconds, timeZone) {
  const options = { timeZone, dateStyle: 'medium', timeStyle: 'medium', hour12: false };
  return new Intl.DateTimeFormat('en-GB', options).format(seconds * 1000);
}
