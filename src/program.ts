// The program as a process: hands the process's own things to the command line and its exit code back.
import process from 'node:process';
import { main } from './cli/main.ts';

const { stdin, stdout, stderr, env, argv } = process;
void main(argv.slice(2), { stdin, stdout, stderr, env, cwd: process.cwd() }).then((code) => {
  process.exitCode = code;
});
