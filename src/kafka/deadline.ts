// A limit on waiting for kafkajs, some of whose promises settle late or never.
import { Failure } from '../model/failure.ts';
import { formatDuration, type Milliseconds } from '../model/units.ts';

/**
 * What `work` comes to, or a Failure (`kafka`, retryable, code `DEADLINE`) after `limit`; `doing` as in "committing". Work that
 * is given up goes on unheard: its late error is no unhandled rejection.
 */
export async function withDeadline<T>(work: Promise<T>, limit: Milliseconds, doing: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late(limit, doing)), limit);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function late(limit: Milliseconds, doing: string): Failure {
  return new Failure(`kafka: ${doing} did not end within ${formatDuration(limit)}`, {
    kind: 'kafka',
    retryable: true,
    code: 'DEADLINE',
    hint: 'the brokers may be overloaded, frozen or unreachable: see their logs',
  });
}
