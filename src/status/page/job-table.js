// Each job in a line: how its servers stand, when it last ran and runs next, how much and how long.
import { h, keyed, scrollBox, setAttribute, setText, tableHead, withParts } from './dom.js';
import { fullNumber, relative, shortNumber, took } from './format.js';
import { STATUS_NAMES, STATUSES } from './status.js';

export function createJobTable() {
  const rows = h('tbody', {});
  const table = h(
    'table',
    { class: 'jobs' },
    tableHead([
      ['Job', ''],
      ['Servers', ''],
      ['Rows', 'num'],
      ['Slowest', 'num wide'],
      ['Last slot', 'num'],
      ['Next', 'num wide'],
      ['Schedule', 'wide'],
    ]),
    rows,
  );
  const element = h(
    'section',
    { 'aria-labelledby': 'jobs', class: 'panel' },
    h('h2', { id: 'jobs' }, 'Jobs'),
    scrollBox('Jobs', table),
  );
  return {
    element,
    update({ jobs, fleet }, now) {
      element.hidden = jobs.length === 0;
      keyed(
        rows,
        jobs,
        ({ name }) => name,
        createRow,
        (row, job) => updateRow(row, job, fleet.byJob.get(job.name), now),
      );
    },
  };
}

function createRow(job) {
  const parts = {
    note: h('span', { class: 'note' }),
    bar: h('span', { class: 'bar', 'aria-hidden': 'true' }),
    states: h('span', { class: 'states' }),
    rows: h('td', { class: 'num' }),
    slowest: h('td', { class: 'num wide' }),
    last: h('td', { class: 'num' }),
    next: h('td', { class: 'num wide' }),
  };
  const link = h('a', { href: `#/jobs/${encodeURIComponent(job.name)}` }, job.name);
  const schedule = h('td', { class: 'wide' });
  if (job.schedule) schedule.append(h('code', {}, job.schedule), job.timezone === 'UTC' ? '' : ` ${job.timezone}`);
  else schedule.append(job.stream ? 'all the time' : 'by hand only');
  const row = h(
    'tr',
    {},
    h('th', { scope: 'row' }, link, parts.note),
    h('td', { class: 'standing' }, parts.bar, parts.states),
    parts.rows,
    parts.slowest,
    parts.last,
    parts.next,
    schedule,
  );
  return withParts(row, parts);
}

function updateRow({ parts }, job, counts, now) {
  const pause = job.pause && `paused since ${job.pause.since}${job.pause.note ? `: ${job.pause.note}` : ''}`;
  setText(parts.note, pause ?? (job.known ? (job.description ?? '') : 'not in the files of this replica'));
  setAttribute(parts.note, 'class', pause ? 'note s-paused' : 'note');
  const there = STATUS_NAMES.filter((name) => counts[name] > 0);
  keyed(
    parts.bar,
    there,
    (name) => name,
    (name) => h('i', { class: `s-${name}` }),
    (part, name) => {
      // Through the object model, which the policy allows. One in a thousand is still to be seen.
      part.style.flexGrow = String(Math.max(counts[name], job.servers.length / 25));
    },
  );
  keyed(
    parts.states,
    there,
    (name) => name,
    (name) => {
      const number = h('span', {});
      const glyph = h('span', { class: 'glyph', 'aria-hidden': 'true' }, STATUSES[name].glyph);
      return withParts(h('span', { class: `state s-${name}` }, glyph, number), { number });
    },
    (state, name) => setText(state.parts.number, `${fullNumber(counts[name])} ${STATUSES[name].word}`),
  );
  const { rows, slowest, last } = sums(job);
  setText(parts.rows, last === 0 ? '' : shortNumber(rows));
  setText(parts.slowest, last === 0 ? '' : took(slowest));
  setText(parts.last, last === 0 ? (job.lags ? lagText(job.lags) : '') : relative(last, now));
  setText(parts.next, job.timing && !job.pause ? relative(job.timing[0], now) : '');
}

export function lagText(lags) {
  return `${fullNumber(Object.values(lags).reduce((sum, lag) => sum + lag, 0))} to read`;
}

function sums(job) {
  let rows = 0;
  let slowest = 0;
  let last = 0;
  for (const server of job.servers) {
    const run = job.runs.get(server);
    if (!run) continue;
    last = Math.max(last, run.slot);
    if (run.outcome === 's' || run.outcome === 'r') continue;
    rows += run.rows;
    slowest = Math.max(slowest, run.ms);
  }
  return { rows, slowest, last };
}
