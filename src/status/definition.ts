// A job's definition and its next slots, and what is known of a server, as the page shows them: fields named as in the files.
// Nothing secret: passwords and where they come from are never told.
import type { IngestJob, Job, PublishJob, Selector, Server, TopicSettings } from '../model/project.ts';
import { formatDuration } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { nextTick } from '../schedule/ticks.ts';
import { type Seconds, toSeconds } from './wire.ts';

/** `sql`: shown as code. */
export interface FieldLine {
  readonly field: string;
  readonly text: string;
  readonly sql?: true;
}

const SLOTS_SHOWN = 6;

export function definitionOf(prepared: PreparedJob): readonly FieldLine[] {
  const { job } = prepared;
  const specific = prepared.kind === 'publish' ? publishFields(prepared.job, prepared) : ingestFields(job as IngestJob);
  return [...commonFields(job), ...specific];
}

/** The next few; none for a job that has no schedule. */
export function nextSlots({ timetable }: PreparedJob, now: number): readonly Seconds[] {
  const slots: Seconds[] = [];
  if (!timetable) return slots;
  for (let at = now; slots.length < SLOTS_SHOWN; ) {
    at = nextTick(timetable.schedule, timetable.timezone, at);
    slots.push(toSeconds(at));
  }
  return slots;
}

export function serverFields(server: Server): readonly FieldLine[] {
  return [
    plain('host', server.host),
    plain('port', String(server.port)),
    plain('database', server.database),
    plain('user', server.user),
    plain('tls', server.tls.mode),
    ...Object.entries(server.labels).map(([name, value]) => plain(`labels.${name}`, value)),
    plain('declared in', server.declared.file.path),
  ];
}

function commonFields(job: Job): FieldLine[] {
  return [
    ...(job.schedule
      ? [plain('schedule', job.schedule.value), plain('timezone', job.timezone.value)]
      : [
          plain('schedule', job.kind === 'ingest' && job.stream ? 'none: it reads all the time' : 'none: by hand only'),
        ]),
    plain('servers', `${selectorText(job.selector)} (${job.servers.length})`),
    plain('declared in', job.declared.file.path),
  ];
}

function publishFields(
  job: PublishJob,
  { interval, overlap, catchup }: Extract<PreparedJob, { kind: 'publish' }>,
): FieldLine[] {
  return [
    plain('topic', topicText(job.topic)),
    sql('query', job.query.value),
    ...(job.key ? [sql('key', job.key.expressions.map(({ value }) => value).join(', '))] : []),
    ...(job.value ? [sql('value', job.value.value)] : []),
    ...job.headers.map(({ name, expression }) => sql(`headers.${name}`, expression.value)),
    plain('kind', interval ? 'interval: its SQL uses the window' : 'snapshot'),
    plain('delivery', job.delivery),
    plain('timeout', formatDuration(job.timeout)),
    plain('retries', String(job.retries)),
    plain('overlap', overlap),
    plain('catchup', catchup === 'none' ? 'none' : `${catchup}, within ${formatDuration(job.catchupWindow)}`),
    ...(job.delay > 0 ? [plain('delay', formatDuration(job.delay))] : []),
    ...(job.splay > 0 ? [plain('splay', formatDuration(job.splay))] : []),
    plain('concurrency', String(job.concurrency)),
    ...(job.nullKey === 'allow' ? [plain('null_key', 'allow')] : []),
  ];
}

function ingestFields(job: IngestJob): FieldLine[] {
  return [
    plain('ingest.topic', job.topic),
    plain('ingest.from', job.from),
    plain('ingest.partitions', job.partitions ? job.partitions.join(', ') : 'all'),
    ...(job.limit === undefined ? [] : [plain('ingest.limit', String(job.limit))]),
    plain('ingest.into', job.into.value),
    ...job.columns.map(({ name, expression }) => sql(`ingest.columns.${name.value}`, expression.value)),
    plain('ingest.on_error', job.onError),
    plain('timeout', formatDuration(job.timeout)),
    plain('retries', String(job.retries)),
  ];
}

function topicText({ name, partitions, replication }: TopicSettings): string {
  const declared = [
    ...(partitions === undefined ? [] : [`${partitions} partitions`]),
    ...(replication === undefined ? [] : [`replication ${replication}`]),
  ];
  return declared.length > 0 ? `${name} (${declared.join(', ')})` : name;
}

function selectorText(selector: Selector): string {
  if ('all' in selector) return 'all';
  if ('names' in selector) return selector.names.map(({ value }) => value).join(', ');
  return selector.labels.map(({ label, values }) => `${label.value}: ${values.join(' or ')}`).join(', ');
}

function plain(field: string, text: string): FieldLine {
  return { field, text };
}

function sql(field: string, text: string): FieldLine {
  return { field, text: text.trimEnd(), sql: true };
}
