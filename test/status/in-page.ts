// What a test asks of a page in the browser. As texts: the types of the browser are not those of this program.
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** Waits until the first plot has some hundred pixels of ink. */
export async function untilDrawn(page: Page): Promise<void> {
  await until(
    page,
    `(() => {
    const canvas = document.querySelector('.plot[data-drawn] canvas');
    const pixels = canvas?.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let inked = 0;
    for (let at = 3; at < pixels.length; at += 4) if (pixels[at] > 0) inked++;
    return inked > 500;
  })()`,
  );
}

/** Waits until the first row of a table of runs is another one. */
export async function untilNewRun(page: Page, before: string): Promise<void> {
  await until(page, `document.querySelector('.runs tbody tr')?.textContent !== ${JSON.stringify(before)}`);
}

/** The label or text of what has the focus. */
export function focused(page: Page): Promise<string> {
  return page.evaluate<string>(
    `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? ''`,
  );
}

/** By how many pixels the page is wider than its window. */
export function overhang(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');
}

export function ground(page: Page): Promise<string> {
  return page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
}

/** The faults that axe finds, each with the elements it found them in. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate<string[]>(`axe.run(document).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary).join('\\n')))`);
}

/** `read` when the page may read what is at the address. */
export function mayRead(page: Page, address: string): Promise<string> {
  return page.evaluate<string>(`fetch(${JSON.stringify(address)}).then(() => 'read', () => 'blocked')`);
}

/** Asked again and again from outside: the page's policy forbids what the browser's own waiting would evaluate in it. */
async function until(page: Page, expression: string): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!(await page.evaluate<boolean>(expression))) {
    if (performance.now() > limit) throw new Error(`not true within 20 s: ${expression}`);
    await page.waitForTimeout(50);
  }
}
