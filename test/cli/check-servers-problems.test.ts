// What no server on this machine can be: a standby that is behind, a clock that is wrong.
import { describe, expect, test } from 'vitest';
import { groupByCause } from '../../src/cli/causes.ts';
import { judgeServers } from '../../src/cli/check-servers-problems.ts';
import type { PublishJob, Server } from '../../src/model/project.ts';
import type { ServerReport } from '../../src/postgres/privileges.ts';
import type { PreparedPublish } from '../../src/project/prepared.ts';
import { targetAt } from '../postgres/targets.ts';

const server = (name: string, host = '10.0.0.1'): Server =>
  targetAt({ host, port: 5432, user: 'pgtally' }, 'app', { name });

const REPORT: ServerReport = {
  version: '18.1',
  latency: 1,
  role: 'pgtally',
  readOnly: true,
  standby: true,
  replayDelay: undefined,
  clockOffset: 0,
  clockUncertainty: 2,
  excess: [],
  mayCreateIn: [],
};

function messagesFor(report: Partial<ServerReport>, delay: number, interval = true): string[] {
  const job = { name: 'sums', delay } as PublishJob;
  const prepared = { kind: 'publish', job, interval } as PreparedPublish;
  const jobs = [{ prepared, columns: [], warnings: [] }];
  const inspected = { server: server('a'), report: { ...REPORT, ...report }, failure: undefined, jobs };
  return judgeServers([inspected], [], 'warn').map(({ severity, message }) => `${severity}: ${message}`);
}

describe('a server whose data comes late', () => {
  test('is a warning for an interval job whose delay does not cover it', () => {
    expect(messagesFor({ replayDelay: 7000 }, 5000)).toEqual([
      'warning: a: job `sums`: rows of the last 7.0 s are not there yet, which its `delay` of 5s does not cover',
    ]);
  });

  test('is none for a delay that covers it, nor for a snapshot job', () => {
    expect(messagesFor({ replayDelay: 5000 }, 5000)).toEqual([]);
    expect(messagesFor({ replayDelay: 7000 }, 0, false)).toEqual([]);
  });

  test('counts the time by which its clock is behind, less what is uncertain', () => {
    expect(messagesFor({ replayDelay: 1000, clockOffset: -502 }, 1000)).toEqual([
      'warning: a: job `sums`: rows of the last 1.5 s are not there yet, which its `delay` of 1s does not cover',
    ]);
    expect(messagesFor({ replayDelay: 1000, clockOffset: 900 }, 1000)).toEqual([]);
  });
});

describe('a clock', () => {
  test.each([
    [5000, ["warning: a: its clock is 5.0 s ahead of this machine's"]],
    [-5000, ["warning: a: its clock is 5.0 s behind this machine's"]],
    [900, []],
  ])('that is off by %i ms: %j', (clockOffset, expected) => {
    expect(messagesFor({ clockOffset }, 60_000)).toEqual(expected);
  });
});

describe('failures of many servers', () => {
  test('that differ in the address only are one problem', () => {
    const occurrences = [1, 2, 3, 4, 5, 6].map((n) => ({
      server: server(`edge-${n}`, `10.0.0.${n}`),
      severity: 'error' as const,
      cause: `10.0.0.${n}:5432 cannot be reached`,
      hint: 'check the address, the route and the firewall',
    }));
    expect(groupByCause(occurrences)).toEqual([
      {
        severity: 'error',
        message: '6 servers: the address cannot be reached (edge-1, edge-2, edge-3, edge-4, edge-5, …)',
        hint: 'check the address, the route and the firewall',
      },
    ]);
    expect(groupByCause(occurrences.slice(0, 1))[0]?.message).toBe('edge-1: 10.0.0.1:5432 cannot be reached');
  });

  test('of one cause at two places, or in two jobs, stay apart', () => {
    const common = { server: server('a'), severity: 'error' as const, cause: 'permission denied for table main' };
    const file = { path: 'jobs/a.yaml', text: 'query: select 1' };
    expect(
      groupByCause([
        { ...common, about: 'job `x`' },
        { ...common, about: 'job `y`' },
        { ...common, place: { file, span: { start: 0, end: 1 } } },
        { ...common, place: { file, span: { start: 2, end: 3 } } },
      ]),
    ).toHaveLength(4);
  });
});
