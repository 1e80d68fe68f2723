// psql | kcat, pgtally and the physical limit (the same COPY to /dev/null), interleaved in one run.
import { type Measurement, measure } from './measure.ts';
import { formatNumber, markdownTable, median, report } from './report.ts';
import type { Stage } from './stage.ts';

export interface Contest {
  readonly name: string;
  readonly runs: number;
  readonly rows: number;
  readonly topics: { readonly kcat: string; readonly pgtally: string };
  /** Gives `key;value` lines. */
  readonly copyText: string;
  readonly copyJob: string;
}

const HEADERS = [
  'pgtally-job=bulk',
  'pgtally-server=bench',
  'pgtally-slot=2027-01-01T00:00:00Z',
  'pgtally-trigger=manual',
  `pgtally-run=${'0'.repeat(32)}`,
]
  .map((header) => `-H '${header}'`)
  .join(' ');

/**
 * The order of a round, so that over the rounds each of `count` (even) contestants follows each other equally often: a broker that
 * still writes what one has sent would slow the next one (Williams 1949, balanced for first-order carry-over).
 */
export function orderOf(round: number, count: number): number[] {
  return Array.from({ length: count }, (_, place) => {
    const first = place % 2 === 0 ? (count - place / 2) % count : (place + 1) / 2;
    return (first + round) % count;
  });
}

/** Rounds that do not count: the broker's JVM compiles what they need. */
const WARM_UP = 2;

/** Runs each contestant `runs` times, in turn, and reports medians and ratios. */
export async function contest(stage: Stage, plan: Contest): Promise<void> {
  const psql = `psql -qX -c "${plan.copyText}"`;
  const piped = `${psql} | kcat -P -b ${stage.kafka.bootstrap} -t ${plan.topics.kcat} -K ';'`;
  const scripts: Readonly<Record<string, readonly [script: string, watch: string]>> = {
    limit: [`${psql} > /dev/null`, 'psql'],
    'psql | kcat': [piped, 'kcat'],
    // The same records as pgtally's: with the five headers that say where each comes from.
    'psql | kcat -H': [`${piped} ${HEADERS}`, 'kcat'],
    'psql | kcat -z lz4': [`${piped} -z lz4`, 'kcat'],
    pgtally: [`${stage.pgtally} run ${plan.copyJob} --json`, 'bin.js'],
    'pgtally, lz4': [`COMPRESSION=lz4 ${stage.pgtally} run ${plan.copyJob} --json`, 'bin.js'],
  };
  const results = new Map<string, Measurement[]>(Object.keys(scripts).map((name) => [name, []]));
  const all = Object.entries(scripts);
  for (let round = 0; round < WARM_UP + plan.runs; round++) {
    const counts = round >= WARM_UP;
    const place = counts ? `${round - WARM_UP + 1}/${plan.runs}` : 'warm-up';
    for (const [name, [script, watch]] of orderOf(round, all.length).flatMap((index) => all.slice(index, index + 1))) {
      const measured = await measure(script, stage.env, watch);
      if (name.startsWith('pgtally') && !measured.stdout.includes(`"rows":${plan.rows}`))
        throw new Error(`wrong rows: ${measured.stdout}`);
      if (counts) results.get(name)?.push(measured);
      process.stderr.write(`  ${plan.name} ${place} ${name}: ${measured.wall.toFixed(2)} s\n`);
    }
  }
  const of = (name: string, part: 'wall' | 'cpu' | 'machine' | 'rss'): number =>
    median((results.get(name) ?? []).map((one) => one[part]));
  const pipe = 'psql | kcat';
  const table = markdownTable(
    ['', 'wall s', '× pipe', '× limit', 'client CPU s', 'machine CPU s', '× pipe', 'RSS MB'],
    Object.keys(scripts).map((name) => [
      name,
      of(name, 'wall'),
      formatNumber(of(name, 'wall') / of(pipe, 'wall')),
      formatNumber(of(name, 'wall') / of('limit', 'wall')),
      of(name, 'cpu'),
      of(name, 'machine'),
      formatNumber(of(name, 'machine') / of(pipe, 'machine')),
      of(name, 'rss'),
    ]),
  );
  report(plan.name, table, Object.fromEntries(results));
}
