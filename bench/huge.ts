// Ten million rows in one transaction: memory has to stay bounded.
import { measure } from './measure.ts';
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
    const measured = await measure(`${stage.pgtally} run huge --json`, stage.env, 'bin.js');
    if (!measured.stdout.includes(`"rows":${ROWS}`)) throw new Error(measured.stdout);
    const table = markdownTable(
      ['rows', 'wall s', 'rows/s', 'client CPU s', 'RSS MB'],
      [[String(ROWS), measured.wall, ROWS / measured.wall, measured.cpu, measured.rss]],
    );
    report('huge', table, measured);
  } finally {
    await stage.end();
  }
}
