// A real Chromium for tests of the page. Every window watches for what a page may never do: errors, warnings of the
// Content-Security-Policy, requests to anybody else.
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findChromium } from '../stack/chromium.ts';

export interface Window {
  readonly page: Page;
  /** What went wrong in it so far. */
  readonly complaints: readonly string[];
  readonly close: () => Promise<void>;
}

export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await findChromium(),
    // Tests may run as root in a container, which Chromium's sandbox does not.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
}

/** A window of its own: nothing is kept from another one. */
export async function openWindow(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Window> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  page.on('console', (message) => {
    // What is answered 401 is expected of a wrong token; the browser reports it as an error all the same.
    if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}/`);
  return { page, complaints, close: () => context.close() };
}
