// A million messages of about 100 bytes from 4 partitions into one table, next to the article's way back: kcat | psql, which
// keeps no offsets.
import { type Measurement, measure } from './measure.ts';
import { formatNumber, markdownTable, median, report } from './report.ts';
import { setStage } from './stage.ts';

const MESSAGES = 1_000_000;
const RUNS = 5;

const job = `name: ingest
timeout: 5m
ingest:
  topic: INGEST
  into: taken
  columns: {payload: envelope}
---
name: create
query: select 1 as one
topic: {name: INGEST, partitions: 4}
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'ingest.yaml': job });
  try {
    await stage.sql('create table piped (payload json); create table taken (payload json)');
    const lines = `copy (select 'key-' || i || ';' || rpad('message ' || i || ' ', 80, md5(i::text)) from generate_series(1, ${MESSAGES}) i) to stdout`;
    await measure(`psql -qX -c "${lines}" | kcat -P -b ${stage.kafka.bootstrap} -t INGEST -K ';'`, stage.env, 'kcat');
    const pipe = `kcat -C -J -b ${stage.kafka.bootstrap} -t INGEST -o beginning -e -q`;
    const scripts: Readonly<Record<string, readonly [script: string, watch: string]>> = {
      'kcat > /dev/null': [`${pipe} > /dev/null`, 'kcat'],
      'kcat | psql copy': [`${pipe} | psql -qX -c "copy piped from stdin"`, 'psql'],
      pgtally: [`${stage.pgtally} run ingest --json`, 'bin.js'],
    };
    const results = new Map<string, Measurement[]>(Object.keys(scripts).map((name) => [name, []]));
    for (let round = 0; round < RUNS; round++) {
      for (const [name, [script, watch]] of Object.entries(scripts)) {
        await stage.sql('truncate piped; truncate taken');
        // The first run makes the table of offsets.
        if (round > 0) await stage.sql('update pgtally.offsets set next = 0');
        await stage.sql('checkpoint');
        const measured = await measure(script, stage.env, watch);
        if (name === 'pgtally' && !measured.stdout.includes(`"rows":${MESSAGES}`))
          throw new Error(`wrong rows: ${measured.stdout}`);
        results.get(name)?.push(measured);
        process.stderr.write(`  ingest ${round + 1}/${RUNS} ${name}: ${measured.wall.toFixed(2)} s\n`);
      }
    }
    const of = (name: string, part: 'wall' | 'cpu' | 'machine' | 'rss'): number =>
      median((results.get(name) ?? []).map((one) => one[part]));
    const table = markdownTable(
      ['', 'wall s', '× pipe', 'client CPU s', 'machine CPU s', 'RSS MB'],
      Object.keys(scripts).map((name) => [
        name,
        of(name, 'wall'),
        formatNumber(of(name, 'wall') / of('kcat | psql copy', 'wall')),
        of(name, 'cpu'),
        of(name, 'machine'),
        of(name, 'rss'),
      ]),
    );
    report('ingest', table, Object.fromEntries(results));
  } finally {
    await stage.end();
  }
}
