// A stream job at 1,000 messages a second: how long from produce to the committed row. Postgres tells of each commit by a
// notification, which names the oldest message of the batch: so the figures are those of the latest of each batch.
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { createKafkaClient } from '../src/kafka/client.ts';
import { openRecordSink } from '../src/kafka/record-sink.ts';
import { startPgtally } from '../test/stack/run-pgtally.ts';
import { peakRss, processSeconds } from './measure.ts';
import { markdownTable, percentile, report } from './report.ts';
import { setStage } from './stage.ts';

const SECONDS = 30;
const PER_SECOND = 1000;
const PARTITIONS = 4;
const BEAT = 5;

const JOBS = `name: stream
stream: true
ingest:
  topic: STREAM
  into: taken
  columns: {sent: "value::bigint", "partition": partition, "offset": '"offset"'}
---
name: create
query: select 1 as one
topic: {name: STREAM, partitions: ${PARTITIONS}}
`;

const TABLE = `create table taken (sent bigint, partition int, "offset" bigint);
create function tell() returns trigger language plpgsql as
  $$ begin perform pg_notify('taken', (select min(sent)::text from added)); return null; end $$;
create trigger tell after insert on taken referencing new table as added for each statement execute function tell()`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'stream.yaml': JOBS });
  const client = createKafkaClient({ brokers: [stage.kafka.bootstrap], clientId: 'bench', compression: 'none' });
  const { PGHOST: host, PGPORT: port, PGUSER: user } = stage.env;
  const observer = postgres({ host: host ?? '', port: Number(port), user: user ?? '', database: 'postgres', max: 1 });
  try {
    await stage.sql(TABLE);
    const lags: number[] = [];
    await observer.listen('taken', (oldest) => lags.push(Date.now() - Number(oldest)));
    const daemon = startPgtally(['start'], { cwd: stage.project });
    await daemon.waitFor(/stream started/, 20_000);
    const sink = await openRecordSink(client, 'STREAM');
    const started = performance.now();
    let made = 0;
    const send = async (seconds: number): Promise<void> => {
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end) {
        const due = Math.floor(((performance.now() - started) * PER_SECOND) / 1000);
        for (; made < due; made++) {
          await sink.add({ key: null, value: Buffer.from(String(Date.now())) }, made % PARTITIONS);
        }
        // Not waited for: the next beat comes on time.
        void sink.flush();
        await sleep(BEAT);
      }
    };
    await send(3);
    lags.length = 0;
    const pid = daemon.process.pid ?? 0;
    const before = processSeconds(pid);
    await send(SECONDS);
    const cpu = processSeconds(pid) - before;
    await sink.flush();
    await sleep(1000);
    const rss = peakRss(pid);
    await daemon.stop();
    const [row] = await observer`select count(*)::int as n, count(distinct (partition, "offset"))::int as d from taken`;
    if (row?.n !== made || row?.d !== made)
      throw new Error(`${made} messages became ${row?.n} rows, ${row?.d} different`);
    const table = markdownTable(
      ['messages', 'commits', 'lag p50 ms', 'lag p99 ms', 'lag max ms', 'CPU s', 'RSS MB'],
      [[String(made), String(lags.length), percentile(lags, 0.5), percentile(lags, 0.99), Math.max(...lags), cpu, rss]],
    );
    report('stream', table, { lags, cpu, rss });
  } finally {
    await observer.end();
    client.close();
    await stage.end();
  }
}
