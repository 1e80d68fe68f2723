// The fields that say how a job runs, not what it does. A job has them, and `defaults` of pgtally.yaml.
import type { Fields } from '../field.ts';

/** Policy of every job, publishing or ingesting. */
export const commonPolicy = {
  timezone: {
    type: 'text',
    format: 'timezone',
    default: 'UTC',
    description: 'The time zone the schedule is read in: a name of the tz database.',
    examples: ['Europe/Berlin', 'America/New_York'],
  },
  timeout: {
    type: 'duration',
    minimum: '1ms',
    maximum: '14m',
    default: '30s',
    description:
      'The statement timeout, and the limit of one attempt. At most 14 minutes, because a Kafka transaction ends after 15.',
    examples: ['5s', '2m'],
  },
  retries: {
    type: 'integer',
    minimum: 0,
    maximum: 1000,
    default: 5,
    description:
      'How often a snapshot job tries a slot again after a failure that may pass, such as a lost connection. An interval job goes on until `catchup_window` has passed.',
    examples: [0, 10],
  },
} as const satisfies Fields;

/** Policy of jobs that publish. */
export const publishPolicy = {
  delay: {
    type: 'duration',
    maximum: '1d',
    default: '0s',
    description:
      'How long after its slot a run starts, so that rows that commit late are seen. Slot and window stay as they are.',
    examples: ['5s'],
  },
  null_key: {
    type: 'choice',
    of: ['error', 'allow'],
    default: 'error',
    description: 'What a key that is NULL does: fail the run, or publish the record without a key.',
    examples: ['allow'],
  },
  overlap: {
    type: 'choice',
    of: ['skip', 'queue'],
    absent: '`skip` for a snapshot job, `queue` for an interval job',
    description: 'What happens to a slot that is due while the run before it is under way.',
    examples: ['queue'],
  },
  catchup: {
    type: 'choice',
    of: ['none', 'latest', 'all'],
    absent: '`latest` for a snapshot job, `all` for an interval job',
    description: 'Which of the slots that were missed while nothing ran are run afterwards.',
    examples: ['all'],
  },
  catchup_window: {
    type: 'duration',
    maximum: '366d',
    default: '1h',
    description: 'How far back slots are caught up, and for how long an interval job tries a slot again.',
    examples: ['6h', '2d'],
  },
  splay: {
    type: 'duration',
    maximum: '1d',
    default: '0s',
    description:
      'Spreads the servers of a job over this time, each always at the same place in it. The slot stays as it is.',
    examples: ['10s'],
  },
  concurrency: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 32,
    description: 'On how many servers the job runs at a time.',
    examples: [8],
  },
  delivery: {
    type: 'choice',
    of: ['exactly_once', 'at_least_once'],
    default: 'exactly_once',
    description: 'Whether rows and ledger record are one Kafka transaction.',
    examples: ['at_least_once'],
  },
} as const satisfies Fields;

export const policy = { ...commonPolicy, ...publishPolicy } as const satisfies Fields;
