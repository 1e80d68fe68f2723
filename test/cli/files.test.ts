import { describe, expect, test } from 'vitest';
import { jsonLines, testProject } from './project.ts';

describe('pgtally init, check, jobs, next', () => {
  test('what init writes passes check; a second init keeps it', async () => {
    const project = await testProject({ jobs: {} });
    expect((await project.pgtally('init', 'new')).code).toBe(0);
    const check = await project.pgtally('check', '-c', 'new/pgtally.yaml');
    expect(check.stderr).toBe('1 job, 1 server: no problems\n');
    expect(check.code).toBe(0);
    const again = await project.pgtally('init', 'new');
    expect(again.stderr).toContain('kept     new/pgtally.yaml');
  });

  test('check reports every problem of every file at once, at its place', async () => {
    const project = await testProject({
      jobs: {
        'a.yaml': 'schedul: "* * * * *"\nquery: select 1 as one\ntopic: T\n',
        'b.yaml': 'query: |\n  select a\n  form b\n  where c\ntopic: T\nschedule: "61 * * * *"\n',
        'c.yaml': 'query: select 1 as one\ntopic: T\nservers: nothere\ntimezone: Europe/Berln\n',
      },
    });
    const result = await project.pgtally('check');
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('jobs/a.yaml:1:1: error: unknown field `schedul`');
    expect(result.stderr).toContain('hint: did you mean `schedule`?');
    expect(result.stderr).toMatch(/jobs\/b\.yaml:3:\d+: error/);
    expect(result.stderr).toMatch(/jobs\/b\.yaml:6:\d+: error/);
    expect(result.stderr).toMatch(/jobs\/c\.yaml:3:10: error/);
    expect(result.stderr).toMatch(/jobs\/c\.yaml:4:11: error/);
    const json = await project.pgtally('check', '--json');
    expect(jsonLines(json.stdout).filter(({ severity }) => severity === 'error').length).toBeGreaterThanOrEqual(5);
  });

  test.runIf(process.platform === 'linux')(
    'check takes little memory: V8 does not optimise the SQL parser',
    async () => {
      // A background task goes on after the command: the process lives for a second to see its memory too. (What
      // `resourceUsage()` calls the peak begins with that of the process which started it.)
      const status = 'process.getBuiltinModule(`fs`).readFileSync(`/proc/self/status`,`utf8`)';
      const peak = `setTimeout(Object,1000);process.on(\`exit\`,()=>console.log(parseInt(${status}.split(\`VmHWM:\`)[1])))`;
      const project = await testProject({
        jobs: { 'x.yaml': "query: select i as id, 'row ' || i as word from generate_series(1, 3) i\ntopic: T\n" },
        command: { env: { NODE_OPTIONS: `--import data:text/javascript,${peak}` } },
      });
      const { code, stdout } = await project.pgtally('check');
      expect(code).toBe(0);
      expect(Number(stdout)).toBeGreaterThan(20_000);
      expect(Number(stdout), 'kB').toBeLessThan(200_000);
    },
  );

  test('next lists slots in both zones, over the end of summer time', async () => {
    const project = await testProject({
      jobs: { 'n.yaml': 'schedule: "30 2 * * *"\ntimezone: Europe/Berlin\nquery: select 1 as one\ntopic: T\n' },
    });
    const result = await project.pgtally('next', 'n', '-n', '2', '--from', '2027-10-30T12:00:00Z', '--json');
    expect(jsonLines(result.stdout)).toEqual([
      { slot: '2027-10-31T00:30:00Z', local: '2027-10-31T02:30:00+02:00' },
      { slot: '2027-11-01T01:30:00Z', local: '2027-11-01T02:30:00+01:00' },
    ]);
  });

  test('jobs lists what there is', async () => {
    const project = await testProject({ servers: 2, jobs: { 'x.yaml': 'query: select 1 as one\ntopic: T\n' } });
    const result = await project.pgtally('jobs', '--json');
    expect(jsonLines(result.stdout)).toMatchObject([{ job: 'x', servers: ['s1', 's2'], topic: 'T', next: null }]);
  });

  test('wrong usage exits 2, help and version exit 0', async () => {
    const project = await testProject({ jobs: {} });
    expect((await project.pgtally('frobnicate')).code).toBe(2);
    expect((await project.pgtally('run')).code).toBe(2);
    expect((await project.pgtally('--help')).code).toBe(0);
    expect((await project.pgtally('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
