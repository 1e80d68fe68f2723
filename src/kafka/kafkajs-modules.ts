// Where the modules of kafkajs come from: in the built command from its archive, elsewhere from node_modules.
import { createRequire } from 'node:module';
import { dirname, posix, sep } from 'node:path';
import { archive, type ModuleFunction } from './kafkajs-archive.ts';

/** As much of `require` as the corrections use; names begin with `kafkajs`. */
export interface KafkajsModules {
  // biome-ignore lint/suspicious/noExplicitAny: what `require` gives; whoever asks knows the module
  (name: string): any;
  resolve(name: string): string;
  readonly cache: Record<string, { exports: unknown } | undefined>;
}

/** A copy of kafkajs's modules of our own, of which none is loaded yet. */
export function openKafkajsModules(): KafkajsModules {
  const require = createRequire(import.meta.url);
  if (archive) return archivedModules(archive, require);
  // Modules that another import loaded earlier hold the uncorrected functions: they are loaded anew, for us.
  const folder = dirname(require.resolve('kafkajs/package.json')) + sep;
  for (const file of Object.keys(require.cache)) if (file.startsWith(folder)) delete require.cache[file];
  return require;
}

/** The modules of an archive (path in the package -> module) behind the face of `require`. */
function archivedModules(archive: Readonly<Record<string, ModuleFunction>>, builtin: NodeJS.Require): KafkajsModules {
  const cache: KafkajsModules['cache'] = {};
  const find = (path: string): string => {
    for (const candidate of [path, `${path}.js`, posix.join(path, 'index.js')])
      if (candidate in archive) return candidate;
    throw new Error(`kafkajs has no module ${path}`);
  };
  const load = (path: string): unknown => {
    const loaded = cache[path];
    if (loaded) return loaded.exports;
    const module: { exports: unknown } = { exports: {} };
    cache[path] = module;
    const require = (name: string): unknown =>
      name.startsWith('.') ? load(find(posix.join(posix.dirname(path), name))) : builtin(name);
    archive[path]?.call(module.exports, module.exports, require, module);
    return module.exports;
  };
  const resolve = (name: string): string => find(name === 'kafkajs' ? 'index.js' : name.replace(/^kafkajs\//, ''));
  return Object.assign((name: string) => load(resolve(name)), { resolve, cache });
}
