// What a command is given, and what a command is. Types only.
import type { CommandIo, CommonOptions, Output } from './io.ts';

export interface CommandContext {
  readonly io: CommandIo;
  readonly output: Output;
  readonly options: CommonOptions;
}

/** A command's work: its arguments, its options by name; resolves to the exit code. */
export type Action = (
  context: CommandContext,
  positional: string[],
  options: Record<string, unknown>,
) => Promise<number>;
