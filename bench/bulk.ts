// A million rows of about 100 bytes, 8 partitions: what the article's pipe does in a few seconds of C.
import { contest } from './side-by-side.ts';
import { SHORT_LIVED, setStage } from './stage.ts';

const ROWS = 1_000_000;

const job = (name: string, topic: string): string => `name: ${name}
query: select key, id, word, note from bulk
topic: {name: ${topic}, partitions: 8, config: ${SHORT_LIVED}}
key: key
timeout: 5m
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'bulk.yaml': job('bulk', 'BULK'), 'kcat.yaml': job('unused', 'BULK-KCAT') }, '', {
    broker: 'as installed',
  });
  try {
    await stage.sql(`create table bulk as
      select 'key-' || i as key, i as id, md5(i::text) as word, 'note ' || (i % 1000) as note from generate_series(1, ${ROWS}) i`);
    await stage.sql('vacuum analyze bulk');
    await contest(stage, {
      name: 'bulk',
      runs: 12,
      rows: ROWS,
      topics: { kcat: 'BULK-KCAT', pgtally: 'BULK' },
      copyText: `copy (select key || ';' || row_to_json(q)::text from (select key, id, word, note from bulk) q) to stdout`,
      copyJob: 'bulk',
    });
  } finally {
    await stage.end();
  }
}
