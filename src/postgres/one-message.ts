// The texts of a run's transaction, and the whole of a short run as one message: begin, COPY, rollback. Three messages, each
// waited for, would be three times the work for both sides, which is most of what a three-row run costs.
import type { Milliseconds } from '../model/units.ts';
import type { CopySink } from './wire.ts';

export interface TransactionLimits {
  readonly statementTimeout: Milliseconds;
  readonly lockTimeout: Milliseconds;
  readonly idleTimeout: Milliseconds;
}

/** Opens a repeatable read, read-only transaction with its limits. */
export function beginText({ statementTimeout, lockTimeout, idleTimeout }: TransactionLimits): string {
  return (
    'begin isolation level repeatable read read only; ' +
    `set local statement_timeout = ${statementTimeout}; set local lock_timeout = ${lockTimeout}; ` +
    `set local idle_in_transaction_session_timeout = ${idleTimeout}; ` +
    // The offline checks read the job's strings that way.
    'set local standard_conforming_strings = on'
  );
}

/** A message whose first error ends it: should `begin` fail, nothing runs outside of its transaction. */
export function runMessage(copy: string, limits: TransactionLimits): { readonly text: string; readonly head: number } {
  const head = `${beginText(limits)}; `;
  return { text: `${head}${copy}; rollback`, head: head.length };
}

/** Postgres counts an error's position from the beginning of the message: from here on from that of the COPY. */
export function placedInCopy(error: unknown, head: number): unknown {
  const { position } = Object(error) as { position?: string };
  if (position !== undefined) Object.assign(Object(error), { position: String(Number(position) - head) });
  return error;
}

/** Holds the first data back until `ready` has settled; what it rejects with is the sink's error. */
export function sinkAfter(ready: Promise<void>, sink: CopySink): CopySink {
  let open = false;
  return {
    write(chunk) {
      if (open) return sink.write(chunk);
      return ready.then(() => {
        open = true;
        return sink.write(chunk);
      });
    },
  };
}
