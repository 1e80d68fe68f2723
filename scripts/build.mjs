// Builds the command: src/ into a few files, because loading two hundred small ones takes a third of the start-up time of
// `pgtally run`. Types are checked by `npm test`.
//
// usage: node scripts/build.mjs [FOLDER]        (default: dist)

import { chmodSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const folder = resolve(process.argv[2] ?? `${REPOSITORY}/dist`);

rmSync(folder, { recursive: true, force: true });
await build({
  cwd: REPOSITORY,
  input: { bin: 'src/bin.ts' },
  platform: 'node',
  // Ours, and of the dependencies those that are many small files and needed at every start.
  external: (name) => !/^[./]/.test(name) && !/^(commander|picocolors|postgres|yaml)$/.test(name),
  output: {
    dir: folder,
    // Smaller is quicker to parse; names stay, for the stack of a defect.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // What `run` loads one after the other anyway is one file.
    codeSplitting: {
      groups: [
        { name: 'model', test: /src\/model\//, minSize: 0 },
        { name: 'run', test: /src\/(publish|postgres|project|sql|config|schedule|kafka|ledger)\//, minSize: 0 },
      ],
    },
  },
  logLevel: 'warn',
});
chmodSync(`${folder}/bin.js`, 0o755);
