// `pgtally tail TOPIC`: what a read_committed consumer sees, a line of JSON a record, named as kcat -J names it.
import { createKafkaClient } from '../kafka/client.ts';
import { formatEnvelope } from '../kafka/envelope.ts';
import { openReader } from '../kafka/reader.ts';
import type { StartOffset } from '../kafka/record.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { loadSettings, parseCount, parseInstant } from './open.ts';

export async function tail(
  context: CommandContext,
  [topic = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { output } = context;
  const from = parseFrom(options.from as string);
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : parseCount(options.count, '--count');
  const partition = options.partition === undefined ? undefined : parseCount(options.partition, '--partition', 0);
  const project = loadSettings(context);
  if (!project) return EXIT_USAGE;
  const client = createKafkaClient(project.kafka);
  let printed = 0;
  try {
    const reader = await openReader(client, {
      topic,
      from,
      ...(partition === undefined ? {} : { partitions: [partition] }),
      ...(options.exit === true ? { until: 'end' as const } : {}),
      onInterrupted: (failure) => output.note(`${output.paint.yellow('warning:')} ${failure.message}`),
      async onRecords({ partition: from, records }) {
        for (const record of records) {
          if (printed >= count || output.closed) break;
          printed++;
          await output.data(formatEnvelope({ topic, partition: from, ...record }));
        }
        if (printed >= count || output.closed) void reader.stop();
      },
    });
    const onSignal = (): void => void reader.stop();
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    await reader.done;
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    return EXIT_OK;
  } finally {
    client.close();
  }
}

function parseFrom(text: string): StartOffset {
  if (text === 'beginning' || text === 'end') return text;
  return /^\d{1,15}$/.test(text) ? Number(text) : { timestamp: parseInstant(text, '--from') };
}
