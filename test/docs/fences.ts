// The examples of README and docs/: every fenced block, and what stands behind its language.
import { readdirSync, readFileSync } from 'node:fs';

/**
 * After the language may stand, which readers of the page do not see:
 * - `yaml FILE`: a file of the page's project; without one it is a fragment, only checked;
 * - `sql on DATABASE as ROLE`, each may be absent; `sql refused: PATTERN`: the error it has to end with;
 * - `sh exits N`; `sh not run: REASON`;
 * - `jsonl`: lines like these are among what the command before it printed; `jsonl all`: and there are no others.
 */
export interface Fence {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly info: string;
  readonly text: string;
}

/** Pages for people; the reference page is generated, and its examples are loaded field by field in test/config. */
export const PAGES: readonly string[] = [
  'README.md',
  'bench/README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md') && name !== 'reference.md')
    .map((name) => `docs/${name}`),
];

/** Those that are followed from top to bottom (walk.ts). Of all others the commands can at least be typed. */
export const WALKED: readonly string[] = [
  'docs/guide.md',
  'docs/operations.md',
  'docs/least-privilege.md',
  'docs/from-cron-psql-kcat.md',
  'docs/from-telegraf.md',
  'docs/from-kafka-connect-jdbc.md',
];

/** The blocks of a page in their order. A comment `<!-- sql … -->` is one too: what a page needs and does not show. */
export function fencesOf(file: string): Fence[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/^(?:```|<!-- )(?<language>\w+)(?<info>[^\n]*)\n(?<text>[\s\S]*?)^(?:```|-->)$/gm);
  return [...found].map(({ groups = {}, index }) => ({
    file,
    line: text.slice(0, index).split('\n').length,
    language: groups.language ?? '',
    info: (groups.info ?? '').trim(),
    text: groups.text ?? '',
  }));
}

/** The commands of a block: a line each, without comments, backslashes at the ends joined. */
export function commandsOf({ text }: Fence): string[] {
  return text
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*/, '').trim())
    .filter((line) => line !== '');
}

/** Why a block is not run; undefined when it is. */
export function reasonNotToRun({ info }: Fence): string | undefined {
  return /^not run:\s*(.*)$/.exec(info)?.[1];
}

/** The words of a command line, with "quoted ones" whole. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}
