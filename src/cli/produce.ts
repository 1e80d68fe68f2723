// `pgtally produce TOPIC`: lines of stdin as records, or with --key-delimiter `key;value`, or with --envelope what `pgtally tail`
// prints, which gives a record back as it was.
import type { Readable } from 'node:stream';
import { parseEnvelope } from '../kafka/envelope.ts';
import type { RecordFields } from '../kafka/record-batch.ts';
import { openRecordSink, type RecordSink } from '../kafka/record-sink.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE, UsageError } from './failure.ts';
import { loadSettings } from './open.ts';
import { withKafka } from './with-kafka.ts';

/** What came is sent when nothing more has come for so long. */
const LINGER: Milliseconds = 20;

/** A line as a record, and the partition it names. Throws a Failure (`data`) for a line that is none. */
type ReadLine = (line: Buffer) => { readonly record: RecordFields; readonly partition?: number | undefined };

export async function produce(
  context: CommandContext,
  [topic = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { io, output } = context;
  const read = lineReader(options);
  const project = loadSettings(context);
  if (!project) return EXIT_USAGE;
  return withKafka(project, async (client) => {
    const sink = await openRecordSink(client, topic);
    const stop = (): void => void io.stdin.destroy();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await sendLines(io.stdin, sink, read, topic);
      output.note(`${sink.acknowledged} ${sink.acknowledged === 1 ? 'record' : 'records'} to ${topic}`);
      return EXIT_OK;
    } catch (error) {
      if (error instanceof Failure) output.complain(`${sink.acknowledged} records were sent to ${topic} before this:`);
      throw error;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      await sink.close();
    }
  });
}

function lineReader({ keyDelimiter, envelope, repartition }: Record<string, unknown>): ReadLine {
  if (envelope === true) {
    if (keyDelimiter !== undefined)
      throw new UsageError('--key-delimiter does not go with --envelope', 'leave one out');
    return (line) => readEnvelope(line, repartition === true);
  }
  if (repartition !== undefined) throw new UsageError('--repartition goes with --envelope only', 'leave it out');
  if (keyDelimiter === undefined) return (line) => ({ record: { key: null, value: line } });
  if (typeof keyDelimiter !== 'string' || keyDelimiter === '') {
    throw new UsageError(
      '--key-delimiter is empty',
      'write what stands between key and value, as in --key-delimiter ";"',
    );
  }
  const delimiter = Buffer.from(keyDelimiter);
  return (line) => {
    const at = line.indexOf(delimiter);
    if (at >= 0) return { record: { key: line.subarray(0, at), value: line.subarray(at + delimiter.length) } };
    throw new Failure(`no \`${keyDelimiter}\` between key and value`, {
      kind: 'data',
      hint: 'give the delimiter that the lines have, or leave --key-delimiter out for records without keys',
    });
  };
}

function readEnvelope(line: Buffer, repartition: boolean): ReturnType<ReadLine> {
  const { key, value, headers, partition } = parseEnvelope(line.toString());
  const record = { key, value, headers: headers.map((header) => [header.name, header.value] as const) };
  return repartition ? { record } : { record, partition };
}

async function sendLines(stdin: Readable, sink: RecordSink, read: ReadLine, topic: string): Promise<void> {
  let number = 0;
  const add = (line: Buffer): Promise<void> | undefined => {
    number++;
    try {
      const { record, partition } = read(line);
      if (partition !== undefined && partition >= sink.partitions) throw noPartition(partition, sink.partitions, topic);
      return sink.add(record, partition);
    } catch (error) {
      throw error instanceof Failure && error.kind === 'data' ? atLine(error, number) : error;
    }
  };
  let rest: Buffer[] = [];
  let lingering: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of untilDestroyed(stdin)) {
      clearTimeout(lingering);
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      let start = 0;
      for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
        const line = bytes.subarray(start, end);
        start = end + 1;
        const full = add(rest.length === 0 ? line : Buffer.concat([...rest, line]));
        rest = [];
        if (full) await full;
      }
      if (start < bytes.length) rest.push(bytes.subarray(start));
      // What fails is told by the next call.
      lingering = setTimeout(() => void sink.flush().catch(() => undefined), LINGER);
    }
    if (rest.length > 0) await add(Buffer.concat(rest));
  } finally {
    clearTimeout(lingering);
    // What stands before a wrong line is sent.
    await sink.flush();
  }
}

/** Ctrl-C destroys the input, which ends it here without an error. */
async function* untilDestroyed(stdin: Readable): AsyncGenerator<Buffer | string> {
  try {
    for await (const chunk of stdin) yield chunk as Buffer | string;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

const LINE_FEED = 0x0a;

function atLine(failure: Failure, number: number): Failure {
  return new Failure(`line ${number}: ${failure.message}`, {
    kind: failure.kind,
    cause: failure,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });
}

function noPartition(partition: number, count: number, topic: string): Failure {
  return new Failure(`partition ${partition} is not in \`${topic}\`, which has ${count} (0 to ${count - 1})`, {
    kind: 'data',
    hint: 'to choose partitions by key: `--repartition`',
  });
}
