// Builds the command: src/ into a few files, because loading two hundred small ones takes a third of the start-up time of
// `pgtally run`. Types are checked by `npm test`.
//
// usage: node scripts/build.mjs [FOLDER]        (default: dist)

import { chmodSync, copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { kafkajsArchive } from './kafkajs-archive.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
/** Those of the dependencies that are many small files and needed at every start. */
const BUNDLED = ['commander', 'picocolors', 'postgres', 'yaml'];
const folder = resolve(process.argv[2] ?? `${REPOSITORY}/dist`);

rmSync(folder, { recursive: true, force: true });
await build({
  cwd: REPOSITORY,
  input: { bin: 'src/bin.ts', program: 'src/program.ts' },
  platform: 'node',
  plugins: [kafkajsArchive, asciiOnly()],
  external: (name) => !/^[./]/.test(name) && !BUNDLED.includes(name),
  output: {
    dir: folder,
    // Smaller is quicker to parse; names of functions stay, for the stack of a defect.
    minify: {
      compress: false,
      mangle: { toplevel: false, keepNames: { function: true, class: true } },
      codegen: { removeWhitespace: true },
    },
    // The code cache is for scripts; as modules they would take longer to load even without it.
    format: 'cjs',
    dynamicImportInCjs: false,
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
await buildPage();
// Whatever the package around them is.
writeFileSync(`${folder}/package.json`, '{ "type": "commonjs" }\n');
writeFileSync(`${folder}/page/package.json`, '{ "type": "module" }\n');
chmodSync(`${folder}/bin.js`, 0o755);
writeFileSync(`${folder}/licenses.txt`, [...BUNDLED, 'kafkajs', 'uplot'].map(licenseOf).join('\n'));

/** A text with other characters takes V8 twice the memory and longer to read; all of them are in strings and expressions. */
function asciiOnly() {
  const unicode = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return {
    name: 'ascii-only',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        if (/\\[\u0080-\uffff]/.test(file.code))
          throw new Error(`${file.fileName}: a backslash before a character to escape`);
        file.code = file.code.replace(/[\u0080-\uffff]/g, unicode);
      }
    },
  };
}

/** The status page: its files as they are, and beside them the library that draws the plots. */
async function buildPage() {
  cpSync(join(REPOSITORY, 'src/status/page'), `${folder}/page`, { recursive: true });
  await build({
    cwd: REPOSITORY,
    input: fileURLToPath(import.meta.resolve('uplot')),
    platform: 'browser',
    output: { file: `${folder}/page/uplot.js`, format: 'esm', minify: true },
    logLevel: 'warn',
  });
  copyFileSync(join(REPOSITORY, 'node_modules/uplot/dist/uPlot.min.css'), `${folder}/page/uplot.css`);
}

/** What the authors of a bundled package ask to be kept with copies of it. */
function licenseOf(name) {
  const root = join(REPOSITORY, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const file = readdirSync(root).find((entry) => /^(un)?licen[cs]e/i.test(entry));
  return `# ${name} ${version} (${license})\n\n${file ? readFileSync(join(root, file), 'utf8') : ''}`;
}
