// `${NAME}` and `${NAME:-default}` in the string scalars of pgtally.yaml and server files: replaced after parsing, so that
// a value can never change the document around it.

/** A reference that cannot be replaced, as a range of the text. */
interface BadReference {
  readonly start: number;
  readonly end: number;
  /** Undefined: what stands there is no reference at all. */
  readonly name: string | undefined;
}

export interface Expansion {
  readonly text: string;
  /** Whether there was any reference. */
  readonly expanded: boolean;
  readonly bad: readonly BadReference[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replaces every reference. As in a shell, the default of `${NAME:-default}` stands for a name that is unset or empty.
 * In the user and password of a URL the value is percent-encoded: it means itself there, whatever it holds.
 */
export function expandVariables(text: string, env: Environment): Expansion {
  const bad: BadReference[] = [];
  let expanded = false;
  const replaced = text.replace(/\$\{([^}]*)(\}?)/g, (whole: string, inner: string, close: string, start: number) => {
    expanded = true;
    const match = close ? /^([A-Za-z_]\w*)(?::-([\s\S]*))?$/.exec(inner) : null;
    const name = match?.[1];
    const fallback = match?.[2];
    const value = name === undefined ? undefined : env[name];
    const result = fallback !== undefined && (value === undefined || value === '') ? fallback : value;
    if (result === undefined) {
      bad.push({ start, end: start + whole.length, name });
      return whole;
    }
    return isInCredentials(text, start, start + whole.length) ? encodeURIComponent(result) : result;
  });
  return { text: replaced, expanded, bad };
}

/** Between `://` and an `@` before the next `/`. */
function isInCredentials(text: string, start: number, end: number): boolean {
  return text.slice(0, start).includes('://') && /^(?:\$\{[^}]*\}|[^/@$]|\$(?!\{))*@/.test(text.slice(end));
}

// YAML ends a plain scalar at braces, commas and brackets where it stands inside `{…}` or `[…]`; design 2 writes
// `{password: ${KAFKA_PASSWORD}}` all the same. So the parser gets each such character inside a reference as a Unicode
// noncharacter, which is of the same length, and what it read is turned back.
const CONTROLS = '{},[]:# ';
const FIRST_STAND_IN = 0xfdd0;
const STAND_INS = /[\ufdd0-\ufdd7]/g;

/** The text for the parser, of the same length; unchanged where there is nothing to protect. */
export function protectVariables(text: string): string {
  if (!text.includes('${') || text.search(STAND_INS) >= 0) return text;
  return text.replace(/\$\{[A-Za-z_]\w*(?::-[^{}\n"'\\]*)?\}/g, (reference) =>
    reference.replace(/[{},[\]:# ]/g, (char) => standIn(CONTROLS.indexOf(char)) ?? char),
  );
}

/** The text as it stood in the file. */
export function restoreVariables(text: string): string {
  return text.replace(STAND_INS, (char) => CONTROLS[char.charCodeAt(0) - FIRST_STAND_IN] ?? char);
}

function standIn(index: number): string | undefined {
  return index < 0 ? undefined : String.fromCharCode(FIRST_STAND_IN + index);
}
