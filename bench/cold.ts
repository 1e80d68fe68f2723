// An ad-hoc run of three rows, from process start to exit 0, committed.
import { type Measurement, measure } from './measure.ts';
import { markdownTable, median, report } from './report.ts';
import { setStage } from './stage.ts';

const RUNS = 15;

const JOB = `name: cold
query: select i as id, 'row ' || i as word from generate_series(1, 3) i
topic: {name: COLD, partitions: 3}
key: id
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'cold.yaml': JOB });
  try {
    const copy = `copy (select id || ';' || row_to_json(q)::text from (select i as id, 'row ' || i as word from generate_series(1, 3) i) q) to stdout`;
    const scripts: Readonly<Record<string, string>> = {
      'empty script': 'node -e 0',
      'psql | kcat': `psql -qX -c "${copy}" | kcat -P -b ${stage.kafka.bootstrap} -t COLD -K ';'`,
      pgtally: `${stage.pgtally} run cold --json`,
    };
    const results = new Map<string, Measurement[]>(Object.keys(scripts).map((name) => [name, []]));
    for (let round = 0; round < RUNS; round++) {
      for (const [name, script] of Object.entries(scripts)) {
        const measured = await measure(script, stage.env);
        if (name === 'pgtally' && !measured.stdout.includes('"rows":3'))
          throw new Error(`wrong rows: ${measured.stdout}`);
        results.get(name)?.push(measured);
      }
    }
    const table = markdownTable(
      ['', 'wall ms', 'CPU ms'],
      [...results].map(([name, all]) => [
        name,
        (median(all.map((one) => one.wall)) * 1000).toFixed(0),
        (median(all.map((one) => one.cpu)) * 1000).toFixed(0),
      ]),
    );
    report('cold', table, Object.fromEntries(results));
  } finally {
    await stage.end();
  }
}
