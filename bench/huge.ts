// Ten million rows in one transaction: memory has to stay bounded.
import { type Measurement, measure } from './measure.ts';
import { markdownTable, report } from './report.ts';
import { setStage } from './stage.ts';

const ROWS = 10_000_000;

const JOB = `name: huge
query: select 'key-' || i as key, i as id, md5(i::text) as word from generate_series(1, ${ROWS}) i
topic: {name: HUGE, partitions: 8, config: {retention.ms: "60000"}}
key: key
timeout: 10m
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'huge.yaml': JOB });
  try {
    const results = new Map<string, Measurement>();
    for (const compression of ['none', 'lz4']) {
      const measured = await measure(
        `COMPRESSION=${compression} ${stage.pgtally} run huge --json`,
        stage.env,
        'bin.js',
      );
      if (!measured.stdout.includes(`"rows":${ROWS}`)) throw new Error(measured.stdout);
      results.set(compression, measured);
    }
    const table = markdownTable(
      ['compression', 'wall s', 'rows/s', 'client CPU s', 'RSS MB'],
      [...results].map(([name, { wall, cpu, rss }]) => [name, wall, ROWS / wall, cpu, rss]),
    );
    report('huge', table, Object.fromEntries(results));
  } finally {
    await stage.end();
  }
}
