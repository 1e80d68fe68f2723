#!/usr/bin/env node
// The executable: hands the process's own things to the program and its exit code back.
import process from 'node:process';
import { main } from './cli/main.ts';

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
