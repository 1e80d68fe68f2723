// The status page in a real Chromium: how long it takes to be seen, and what goes over the wire, with 1,000 servers × 20 jobs; and
// the pictures of docs/, taken of what really ran. Asked for by name only: it needs a Chromium and compares with nothing.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { REPOSITORY } from '../test/stack/repository.ts';
import { type RunningCommand, startPgtally } from '../test/stack/run-pgtally.ts';
import { launchBrowser } from '../test/status/browser.ts';
import { processSeconds, residentSet } from './measure.ts';
import { FEW_JOBS, fewServers, manyJobs, manyServers } from './page-fleets.ts';
import { markdownTable, report } from './report.ts';
import { setStage } from './stage.ts';

const IMAGES = join(REPOSITORY, 'docs', 'images');
const LOADS = 7;
const DESKTOP = { width: 1280, height: 860 };

export async function run(): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  const browser = await launchBrowser();
  try {
    await pictureFew(browser);
    const { rows, data } = await measureMany(browser);
    report('page', markdownTable(['what', 'figure'], rows), data);
  } finally {
    await browser.close();
  }
}

/** Three servers, after a minute: the fleet and a job. */
async function pictureFew(browser: Browser): Promise<void> {
  const stage = await setStage({ 'jobs.yaml': FEW_JOBS }, 'limits: {keep: 65s}\n', {
    maxConnections: 100,
    servers: fewServers,
  });
  try {
    const { daemon, url } = await startDaemon(stage.project);
    await sleep(62_000);
    for (const colorScheme of ['light', 'dark'] as const) {
      await picture(browser, url, `fleet-3-${colorScheme}`, { colorScheme, viewport: { width: 1280, height: 720 } });
      const viewport = { width: 1280, height: 900 };
      await picture(browser, `${url}/#/jobs/orders-per-minute`, `job-${colorScheme}`, { colorScheme, viewport });
    }
    const phone = { viewport: { width: 375, height: 760 }, colorScheme: 'light' as const };
    await picture(browser, url, 'fleet-3-phone', phone);
    await daemon.stop();
  } finally {
    await stage.end();
  }
}

async function measureMany(browser: Browser) {
  const slot = Math.ceil((Date.now() + 45_000) / 60_000) * 60_000;
  const jobs = manyJobs(new Date(slot).getUTCMinutes());
  const stage = await setStage({ 'jobs.yaml': jobs }, '', { maxConnections: 400, servers: manyServers });
  try {
    const { daemon, url } = await startDaemon(stage.project);
    const pid = daemon.process.pid ?? 0;
    await untilAllRan(daemon);
    await sleep(3000);
    const quiet = { rss: Math.round(residentSet(pid)), cpu: await cpuShare(pid, 6000) };
    const loads = [];
    for (let load = 0; load < LOADS; load++) loads.push(await coldLoad(browser, url));
    for (const colorScheme of ['light', 'dark'] as const)
      await picture(browser, url, `fleet-1000-${colorScheme}`, { colorScheme, viewport: DESKTOP });
    await picture(browser, url, 'fleet-1000-grid', { colorScheme: 'light', viewport: DESKTOP }, '#matrix');
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await page.locator('td[data-column]').first().waitFor();
    await sleep(2000);
    const watched = { rss: Math.round(residentSet(pid)), cpu: await cpuShare(pid, 6000) };
    await context.close();
    await daemon.stop();
    const times = loads.map(({ seen }) => seen).sort((a, b) => a - b);
    const rows = [
      ['page seen, cold, median of 7', `${times[Math.floor(LOADS / 2)]} ms`],
      ['page seen, cold, slowest of 7', `${times.at(-1)} ms`],
      ['on the wire', `${Math.round((loads[0]?.bytes ?? 0) / 1000)} kB`],
      ['of which the state of 20,000 (job, server)s', `${Math.round((loads[0]?.stateBytes ?? 0) / 1000)} kB`],
      ['the daemon, nothing due, nobody looks', `${quiet.rss} MB, ${quiet.cpu} % of a core`],
      ['the daemon, nothing due, one page open', `${watched.rss} MB, ${watched.cpu} % of a core`],
    ];
    return { rows, data: { loads, quiet, watched } };
  } finally {
    await stage.end();
  }
}

async function startDaemon(project: string): Promise<{ daemon: RunningCommand; url: string }> {
  const daemon = startPgtally(['start'], { cwd: project });
  const [, url = ''] = await daemon.waitFor(/"url":"(http:[^"]+)"/, 30_000);
  await daemon.waitFor(/"msg":"started"/, 60_000);
  return { daemon, url };
}

/** Nothing has ended for some seconds. Told by the log, so that nobody has looked at the page before. */
async function untilAllRan(daemon: RunningCommand): Promise<void> {
  for (let before = 0, calm = 0; calm < 4; ) {
    await sleep(1500);
    const ended = daemon.stderr().match(/"outcome":"(published|empty|failed)"/g)?.length ?? 0;
    calm = ended > 0 && ended === before ? calm + 1 : 0;
    before = ended;
  }
}

/** Opens the page with nothing kept from before: milliseconds until the first cell of the grid is there, and bytes received. */
async function coldLoad(browser: Browser, url: string) {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send('Network.enable');
  const paths = new Map<string, string>();
  const received = new Map<string, number>();
  const add = (id: string, count: number) => received.set(id, (received.get(id) ?? 0) + count);
  network.on('Network.requestWillBeSent', ({ requestId, request }) =>
    paths.set(requestId, new URL(request.url).pathname),
  );
  network.on('Network.dataReceived', ({ requestId, encodedDataLength }) => add(requestId, encodedDataLength));
  network.on('Network.responseReceived', ({ requestId, response }) => add(requestId, response.encodedDataLength));
  await page.addInitScript(`new MutationObserver((_, observer) => {
    if (!document.querySelector('td[data-column]')) return;
    observer.disconnect();
    requestAnimationFrame(() => { window.seen = Math.round(performance.now()); });
  }).observe(document, { childList: true, subtree: true })`);
  await page.goto(url);
  while ((await page.evaluate<number | null>('window.seen ?? null')) === null) await sleep(20);
  const seen = await page.evaluate<number>('window.seen');
  const stateId = [...paths].find(([, path]) => path === '/api/state')?.[0] ?? '';
  const bytes = [...received.values()].reduce((sum, count) => sum + count, 0);
  const stateBytes = received.get(stateId) ?? 0;
  await context.close();
  return { seen, bytes, stateBytes };
}

/** `at`: what is to be at the top. */
async function picture(
  browser: Browser,
  url: string,
  name: string,
  options: BrowserContextOptions,
  at?: string,
): Promise<void> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(url);
  await page
    .locator(url.includes('/jobs/') ? '.plot[data-drawn]' : 'td[data-column]')
    .first()
    .waitFor();
  await sleep(1500);
  if (at !== undefined) await page.evaluate(`document.querySelector('${at}').closest('section').scrollIntoView()`);
  await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  await context.close();
}

/** Percent of one core over so many milliseconds. */
async function cpuShare(pid: number, ms: number): Promise<number> {
  const before = processSeconds(pid);
  await sleep(ms);
  return Math.round(((processSeconds(pid) - before) / (ms / 1000)) * 1000) / 10;
}
