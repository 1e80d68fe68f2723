// The daemon: what is wired to what, from the first load of the files to the last release. Decisions are in the parts.

import type { KafkaClient } from '../kafka/client.ts';
import { createKafkaClient } from '../kafka/client.ts';
import { createTopicShapes } from '../kafka/topic-shapes.ts';
import { createAdHocCommitter } from '../ledger/ad-hoc.ts';
import type { Ledger } from '../ledger/types.ts';
import { createVolatileLedger } from '../ledger/volatile-ledger.ts';
import type { Problem } from '../model/problem.ts';
import type { Project } from '../model/project.ts';
import { formatInstant } from '../model/units.ts';
import { createConnectionKeeper } from '../postgres/pool.ts';
import type { OpenedProject } from '../project/open-project.ts';
import type { PreparedJob, PreparedPublish } from '../project/prepared.ts';
import { createMemoryBudget } from '../publish/memory.ts';
import { startWaking } from '../schedule/wake.ts';
import { createAttempts } from './attempts.ts';
import { createBreaker } from './breaker.ts';
import { createDispatcher } from './dispatcher.ts';
import type { Log } from './log.ts';
import { createPlaces } from './places.ts';
import { createTarget } from './target.ts';
import { watchFiles } from './watch.ts';

export interface DaemonOptions {
  readonly project: Project;
  readonly jobs: readonly PreparedJob[];
  /** Loads the files again. */
  readonly reload: () => Promise<OpenedProject>;
  /** Shows the problems of files that were refused. */
  readonly onProblems: (problems: readonly Problem[]) => void;
  readonly log: Log;
}

export interface Daemon {
  /** Loads the files again; wrong ones are refused and the old ones stay. */
  reload(): Promise<void>;
  /** Ends in good order: nothing new, what runs gets `stop_grace`, shards are released. */
  stop(): Promise<void>;
}

/** Starts running the jobs. Rejects with a Failure when Kafka refuses us for good (credentials, rights). */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { log } = options;
  let { project } = options;
  const clock = Date.now;
  const client: KafkaClient = createKafkaClient(project.kafka, {
    onLog: ({ level, message, broker }) => log.debug(`kafka: ${message}`, { level, broker }),
  });
  const connections = createConnectionKeeper(project.limits);
  const shapes = createTopicShapes(client);
  const committer = createAdHocCommitter(client);
  const ledger: Ledger = createVolatileLedger(committer);
  const breaker = createBreaker();
  const context = {
    connections,
    topicShape: shapes.shapeOf,
    memory: createMemoryBudget(project.limits.memory),
    bufferLimit: project.limits.buffer,
    get privileged() {
      return project.privileged;
    },
  };
  const attempts = createAttempts(context, createPlaces(project.limits.concurrency), breaker, clock);
  const dispatcher = createDispatcher(
    (prepared, timetable, server) =>
      createTarget(prepared, timetable, server, { ledger, attempts, log, clock, onRecord: () => undefined }),
    clock,
  );

  let reloading: Promise<void> = Promise.resolve();
  const reload = (): Promise<void> => {
    reloading = reloading.then(async () => {
      const opened = await options.reload();
      if (!opened.project) {
        options.onProblems(opened.problems);
        log.error('files changed, but they have errors: going on with the old ones');
        return;
      }
      announceChanges(project, opened.project, log);
      project = opened.project;
      watch.update(project.files, project.folders ?? []);
      dispatcher.update(publishJobs(opened.jobs));
      dispatcher.wake();
    });
    return reloading;
  };
  const watch = watchFiles(
    () => void reload(),
    (folder, error) => log.warn('cannot watch a folder: send SIGHUP after a change', { folder, error: error.message }),
  );

  dispatcher.update(publishJobs(options.jobs));
  ledger.onChange(() => dispatcher.evaluateAll());
  await ledger.start();
  watch.update(project.files, project.folders ?? []);
  const waking = await startWaking(() => dispatcher.wake());
  dispatcher.wake();
  log.info('started', {
    jobs: project.jobs.length,
    servers: project.servers.length,
    kafka: project.kafka.brokers.join(','),
  });

  return {
    reload,
    async stop() {
      const began = clock();
      waking.stop();
      watch.stop();
      log.info('stopping', { running: dispatcher.targets.filter((target) => target.busy).length });
      const released = ledger.stop((job, server) => dispatcher.busy(job, server));
      await dispatcher.stop(project.limits.stopGrace);
      await released;
      await connections.close();
      await committer.close();
      shapes.close();
      client.close();
      log.info('stopped', { at: formatInstant(Math.floor(clock() / 1000) * 1000), ms: clock() - began });
    },
  };
}

function publishJobs(jobs: readonly PreparedJob[]): PreparedPublish[] {
  return jobs.filter((job) => job.kind === 'publish');
}

/** What can only be taken over by a restart is said; the rest is at work already. */
function announceChanges(before: Project, after: Project, log: Log): void {
  const fixed = ['kafka', 'ledger', 'limits', 'status'] as const;
  const changed = fixed.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]));
  if (changed.length > 0) log.warn('changed, but in force only after a restart', { parts: changed.join(', ') });
  log.info('reloaded', { jobs: after.jobs.length, servers: after.servers.length });
}
