// The daemon: what is wired to what, from the first load of the files to the last release. Decisions are in the parts.
import { createKafkaClient } from '../kafka/client.ts';
import { createTopicShapes } from '../kafka/topic-shapes.ts';
import type { RunningLedger } from '../ledger/ledger.ts';
import type { Problem } from '../model/problem.ts';
import type { Project } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import { createConnectionKeeper } from '../postgres/pool.ts';
import type { OpenedProject } from '../project/open-project.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { PublishContext } from '../publish/attempt.ts';
import { createMemoryBudget } from '../publish/memory.ts';
import { startWaking, type Waking } from '../schedule/wake.ts';
import { healthRoutes } from '../status/health.ts';
import { metricsRoutes } from '../status/metrics.ts';
import type { OperationsSource } from '../status/operations.ts';
import { createStatusPage } from '../status/page-routes.ts';
import { createStatusServer, type StatusServer } from '../status/server.ts';
import { createTallies } from '../status/tallies.ts';
import type { Attempts } from './attempt-contract.ts';
import { createAttempts } from './attempts.ts';
import { createBreaker } from './breaker.ts';
import { createDispatcher, type Dispatcher } from './dispatcher.ts';
import { createIdleCollection } from './idle-collection.ts';
import { createIngestAttempts } from './ingest-attempts.ts';
import { createIngestLag } from './ingest-lag.ts';
import { createIngestStreams, type IngestStreams } from './ingest-streams.ts';
import { joinLedger } from './join-ledger.ts';
import { compileLate } from './late-compilation.ts';
import type { Log } from './log.ts';
import { createPlaces } from './places.ts';
import { createPrivilegeWarnings } from './privilege-warnings.ts';
import { createPruning } from './prune.ts';
import { createRunLogs } from './run-log.ts';
import { scheduledJobs } from './scheduled.ts';
import { createTarget } from './target.ts';
import { watchFiles } from './watch.ts';

const PRUNE_EVERY: Milliseconds = 10 * 60_000;

export interface DaemonOptions {
  readonly project: Project;
  readonly jobs: readonly PreparedJob[];
  /** Loads the files again. */
  readonly reload: () => Promise<OpenedProject>;
  /** Shows the problems of files that were refused. */
  readonly onProblems: (problems: readonly Problem[]) => void;
  readonly log: Log;
  /** Of pgtally, for its metrics. */
  readonly version: string;
}

export interface Daemon {
  /**
   * Serves the status page, waits for Kafka as long as it takes, joins the ledger and runs the jobs. Resolves once they run, or
   * at a stop before that. Rejects with a Failure for what waiting does not mend: an address that is taken, credentials, rights,
   * a ledger of other settings.
   */
  start(): Promise<void>;
  /** Loads the files again; wrong ones are refused and the old ones stay. */
  reload(): Promise<void>;
  /** Ends in good order: nothing new, what runs gets `stop_grace`, shards are released. */
  stop(): Promise<void>;
}

/** A daemon that does nothing yet. */
export function createDaemon(options: DaemonOptions): Daemon {
  const { log } = options;
  let { project, jobs } = options;
  const clock = Date.now;
  const client = createKafkaClient(project.kafka, {
    onLog: ({ level, message, broker }) => log.debug(`kafka: ${message}`, { kafka_level: level, broker }),
  });
  const connections = createConnectionKeeper(project.limits);
  const shapes = createTopicShapes(client);
  const context: PublishContext = {
    connections,
    topicShape: shapes.shapeOf,
    memory: createMemoryBudget(project.limits.memory),
    bufferLimit: project.limits.buffer,
    onPrivileged: createPrivilegeWarnings(log, (server) =>
      jobs.some(({ kind, job }) => kind === 'ingest' && job.servers.some(({ name }) => name === server)),
    ),
    get privileged() {
      return project.privileged;
    },
  };
  const runLogs = createRunLogs(log, clock);
  const breaker = createBreaker();
  const lag = createIngestLag();
  const ingestContext = { kafka: client, connections };
  const publishing = createAttempts(context, createPlaces(project.limits.concurrency), breaker, clock);
  const ingesting = createIngestAttempts({
    context: ingestContext,
    breaker,
    lag,
    log,
    runLogs,
    clock,
    jobs: () => project.jobs.map(({ name }) => name),
  });
  compileLate();
  const collection = createIdleCollection(clock);
  const attempts: Attempts = {
    once({ prepared, ...run }) {
      const attempt = () =>
        prepared.kind === 'publish' ? publishing.once({ ...run, prepared }) : ingesting.once({ ...run, prepared });
      // With servers that never answer an attempt is always under way, and there would be no time to collect.
      return breaker.isFailing(run.server.name) ? attempt() : collection.during(attempt);
    },
  };
  const tallies = createTallies();
  const stopping = new AbortController();
  let ledger: RunningLedger | undefined;
  let dispatcher: Dispatcher | undefined;
  let streams: IngestStreams | undefined;
  let waking: Waking | undefined;
  let pruning: NodeJS.Timeout | undefined;
  let server: StatusServer | undefined;
  let lastWake: Milliseconds | undefined;
  const operations: OperationsSource = {
    version: options.version,
    project: () => project,
    jobs: () => jobs,
    ledger: () => ledger,
    targets: () => dispatcher?.targets ?? [],
    streams: () => streams?.running ?? [],
    isFailing: (name) => breaker.isFailing(name),
    ingestLags: () => lag.lags,
    tallies,
    lastWake: () => lastWake,
    clock,
  };
  const page = createStatusPage(
    {
      project: () => project,
      jobs: () => jobs,
      ledger: () => ledger,
      client,
      ingestLags: () => lag.lags,
      clock,
    },
    log,
  );

  const takeOver = (): void => {
    watch.update(project.files, project.folders ?? []);
    const scheduled = scheduledJobs(jobs);
    dispatcher?.update(scheduled);
    const known = new Map(jobs.map(({ job }) => [job.name, new Set(job.servers.map(({ name }) => name))]));
    runLogs.update(known);
    tallies.retain(known);
    streams?.update(jobs);
    dispatcher?.wake();
    page.reloaded();
  };
  let reloading: Promise<void> = Promise.resolve();
  const reload = (): Promise<void> => {
    reloading = reloading.then(async () => {
      const opened = await options.reload();
      if (stopping.signal.aborted) return;
      if (!opened.project) {
        options.onProblems(opened.problems);
        log.error('files changed, but they have errors: going on with the old ones');
        return;
      }
      announceChanges(project, opened.project, log);
      project = opened.project;
      jobs = opened.jobs;
      takeOver();
    });
    return reloading;
  };
  const watch = watchFiles(
    () => void reload(),
    (folder, error) => log.warn('cannot watch a folder: send SIGHUP after a change', { folder, error: error.message }),
  );

  return {
    reload,
    async start() {
      const routes = [...healthRoutes(operations), ...metricsRoutes(operations), ...page.routes];
      server = await createStatusServer({ ...project.status, routes, log });
      if (stopping.signal.aborted) return server.close();
      log.info('serving the status page', { url: server.address });
      ledger = await joinLedger({ client, shapes, project, jobs, log, signal: stopping.signal }).catch(
        async (error: unknown) => {
          await server?.close();
          throw error;
        },
      );
      if (!ledger || stopping.signal.aborted) return;
      const joined = ledger;
      dispatcher = createDispatcher(
        (prepared, timetable, server) =>
          createTarget(prepared, timetable, server, {
            ledger: joined,
            attempts,
            log,
            runLogs,
            clock,
            onRecord: tallies.recorded,
          }),
        // Runs of a shard are committed together: started one after the other, they are in Kafka while those of the next are read.
        // Servers that fail come last.
        (job, server) => joined.shardOf(job, server) + (breaker.isFailing(server) ? project.ledger.shards : 0),
        clock,
      );
      const { stopGrace: grace } = project.limits;
      streams = createIngestStreams({
        context: ingestContext,
        ledger,
        lag,
        log,
        runLogs,
        clock,
        onRows: tallies.streamed,
        grace,
      });
      joined.onChange(() => {
        tallies.unsettle();
        dispatcher?.evaluateAll();
        streams?.evaluate();
      });
      waking = await startWaking(() => {
        lastWake = performance.now();
        dispatcher?.wake();
        streams?.evaluate();
      });
      if (stopping.signal.aborted) {
        // The stop that came meanwhile did not know of it.
        waking.stop();
        return;
      }
      const prune = createPruning(joined, log, clock);
      pruning = setInterval(() => void prune.look((job, server) => isKnown(jobs, job, server)), PRUNE_EVERY);
      pruning.unref();
      takeOver();
      log.info('started', {
        replica: joined.self,
        jobs: project.jobs.length,
        servers: project.servers.length,
        kafka: project.kafka.brokers.join(','),
      });
    },
    async stop() {
      const began = clock();
      stopping.abort();
      waking?.stop();
      clearInterval(pruning);
      watch.stop();
      log.info('stopping', { running: dispatcher?.targets.filter((target) => target.busy).length ?? 0 });
      const handRuns = page.stop();
      const released = ledger?.stop((job, server) => dispatcher?.busy(job, server) === true);
      await Promise.all([dispatcher?.stop(project.limits.stopGrace), streams?.stop(project.limits.stopGrace)]);
      await Promise.all([released, handRuns]);
      await server?.close();
      await connections.close();
      shapes.close();
      client.close();
      runLogs.close();
      collection.stop();
      log.info('stopped', { ms: clock() - began });
    },
  };
}

function isKnown(jobs: readonly PreparedJob[], name: string, server: string): boolean {
  const found = jobs.find(({ job }) => job.name === name);
  return found?.job.servers.some((one) => one.name === server) === true;
}

/** What can only be taken over by a restart is said; the rest is at work already. */
function announceChanges(before: Project, after: Project, log: Log): void {
  const fixed = ['kafka', 'ledger', 'limits', 'status'] as const;
  const changed = fixed.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]));
  if (changed.length > 0) log.warn('changed, but in force only after a restart', { parts: changed.join(', ') });
  log.info('reloaded', { jobs: after.jobs.length, servers: after.servers.length });
}
