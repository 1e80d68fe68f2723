// Three ways to count in a text: UTF-16 units (JavaScript, files), characters (positions in Postgres' errors) and bytes of
// UTF-8 (locations in the parser's trees and tokens).

/** A function from byte offsets in the text's UTF-8 to UTF-16 offsets. Lone surrogates count as U+FFFD, as they are sent. */
export function unitsOfBytes(text: string): (byte: number) => number {
  if (isAscii(text)) return (byte) => byte;
  const units: number[] = [];
  let unit = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let i = 0; i < bytes; i++) units.push(unit);
    unit += char.length;
  }
  return (byte) => units[byte] ?? text.length;
}

/** The UTF-16 offset of the character number `point` (0-based); the text's length beyond its end. */
export function pointToUnit(text: string, point: number): number {
  let unit = 0;
  for (let left = point; left > 0 && unit < text.length; left--) unit += unitsAt(text, unit);
  return unit;
}

/** How many characters stand before the UTF-16 offset. */
export function unitToPoint(text: string, unit: number): number {
  let points = 0;
  for (let at = 0; at < unit && at < text.length; at += unitsAt(text, at)) points += 1;
  return points;
}

function unitsAt(text: string, unit: number): number {
  return (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
