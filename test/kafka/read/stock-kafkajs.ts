// Runs a scenario (kafkajs-scenarios.cjs) with kafkajs as it was published, and as we correct it.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';

const require = createRequire(import.meta.url);
const SCENARIOS = new URL('./kafkajs-scenarios.cjs', import.meta.url);

export interface Consumed {
  readonly values: readonly (string | null)[];
  readonly fetches: number;
}

/** A scenario with kafkajs as it was published. */
export function withStock<Answer>(scenario: string, options: object = {}): Promise<Answer> {
  // The stack of a main thread; a worker's is four times as large.
  const worker = new Worker(SCENARIOS, { workerData: { scenario, options }, resourceLimits: { stackSizeMb: 1 } });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', ({ answer, error }: { answer: Answer; error?: string }) => {
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
      void worker.terminate();
    });
  });
}

/** The same with the corrected one. */
export function withCorrected<Answer>(scenario: string, options: object = {}): Promise<Answer> {
  loadKafkajs();
  return require(SCENARIOS.pathname)[scenario](options);
}
