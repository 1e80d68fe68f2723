// Values for `$1 …` as Postgres reads them in text form. postgres.js's own conversion is not used: it quotes a JSON text
// once more, and turns an array of text into `a,b` when it has not fetched the server's types.

export type Scalar = string | number | bigint | boolean | Uint8Array | null;
/** An array becomes a Postgres array: `unnest($1::text[])`. */
export type Parameter = Scalar | readonly Scalar[];

/** The text form of a value; null stays null. A Uint8Array is a bytea. */
export function toParameterText(value: Parameter): string | null {
  if (value === null) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return bytea(value);
  if (typeof value === 'object') return arrayText(value);
  return String(value);
}

/** Types of postgres.js whose values it would convert once more; text passes as it is. */
export const UNCONVERTED_TYPES = Object.fromEntries(
  [16, 17, 114, 1082, 1114, 1184, 3802].map((type) => [
    `text${type}`,
    { to: type, from: [], serialize: (text: string) => text },
  ]),
);

/** Every element is quoted, so that none is taken for NULL, a brace or a comma. */
function arrayText(values: readonly Scalar[]): string {
  let text = '{';
  for (const [index, value] of values.entries()) {
    if (index > 0) text += ',';
    const element = toParameterText(value);
    text += element === null ? 'NULL' : quoted(element);
  }
  return `${text}}`;
}

function quoted(element: string): string {
  return `"${/["\\]/.test(element) ? element.replace(/["\\]/g, '\\$&') : element}"`;
}

function bytea(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}
