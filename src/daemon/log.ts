// The daemon's log: one JSON object a line by pino, or a readable line on a terminal. What is said, and how often, is not
// decided here. pino's own transports are worker threads that load a file by its path, which does not survive being bundled:
// a line goes to a plain function, and has been written when that returns, so that none is lost at the end of the process.
import { type DestinationStream, pino } from 'pino';
import { formatInstant, rememberingLast } from '../model/units.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Takes a line with its newline. */
  readonly write: (line: string) => void;
  readonly pretty: boolean;
  readonly level: Level;
  readonly now?: () => number;
}

/** Fields as in design 13: `level`, `time` (RFC 3339 with milliseconds), `msg`, what it is about. Fields that are undefined are left out. */
export function createLog({ write, pretty, level, now = Date.now }: LogOptions): Log {
  const destination: DestinationStream = { write: pretty ? (line) => write(prettyLine(line)) : write };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => timeField(now()),
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const at =
    (of: Level) =>
    (msg: string, fields: LogFields = {}): void =>
      // Among the fields, because pino would write it after them.
      logger[of]({ msg, ...fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const timeField = rememberingLast((instant) => `,"time":"${new Date(instant).toISOString()}"`);

/** `2027-03-28T01:00:00Z warn  skipped job=… server=…`: to the second, without a run's hash and what `msg` says already. */
function prettyLine(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, string | number | boolean>;
  const at = formatInstant(Math.floor(Date.parse(String(time)) / 1000) * 1000);
  const rest = Object.entries(fields)
    .filter(([key, value]) => key !== 'run' && value !== msg)
    .map(([key, value]) => ` ${key}=${prettyValue(value)}`);
  return `${at} ${String(level).padEnd(5)} ${msg}${rest.join('')}\n`;
}

function prettyValue(value: string | number | boolean): string {
  return typeof value === 'string' && (value === '' || /[\s"]/.test(value)) ? JSON.stringify(value) : String(value);
}
