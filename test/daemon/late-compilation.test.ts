import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { lateCompilationFlags } from '../../src/daemon/late-compilation.ts';

test('V8 knows the flags, and means ten times what it does by default', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  for (const flag of lateCompilationFlags(process.versions.v8)) {
    const [, name = '', value = ''] = /^(--[a-z-]+)=(\d+)$/.exec(flag) ?? [];
    expect(known).toContain(`default: ${name}=${Number(value) / 10}\n`);
  }
});
