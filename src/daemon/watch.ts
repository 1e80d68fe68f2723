// Tells when one of the project's files may have changed. Folders are watched, not files: editors and Kubernetes replace a
// file instead of writing into it, and a new job file has to be seen too.
import { type FSWatcher, watch } from 'node:fs';
import path from 'node:path';
import type { Milliseconds } from '../model/units.ts';

/** An editor writes a file in several steps: they count as one change. */
const SETTLE: Milliseconds = 200;

export interface FileWatch {
  /** Watches these files and folders from now on. */
  update(files: readonly string[], folders: readonly string[]): void;
  stop(): void;
}

/** Calls `onChange` some 200 ms after the last of a burst of changes; `onProblem` when a folder cannot be watched. */
export function watchFiles(onChange: () => void, onProblem: (folder: string, error: Error) => void): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const changed = (): void => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(onChange, SETTLE);
  };

  const add = (folder: string): void => {
    try {
      const watcher = watch(folder, changed);
      watcher.on('error', (error) => {
        watcher.close();
        watchers.delete(folder);
        onProblem(folder, error);
      });
      watchers.set(folder, watcher);
    } catch (error) {
      onProblem(folder, error as Error);
    }
  };

  return {
    update(files, folders) {
      const wanted = new Set([
        ...files.map((file) => path.dirname(path.resolve(file))),
        ...folders.map((folder) => path.resolve(folder)),
      ]);
      for (const [folder, watcher] of watchers) {
        if (wanted.has(folder)) continue;
        watcher.close();
        watchers.delete(folder);
      }
      for (const folder of wanted) if (!watchers.has(folder)) add(folder);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
