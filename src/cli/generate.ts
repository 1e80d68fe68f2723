// `pgtally generate TOPIC`: random rows to try things out with, as `uuid;32 random characters`; the key stands before the `;`.
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordFields } from '../kafka/record-batch.ts';
import { openRecordSink, type RecordSink } from '../kafka/record-sink.ts';
import { type Milliseconds, parseDuration } from '../model/units.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE, UsageError } from './failure.ts';
import { loadSettings, parseCount } from './open.ts';
import { withKafka } from './with-kafka.ts';

const DEFAULT_COUNT = 50;
/** With --rate: how often some are sent. */
const BEAT: Milliseconds = 20;

export async function generate(
  context: CommandContext,
  [topic = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { output } = context;
  const count = options.count === undefined ? undefined : parseCount(options.count, '--count');
  const size = parseCount(options.size, '--size', 0);
  const rate = options.rate === undefined ? undefined : parseCount(options.rate, '--rate');
  const every = options.every === undefined ? undefined : parseEvery(options.every);
  if (every !== undefined && rate !== undefined)
    throw new UsageError('--every and --rate exclude each other', '--rate spreads its records evenly');
  const project = loadSettings(context);
  if (!project) return EXIT_USAGE;
  const make = options.key === false ? () => keyless(size) : () => keyed(size);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await withKafka(project, async (client) => {
      const sink = await openRecordSink(client, topic);
      const told = (sent: number): void => output.note(`${sent} ${sent === 1 ? 'record' : 'records'} to ${topic}`);
      try {
        if (rate !== undefined) told(await atRate(sink, make, rate, count, stopping.signal));
        else await inRounds(sink, make, count ?? DEFAULT_COUNT, every, stopping.signal, told);
        return EXIT_OK;
      } finally {
        await sink.close();
      }
    });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function inRounds(
  sink: RecordSink,
  make: () => RecordFields,
  count: number,
  every: Milliseconds | undefined,
  signal: AbortSignal,
  told: (sent: number) => void,
): Promise<void> {
  const started = performance.now();
  for (let round = 1; !signal.aborted; round++) {
    const before = sink.acknowledged;
    await addSome(sink, make, count, signal);
    await sink.flush();
    told(sink.acknowledged - before);
    if (every === undefined) return;
    await pause(started + round * every - performance.now(), signal);
  }
}

/** Until `count` are sent, if there is one; gives how many were. */
async function atRate(
  sink: RecordSink,
  make: () => RecordFields,
  rate: number,
  count: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const started = performance.now();
  const most = count ?? Number.POSITIVE_INFINITY;
  for (let made = 0; made < most && !signal.aborted; await pause(BEAT, signal)) {
    const due = Math.min(most, Math.floor((rate * (performance.now() - started)) / 1000));
    await addSome(sink, make, due - made, signal);
    made = Math.max(made, due);
    await sink.flush();
  }
  await sink.flush();
  return sink.acknowledged;
}

async function addSome(sink: RecordSink, make: () => RecordFields, count: number, signal: AbortSignal): Promise<void> {
  for (let left = count; left > 0 && !signal.aborted; left--) {
    const full = sink.add(make());
    if (full) await full;
  }
}

function keyed(size: number): RecordFields {
  return { key: Buffer.from(randomUUID()), value: randomText(size) };
}

/** The whole line is the value. */
function keyless(size: number): RecordFields {
  return { key: null, value: Buffer.concat([Buffer.from(`${randomUUID()};`), randomText(size)]) };
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

function randomText(size: number): Buffer {
  const bytes = randomBytes(size);
  for (let index = 0; index < size; index++) bytes[index] = ALPHABET[(bytes[index] ?? 0) % ALPHABET.length] ?? 0;
  return bytes;
}

async function pause(duration: Milliseconds, signal: AbortSignal): Promise<void> {
  // Only the signal cuts it short, and the loop sees that.
  if (duration > 0) await sleep(duration, undefined, { signal }).catch(() => undefined);
}

function parseEvery(value: unknown): Milliseconds {
  const duration = typeof value === 'string' ? parseDuration(value) : undefined;
  if (duration !== undefined && duration > 0) return duration;
  throw new UsageError(`--every: \`${value as string}\` is not a duration`, 'write it as 10s, 500ms or 1m');
}
