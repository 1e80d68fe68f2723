// Names of tables and columns as SQL writes them: `main`, `app."Main"`.
import { scanSql } from './parser.ts';

/**
 * The parts of a dotted name, folded to lower case (ASCII only, as Postgres does in UTF-8) where they are not quoted;
 * undefined when the text is not a name. A word that is reserved counts as a name: it is quoted before it is used.
 */
export function readName(text: string): readonly string[] | undefined {
  const tokens = scanSql(text.trim());
  if (!tokens || tokens.length % 2 === 0 || tokens.map((token) => token.text).join('') !== text.trim())
    return undefined;
  const parts: string[] = [];
  for (const [i, { text: word }] of tokens.entries()) {
    if (i % 2 === 1) {
      if (word !== '.') return undefined;
    } else if (PLAIN.test(word)) {
      parts.push(word.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
    } else if (/^".+"$/s.test(word)) {
      parts.push(word.slice(1, -1).replaceAll('""', '"'));
    } else {
      return undefined;
    }
  }
  return parts;
}

const PLAIN = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*$/;
