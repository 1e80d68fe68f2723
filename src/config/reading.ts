// What goes along while a file is read: where its problems are gathered, what its variables stand for. Types only.
import type { Problems } from './problems.ts';
import type { Environment } from './variables.ts';

export interface Reading {
  readonly problems: Problems;
  /** Where `${NAME}` is replaced: from these. Absent in job files. */
  readonly variables?: Environment;
}
