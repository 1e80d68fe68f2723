// `for: {n: 1..200}`: one declaration, many servers. Here are the combinations of the variables and their replacement.
import type { Located } from '../model/source.ts';
import type { Entry } from './field.ts';

/** A value for each variable of `for`. */
export type Binding = Readonly<Record<string, string>>;

/** How many servers one declaration may make; more is a slip of the keyboard. */
export const MAX_SERVERS_A_RANGE = 20_000;

/** How many combinations there are, without making them. */
export function countBindings(ranges: readonly Entry<Located<string>>[]): number {
  return ranges.reduce((product, { value }) => {
    const [from, to] = bounds(value.value);
    return product * (to - from + 1);
  }, 1);
}

/** Every combination, the last variable running fastest; one empty one where there are no ranges. */
export function expandRanges(ranges: readonly Entry<Located<string>>[]): Binding[] {
  return ranges.reduce<Binding[]>(
    (bindings, { name, value }) =>
      bindings.flatMap((binding) => numbersOf(value.value).map((number) => ({ ...binding, [name.value]: number }))),
    [{}],
  );
}

/** The names of the variables in a text: `{n}`. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(VARIABLE)].map((match) => match[1] ?? '');
}

/** The text with each `{n}` replaced; a name without a value stays as it stands. */
export function fill(text: string, binding: Binding): string {
  return text.replace(VARIABLE, (whole, name: string) => binding[name] ?? whole);
}

const VARIABLE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** `001..200` → 001, 002, … 200: a start with leading zeros sets the width. */
function numbersOf(range: string): string[] {
  const [from, to] = bounds(range);
  const start = range.slice(0, range.indexOf('.'));
  const width = start.startsWith('0') && start.length > 1 ? start.length : 1;
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(width, '0'));
}

function bounds(range: string): [number, number] {
  const [from, to] = range.split('..').map(Number);
  return [from ?? 0, to ?? 0];
}
