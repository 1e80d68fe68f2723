// YAML eats SQL in silence: `key: payload #>> '{id}'` is `payload` and a comment. Here such comments are found (design 3).
// It judges by the look of the comment, without a parser: `# the tenant's id` is prose, `# b and c` is not.
import type { Span } from '../model/source.ts';
import type { ScalarNode } from './node.ts';
import type { Complaint } from './problems.ts';

/** The complaint about a plain scalar whose trailing comment could continue it, with the comment's place. */
export function swallowedSql(node: ScalarNode, language: 'sql' | 'cron'): (Complaint & { span: Span }) | undefined {
  if (node.style !== 'plain') return undefined;
  const { text } = node.file;
  const comment = /^[ \t]+(#[^\n]*)/.exec(text.slice(node.span.end, node.span.end + 1000))?.[1]?.trimEnd();
  if (comment === undefined) return undefined;
  const continues = language === 'cron' ? /^#\S/.test(comment) : couldContinueSql(comment);
  if (!continues) return undefined;
  const start = text.indexOf('#', node.span.end);
  const whole = `${text.slice(node.span.start, node.span.end)} ${comment}`;
  const quotable = !/["\\\n]/.test(whole) && whole.length <= 70;
  return {
    message: 'YAML takes this for a comment, so it is not part of the value',
    hint: `quote all of it${quotable ? `, \`"${whole}"\`` : ''}, or just the value to keep the comment`,
    span: { start, end: start + comment.length },
  };
}

/** Words after which an operand or operator of SQL may follow, so that two words in a row need not be prose. */
const SQL_WORDS = new Set(
  'and or not is in like ilike similar between null true false case when then else end as at collate over any all some distinct from row array cast'.split(
    ' ',
  ),
);

/**
 * Whether `#…` could be an operator and its operand: `#>`, `#>>`, `#-`, `##`, `# 3`, `# b`, `# (b + 1)`. Prose is two
 * words side by side of which neither is a word of SQL's expressions.
 */
export function couldContinueSql(comment: string): boolean {
  const rest = comment.slice(1);
  if (/^[#\-=*\s]*$/.test(rest)) return false;
  if (/^[^\s\w]/.test(rest)) return true;
  const withoutStrings = rest.replace(/'[^']*'/g, "''").replace(/"[^"]*"/g, 'x');
  const words = withoutStrings.match(/[\p{L}\p{N}_][\p{L}\p{N}_$.'’-]*|\S/gu) ?? [];
  if (words.length === 0) return false;
  for (const [i, word] of words.entries()) {
    const next = words[i + 1];
    if (next !== undefined && isProseWord(word) && isProseWord(next)) return false;
  }
  return /^[\p{L}\p{N}_('"$:+\-@~|!]/u.test(words[0] ?? '');
}

function isProseWord(word: string): boolean {
  return /^[\p{L}\p{N}_]/u.test(word) && !SQL_WORDS.has(word.toLowerCase());
}
