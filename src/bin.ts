#!/usr/bin/env node
// The executable: hands the process's own things to the program and its exit code back.
import module from 'node:module';
import process from 'node:process';

// From Node 22.1 on: what was compiled once is not compiled again at the next start.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();
const { main } = await import('./cli/main.ts');

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
