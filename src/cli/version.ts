// The package's own version, from its package.json: above dist/ in an installed package, above src/ in a test.
import { existsSync, readFileSync } from 'node:fs';

export function version(): string {
  for (const above of ['../package.json', '../../package.json']) {
    const file = new URL(above, import.meta.url);
    if (!existsSync(file)) continue;
    const { name, version: found } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string };
    if (name === 'pgtally') return found;
  }
  return 'unknown';
}
