// The resident Java process that reads topics for tests (TopicReader.java), and the client of its little protocol.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { spawnGuarded, temporaryFolder } from './guard.ts';
import { type KafkaLibraries, kafkaLibraries } from './kafka-libraries.ts';
import { cacheFolder, REPOSITORY } from './repository.ts';
import { endProcess, waitForLog } from './wait-for-process.ts';

/** One record as Kafka's Java client gave it; null and empty are kept apart. */
export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly headers: (readonly [name: string, value: string | null])[];
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface TopicReader {
  /** The port of 127.0.0.1 it answers on. */
  readonly port: number;
  /** Ends it. */
  readonly discard: () => Promise<void>;
}

/** Starts the reader (0.3 s; the first time also compiles it, 1 s). */
export async function startTopicReader(): Promise<TopicReader> {
  const libraries = await kafkaLibraries();
  const classes = await compileReader(libraries);
  const folder = temporaryFolder('topic-reader');
  const logFile = join(folder, 'reader.log');
  writeFileSync(logFile, '');
  const classPath = `${classes}:${libraries.classPath}`;
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-Dlog4j2.level=OFF'];
  const child = spawnGuarded(libraries.java, [...flags, '-cp', classPath, 'TopicReader'], {
    logFile,
    endWith: 'KILL',
    stdin: 'pipe',
  });
  await waitForLog(child, logFile, /listening on \d+\n/, 'the topic reader');
  const port = Number(/listening on (\d+)/.exec(readFileSync(logFile, 'utf8'))?.[1]);
  return { port, discard: () => endProcess(child, 'SIGKILL') };
}

/**
 * Asks the reader on `port` for the records of a topic, from the beginning to the end as of now, in the order of
 * partition and offset. `properties` are the consumer's. Rejects with the Java client's message.
 */
export async function askTopicReader(
  port: number,
  topic: string,
  partition: number | undefined,
  properties: Readonly<Record<string, string>>,
): Promise<ConsumedRecord[]> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  const text = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(value)}\n`);
  socket.write(`${Buffer.from(text.join('')).toString('base64')}\t${topic}\t${partition ?? '*'}\n`);
  const records: ConsumedRecord[] = [];
  try {
    for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
      const fields = line.split('\t');
      if (fields[0] === 'end') return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
      if (fields[0] === 'error') throw new Error(`reading topic \`${topic}\`: ${decode(fields[1])?.toString()}`);
      records.push(parseRecord(fields));
    }
  } finally {
    socket.destroy();
  }
  throw new Error(`reading topic \`${topic}\`: the topic reader ended in the middle`);
}

function parseRecord(fields: readonly string[]): ConsumedRecord {
  const headers: [string, string | null][] = [];
  for (let at = 5; at < fields.length; at += 2) {
    headers.push([decode(fields[at])?.toString() ?? '', decode(fields[at + 1])?.toString() ?? null]);
  }
  return {
    partition: Number(fields[0]),
    offset: Number(fields[1]),
    timestamp: Number(fields[2]),
    headers,
    key: decode(fields[3]),
    value: decode(fields[4]),
  };
}

function decode(field: string | undefined): Buffer | null {
  return field === undefined || field === '-' ? null : Buffer.from(field, 'base64');
}

function escapeProperty(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** The folder of the compiled class; named by the source's hash, shown by an atomic rename. */
async function compileReader(libraries: KafkaLibraries): Promise<string> {
  const source = join(REPOSITORY, 'test', 'stack', 'TopicReader.java');
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder('kafka'), `topic-reader-${hash}`);
  if (existsSync(folder)) return folder;
  const work = mkdtempSync(`${folder}.part-`);
  const compiler = ['-cp', libraries.classPath, 'org.eclipse.jdt.internal.compiler.batch.Main'];
  const jars = readdirSync(libraries.folder).map((name) => join(libraries.folder, name));
  try {
    await promisify(execFile)(libraries.java, [...compiler, '-17', '-cp', jars.join(':'), '-d', work, source]);
    renameSync(work, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
