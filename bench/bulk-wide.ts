// A hundred thousand rows of about 2 kB, 8 partitions.
import { contest } from './side-by-side.ts';
import { SHORT_LIVED, setStage } from './stage.ts';

const ROWS = 100_000;

const job = (name: string, topic: string): string => `name: ${name}
query: select key, document from wide
topic: {name: ${topic}, partitions: 8, config: ${SHORT_LIVED}}
key: key
timeout: 5m
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'wide.yaml': job('wide', 'WIDE'), 'kcat.yaml': job('unused', 'WIDE-KCAT') }, '', {
    broker: 'as installed',
  });
  try {
    await stage.sql(`create table wide as
      select 'key-' || i as key, (select string_agg(md5(i::text || j), '') from generate_series(1, 62) j) as document
      from generate_series(1, ${ROWS}) i`);
    await stage.sql('vacuum analyze wide');
    await contest(stage, {
      name: 'bulk-wide',
      runs: 12,
      rows: ROWS,
      topics: { kcat: 'WIDE-KCAT', pgtally: 'WIDE' },
      copyText: `copy (select key || ';' || row_to_json(q)::text from (select key, document from wide) q) to stdout`,
      copyJob: 'wide',
    });
  } finally {
    await stage.end();
  }
}
