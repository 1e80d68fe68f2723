// `pgtally status [JOB]`: jobs × servers as the ledger has them, from any machine that reaches Kafka.
import { type LedgerSnapshot, type RunState, readState } from '../ledger/queries.ts';
import { formatDuration, formatInstant } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { nextTick } from '../schedule/ticks.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { findJob, openOrComplain } from './open.ts';
import { formatTable } from './table.ts';
import { withKafka } from './with-kafka.ts';

interface StatusLine {
  readonly job: string;
  readonly server: string;
  readonly slot: string | null;
  readonly outcome: string | null;
  readonly rows: number | null;
  /** Seconds since the last slot. */
  readonly age: number | null;
  readonly next: string | null;
  readonly owner: string | null;
  readonly paused: string | null;
  readonly error: string | null;
}

export async function status(context: CommandContext, [name]: string[]): Promise<number> {
  const { output } = context;
  const ready = await openOrComplain(context);
  if (!ready) return EXIT_USAGE;
  const jobs = name === undefined ? ready.jobs : [findJob(ready, name)];
  const snapshot = await withKafka(ready.project, (client) => readState(client, ready.project.ledger));
  for (const problem of snapshot.problems) output.complain(`${output.paint.yellow('warning:')} ${problem}`);
  const lines = jobs.flatMap((job) => linesOf(job, snapshot, Date.now()));
  if (output.json) {
    for (const line of lines) await output.data(JSON.stringify(line));
    return EXIT_OK;
  }
  await output.data(
    formatTable(
      ['JOB', 'SERVER', 'LAST SLOT', 'OUTCOME', 'ROWS', 'AGE', 'NEXT', 'OWNER', ''],
      lines.map((line) => [
        line.job,
        line.server,
        line.slot ?? '-',
        line.outcome ?? 'not seen yet',
        line.rows === null ? '-' : String(line.rows),
        line.age === null ? '-' : roughAge(line.age),
        line.next ?? '-',
        line.owner ?? 'nobody',
        line.paused === null ? (line.error ?? '') : `paused ${line.paused}`,
      ]),
    ),
  );
  const heard = snapshot.replicas.filter((replica) => replica.heard);
  const owned = heard.map((replica) => `${replica.replica} (${replica.shards.length} shards, ${replica.state})`);
  output.note(heard.length === 0 ? 'no daemon runs: `pgtally start`' : `replicas: ${owned.join(', ')}`);
  return EXIT_OK;
}

function linesOf(prepared: PreparedJob, snapshot: LedgerSnapshot, now: number): StatusLine[] {
  const { job, timetable } = prepared;
  const states = new Map<string, RunState>();
  for (const run of snapshot.runs) if (run.job === job.name) states.set(run.server, run);
  const pause = snapshot.pauses.get(job.name);
  const next = timetable ? formatInstant(nextTick(timetable.schedule, timetable.timezone, now)) : null;
  return job.servers.map((server) => {
    const state = states.get(server.name);
    const { record } = state ?? {};
    return {
      job: job.name,
      server: server.name,
      slot: record?.slot ?? null,
      outcome: record ? (record.reason ? `${record.outcome} (${record.reason})` : record.outcome) : null,
      rows: record?.rows ?? null,
      age: record ? Math.round((now - Date.parse(record.slot)) / 1000) : null,
      next,
      owner: (state && snapshot.owners[state.shard]) ?? null,
      paused: pause ? `since ${pause.since}${pause.note ? `: ${pause.note}` : ''}` : null,
      error: record?.error?.message ?? null,
    };
  });
}

/** 90061 s → `1d`: one unit is enough to see what is late. */
function roughAge(seconds: number): string {
  for (const size of [86_400, 3600, 60]) {
    if (seconds >= size) return formatDuration(Math.floor(seconds / size) * size * 1000);
  }
  return `${seconds}s`;
}
