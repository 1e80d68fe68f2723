import { describe, expect, test } from 'vitest';
import { createLog, type LogOptions } from '../../src/daemon/log.ts';
import { createLogDestination, type LogStream } from '../../src/daemon/log-destination.ts';

const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function lines(options: Partial<LogOptions>, write: (log: ReturnType<typeof createLog>) => void): string {
  let text = '';
  const now = (): number => Date.parse('2027-03-28T01:00:00.250Z');
  write(createLog({ write: (line) => (text += line), pretty: false, level: 'info', now, ...options }));
  return text;
}

describe('the log', () => {
  test('is one JSON object a line', () => {
    const text = lines({}, (log) => {
      log.info('started', { jobs: 2, note: 'a "quoted"\nline', absent: undefined });
      log.debug('not at this level');
    });
    expect(text).toBe(
      '{"level":"info","time":"2027-03-28T01:00:00.250Z","msg":"started","jobs":2,"note":"a \\"quoted\\"\\nline"}\n',
    );
  });

  test('is readable on a terminal', () => {
    const text = lines({ pretty: true, level: 'debug' }, (log) => {
      log.warn('skipped', { job: 'j', run: 'abc', outcome: 'skipped', slots: 3, error: 'two words', empty: '' });
      log.debug('x');
    });
    expect(text).toBe(
      '2027-03-28T01:00:00Z warn  skipped job=j slots=3 error="two words" empty=""\n2027-03-28T01:00:00Z debug x\n',
    );
  });
});

/** As standard error is: an error is told to the callback, and does not end it. */
function standardError(write: (text: string) => string | undefined): LogStream {
  return {
    on: () => undefined,
    write(text, done) {
      const code = write(text);
      setImmediate(() => done(code === undefined ? null : new Error(code)));
    },
  };
}

describe("the log's destination", () => {
  test('a reader that has gone ends nothing', async () => {
    const destination = createLogDestination(
      standardError(() => 'EPIPE'),
      () => undefined,
    );
    destination.write('one\n');
    destination.write('two\n');
    await turns();
    expect(destination.lost).toBe(2);
  });

  test('lines that a full disk did not take are counted, and told once it takes some again', async () => {
    let full = true;
    const written: string[] = [];
    const disk = standardError((text) => (full ? 'ENOSPC' : void written.push(text)));
    const destination = createLogDestination(disk, (lost) => destination.write(`lost ${lost}\n`));
    destination.write('one\n');
    destination.write('two\n');
    await turns();
    full = false;
    destination.write('three\n');
    await turns();
    expect([written, destination.lost]).toEqual([['three\n', 'lost 2\n'], 2]);
  });
});
