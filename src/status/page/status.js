// What a (job, server) is called, by word and shape as well as by colour: worst first.
import { plural, relative, took } from './format.js';

export const STATUSES = {
  failed: { glyph: '✕', word: 'failed', rank: 0 },
  late: { glyph: '▲', word: 'late', rank: 1 },
  paused: { glyph: '‖', word: 'paused', rank: 2 },
  skipped: { glyph: '–', word: 'skipped', rank: 3 },
  unseen: { glyph: '?', word: 'not seen yet', rank: 4 },
  waiting: { glyph: '◇', word: 'waits for its first slot', rank: 5 },
  empty: { glyph: '○', word: 'no rows', rank: 6 },
  published: { glyph: '●', word: 'published', rank: 7 },
  stream: { glyph: '≈', word: 'stream', rank: 8 },
  manual: { glyph: '·', word: 'by hand only', rank: 9 },
};

export const STATUS_NAMES = Object.keys(STATUSES);

const BY_OUTCOME = { p: 'published', e: 'empty', f: 'failed', s: 'skipped', r: 'waiting' };

/** Of the last run as the ledger has it; `run` may be undefined. */
export function statusOf(job, run) {
  if (run?.outcome === 'f') return 'failed';
  if (job.pause) return 'paused';
  if (!run) return job.stream ? 'stream' : job.schedule || !job.known ? 'unseen' : 'manual';
  if (job.timing && run.slot < job.timing[1]) return 'late';
  return outcomeStatus(run);
}

/** Of a run that has ended, whatever came after it. */
export function outcomeStatus(run) {
  return BY_OUTCOME[run.outcome] ?? 'unseen';
}

/** `failed`, `skipped (overlap)`, `published by backfill`. */
export function outcomeText(run) {
  const { word } = STATUSES[outcomeStatus(run)];
  const reason = run.more?.reason ? ` (${run.more.reason})` : '';
  const trigger = run.more?.trigger ? `, ${run.more.trigger}` : '';
  return `${run.outcome === 'r' ? 'registered' : word}${reason}${trigger}`;
}

/** One sentence about a (job, server). */
export function describe(job, server, run, now) {
  const status = statusOf(job, run);
  const name = `${job.name} on ${server}: ${STATUSES[status].word}`;
  if (!run) return name;
  const rows = run.outcome === 'p' ? `, ${plural(run.rows, 'row')} in ${took(run.ms)}` : '';
  const error = run.more?.error ? `: ${run.more.error.message}` : '';
  return `${name}${rows}, slot ${relative(run.slot, now)}${error}`;
}
