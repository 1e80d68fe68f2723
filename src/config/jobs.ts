// From the documents of job files to jobs: names, defaults, selectors, and the rules between a job's fields.
import { basename } from 'node:path';
import type { IngestJob, Job, PublishJob, Server, TopicSettings } from '../model/project.ts';
import type { Located, SourceFile } from '../model/source.ts';
import type { Complete, Draft, ValueOf } from './field.ts';
import { ingestDetailFields, ingestFields, ingestJob, job, publishFields, publishJob } from './fields/job.ts';
import type { defaultsFields } from './fields/project.ts';
import { formats } from './formats.ts';
import { formatPlace } from './frame.ts';
import type { MapNode, Node } from './node.ts';
import { type Place, type Problems, placeOf, show } from './problems.ts';
import { chooseObject, complete, elsewhereOf, readObject } from './read.ts';
import { checkSelector, selectorOf, selectServers } from './selector.ts';
import { parseYaml } from './yaml-document.ts';

export interface JobContext {
  readonly servers: readonly Server[];
  /** False when a server is wrong: then a selector that finds none proves nothing. */
  readonly serversAreComplete: boolean;
  readonly defaults: Draft<typeof defaultsFields>;
  readonly problems: Problems;
}

/** The jobs of all files in their order. What is wrong is reported; the jobs that are right are returned. */
export function loadJobs(files: readonly SourceFile[], context: JobContext): Job[] {
  const jobs: Job[] = [];
  const named = new Map<string, Located<string>>();
  for (const file of files) {
    const documents = parseYaml(file, { variables: false }, context.problems);
    if (documents.length === 0 && !hasProblem(file, context.problems)) {
      context.problems.warning('this file holds no job', { file, span: { start: 0, end: 0 } });
    }
    for (const document of documents) {
      const loaded = loadJob(document, documents.length === 1, named, context);
      if (loaded) jobs.push(loaded);
    }
  }
  return jobs;
}

function hasProblem(file: SourceFile, problems: Problems): boolean {
  return problems.all.some((problem) => problem.file === file);
}

function loadJob(
  document: Node,
  alone: boolean,
  named: Map<string, Located<string>>,
  context: JobContext,
): Job | undefined {
  const { problems } = context;
  if (document.kind !== 'map') {
    problems.error('a job is a map of fields', document, 'begin with `query: |` and `topic: …`');
    return undefined;
  }
  const ingests = chooseObject(job, document)?.[0] === 'ingest';
  const inherited: Readonly<Record<string, unknown>> = context.defaults;
  const draft = ingests
    ? { ingest: readObject(ingestJob, document, { problems }, { inherited, elsewhere: elsewhereOf(job, ingestJob) }) }
    : {
        publish: readObject(publishJob, document, { problems }, { inherited, elsewhere: elsewhereOf(job, publishJob) }),
      };
  const written = draft.ingest ?? draft.publish;
  const declared = nameOf(document, written?.name, alone, problems);
  if (declared) checkUnique(declared, named, problems);
  const place: Place = declared ? placeOf(declared) : document;
  const selector = selectorOf(written?.servers);
  const servers = selectServers(selector, context.servers);
  if (context.serversAreComplete) checkSelector(selector, context.servers, place, problems);
  const common = { declared: declared ?? { value: '', ...place }, selector, servers };
  return draft.ingest
    ? toIngestJob(draft.ingest, common, context)
    : draft.publish && toPublishJob(draft.publish, common);
}

type Common = Pick<Job, 'declared' | 'selector' | 'servers'>;

/** The name as it is given, else the file's. */
function nameOf(
  document: MapNode,
  given: Located<string> | undefined,
  alone: boolean,
  problems: Problems,
): Located<string> | undefined {
  if (given) return given;
  const first = document.entries[0]?.key ?? document;
  const place = { file: document.file, span: first.span };
  // A name that is there but wrong has been reported.
  if (document.entries.some(({ key }) => key.text === 'name')) return undefined;
  if (!alone) {
    problems.error('missing field `name`', place, 'in a file with several jobs each has its own name');
    return undefined;
  }
  const value = basename(document.file.path).replace(/\.ya?ml$/, '');
  if (new RegExp(formats.name.pattern).test(value)) return { value, ...place };
  problems.error(`the file's name ${show(value)} is not ${formats.name.expects}`, place, 'give the job a `name`');
  return undefined;
}

function checkUnique(declared: Located<string>, named: Map<string, Located<string>>, problems: Problems): void {
  const first = named.get(declared.value);
  if (!first) {
    named.set(declared.value, declared);
    return;
  }
  const hint = `the other one is at ${formatPlace(first.file, first.span.start)}`;
  problems.error(`two jobs are named \`${declared.value}\``, declared, hint);
}

function toPublishJob(draft: Draft<typeof publishFields>, common: Common): PublishJob | undefined {
  const fields = complete(publishFields, draft);
  if (!fields) return undefined;
  const { key, value, headers, overlap, catchup } = fields;
  const topic = toTopic(fields.topic);
  if (!topic) return undefined;
  return {
    kind: 'publish',
    ...common,
    ...ofEachKind(fields, common),
    query: fields.query,
    topic,
    ...(key === undefined ? {} : { key: toKey(key) }),
    ...(value === undefined ? {} : { value }),
    headers: (headers?.value ?? []).map((header) => ({ name: header.name.value, expression: header.value })),
    nullKey: fields.null_key.value,
    delay: fields.delay.value,
    ...(overlap === undefined ? {} : { overlap: overlap.value }),
    ...(catchup === undefined ? {} : { catchup: catchup.value }),
    catchupWindow: fields.catchup_window.value,
    splay: fields.splay.value,
    concurrency: fields.concurrency.value,
    delivery: fields.delivery.value,
  };
}

/** What publish jobs and ingest jobs have alike. */
function ofEachKind(fields: Complete<typeof publishFields> | Complete<typeof ingestFields>, { declared }: Common) {
  const { description, schedule, timezone, timeout, retries } = fields;
  return {
    name: declared.value,
    ...(description === undefined ? {} : { description: description.value }),
    ...(schedule === undefined ? {} : { schedule }),
    timezone,
    timeout: timeout.value,
    retries: retries.value,
  };
}

function toKey(key: ValueOf<typeof publishFields.key>): NonNullable<PublishJob['key']> {
  return key.as === 'one' ? { list: false, expressions: [key.value] } : { list: true, expressions: key.value.value };
}

function toTopic(topic: ValueOf<typeof publishFields.topic>): TopicSettings | undefined {
  if (topic.as === 'name') return { name: topic.value.value, config: {} };
  const { name, partitions, replication, config } = topic.value.value;
  if (!name) return undefined;
  return {
    name: name.value,
    ...(partitions === undefined ? {} : { partitions: partitions.value }),
    ...(replication === undefined ? {} : { replication: replication.value }),
    config: Object.fromEntries((config?.value ?? []).map((entry) => [entry.name.value, entry.value.value])),
  };
}

function toIngestJob(draft: Draft<typeof ingestFields>, common: Common, context: JobContext): IngestJob | undefined {
  checkIngestRules(draft, common, context);
  const fields = complete(ingestFields, draft);
  const details = draft.ingest && complete(ingestDetailFields, draft.ingest.value);
  if (!fields || !details) return undefined;
  const { partitions, limit } = details;
  return {
    kind: 'ingest',
    ...common,
    ...ofEachKind(fields, common),
    stream: fields.stream.value,
    topic: details.topic.value,
    from: details.from.value,
    ...(partitions.as === 'all' ? {} : { partitions: partitions.value.value.map((item) => item.value) }),
    ...(limit === undefined ? {} : { limit: limit.value }),
    into: details.into,
    columns: details.columns.value.map((column) => ({ name: column.name, expression: column.value })),
    onError: details.on_error.value,
  };
}

function checkIngestRules(draft: Draft<typeof ingestFields>, common: Common, context: JobContext): void {
  const { problems } = context;
  if (draft.stream?.value) {
    const hint = 'a stream reads without end: remove the one or the other';
    const limit = draft.ingest?.value.limit;
    if (draft.schedule) problems.error('`schedule` does not apply where `stream` is `true`', draft.schedule, hint);
    if (limit) problems.error('`limit` does not apply where `stream` is `true`', limit, hint);
  }
  if (!context.serversAreComplete || common.servers.length < 2) return;
  const place = draft.servers ? placeOf(draft.servers.value) : placeOf(common.declared);
  const names = common.servers.slice(0, 3).map(({ name }) => `\`${name}\``);
  const message = `an ingest job needs exactly one server, but this is ${common.servers.length}: ${names.join(', ')}${common.servers.length > 3 ? ', …' : ''}`;
  problems.error(message, place, 'name the one: `servers: warehouse`');
}
