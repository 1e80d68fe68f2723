// The outcomes of a job as they were, from `<ledger>.history`: each was written in the transaction of its rows.
import type { KafkaClient } from '../kafka/client.ts';
import type { LedgerSettings } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import { ledgerTopicNames } from './ledger-topics.ts';
import { collectProblems, readAll } from './read-all.ts';
import { parseRecord, runKey } from './record.ts';

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
  for (let window = FIRST_WINDOW; ; window *= WINDOW_GROWTH) {
    const whole = window > LONGEST_WINDOW;
    const found: { server: ServerName; record: LedgerRecord; at: number }[] = [];
    const since = whole ? undefined : Date.now() - window;
    const problems = await scanHistory(client, settings, { ...query, since }, (server, record, at) => {
      found.push({ server, record, at });
      // Only the newest are kept; sorted when there are twice as many.
      if (found.length >= 2 * query.limit + 100) keepNewest(found, query.limit);
    });
    if (whole || found.length >= query.limit) {
      keepNewest(found, query.limit);
      return { outcomes: found.map(({ server, record }) => ({ server, record })), problems };
    }
  }
}

/**
 * Every outcome of a job written at or after `since` (epoch ms; undefined: all that are kept), in the order of each partition.
 * Resolves with the records that could not be read, each a sentence. Rejects as `readState` does.
 */
export async function scanHistory(
  client: KafkaClient,
  settings: Pick<LedgerSettings, 'topic'>,
  scan: { readonly job: JobName; readonly server?: ServerName; readonly since: number | undefined },
  onOutcome: (server: ServerName, record: LedgerRecord, at: number) => void,
): Promise<readonly string[]> {
  const { history } = ledgerTopicNames(settings.topic);
  const unread = collectProblems(history);
  const prefix = Buffer.from(runKey(scan.job, ''));
  const from = scan.since === undefined ? 'beginning' : { timestamp: scan.since };
  await readAll(client, history, 'read_committed', from, (partition, fetched) => {
    const { key, value, timestamp } = fetched;
    if (!key || !value || !key.subarray(0, prefix.length).equals(prefix)) return;
    const server = key.subarray(prefix.length).toString();
    if (scan.server !== undefined && server !== scan.server) return;
    unread.trying(partition, fetched, () => onOutcome(server, parseRecord(value.toString()), timestamp));
  });
  return unread.problems;
}

function keepNewest(found: { at: number; record: LedgerRecord }[], limit: number): void {
  found.sort((a, b) => a.at - b.at || Date.parse(a.record.slot) - Date.parse(b.record.slot));
  found.splice(0, found.length - limit);
}
