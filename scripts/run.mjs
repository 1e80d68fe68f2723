// What `npm run demo`, `npm test` and their like start: it checks Node, brings the dependencies, compiles, and hands
// over. Plain JavaScript without dependencies, so that it works in a fresh clone.
//
// usage: node scripts/run.mjs demo|test|faults|nodes|bench|generate [arguments]

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installDependencies, runProgram } from './dependencies.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const PROGRAMS = { demo: 'demo/main.js', bench: 'bench/main.js', generate: 'src/config/generate.js' };

const [task = '', ...args] = process.argv.slice(2);
process.exitCode = await main();

async function main() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) return refuse(`Node ${process.versions.node} is too old`, 'install Node 20 or newer');
  if (!(task in PROGRAMS) && !['test', 'faults', 'nodes'].includes(task)) {
    return refuse(`unknown task \`${task}\``, 'use one of demo, test, faults, nodes, bench, generate');
  }
  process.chdir(REPOSITORY);
  if (!(await installDependencies())) return 1;
  if (task === 'test' || task === 'faults') {
    const { runTests } = await import('./tests.mjs');
    const code = await runTests(task, args);
    // A test that leaves a timer or a socket open must not keep this from ending.
    setTimeout(() => process.exit(code), 5_000).unref();
    return code;
  }
  if (task === 'nodes') return (await import('./nodes.mjs')).runOnNodes(args);
  return runCompiled(PROGRAMS[task]);
}

/** Compiles everything to `.cache/js` and runs a program there in this process, so that a signal needs no passing on. */
async function runCompiled(name) {
  // Types are checked by `npm test`; what is wanted here is the start.
  const { code, output } = await runProgram('tsc', ['-p', 'tsconfig.json', '--noCheck']);
  if (code !== 0) {
    process.stderr.write(output);
    return refuse('the sources do not compile', 'see the messages of the compiler above');
  }
  const program = join(REPOSITORY, '.cache', 'js', name);
  if (!existsSync(program)) return refuse(`\`${task}\` has no program`, `it would be ${name.replace(/js$/, 'ts')}`);
  process.argv = [process.argv[0], program, ...args];
  await import(pathToFileURL(program).href);
  return process.exitCode;
}

function refuse(message, hint) {
  process.stderr.write(`error: ${message}\nhint: ${hint}\n`);
  return 2;
}
