// Finding the words of a clause among the tokens, to point at them: the parser's trees keep no place for most clauses.
import type { SqlBody } from './body.ts';
import type { Token } from './parser.ts';

/** A place in a body's text. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

export interface WordOptions {
  /** Looks outside of all brackets only. */
  readonly depth?: 0;
  /** Takes the last place before this offset instead of the first. */
  readonly before?: number;
}

/** The place where these words stand one after the other (alternatives are written `a|b`); else the whole text. */
export function placeOfWords(body: SqlBody, words: readonly string[], options: WordOptions = {}): Place {
  return findWords(body, words, options) ?? { start: 0, end: body.text.length };
}

/** As placeOfWords, but undefined when they do not stand there. */
export function findWords(body: SqlBody, words: readonly string[], options: WordOptions = {}): Place | undefined {
  const { before = Number.POSITIVE_INFINITY } = options;
  const tokens = options.depth === 0 ? outermost(body.tokens) : body.tokens;
  const found = tokens.flatMap((token, i) => {
    const last = tokens[i + words.length - 1];
    const matches = words.every((word, k) => word.split('|').includes(tokens[i + k]?.text.toLowerCase() ?? ''));
    return matches && last && token.start < before ? [{ start: token.start, end: last.end }] : [];
  });
  return options.before === undefined ? found[0] : found.at(-1);
}

/** The tokens outside of all brackets, the opening brackets among them. */
export function outermost(tokens: readonly Token[]): Token[] {
  let depth = 0;
  return tokens.filter(({ text }) => {
    if (text === ')' || text === ']') depth -= 1;
    const outside = depth === 0;
    if (text === '(' || text === '[') depth += 1;
    return outside;
  });
}

/** From an offset to the end of that list item: up to a comma, a closing bracket or a clause at the same depth. */
export function placeOfItem(body: SqlBody, offset: number): Place {
  let depth = 0;
  let end = offset;
  for (const token of body.tokens) {
    if (token.start < offset) continue;
    if (depth === 0 && (token.text === ',' || CLAUSES.has(token.text.toLowerCase()))) break;
    if (token.text === '(' || token.text === '[') depth += 1;
    if (token.text === ')' || token.text === ']') depth -= 1;
    if (depth < 0) break;
    end = token.end;
  }
  return { start: offset, end };
}

const CLAUSES = new Set(
  'into from where group having window union intersect except order limit offset fetch for'.split(' '),
);
