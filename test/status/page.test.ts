import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type TestProject, testProject } from '../cli/project.ts';
import { findChromium } from '../stack/chromium.ts';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { launchBrowser, openWindow } from './browser.ts';
import { accessibilityFaults, focused, ground, mayRead, overhang, untilDrawn, untilNewRun } from './in-page.ts';

const missing = await findChromium().then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing) process.stderr.write(`\nwarning: the status page is not tested in a browser\n${missing}\n\n`);

const ends: (() => Promise<void>)[] = [];
let browser: Browser;
let project: TestProject;
let url: string;
let byHandTopic: string;

async function startOn(target: TestProject): Promise<string> {
  const daemon = target.start('start');
  const [, address] = await daemon.waitFor(/"url":"(http:[^"]+)"/, 20_000);
  return address ?? '';
}

/** A page that must not have complained when the test ends. */
async function open(path = '', options: BrowserContextOptions = {}, at = url): Promise<Page> {
  const { page, complaints, close } = await openWindow(browser, at, options);
  onTestFinished(async () => {
    await close();
    expect(complaints).toEqual([]);
  });
  if (path !== '') await page.goto(`${at}/#/${path}`);
  return page;
}

describe.skipIf(missing !== undefined)('the status page in Chromium', () => {
  beforeAll(async () => {
    const [orders, broken] = await Promise.all([freshTopic(), freshTopic()]);
    byHandTopic = await freshTopic();
    project = await testProject({
      servers: 3,
      settings: 'status: {listen: "127.0.0.1:0", token: correct-horse}\n',
      moreServers: '  - {name: dead, url: "postgres://nobody@127.0.0.1:1/none", labels: {role: gone}}\n',
      jobs: {
        'orders.yaml': `description: What was ordered\nschedule: "* * * * * *"\nservers: {role: shard}\nquery: select i from generate_series(1, 3) i\ntopic: ${orders}\n`,
        'broken.yaml': `schedule: "* * * * * *"\nservers: [s1, s2]\nquery: select 1 / (3 - i) as x from generate_series(1, 5) i\ntopic: ${broken}\n`,
        'gone.yaml': `schedule: "*/2 * * * * *"\nservers: dead\nretries: 0\nquery: select 1 as one\ntopic: ${broken}\n`,
        'hand.yaml': `servers: {role: shard}\nquery: select i from generate_series(1, 2) i\ntopic: ${byHandTopic}\n`,
      },
      atEnd: (end) => ends.push(end),
    });
    [browser, url] = await Promise.all([launchBrowser(), startOn(project)]);
  });
  afterAll(async () => {
    await browser?.close();
    for (const end of ends) await end();
  });

  test('shows every job on every server, what fails first and why', async () => {
    const page = await open();
    const grid = page.getByRole('grid', { name: 'Servers × jobs' });
    await grid.getByRole('gridcell', { name: /^orders on s3: published, 3 rows$/ }).waitFor();
    await grid.getByRole('gridcell', { name: 'broken on s2: failed' }).waitFor();
    await grid.getByRole('gridcell', { name: 'broken on dead: does not run here' }).waitFor();
    await grid.getByRole('gridcell', { name: 'gone on dead: failed' }).waitFor();
    expect(await grid.getByRole('gridcell', { name: 'hand on s1: by hand only' }).textContent()).toContain('·');
    const failing = page.getByRole('region', { name: /^Failing/ });
    expect(await failing.getByRole('row').nth(1).textContent()).toMatch(/division by zero.*broken.*2 s1, s2/s);
    const jobs = page.getByRole('region', { name: 'Jobs' }).first().getByRole('rowheader');
    expect((await jobs.allTextContents())[0]).toMatch(/^broken/);
    expect(await page.getByRole('button', { name: /3 ?failed/ }).count()).toBe(1);
  });

  test('is live: a pause by the command line and the next slots are seen without a reload', async () => {
    const page = await open('jobs/orders');
    const first = page
      .getByRole('region', { name: /^Last 50 runs/ })
      .getByRole('row')
      .nth(1);
    await first.waitFor();
    const before = await first.textContent();
    await untilNewRun(page, before ?? '');
    await page.goto(`${url}/#/`);
    expect((await project.pgtally('pause', 'orders', '--note', 'vacuum full')).code).toBe(0);
    await page.getByText(/paused since .*: vacuum full/).waitFor();
    await page.getByRole('gridcell', { name: 'orders on s1: paused' }).waitFor();
    expect((await project.pgtally('resume', 'orders')).code).toBe(0);
    await page.getByRole('gridcell', { name: /orders on s1: published/ }).waitFor();
  });

  test("a job's page draws its past, and shows its definition, its next slots and its error in full with the hint", async () => {
    const page = await open('jobs/orders');
    const plot = page.getByRole('img', { name: /^Rows a slot over \d+ slots .* last [369];/ });
    await plot.waitFor();
    await untilDrawn(page);
    await page.getByText('select i from generate_series(1, 3) i').waitFor();
    expect(await page.locator('.slots time').count()).toBe(6);
    await page.goto(`${url}/#/jobs/gone`);
    const error = page.getByRole('region', { name: 'Last error' });
    expect(await error.locator('pre').textContent()).toContain('connection refused');
    expect(await error.locator('.hint').count()).toBe(1);
  });

  test('a server has a page with its address and how each of its jobs stands', async () => {
    const page = await open('servers/dead');
    await page.getByRole('heading', { name: 'dead' }).waitFor();
    await page.getByText('connection refused').first().waitFor();
    await page.getByText('labels.role').waitFor();
    expect(await page.locator('body').textContent()).not.toContain('nobody@');
    await page.goto(`${url}/#/replicas`);
    await page.getByText('(this one)').waitFor();
    expect(await page.getByRole('region', { name: 'Shards' }).first().getByRole('row').count()).toBe(9);
  });

  test('runs a job by hand with the token, on every server, as a manual run', async () => {
    const page = await open('jobs/hand');
    await page.getByRole('button', { name: 'Run now' }).click();
    const field = page.getByLabel('status.token of pgtally.yaml');
    await field.fill('wrong-horse');
    await field.press('Enter');
    await page.getByText('The token is wrong.').waitFor();
    expect(await readTopic(byHandTopic)).toEqual([]);
    await page.getByLabel('status.token of pgtally.yaml').fill('correct-horse');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('Runs now on 3 servers.').waitFor();
    await page.getByText(/Run by hand at .*: ended, 6 rows, 0 failed/).waitFor();
    const records = await readTopic(byHandTopic);
    const headers = records.map((record) =>
      Object.fromEntries(record.headers.map(([name, value]) => [name, String(value)])),
    );
    expect(headers.map((header) => `${header['pgtally-server']} ${header['pgtally-trigger']}`).toSorted()).toEqual(
      ['s1', 's1', 's2', 's2', 's3', 's3'].map((server) => `${server} manual`),
    );
  });

  test('pauses with a note and resumes from the page, and remembers the token for the session', async () => {
    const page = await open('jobs/broken');
    await page.getByLabel('Note').fill('until the fix');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByLabel('status.token of pgtally.yaml').fill('correct-horse');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText(/Paused since .*: until the fix/).waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Resumed.').waitFor();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    expect((await project.pgtally('status', 'broken')).stdout).not.toContain('until the fix');
  });

  test('refuses what another site makes a browser send, and other names of this machine', async () => {
    const post = async (headers: Record<string, string>, path = '/api/jobs/hand/run') =>
      (
        await fetch(url + path, {
          method: 'POST',
          headers: { authorization: 'Bearer correct-horse', 'content-type': 'application/json', ...headers },
          body: '{"servers":["nowhere"]}',
        })
      ).status;
    expect(await post({})).toBe(404);
    expect(await post({ origin: 'https://evil.example' })).toBe(403);
    expect(await post({ authorization: 'Bearer wrong' })).toBe(401);
    expect(await post({ 'content-type': 'text/plain' })).toBe(415);

    const other = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>evil</p>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => void other.close(() => resolve())));
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const read = await mayRead(page, `${url}/api/state`);
    expect(read).toBe('blocked');
  });

  test('can be used by keyboard alone', async () => {
    const page = await open();
    await page.getByRole('gridcell', { name: /orders on s1: published/ }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    await page.keyboard.press('/');
    await page.keyboard.type('s2');
    await page.getByText('1 server of 4').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('4 jobs on 4 servers').waitFor();
    for (let step = 0; step < 40 && !/ on /.test(await focused(page)); step++) await page.keyboard.press('Tab');
    await page.keyboard.press('Home');
    const home = await focused(page);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    const moved = await focused(page);
    expect(moved.split(/ on |:/)[0]).not.toBe(home.split(/ on |:/)[0]);
    expect(moved.split(/ on |:/)[1]).not.toBe(home.split(/ on |:/)[1]);
    const [job, server] = moved.split(/ on |:/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: `${job} on ${server}` }).waitFor();
  });

  test('filters by status and by a word of an error', async () => {
    const page = await open();
    await page.getByRole('button', { name: /failed/ }).click();
    await page.getByText(/^2 jobs of 4, 3 servers of 4$/).waitFor();
    await page.getByRole('button', { name: /failed/ }).click();
    await page.getByLabel('Search').fill('refused');
    await page.getByText(/1 server of 4/).waitFor();
    await page.getByLabel('Search').fill('nothing has this');
    await page.getByText(/^0 jobs of 4, 0 servers of 4$/).waitFor();
  });

  test.each(['', 'jobs/orders', 'jobs/broken', 'servers/s1', 'replicas'])(
    'has room on a phone without scrolling sideways, and no fault that axe finds, in light and dark: %j',
    async (path) => {
      const grounds: string[] = [];
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await open(path, { colorScheme, viewport: { width: 360, height: 740 } });
        await page.locator('.panel:visible').first().waitFor();
        if (path.startsWith('jobs/')) await page.locator('.plot[data-drawn]').first().waitFor();
        expect([path, await overhang(page)]).toEqual([path, 0]);
        grounds.push(await ground(page));
        const violations = await accessibilityFaults(page);
        expect([path, colorScheme, violations]).toEqual([path, colorScheme, []]);
      }
      expect(grounds[0]).not.toBe(grounds[1]);
    },
  );

  test('is seen from other machines with the token only, and then is live', async () => {
    const elsewhere = await testProject({
      settings: 'status: {listen: "0.0.0.0:0", token: correct-horse}\n',
      jobs: {
        'hand.yaml': `schedule: "* * * * * *"\nquery: select 1 as one\ntopic: ${byHandTopic}\n`,
      },
    });
    const address = (await startOn(elsewhere)).replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${address}/api/state`)).status).toBe(401);
    expect((await fetch(`${address}/api/events`)).status).toBe(401);
    const page = await open('', {}, address);
    expect(await page.locator('main').textContent()).not.toContain('hand');
    await page.getByLabel('status.token of pgtally.yaml').fill('correct-horse');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('gridcell', { name: 'hand on s1: published, 1 row' }).waitFor();
    await page.locator('[data-link=live]').waitFor();
  });

  test('says how to turn actions on where there is no token, and refuses them', async () => {
    const plain = await testProject({
      jobs: { 'hand.yaml': `query: select 1 as one\ntopic: ${byHandTopic}\n` },
    });
    const address = await startOn(plain);
    const page = await open('jobs/hand', {}, address);
    await page.getByText('Actions are off.').waitFor();
    expect(await page.getByRole('button', { name: 'Run now' }).isVisible()).toBe(false);
    const refused = await fetch(`${address}/api/jobs/hand/run`, {
      method: 'POST',
      headers: { authorization: 'Bearer ', 'content-type': 'application/json' },
      body: '{}',
    });
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('status.token')]);
  });
});
