// What texts of a certain kind must look like: names, addresses, time zones. A pattern serves the loader and the JSON
// Schema; a check adds what no pattern can say.
import { type Complaint, HIDDEN, holdsSecret, type Place, show } from './problems.ts';
import { nearest } from './suggest.ts';

export interface Format {
  /** Completes "`x` is not …". */
  readonly expects: string;
  readonly pattern?: string;
  readonly hint?: string;
  readonly check?: (text: string) => Complaint | undefined;
}

export type FormatName = keyof typeof formats;

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]*';

/** All formats by name. */
export const formats = {
  name: { expects: 'a name: letters, digits, `.`, `_` and `-`, a letter or digit first', pattern: `^${NAME}$` },
  serverName: {
    expects: 'a name: letters, digits, `.`, `_` and `-`, a letter or digit first',
    pattern: '^[A-Za-z0-9{][A-Za-z0-9._{}-]*$',
  },
  serverGlob: {
    expects: 'a name or glob of servers',
    pattern: '^[A-Za-z0-9._*?/-]+$',
  },
  database: { expects: 'a database name without spaces, `/`, `*` or `?`', pattern: '^[^\\s/*?]+$' },
  label: {
    expects: 'the name of a label: letters, digits, `.`, `_`, `-` and `/`',
    pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]*$',
  },
  variable: { expects: 'a variable name: letters, digits and `_`', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
  range: {
    expects: 'a range such as `1..200` or `001..200`',
    pattern: '^[0-9]{1,9}\\.\\.[0-9]{1,9}$',
    check: checkRange,
  },
  topic: {
    expects: 'a topic name: letters, digits, `.`, `_` and `-`, at most 249',
    pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$',
  },
  header: {
    expects: 'a header name',
    pattern: '^(?![Pp][Gg][Tt][Aa][Ll][Ll][Yy]-)[^\\s]+$',
    hint: 'header names hold no spaces, and those that begin with `pgtally-` are set by pgtally itself',
  },
  clientId: { expects: 'a client id: letters, digits, `.`, `_` and `-`', pattern: '^[A-Za-z0-9._-]{1,200}$' },
  brokers: {
    expects: 'the address of a broker',
    pattern: '^\\s*[^\\s,]+(\\s*,\\s*[^\\s,]+)*\\s*$',
    hint: 'an address is `host:port`: `localhost:9092`',
    check: (text) => firstComplaint(text.split(','), (address) => checkAddress(address.trim(), 1)),
  },
  listen: {
    expects: 'an address to listen on',
    pattern: '^[^\\s]+:[0-9]+$',
    hint: 'an address is `host:port`: `127.0.0.1:8087`',
    check: (text) => checkAddress(text, 0),
  },
  host: { expects: 'a host name', pattern: '^[^\\s/@]+$' },
  file: { expects: 'the path of a file', pattern: '^[^\\n]+$', hint: 'give the path of a file, not what is in it' },
  glob: { expects: 'a path or glob of files', pattern: '^[^\\n]+$' },
  timezone: { expects: 'a time zone', check: checkTimezone },
  column: { expects: 'a column name', pattern: '^[^\\s].*$' },
  configName: { expects: 'the name of a topic setting', pattern: '^[a-z][a-z0-9.]*$' },
} as const satisfies Record<string, Format>;

/** What is wrong with a text of this format, or undefined. */
export function checkFormat(name: FormatName, text: string, place: Place): Complaint | undefined {
  const format: Format = formats[name];
  if (format.pattern !== undefined && !patternOf(format.pattern).test(text)) {
    const message = `${show(text, place)} is not ${format.expects}`;
    return { message, ...(format.hint === undefined ? {} : { hint: format.hint }) };
  }
  const complaint = format.check?.(text);
  return complaint && holdsSecret(place) ? { message: `${HIDDEN} is not ${format.expects}` } : complaint;
}

/** The number of a host's port: `localhost:9092`, `[::1]:9092`. */
export function splitAddress(address: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9A-Fa-f:.%]+\]|[^:[\]/@]+):(\d{1,5})$/.exec(address);
  if (!match) return undefined;
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[2]) };
}

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  const known = patterns.get(source) ?? new RegExp(source, 'u');
  patterns.set(source, known);
  return known;
}

function firstComplaint<T>(items: readonly T[], check: (item: T) => Complaint | undefined): Complaint | undefined {
  for (const item of items) {
    const complaint = check(item);
    if (complaint) return complaint;
  }
  return undefined;
}

function checkAddress(address: string, lowestPort: number): Complaint | undefined {
  const parts = splitAddress(address);
  if (parts && parts.port >= lowestPort && parts.port <= 65_535) return undefined;
  const shown = address.includes('@') ? 'this' : `\`${address}\``;
  return {
    message: parts ? `${shown} has no valid port: it must be ${lowestPort} to 65535` : `${shown} is not \`host:port\``,
    ...(parts || address.includes(':')
      ? {}
      : { hint: `add the port: \`${address}:${lowestPort === 0 ? 8087 : 9092}\`` }),
  };
}

function checkRange(text: string): Complaint | undefined {
  const [from, to] = text.split('..').map(Number);
  if (from === undefined || to === undefined || from <= to) return undefined;
  return { message: `the range \`${text}\` runs backwards`, hint: `write \`${to}..${from}\`` };
}

const knownTimezones = new Map<string, boolean>([['UTC', true]]);

/** Whether the zone is in the tz database that Node carries. Offsets such as `+02:00` are none, on every version of Node. */
function isTimezone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false;
  const known = knownTimezones.get(zone);
  if (known !== undefined) return known;
  let valid = true;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
  } catch {
    // The RangeError is the answer: there is no other way to ask for names that are links, such as `US/Eastern`.
    valid = false;
  }
  knownTimezones.set(zone, valid);
  return valid;
}

function checkTimezone(zone: string): Complaint | undefined {
  if (isTimezone(zone)) return undefined;
  const names = Intl.supportedValuesOf('timeZone');
  const city = names.find((name) => name.toLowerCase().endsWith(`/${zone.toLowerCase()}`));
  const best = city ?? nearest(zone, names);
  return {
    message: `there is no time zone \`${zone}\``,
    hint:
      best === undefined
        ? 'use a name of the tz database such as `Europe/Berlin` or `UTC`'
        : `did you mean \`${best}\`?`,
  };
}
