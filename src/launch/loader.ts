// Loads the built program's files: CommonJS as Node would load it, but each file's code comes from the code cache.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, resolve } from 'node:path';
import { Script } from 'node:vm';
import type { CodeCache } from './code-cache.ts';

type Wrapper = (
  this: unknown,
  exports: unknown,
  require: (name: string) => unknown,
  module: { exports: unknown },
  file: string,
  folder: string,
) => void;

/**
 * A function from the absolute path of a file to its exports. Each file is run once. Relative names that it requires are
 * files of the program too, with their extension; all other names are Node's to find.
 */
export function createLoader(cache: CodeCache): (file: string) => unknown {
  const modules = new Map<string, { exports: unknown }>();
  const load = (file: string): unknown => {
    const known = modules.get(file);
    if (known) return known.exports;
    const module = { exports: {} as unknown };
    modules.set(file, module);
    const folder = dirname(file);
    const foreign = createRequire(file);
    const require = (name: string): unknown => (name.startsWith('.') ? load(resolve(folder, name)) : foreign(name));
    const wrapper = compile(cache, file).runInThisContext() as Wrapper;
    wrapper.call(module.exports, module.exports, require, module, file, folder);
    return module.exports;
  };
  return load;
}

function compile(cache: CodeCache, file: string): Script {
  const content = readFileSync(file);
  const text = `(function(exports,require,module,__filename,__dirname){${content.toString()}\n})`;
  // In stack traces. Until Node 20 that of who kept the code stays with it, which may be another installation.
  const filename = `pgtally/${basename(file)}`;
  const cachedData = cache.read(file, content);
  if (!cachedData) return cache.write(file, content, () => new Script(text, { filename }));
  const script = new Script(text, { filename, cachedData });
  // Compiled by now without it. Keeping that would keep what has been called of it alone: the next start does it in whole.
  if (script.cachedDataRejected !== false) cache.drop(file, content);
  return script;
}
