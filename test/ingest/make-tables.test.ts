// The first runs of several jobs, or of several replicas, come at the same time: each makes the tables unless they are there.
import { expect, onTestFinished, test } from 'vitest';
import { ensureTables } from '../../src/ingest/offsets-table.ts';
import { connect } from '../../src/postgres/connect.ts';
import { targetAt } from '../postgres/targets.ts';
import { freshDatabase } from '../stack/for-tests.ts';

test('many sessions that make the tables at the same time find them made', { timeout: 60_000 }, async () => {
  const database = await freshDatabase();
  const connections = await Promise.all(
    Array.from({ length: 12 }, () => connect(targetAt(database, database.name), { applicationName: 'test' })),
  );
  onTestFinished(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await database.drop();
  });
  for (let round = 0; round < 25; round++) {
    const made = connections.map((connection) => ensureTables(connection, { deadLetters: true }));
    expect((await Promise.allSettled(made)).filter(({ status }) => status === 'rejected')).toEqual([]);
    await database.sql('drop schema pgtally cascade');
  }
});
