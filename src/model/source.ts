// Where a piece of a file's text came from, so that an error deep inside a block scalar can be shown at the file's own
// line and column. Types only; config fills them in.

/** One file as it was read: the text a caret frame is cut from. */
export interface SourceFile {
  /** As the user would type it, relative to the working directory where possible. */
  readonly path: string;
  readonly text: string;
  /** Parts of the text that no frame may show: passwords, tokens, credentials in URLs. */
  readonly secrets?: readonly Span[];
}

/** Half-open range of UTF-16 offsets in a file's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Any configured value with its place. */
export interface Located<T> {
  readonly value: T;
  readonly file: SourceFile;
  readonly span: Span;
}

/** A text that was a YAML scalar (SQL, cron): its value and, for each offset in the value, the offset in the file. */
export interface SourceText extends Located<string> {
  /** File offset of the character at `valueOffset` of `value` (0 … value.length). */
  toFileOffset(valueOffset: number): number;
}
