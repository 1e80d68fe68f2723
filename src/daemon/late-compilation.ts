// When V8's optimising compiler takes to a function. A run's functions are made with it and gone with it, and their machine code goes
// with the last of them: after a burst of a thousand runs it is all compiled anew in the next one, on the core that Postgres and
// Kafka need at that moment. A function that has to be ten times as hot for it is compiled in one burst of many, and what is hot
// by its rows, as the encoder of a large result, still is within a few milliseconds.
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';

/** Ten times V8's defaults: bytes of bytecode that were run until V8 11, calls since. */
export function lateCompilationFlags(v8Version: string): readonly string[] {
  return Number.parseInt(v8Version, 10) < 12
    ? ['--interrupt-budget=675840']
    : ['--invocation-count-for-turbofan=30000'];
}

/** From now on, for the whole process. */
export function compileLate(): void {
  for (const flag of lateCompilationFlags(process.versions.v8)) setFlagsFromString(flag);
}
