import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { connect } from '../../src/postgres/connect.ts';
import { freshDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const CONNECTIONS = 60;
const STATEMENTS = 3000;

function usedAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

test('a connection that is kept holds half of what one by the defaults of postgres.js does', async () => {
  const database = await freshDatabase();
  const server = targetAt(database, database.name);
  const open = () => connect(server, { applicationName: 'pgtally/memory-test' });
  const warm = await open();
  const before = usedAfterCollection();
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, open));
  const each = (usedAfterCollection() - before) / CONNECTIONS;
  expect(each).toBeLessThan(45_000);
  await Promise.all([warm, ...connections].map((connection) => connection.close()));
  await database.drop();
});

test('a kept connection keeps nothing of the statements that it has run', async () => {
  const database = await freshDatabase();
  const connection = await connect(targetAt(database, database.name), { applicationName: 'pgtally/memory-test' });
  const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };
  const copy = "copy (select 'key', 'value') to stdout (format binary)";
  const run = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) await connection.copyRun(copy, { write: () => undefined }, limits, {});
  };
  await run(STATEMENTS);
  const before = usedAfterCollection();
  await run(STATEMENTS);
  // One promise that all of them had raced with kept 800 bytes of each.
  expect((usedAfterCollection() - before) / STATEMENTS).toBeLessThan(200);
  await connection.close();
  await database.drop();
});
