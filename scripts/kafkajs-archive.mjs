// kafkajs in one file: its modules, unchanged but for comments and blanks, each in a function under its path, for
// src/kafka/kafkajs-modules.ts. Finding and opening 143 small files takes a tenth of the time of a `pgtally run`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { minifySync } from 'rolldown/utils';

/** Writes the archive of the installed kafkajs to `file`, a CommonJS module that exports path -> function. */
export function archiveKafkajs(file) {
  const manifest = createRequire(import.meta.url).resolve('kafkajs/package.json');
  const root = dirname(manifest);
  const modules = [manifest, join(root, 'index.js'), ...sourcesBelow(join(root, 'src'))].map((path) => {
    const name = relative(root, path).split(sep).join('/');
    return `${JSON.stringify(name)}:function(exports,require,module){${body(path)}\n}`;
  });
  writeFileSync(file, `module.exports={\n${modules.join(',\n')}\n};\n`);
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
