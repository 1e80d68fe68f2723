import { describe, expect, test } from 'vitest';
import type { TopicDescription } from '../../src/kafka/topics.ts';
import type { IngestJob, Job, PublishJob } from '../../src/model/project.ts';
import { judgeTopic, topicUses } from '../../src/project/topic-uses.ts';

const declared = { value: 'a', file: { path: 'jobs/a.yaml', text: 'query: select 1' }, span: { start: 0, end: 5 } };

const publisher = (more: Partial<PublishJob> = {}): PublishJob =>
  ({ kind: 'publish', name: 'a', declared, topic: { name: 'T', config: {} }, nullKey: 'error', ...more }) as PublishJob;
const ingester = { kind: 'ingest', name: 'i', declared, topic: 'T' } as IngestJob;
const KEY = { list: false, expressions: [] };

/** Partitions as `leader:replicas:in sync`: `1:123:12`. */
function topic(partitions: readonly string[], settings: Readonly<Record<string, string>> = {}): TopicDescription {
  const numbers = (text = ''): number[] => text.split('').map(Number);
  return {
    name: 'T',
    errorCode: 0,
    internal: false,
    operations: ['read', 'write', 'describe'],
    partitions: partitions.map((text, partition) => {
      const [leader = '', replicas, inSync] = text.split(':');
      const known = { partition, errorCode: 0, replicas: numbers(replicas), inSync: numbers(inSync), offline: [] };
      return { ...known, leader: leader === '' ? undefined : Number(leader) };
    }),
    config: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, { value, own: true }])),
  };
}

function judge(found: TopicDescription, job: Job = publisher(), brokers = 3): string[] {
  const [use] = topicUses([job]);
  if (!use) throw new Error('no use');
  const grant = (operations: readonly string[], name: string): string => `${operations.join()} on ${name}`;
  return judgeTopic(use, found, { brokers, grant }).map(({ severity, message }) => `${severity}: ${message}`);
}

test('a topic that several jobs name is one use', () => {
  const other = { ...publisher(), name: 'b', topic: { name: 'U', config: {} } };
  expect(topicUses([publisher(), ingester, other]).map((use) => [use.topic, use.publishers, use.ingesters])).toEqual([
    ['T', [publisher()], [ingester]],
    ['U', [other], []],
  ]);
});

describe('replicas of a topic', () => {
  test('three in sync, of which two must be, are right', () => {
    expect(judge(topic(['1:123:123', '2:231:231'], { 'min.insync.replicas': '2' }))).toEqual([]);
  });

  test('a partition without a leader is an error, also to a reader', () => {
    const found = topic(['1:123:123', ':231:'], { 'min.insync.replicas': '2' });
    expect(judge(found)).toEqual(['error: partition 1 of topic `T` has no leader']);
    expect(judge(found, ingester)).toEqual(['error: partition 1 of topic `T` has no leader']);
  });

  test('fewer in sync than must be is an error to a writer', () => {
    const found = topic(['1:123:1', '2:231:231', '3:312:3'], { 'min.insync.replicas': '2' });
    expect(judge(found)).toEqual([
      'error: each of partitions 0, 2 of topic `T` has fewer replicas in sync than its min.insync.replicas of 2',
    ]);
    expect(judge(found, ingester)).toEqual([]);
  });

  test('as many that must be in sync as there are is a warning: one broker away stops writing', () => {
    expect(judge(topic(['1:123:123'], { 'min.insync.replicas': '3' }))).toEqual([
      'warning: topic `T` cannot be written to while one broker is away: its min.insync.replicas is 3, its replicas are 3',
    ]);
  });

  test('one that is behind, but not needed, is a warning', () => {
    expect(judge(topic(['1:123:12'], { 'min.insync.replicas': '2' }))).toEqual([
      'warning: partition 0 of topic `T` has replicas that are not in sync',
    ]);
  });

  test('fewer than the brokers could hold is a warning, and none where there is one broker', () => {
    expect(judge(topic(['1:1:1']))).toEqual(['warning: topic `T` has 1 replica, though there are 3 brokers']);
    expect(judge(topic(['1:1:1']), publisher(), 1)).toEqual([]);
  });
});

describe('a compacted topic', () => {
  const compacted = topic(['1:1:1'], { 'cleanup.policy': 'compact,delete' });

  test('is an error for a job without a key, and none for one with a key or that reads', () => {
    expect(judge(compacted, publisher(), 1)).toEqual([
      'error: topic `T` is compacted (cleanup.policy=compact,delete) and takes no record without a key, but job `a` has no `key`',
    ]);
    expect(judge(compacted, publisher({ key: KEY }), 1)).toEqual([]);
    expect(judge(compacted, ingester, 1)).toEqual([]);
  });

  test('is a warning for a job that allows NULL keys', () => {
    expect(judge(compacted, publisher({ key: KEY, nullKey: 'allow' }), 1)).toEqual([
      'warning: topic `T` is compacted (cleanup.policy=compact,delete) and takes no record without a key, but job `a` allows NULL keys',
    ]);
  });
});

describe('rights to a topic', () => {
  const only = (...operations: ('read' | 'write' | 'describe')[]) => ({ ...topic(['1:1:1']), operations });

  test('a writer needs Write and a reader Read', () => {
    expect(judge(only('describe', 'read'), publisher(), 1)).toEqual(['error: the user may not write to topic `T`']);
    expect(judge(only('describe', 'write'), ingester, 1)).toEqual(['error: the user may not read topic `T`']);
  });

  test('that a broker before Kafka 2.3 does not tell are not judged', () => {
    expect(judge({ ...topic(['1:1:1']), operations: undefined }, publisher(), 1)).toEqual([]);
  });
});
