// A record as it comes out of a topic, and what can be said about its place. Types only.

/** In the order of the record, doubled names kept. */
export interface RecordHeader {
  readonly name: string;
  readonly value: Buffer | null;
}

export interface FetchedRecord {
  readonly offset: number;
  /** Milliseconds since the epoch; -1 = the producer gave none. */
  readonly timestamp: number;
  /** Who gave the timestamp: the producer, or the broker on arrival (message.timestamp.type). */
  readonly timestampType: 'create' | 'logappend';
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export type Isolation = 'read_committed' | 'read_uncommitted';

/** Where reading of a partition starts: a word, an offset, or the first record at or after an instant (epoch ms). */
export type StartOffset = 'beginning' | 'end' | number | { readonly timestamp: number };
