// One job every second for a minute: how late its rows can be read, and what the daemon costs.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPgtally } from '../test/stack/run-pgtally.ts';
import { peakRss, processSeconds } from './measure.ts';
import { markdownTable, percentile, report } from './report.ts';
import { setStage } from './stage.ts';

const WARM_UP = 30;
const SECONDS = 60;

const JOB = `name: tick
schedule: "* * * * * *"
query: select i as id, 'row ' || i as word from generate_series(1, 3) i
topic: {name: TICK, partitions: 1}
key: id
`;

export async function run(): Promise<void> {
  const stage = await setStage({ 'tick.yaml': JOB });
  // Lines of kcat arrive when the rows are visible to read_committed readers.
  const reader = spawn('kcat', [
    '-C',
    '-b',
    stage.kafka.bootstrap,
    '-t',
    'TICK',
    '-o',
    'end',
    '-u',
    '-q',
    '-X',
    'isolation.level=read_committed',
    '-X',
    'fetch.wait.max.ms=10',
    '-f',
    '%h\\n',
  ]);
  try {
    const lags = new Map<string, number>();
    reader.stdout.setEncoding('utf8').on('data', (text: string) => {
      const now = Date.now();
      for (const [, slot] of text.matchAll(/pgtally-slot=([^,\n]+)/g))
        if (slot && !lags.has(slot)) lags.set(slot, now - Date.parse(slot));
    });
    const daemon = startPgtally(['start'], { cwd: stage.project });
    await daemon.waitFor(/published/, 20_000);
    // A broker that has just been started compiles for half a minute; those that people have are warm.
    await sleep(WARM_UP * 1000);
    const pid = daemon.process.pid ?? 0;
    lags.clear();
    const before = processSeconds(pid);
    await sleep(SECONDS * 1000);
    const cpu = processSeconds(pid) - before;
    const rss = peakRss(pid);
    const all = [...lags.values()];
    await daemon.stop();
    const table = markdownTable(
      ['ticks', 'lag p50 ms', 'lag p99 ms', 'lag max ms', 'CPU s', 'RSS MB'],
      [[String(all.length), percentile(all, 0.5), percentile(all, 0.99), Math.max(...all), cpu, rss]],
    );
    report('tick', table, { lags: all, cpu, rss });
  } finally {
    reader.kill();
    await stage.end();
  }
}
