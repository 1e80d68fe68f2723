// The packages in node_modules: whether they are those of the lock file, how they get there, and running their programs.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs `npm ci` in the working directory unless what is installed is what the lock file says. False when it fails. */
export async function installDependencies() {
  if (isInstalled()) return true;
  process.stderr.write('installing the packages of package-lock.json (npm ci) …\n');
  const { code, output } = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  if (code === 0) return true;
  process.stderr.write(`${output}\nerror: \`npm ci\` failed\nhint: see the messages of npm above\n`);
  return false;
}

/** Runs a program of node_modules to its end, with colours where this terminal has them. */
export function runProgram(name, args) {
  const colours = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  return capture(join('node_modules', '.bin', name), args, { env: { ...process.env, ...colours } });
}

/** Runs npm to its end, in the working directory or another folder. */
export function runNpm(args, cwd = '.') {
  // npm names its own program to the scripts it runs; `npm` alone may be another one, or none on the search path.
  const program = process.env.npm_execpath;
  return program ? capture(process.execPath, [program, ...args], { cwd }) : capture('npm', args, { cwd });
}

function isInstalled() {
  // What npm writes last; missing after an interrupted installation.
  const hidden = join('node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const installed = readPackages(hidden);
  const wanted = readPackages('package-lock.json');
  for (const [path, { version }] of Object.entries(installed)) {
    if (wanted[path]?.version !== version) return false;
  }
  // Optional packages are those of other platforms.
  return Object.entries(wanted).every(([path, { optional }]) => path === '' || optional || path in installed);
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const add = (text) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', add);
    child.stderr.setEncoding('utf8').on('data', add);
    child.once('error', (error) => resolve({ code: 1, output: `${error.message}\n` }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
