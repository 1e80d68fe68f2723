// "did you mean": the known word nearest to an unknown one.
import { editDistance } from '../model/nearest.ts';

/**
 * The word of `known` that is most like `word`, upper and lower case alike, or undefined when none is like it: at most a
 * third of its letters (one in words of up to three letters, two in those of up to eight) may be wrong.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const allowed = Math.max(word.length < 4 ? 1 : 2, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = allowed + 1;
  for (const candidate of known) {
    const wrong = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (wrong >= least) continue;
    best = candidate;
    least = wrong;
  }
  return best;
}

/** The hint for an unknown word: the nearest known one, else the known ones under `heading`, else nothing. */
export function suggest(word: string, known: readonly string[], heading: string): string | undefined {
  const best = nearest(word, known);
  if (best !== undefined) return `did you mean \`${best}\`?`;
  if (known.length === 0) return undefined;
  return `${heading}: ${known.map((name) => `\`${name}\``).join(', ')}`;
}
