// What the page asks for: its files, the fleet, a job's and a server's details, events, and the three actions.
import { writePause, writeResume } from '../ledger/pauses.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { assetRoutes } from './assets.ts';
import { createHandRuns } from './by-hand.ts';
import { definitionOf, nextSlots, serverFields } from './definition.ts';
import { streamEvents } from './event-stream.ts';
import { createJobHistories } from './job-history.ts';
import { createLive } from './live.ts';
import { json } from './reply.ts';
import { HttpError, type Route, type StatusLog } from './server.ts';
import type { StatusSource } from './source.ts';

export interface StatusPage {
  readonly routes: readonly Route[];
  /** The files were read again. */
  reloaded(): void;
  /** Ends events and runs by hand. */
  stop(): Promise<void>;
}

const LONGEST_NOTE = 500;

export function createStatusPage(source: StatusSource, log: StatusLog): StatusPage {
  const live = createLive(source);
  const histories = createJobHistories(source);
  const handRuns = createHandRuns(source, log, (run) => live.tell('by-hand', run));
  const jobOf = (name: string | undefined): PreparedJob => {
    const found = source.jobs().find(({ job }) => job.name === name);
    if (!found) throw new HttpError(404, `there is no job named \`${name}\` on this replica`);
    return found;
  };
  const { token } = source.project().status;

  return {
    routes: [
      ...assetRoutes(),
      {
        method: 'GET',
        path: '/api/state',
        access: 'read',
        handle: async () => {
          const state = await live.state();
          const { ledger } = source.project();
          return json({ ...state, ledger: ledger.topic, actions: token !== undefined, byHand: handRuns.all });
        },
      },
      { method: 'GET', path: '/api/events', access: 'read', handle: () => streamEvents(live) },
      {
        method: 'GET',
        path: '/api/jobs/:job',
        access: 'read',
        handle: ({ params }) => {
          const prepared = jobOf(params.job);
          return json({ definition: definitionOf(prepared), next: nextSlots(prepared, source.clock()) });
        },
      },
      {
        method: 'GET',
        path: '/api/jobs/:job/history',
        access: 'read',
        handle: async ({ params, query }) =>
          json(await histories.read(params.job ?? '', query.get('server') ?? undefined)),
      },
      {
        method: 'GET',
        path: '/api/servers/:server',
        access: 'read',
        handle: ({ params }) => {
          const server = source.project().servers.find(({ name }) => name === params.server);
          if (!server) throw new HttpError(404, `there is no server named \`${params.server}\` on this replica`);
          return json({ fields: serverFields(server) });
        },
      },
      {
        method: 'POST',
        path: '/api/jobs/:job/run',
        access: 'action',
        handle: async (request) => {
          const { servers } = await request.json();
          return json(handRuns.begin(jobOf(request.params.job).job.name, readNames(servers)), 202);
        },
      },
      {
        method: 'POST',
        path: '/api/jobs/:job/pause',
        access: 'action',
        handle: async (request) => {
          const { note } = await request.json();
          const { name } = jobOf(request.params.job).job;
          const pause = await writePause(source.client, source.project().ledger, name, readNote(note));
          log.info('paused on the page', { job: name, note: pause.note });
          return json(pause);
        },
      },
      {
        method: 'POST',
        path: '/api/jobs/:job/resume',
        access: 'action',
        handle: async (request) => {
          await request.json();
          const { name } = jobOf(request.params.job).job;
          await writeResume(source.client, source.project().ledger, name);
          log.info('resumed on the page', { job: name });
          return json({});
        },
      },
    ],
    reloaded: () => live.restart(),
    async stop() {
      live.close();
      await handRuns.stop();
    },
  };
}

function readNote(note: unknown): string | undefined {
  if (note === undefined || note === null || note === '') return undefined;
  if (typeof note !== 'string' || note.length > LONGEST_NOTE)
    throw new HttpError(400, `\`note\` must be a text of at most ${LONGEST_NOTE} characters`);
  return note;
}

function readNames(servers: unknown): readonly string[] | undefined {
  if (servers === undefined) return undefined;
  if (!Array.isArray(servers) || servers.length === 0 || !servers.every((name) => typeof name === 'string'))
    throw new HttpError(400, '`servers` must be a list of server names');
  return servers as readonly string[];
}
