// kafkajs's modules as one object, path in the package -> module: the build puts them here (scripts/kafkajs-archive.mjs),
// because finding and opening 143 small files takes a tenth of the time of a `pgtally run`.
export type ModuleFunction = (
  exports: unknown,
  require: (name: string) => unknown,
  module: { exports: unknown },
) => void;

/** Undefined where nothing was built: the modules are those of node_modules then. */
export const archive: Readonly<Record<string, ModuleFunction>> | undefined = undefined;
