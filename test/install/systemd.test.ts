// deploy/systemd/pgtally.service against the command, and by systemd's own checker where there is one.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { problemsOf, STOP_SECONDS, saidWithoutProject, temporaryFolder, writeFiles } from './deployment.ts';

const UNIT = 'deploy/systemd/pgtally.service';
const run = promisify(execFile);
const text = readFileSync(UNIT, 'utf8');

test('the commands it runs are ones that pgtally knows', async () => {
  for (const name of ['ExecStartPre', 'ExecStart']) {
    const [env, pgtally, ...args] = setting(name).split(' ');
    expect([env, pgtally]).toEqual(['/usr/bin/env', 'pgtally']);
    expect(await saidWithoutProject(args)).toContain('cannot read `pgtally.yaml`');
  }
  expect(setting('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
});

test('it has time to stop, and is started again without end', () => {
  expect(Number.parseInt(setting('TimeoutStopSec'), 10)).toBeGreaterThanOrEqual(STOP_SECONDS);
  expect([setting('Restart'), setting('StartLimitIntervalSec')]).toEqual(['on-failure', '0']);
});

test('the password comes by the credential that the comment shows', async () => {
  const [credential] = setting('LoadCredential').split(':');
  const shown = /^# +password_file: (\S+)$/m.exec(text)?.[1] ?? '';
  expect(shown).toBe(`\${CREDENTIALS_DIRECTORY}/${credential}`);
  const folder = temporaryFolder();
  writeFiles(folder, {
    'pgtally.yaml': `kafka: {brokers: ["localhost:9092"]}\nservers: [{name: a, url: "postgres://u@h/d", password_file: "${shown}"}]\n`,
    'jobs/a.yaml': 'query: select 1 as one\ntopic: A\n',
  });
  expect(await problemsOf(folder, { CREDENTIALS_DIRECTORY: '/run/credentials/pgtally.service' })).toEqual([]);
});

test.runIf(hasSystemd())('systemd finds nothing wrong with it, and little that it exposes', async () => {
  const verified = await run('systemd-analyze', ['verify', UNIT]);
  expect(verified.stderr).toBe('');
  const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT]);
  const exposure = Number(/exposure level for .*: ([\d.]+)/.exec(stdout)?.[1]);
  expect(exposure).toBeLessThan(2);
});

function setting(name: string): string {
  const [match] = [...text.matchAll(new RegExp(`^${name}=(.+)$`, 'gm'))];
  return match?.[1] ?? '';
}

/** Version 250 is the first whose `security` looks at a file. */
function hasSystemd(): boolean {
  try {
    const version = Number(
      /^systemd (\d+)/.exec(execFileSync('systemd-analyze', ['--version'], { encoding: 'utf8' }))?.[1],
    );
    return version >= 250;
  } catch {
    // Not installed: the test is listed as skipped.
    return false;
  }
}
