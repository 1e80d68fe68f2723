// Builds the command: src/ into a few files, because loading two hundred small ones takes a third of the start-up time of
// `pgtally run`. Dependencies stay where they are installed. Types are checked by `npm test`.
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
  // Everything that is not ours.
  external: (name) => !name.startsWith('.') && !name.startsWith('/'),
  output: {
    dir: folder,
    format: 'esm',
    comments: { legal: false, annotation: false, jsdoc: false },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // What `run` loads one after the other anyway is one file.
    codeSplitting: {
      groups: [{ name: 'run', test: /src\/(publish|postgres|project|sql|config|schedule|kafka|ledger)\//, minSize: 0 }],
    },
  },
  logLevel: 'warn',
});
chmodSync(`${folder}/bin.js`, 0o755);
