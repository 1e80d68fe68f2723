// How a failure is said to a person: what happened, then what to do. Exit codes: 1 failed, 2 usage or configuration.
import { Failure } from '../model/failure.ts';
import type { Output } from './io.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Wrong usage of the command line: exit 2, with a hint where there is one. */
export class UsageError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** Prints what was thrown and gives the exit code. Only a defect of pgtally's own shows a stack. */
export function reportError(error: unknown, output: Output): number {
  const { paint } = output;
  const say = (message: string, hint?: string): void => {
    output.complain(`${paint.red('error:')} ${message}`);
    if (hint) output.complain(`${paint.cyan('hint:')} ${hint}`);
  };
  if (error instanceof UsageError) {
    say(error.message, error.hint);
    return EXIT_USAGE;
  }
  if (error instanceof Failure) {
    say(error.message, error.hint);
    return error.kind === 'configuration' ? EXIT_USAGE : EXIT_FAILED;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say(`a defect in pgtally: ${detail}`, 'please report this with the command you typed');
  return EXIT_FAILED;
}
