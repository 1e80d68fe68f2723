// `npm run test:nodes`: the tests on every Node that pgtally is for, one after the other, and a table of how each went. The
// binaries come from the npm registry (the packages behind the package `node`), into `.cache/nodes`, once.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { runNpm } from './dependencies.mjs';

/** The oldest line that is supported, and the two long-term lines after it. */
const VERSIONS = ['20.20.2', '22.23.3', '24.21.0'];

/**
 * Arguments that are major versions (`22 24`) choose among them; all others go to `npm test`. Returns the exit code: 0 when
 * nothing failed on any.
 */
export async function runOnNodes(args) {
  const majors = args.filter((arg) => VERSIONS.some((version) => majorOf(version) === arg));
  const filters = args.filter((arg) => !majors.includes(arg));
  const chosen = VERSIONS.filter((version) => majors.length === 0 || majors.includes(majorOf(version)));
  const rows = [];
  for (const version of chosen) {
    console.log(`\n── Node ${version} ──`);
    const node = await findNode(version);
    rows.push(node === undefined ? { version, problem: 'not installed' } : await testOn(node, version, filters));
  }
  printTable(rows);
  return rows.every((row) => row.code === 0) ? 0 : 1;
}

/** The executable of that version, which is this process's own or one that npm installs. Undefined: said why. */
async function findNode(version) {
  if (process.versions.node === version) return process.execPath;
  const folder = resolve(process.env.PGTALLY_CACHE ?? '.cache', 'nodes', version);
  const name = packageName();
  const executable = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(executable)) return executable;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const { code, output } = await runNpm(
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', `${name}@${version}`],
    folder,
  );
  if (code === 0 && existsSync(executable)) return executable;
  console.error(`${output}\nerror: Node ${version} cannot be installed as \`${name}@${version}\`\nhint: see npm above`);
  return undefined;
}

/** The package that the install script of `node` would choose. */
function packageName() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${platform}-${process.arch}`;
}

/** `npm test` by that Node, also for the processes it starts. What it prints goes on to the terminal. */
function testOn(node, version, filters) {
  const started = Date.now();
  return new Promise((done) => {
    const child = spawn(node, ['scripts/run.mjs', 'test', ...filters], {
      env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.once('error', (error) => done({ version, problem: error.message }));
    child.once('close', (code) => done({ version, code: code ?? 1, ms: Date.now() - started, ...countsIn(output) }));
  });
}

/** What the last lines of `npm test` say. */
function countsIn(output) {
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  const [, skipped = '0'] = /^skipped \((\d+)\):$/m.exec(output) ?? [];
  return passed === undefined ? { problem: 'it did not come to an end' } : { passed, failed, skipped };
}

function printTable(rows) {
  const cells = rows.map(({ version, passed, failed, skipped, ms, problem }) =>
    problem
      ? [version, '-', '-', '-', problem]
      : [
          version,
          passed,
          failed,
          skipped,
          `${Math.floor(ms / 60_000)}m${String(Math.round(ms / 1000) % 60).padStart(2, '0')}s`,
        ],
  );
  const table = [['node', 'passed', 'failed', 'skipped', 'duration'], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  console.log('');
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}

function majorOf(version) {
  return version.split('.')[0];
}
