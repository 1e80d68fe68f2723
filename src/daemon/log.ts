// The daemon's log: one JSON object a line, or a readable line on a terminal. Levels as in syslog's common four.
import { formatInstant } from '../model/units.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly write: (line: string) => void;
  readonly pretty: boolean;
  readonly level: Level;
  readonly now?: () => number;
}

const ORDER: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog(options: LogOptions): Log {
  const now = options.now ?? Date.now;
  const at =
    (level: Level) =>
    (msg: string, fields: LogFields = {}): void => {
      if (ORDER[level] < ORDER[options.level]) return;
      options.write(
        options.pretty
          ? prettyLine(now(), level, msg, fields)
          : JSON.stringify({ time: new Date(now()).toISOString(), level, msg, ...fields }),
      );
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function prettyLine(now: number, level: Level, msg: string, fields: LogFields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' && /[\s"]/.test(value) ? JSON.stringify(value) : value}`)
    .join(' ');
  return `${formatInstant(Math.floor(now / 1000) * 1000)} ${level.padEnd(5)} ${msg}${rest ? ` ${rest}` : ''}`;
}
