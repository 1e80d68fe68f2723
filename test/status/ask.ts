// Asking a daemon's status server, as its tests do.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningCommand } from '../stack/run-pgtally.ts';
import { type Exposition, parseMetrics } from './prometheus.ts';

export interface Health {
  readonly status: string;
  readonly degraded: boolean;
  readonly reasons: readonly string[];
  readonly kafka: string;
  readonly failing_count: number;
  readonly failing: readonly {
    readonly job: string;
    readonly server: string;
    readonly failures: number;
    readonly waiting: boolean;
    readonly succeeded: string | null;
    readonly error: { readonly kind: string; readonly message: string } | null;
  }[];
}

/** Where a daemon that logs JSON says that it serves. */
export async function addressOf(daemon: RunningCommand): Promise<string> {
  const [, url = ''] = await daemon.waitFor(/"url":"([^"]+)"/);
  return url;
}

export async function get(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

export async function health(url: string): Promise<{ readonly status: number; readonly body: Health }> {
  const { status, text } = await get(`${url}/health`);
  return { status, body: JSON.parse(text) as Health };
}

export async function metrics(url: string): Promise<Exposition> {
  return parseMetrics((await get(`${url}/metrics`)).text);
}

/** Asks until the answer is as wanted; the test's own time limit ends it. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await sleep(100);
  }
}
