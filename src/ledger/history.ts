// The outcomes of a job as they were, from `<ledger>.history`: each was written in the transaction of its rows.
import type { KafkaClient } from '../kafka/client.ts';
import type { LedgerSettings } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import { ledgerTopicNames } from './ledger-topics.ts';
import { collectProblems, readAll } from './read-all.ts';
import { parseLedgerKey, parseRecord } from './record.ts';

export interface HistoryQuery {
  readonly job: JobName;
  readonly server?: ServerName;
  /** The newest so many. */
  readonly limit: number;
}

/** Reading goes back in time in steps, each so many times as long as the one before. */
const FIRST_WINDOW: Milliseconds = 10 * 60_000;
const WINDOW_GROWTH = 6;
/** As long as history is kept. */
const LONGEST_WINDOW: Milliseconds = 8 * 24 * 60 * 60_000;

export interface History {
  /** Oldest first. */
  readonly outcomes: readonly { readonly server: ServerName; readonly record: LedgerRecord }[];
  /** As in LedgerSnapshot. */
  readonly problems: readonly string[];
}

/** The newest outcomes of a job. Rejects as `readState` does. */
export async function readHistory(
  client: KafkaClient,
  settings: Pick<LedgerSettings, 'topic'>,
  query: HistoryQuery,
): Promise<History> {
  const { history } = ledgerTopicNames(settings.topic);
  for (let window = FIRST_WINDOW; ; window *= WINDOW_GROWTH) {
    const whole = window > LONGEST_WINDOW;
    const unread = collectProblems(history);
    const found: { server: ServerName; record: LedgerRecord; at: number }[] = [];
    await readAll(
      client,
      history,
      'read_committed',
      whole ? 'beginning' : { timestamp: Date.now() - window },
      (partition, fetched) => {
        const { key, value, timestamp } = fetched;
        const meaning = key ? parseLedgerKey(key.toString()) : undefined;
        if (meaning?.kind !== 'run' || meaning.job !== query.job || !value) return;
        if (query.server !== undefined && meaning.server !== query.server) return;
        const { server } = meaning;
        unread.trying(partition, fetched, () =>
          found.push({ server, record: parseRecord(value.toString()), at: timestamp }),
        );
        // Only the newest are kept; sorted when there are twice as many.
        if (found.length >= 2 * query.limit + 100) keepNewest(found, query.limit);
      },
    );
    if (whole || found.length >= query.limit) {
      keepNewest(found, query.limit);
      return { outcomes: found.map(({ server, record }) => ({ server, record })), problems: unread.problems };
    }
  }
}

function keepNewest(found: { at: number; record: LedgerRecord }[], limit: number): void {
  found.sort((a, b) => a.at - b.at || Date.parse(a.record.slot) - Date.parse(b.record.slot));
  found.splice(0, found.length - limit);
}
