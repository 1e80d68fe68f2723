// docs/article.md, typed: every command of it, in its order, on three databases.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { jsonLines, testProject } from '../cli/project.ts';
import { freshDatabase, freshTopic } from '../stack/for-tests.ts';

test('every step of the article works as it is typed', { timeout: 120_000 }, async () => {
  const topics: Readonly<Record<string, string>> = {
    PGSHARD: await freshTopic({ partitions: 3 }),
    AGGREGATIONS: await freshTopic({ partitions: 3 }),
  };
  const named = (text: string): string => text.replace(/PGSHARD|AGGREGATIONS/g, (name) => topics[name] ?? name);
  const shards = await Promise.all([freshDatabase(), freshDatabase(), freshDatabase()]);
  onTestFinished(async () => {
    await Promise.all(shards.map((shard) => shard.drop()));
  });
  await Promise.all(shards.map((shard) => shard.sql('create table main (group_id text, payload json)')));
  const urls = shards.map((shard, index) => shard.url(`127.0.0.${index + 1}`));
  const project = await testProject({
    jobs: Object.fromEntries(
      readdirSync('jobs').map((file) => [file, named(readFileSync(path.join('jobs', file), 'utf8'))]),
    ),
    moreServers: urls
      .map((url, index) => `  - {name: shard-${index + 1}, url: "${url}", labels: {role: shard}}\n`)
      .join(''),
    servers: 0,
  });

  const page = readFileSync('docs/article.md', 'utf8');
  const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, text]) => (text ?? '').split('\n'))
    .filter((line) => line !== '');
  const rows = async (): Promise<number[]> =>
    Promise.all(shards.map(async (shard) => Number((await shard.sql('select count(*)::int as n from main'))[0]?.n)));

  for (const command of commands) {
    const args = named(command).split(/\s+/).slice(1);
    if (args[0] === 'start') {
      const daemon = project.start(...args);
      await daemon.waitFor(/"outcome":"published"/, 30_000);
      expect((await daemon.stop()).code).toBe(0);
      continue;
    }
    const { code, stdout, stderr } = await project.pgtally(...args);
    expect([command, code, stderr]).toEqual([command, 0, stderr]);
    const printed = args[0] === 'tail' ? jsonLines(stdout) : [];
    if (command.startsWith('pgtally tail PGSHARD')) {
      expect(printed).toHaveLength(50);
      expect(printed[0]).toMatchObject({
        key: expect.stringMatching(/^[0-9a-f-]{36}$/),
        payload: expect.stringMatching(/^.{32}$/),
      });
    }
    if (command === 'pgtally run ingest-pgshard-3') {
      expect((await rows()).reduce((total, count) => total + count)).toBe(50);
      for (const [index, shard] of shards.entries()) {
        const [wrong] = await shard.sql(
          `select count(*)::int as n from main where group_id <> 'P${index}' or payload->>'topic' <> '${topics.PGSHARD}'`,
        );
        expect(wrong).toEqual({ n: 0 });
      }
    }
    if (command.startsWith('pgtally tail AGGREGATIONS')) {
      const counts = await rows();
      const found = printed.map(({ key, payload }) => {
        const { f2, f3 } = JSON.parse(String(payload)) as { f2: string; f3: number };
        return `${key as string | null} ${f2} ${f3}`;
      });
      expect(found.toSorted()).toEqual(
        counts
          .flatMap((count, index) => [`null P${index} ${count}`, `127.0.0.${index + 1}/32 P${index} ${count}`])
          .toSorted(),
      );
    }
  }
  expect(commands).toHaveLength(12);
});
