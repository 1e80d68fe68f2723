// How the ledger tells what it does; the daemon decides how that is written. Types only.

/** `fields` are flat, for a log line. `debug` is what happens all the time. */
export type LedgerLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, string | number | undefined>>,
) => void;
