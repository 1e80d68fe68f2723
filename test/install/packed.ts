// The package as a user gets it: packed by `npm pack`, installed into an empty folder with what it needs to run and nothing
// else. Made once for a test file.
import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '../stack/repository.ts';

const run = promisify(execFile);

export interface InstalledPackage {
  /** Holds `node_modules`, as after `npm install pgtally`. */
  readonly folder: string;
  /** `node_modules/.bin/pgtally`. */
  readonly executable: string;
  /** The paths in the tarball, sorted. */
  readonly files: readonly string[];
  /** Of the tarball, and of its files, in bytes. */
  readonly packedSize: number;
  readonly unpackedSize: number;
  remove(): void;
}

interface PackReport {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** Packs what `dist` holds (built by the run's set-up) and installs the tarball. Rejects with npm's own words. */
export async function installPacked(): Promise<InstalledPackage> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'pgtally-package-')));
  const { stdout } = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], REPOSITORY);
  // npm 12 names the package where older ones have a list.
  const [report] = Object.values(JSON.parse(stdout) as Record<string, PackReport>);
  if (!report) throw new Error(`npm pack said nothing of a package: ${stdout}`);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  await npm(['install', '--ignore-scripts', '--prefer-offline', '--no-audit', `./${report.filename}`], folder);
  return {
    folder,
    executable: path.join(folder, 'node_modules', '.bin', 'pgtally'),
    files: report.files.map((file) => file.path).toSorted(),
    packedSize: report.size,
    unpackedSize: report.unpackedSize,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function npm(args: readonly string[], cwd: string): Promise<{ stdout: string }> {
  // The npm that runs us, if one does, may be another than the one on the search path.
  const program = process.env.npm_execpath;
  const [command, first] = program ? [process.execPath, [program]] : ['npm', []];
  return run(command, [...first, ...args], { cwd, maxBuffer: 16 * 1024 ** 2 });
}
