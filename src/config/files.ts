// Reads the project's files. A file that cannot be read is a problem, at the place that named it.
import { readFileSync } from 'node:fs';
import { isAbsolute, relative, sep } from 'node:path';
import type { SourceFile, Span } from '../model/source.ts';
import type { Place, Problems } from './problems.ts';
import { findSecretValues, findUrlSecrets } from './secrets.ts';

export interface FileOptions {
  /** Paths are shown relative to it where they lie below it. */
  readonly cwd: string;
  /** pgtally.yaml and server files: values of `password:` and `token:` are shown in no frame. */
  readonly holdsSecrets: boolean;
}

/** The text of a file, which must be UTF-8; a byte order mark is dropped. Undefined when it cannot be read. */
export function readSource(
  path: string,
  options: FileOptions,
  problems: Problems,
  named?: Place,
): SourceFile | undefined {
  const shown = displayPath(path, options.cwd);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    problems.error(`cannot read \`${shown}\`: ${reason(error)}`, named);
    return undefined;
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    problems.error(`\`${shown}\` is not UTF-8 text`, named, 'save it with the encoding UTF-8');
    return undefined;
  }
  let secrets: readonly Span[] | undefined;
  return {
    path: shown,
    text,
    // Looked for when something is shown of the file: mostly nothing is.
    get secrets() {
      secrets ??= options.holdsSecrets ? findSecretValues(text) : findUrlSecrets(text);
      return secrets;
    },
  };
}

/** As a person in `cwd` would type the path. */
function displayPath(path: string, cwd: string): string {
  const below = relative(cwd, path);
  return below === '' || below.startsWith(`..${sep}`) || below === '..' || isAbsolute(below) ? path : below;
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // The TypeError is the answer: this is not UTF-8.
    return undefined;
  }
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return typeof code === 'string' ? code : String(error);
}
