// One attempt at a run, as a (job, server) asks for it, whichever way its rows go. Types only.
import type { Committer } from '../ledger/types.ts';
import type { Server } from '../model/project.ts';
import type { Bytes, Slot } from '../model/units.ts';
import type { AttemptResult } from '../publish/attempt.ts';
import type { ScheduledJob } from './scheduled.ts';

/** What a run needs from the daemon: one attempt with its place among the others. */
export interface Attempts {
  once(run: AttemptRequest): Promise<AttemptOutcome>;
}

export interface AttemptRequest {
  readonly prepared: ScheduledJob;
  readonly server: Server;
  readonly slot: Slot;
  readonly window: { readonly start: Slot; readonly end: Slot };
  readonly trigger: 'schedule' | 'catchup';
  readonly run: string;
  readonly committer: Committer;
  readonly signal: AbortSignal;
  readonly nextUse: number;
}

/** `written`: what an ingest job had written before it failed, and what stays. */
export type AttemptOutcome = AttemptResult & { readonly written?: { readonly rows: number; readonly bytes: Bytes } };
