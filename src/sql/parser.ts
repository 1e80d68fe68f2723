// The Postgres 18 parser and scanner (libpg-query, WebAssembly), and nothing else: texts in, trees and tokens out, all
// positions as UTF-16 offsets or convertible to them. What is allowed in a job's SQL is judged elsewhere.
import { setFlagsFromString } from 'node:v8';
import type * as LibpgQuery from 'libpg-query';
import { pointToUnit, unitsOfBytes } from './offsets.ts';
import type { TreeNode } from './tree.ts';

export interface Token {
  /** UTF-16 offsets in the scanned text, half open. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly kind: 'comment' | 'parameter' | 'semicolon' | 'other';
}

export type ParsedSql =
  | {
      readonly ok: true;
      /** One node a statement: `{SelectStmt: {…}}`. Locations inside are bytes of UTF-8. */
      readonly statements: readonly TreeNode[];
      /** From a location in the tree to a UTF-16 offset in the text. */
      readonly toUnit: (location: number) => number;
    }
  | { readonly ok: false; readonly message: string; readonly offset: number };

let library: typeof LibpgQuery | undefined;

/** Loads the parser once; every other function of this layer needs it. Cheap after the first call. */
export async function loadParser(): Promise<void> {
  if (library) return;
  // The parser runs for milliseconds in a process: V8 optimising 1.7 MB of WebAssembly in the background costs a quarter of a
  // second of processor time, with Node 24 half a gigabyte of memory as well, and makes nothing faster. Each function is
  // compiled when it is first called, by the quick compiler. At the start of Node the first flag would imply the next two.
  setFlagsFromString('--liftoff-only');
  setFlagsFromString('--no-wasm-tier-up');
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--wasm-lazy-compilation');
  const loading = await import('libpg-query');
  await loading.loadModule();
  library = loading;
}

/** Parses SQL of any number of statements. Never throws for what is wrong with the text. */
export function parseSql(text: string): ParsedSql {
  // The library refuses an empty text instead of returning no statements.
  if (text === '') return { ok: true, statements: [], toUnit: unitsOfBytes(text) };
  try {
    const { stmts } = loaded().parseSync(text);
    const statements = (stmts ?? []).flatMap(({ stmt }) => (stmt ? [stmt as unknown as TreeNode] : []));
    return { ok: true, statements, toUnit: unitsOfBytes(text) };
  } catch (error) {
    if (error instanceof loaded().SqlError) {
      const { message, sqlDetails } = error;
      if (message.startsWith('memory exhausted')) return tooDeep(pointToUnit(text, sqlDetails?.cursorPosition ?? 0));
      // Unlike the tree's locations this position counts characters.
      return { ok: false, message, offset: pointToUnit(text, sqlDetails?.cursorPosition ?? 0) };
    }
    // WebAssembly's stack is V8's.
    if (error instanceof RangeError) return tooDeep(0);
    throw error;
  }
}

/** The tokens of a text, comments included; undefined when it does not scan (an open string or comment). */
export function scanSql(text: string): readonly Token[] | undefined {
  if (text === '') return [];
  let tokens: readonly LibpgQuery.ScanToken[];
  try {
    // The library puts tokens into JSON without escaping control characters. They mean nothing within strings and
    // comments; elsewhere they are errors, which the parser finds in the text as it is.
    tokens = loaded().scanSync(text.replace(/\p{Cc}/gu, harmless)).tokens;
  } catch (error) {
    // The library's JSON of a failed scan is the plain text of the error.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const toUnit = unitsOfBytes(text);
  return tokens.map((token) => {
    const start = toUnit(token.start);
    const end = toUnit(token.end);
    return { start, end, text: text.slice(start, end), kind: KINDS[token.tokenName] ?? 'other' };
  });
}

const KINDS: Readonly<Record<string, Token['kind']>> = {
  SQL_COMMENT: 'comment',
  C_COMMENT: 'comment',
  PARAM: 'parameter',
  ASCII_59: 'semicolon',
};

/** What stands for a control character in a scan; of the same length in UTF-8. */
function harmless(char: string): string {
  if (char >= '\x7f' || char === '\t' || char === '\n' || char === '\r' || char === '\f') return char;
  return char === '\v' ? ' ' : '?';
}

function loaded(): typeof LibpgQuery {
  if (!library) throw new Error('loadParser() has to be awaited before SQL is parsed');
  return library;
}

function tooDeep(offset: number): ParsedSql {
  return { ok: false, message: 'the expression is nested too deeply', offset };
}
