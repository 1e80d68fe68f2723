// How the tests run: in threads, on one shared Kafka and one shared Postgres (test/stack/global-setup.ts).

import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/faults/**', 'node_modules/**'],
    globalSetup: ['test/stack/global-setup.ts'],
    pool: 'threads',
    // Loading kafkajs and the rest anew for each file costs a third of the processor time.
    isolate: false,
    // Most tests wait for a server: with one worker, vitest's choice on two cores, the run takes twice as long.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
