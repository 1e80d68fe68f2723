import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { testProject } from './project.ts';

/** Accepts connections and never answers. */
async function blackHole(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

describe('a fleet', () => {
  test('servers that hang or refuse delay no other, though they are more than may run at a time', async () => {
    const topic = await freshTopic({ partitions: 4 });
    const port = await blackHole();
    const project = await testProject({
      servers: 12,
      settings: 'limits: {concurrency: 4}\n',
      jobs: {
        'fleet.yaml': `schedule: "*/2 * * * * *"\nquery: select :slot as slot\ntopic: ${topic}\nkey: inet_server_addr()\nconcurrency: 4\ntimeout: 20s\n`,
      },
      moreServers: `  - {name: "hang-{n}", for: {n: 1..10}, url: "postgres://u@127.0.0.1:${port}/d"}
  - {name: "dead-{n}", for: {n: 1..5}, url: "postgres://u@127.0.0.1:1/d"}
`,
    });
    const daemon = project.start('start');
    await daemon.waitFor(/("server":"s12"[^\n]*"outcome":"published"[^\n]*\n[\s\S]*){4}/, 60_000);
    const { stderr } = await daemon.stop();
    // The hanging ones' first attempt alone takes 10 s: had they held the four places, every slot of the others would be late.
    const slots = new Map<string, number[]>();
    for (const { headers } of await readTopic(topic)) {
      const { 'pgtally-server': server = '', 'pgtally-slot': slot = '' } = Object.fromEntries(headers) as Record<
        string,
        string
      >;
      slots.set(server, [...(slots.get(server) ?? []), Date.parse(slot)]);
    }
    expect([...slots.keys()].toSorted()).toEqual(Array.from({ length: 12 }, (_, index) => `s${index + 1}`).toSorted());
    const starts = new Set([...slots.values()].map((all) => Math.min(...all)));
    expect(starts.size).toBe(1);
    for (const all of slots.values()) {
      const sorted = all.toSorted((a, b) => a - b);
      expect(sorted.slice(1).every((slot, index) => slot - (sorted[index] ?? 0) === 2000)).toBe(true);
    }
    expect(stderr).not.toMatch(/"server":"s\d+"[^\n]*"outcome":"(skipped|failed)"/);
    expect(stderr).toMatch(/"server":"dead-\d"[^\n]*connection refused/);
  }, 90_000);
});
