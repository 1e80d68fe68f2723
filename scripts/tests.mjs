// `npm test`: format, lint, types, dead code, then every test; the last line is `N passed, N failed`, 0 failed only if all is well.

import { startVitest } from 'vitest/node';
import { runProgram } from './dependencies.mjs';

const CHECKS = [
  { name: 'format and lint (biome)', program: 'biome', args: ['check', '.'] },
  { name: 'promises (oxlint)', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'types (tsc)', program: 'tsc', args: ['-p', 'tsconfig.json', '--noEmit'] },
  {
    name: 'dead code and dependencies (knip)',
    program: 'knip',
    args: ['--no-progress', '--treat-config-hints-as-errors'],
  },
];

/**
 * `test` or `faults`, with vitest's filters: file names or parts of them. With filters the checks are left out.
 * Returns the exit code.
 */
export async function runTests(task, filters) {
  const failed = task === 'test' && filters.length === 0 ? await runChecks() : 0;
  const counts = await runVitest(task, filters);
  if (counts.skipped.length > 0) {
    console.log(`\nskipped (${counts.skipped.length}):`);
    for (const name of counts.skipped) console.log(`  ${name}`);
  }
  const allFailed = failed + counts.failed;
  console.log(`\n${counts.passed} passed, ${allFailed} failed`);
  return allFailed === 0 && counts.passed > 0 ? 0 : 1;
}

async function runChecks() {
  let failed = 0;
  for (const { name, program, args } of CHECKS) {
    const { code, output } = await runProgram(program, args);
    console.log(`${code === 0 ? '✓' : '✗'} ${name}`);
    if (code === 0) continue;
    failed++;
    console.log(output);
  }
  return failed;
}

async function runVitest(task, filters) {
  const faults = { include: ['test/faults/**/*.test.ts'], exclude: [], fileParallelism: false, testTimeout: 300_000 };
  const vitest = await startVitest('test', filters, { watch: false, ...(task === 'faults' ? faults : {}) });
  /** @type {{ passed: number, failed: number, skipped: string[] }} */
  const counts = { passed: 0, failed: vitest.state.getUnhandledErrors().length, skipped: [] };
  for (const file of vitest.state.getTestModules()) {
    // A file that cannot be loaded, and a hook that fails, count as one each.
    counts.failed += file.errors().length;
    for (const suite of file.children.allSuites()) counts.failed += suite.errors().length;
    for (const test of file.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') counts.passed++;
      else if (state === 'failed') counts.failed++;
      else counts.skipped.push(`${file.relativeModuleId} > ${test.fullName}`);
    }
  }
  await vitest.close();
  return counts;
}
