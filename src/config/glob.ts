// Globs, for names of servers and for files: `*` and `?` stay within one part of a path, `**` stands for parts of any
// number. Node 20 has none of its own.
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Whether a text has any of `*` and `?`. */
export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

/** Whether the whole of `text` matches. A `*` or `?` never matches a `/`. */
export function matchesGlob(pattern: string, text: string): boolean {
  return globExpression(pattern).test(text);
}

/**
 * Whether a pattern of a job's `servers`, or of `--server`, means this target. A pattern without `/` also means every
 * database of a server: `edge-*` means `edge-1/app`.
 */
export function matchesServer(pattern: string, name: string): boolean {
  if (matchesGlob(pattern, name)) return true;
  const slash = name.indexOf('/');
  return slash >= 0 && !pattern.includes('/') && matchesGlob(pattern, name.slice(0, slash));
}

/** Whether there is a file we can see; nothing a path may hold makes this throw. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Missing, behind a closed folder, below a file, or no possible path: there is no such file.
    return false;
  }
}

export interface FoundFiles {
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** Absolute paths of the folders that were searched: a new file in one of them might match. */
  readonly folders: readonly string[];
}

/** The files below `folder` that match. Names that begin with a dot match only a pattern that does; links are followed
 * except under `**`, where they could lead in a circle. A folder that is missing or closed to us holds nothing. */
export function findFiles(folder: string, pattern: string): FoundFiles {
  const files = new Set<string>();
  const folders = new Set<string>();
  const walk = (current: string, parts: readonly string[]): void => {
    const [part, ...rest] = parts;
    if (part === undefined) return;
    if (part === '**') {
      walk(current, rest);
      for (const entry of list(current, folders)) {
        if (entry.isDirectory() && !entry.name.startsWith('.')) walk(join(current, entry.name), parts);
      }
    } else if (!isGlob(part)) {
      const path = resolve(current, part);
      if (rest.length > 0) walk(path, rest);
      else if (isFile(path)) files.add(path);
    } else {
      for (const entry of list(current, folders)) {
        if (entry.name.startsWith('.') !== part.startsWith('.') || !matchesGlob(part, entry.name)) continue;
        const path = join(current, entry.name);
        if (rest.length > 0) walk(path, rest);
        else if (entry.isFile() || (entry.isSymbolicLink() && isFile(path))) files.add(path);
      }
    }
  };
  walk(
    pattern.startsWith('/') ? '/' : folder,
    pattern.split('/').filter((part) => part !== '' && part !== '.'),
  );
  return { files: [...files].sort(), folders: [...folders].sort() };
}

const expressions = new Map<string, RegExp>();

function globExpression(pattern: string): RegExp {
  const known = expressions.get(pattern);
  if (known) return known;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  const expression = new RegExp(`^${source}$`, 'su');
  expressions.set(pattern, expression);
  return expression;
}

function list(folder: string, folders: Set<string>): Dirent[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    folders.add(folder);
    return entries;
  } catch {
    // Missing or unreadable: it holds no match, and the caller reports a pattern without any.
    return [];
  }
}
