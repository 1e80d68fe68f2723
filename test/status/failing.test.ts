import { expect, test } from 'vitest';

interface Group {
  readonly jobs: ReadonlySet<string>;
  readonly servers: ReadonlySet<string>;
  readonly count: number;
}

// As the browser runs it: plain JavaScript, without types.
const { groupFailures } = (await import(new URL('../../src/status/page/failing.js', import.meta.url).href)) as {
  groupFailures: (chosen: unknown) => Group[];
};

function group(failures: readonly (readonly [job: string, server: string, message: string])[]): Group[] {
  const jobs = [...new Set(failures.map(([job]) => job))].map((name) => {
    const own = failures.filter(([job]) => job === name);
    const runs = new Map(
      own.map(([, server, message]) => [server, { outcome: 'f', slot: 1, more: { error: { message } } }]),
    );
    return { name, known: true, schedule: '* * * * *', servers: [...runs.keys()], runs };
  });
  const servers = [...new Set(failures.map(([, server]) => server))].map((name) => ({ name }));
  return groupFailures({ jobs, servers });
}

test('what fails for one reason is one line: over servers, over jobs, whatever names and numbers the message has', () => {
  const groups = group([
    ['io', 'edge-1', 'connection refused'],
    ['locks', 'edge-1', 'connection refused'],
    ['io', 'edge-10', 'edge-10: no answer from 10.0.0.10:5432 within 10s'],
    ['io', 'edge-2', 'edge-2: no answer from 10.0.0.2:5432 within 10s'],
    ['io', 'edge-3', 'edge-3: no answer from 10.0.0.3:5432 within 10s'],
    ['sizes', 'edge-4', 'relation "sizes" does not exist'],
  ]);
  expect(groups.map(({ jobs, servers, count }) => [[...jobs], [...servers], count])).toEqual([
    [['io'], ['edge-10', 'edge-2', 'edge-3'], 3],
    [['io', 'locks'], ['edge-1'], 2],
    [['sizes'], ['edge-4'], 1],
  ]);
});

test('different reasons stay apart', () => {
  expect(
    group([
      ['a', 's1', 'division by zero'],
      ['a', 's2', 'permission denied for table t'],
    ]),
  ).toHaveLength(2);
});
