import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { generatedFiles } from '../../src/config/generate.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

it.each([...generatedFiles()])('%s is what `npm run generate` writes', (path, text) => {
  expect(readFileSync(`${root}${path}`, 'utf8')).toBe(text);
});
