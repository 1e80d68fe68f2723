// kafkajs as one module: its own, unchanged but for comments and blanks, each in a function under its path, in place of
// src/kafka/kafkajs-archive.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { minifySync } from 'rolldown/utils';

/** For rolldown: gives `archive` the modules of the installed kafkajs. */
export const kafkajsArchive = {
  name: 'kafkajs-archive',
  load: { filter: { id: /\/src\/kafka\/kafkajs-archive\.ts$/ }, handler: archiveModule },
};

function archiveModule() {
  const manifest = createRequire(import.meta.url).resolve('kafkajs/package.json');
  const root = dirname(manifest);
  const modules = [manifest, join(root, 'index.js'), ...sourcesBelow(join(root, 'src'))].map((path) => {
    const name = relative(root, path).split(sep).join('/');
    return `${JSON.stringify(name)}:function(exports,require,module){${body(path)}\n}`;
  });
  return { code: `export const archive={\n${modules.join(',\n')}\n};\n`, moduleType: 'js' };
}

function body(path) {
  const text = readFileSync(path, 'utf8');
  if (path.endsWith('.json')) return `module.exports=${JSON.stringify(JSON.parse(text))}`;
  const { code, errors } = minifySync(path, text, {
    compress: false,
    mangle: { toplevel: false, keepNames: { function: true, class: true } },
    codegen: { removeWhitespace: true },
    sourceType: 'commonjs',
  });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  return code;
}

function sourcesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name));
}
