// What fails, by reason: a thousand servers that fail for one reason are one line, and so is a server on which every job fails.
import { h, keyed, scrollBox, setText, tableHead, withParts } from './dom.js';
import { fullNumber, relative } from './format.js';
import { statusOf } from './status.js';

const MOST_LINES = 8;
const MOST_NAMES = 4;

export function createFailing() {
  const rows = h('tbody', {});
  const more = h('p', { class: 'more' });
  const count = h('span', { class: 'count' });
  const table = h(
    'table',
    { class: 'failing' },
    tableHead([
      ['Error', ''],
      ['Jobs', ''],
      ['Servers', ''],
      ['Last slot', 'num'],
    ]),
    rows,
  );
  const element = h(
    'section',
    { 'aria-labelledby': 'failing', class: 'panel bad' },
    h('h2', { id: 'failing' }, 'Failing ', count),
    scrollBox('What fails', table),
    more,
  );

  return {
    element,
    update(chosen, now) {
      const groups = groupFailures(chosen);
      element.hidden = groups.length === 0;
      setText(count, fullNumber(groups.reduce((sum, group) => sum + group.count, 0)));
      keyed(
        rows,
        groups.slice(0, MOST_LINES),
        (group) => group.key,
        createRow,
        (row, group) => updateRow(row, group, now),
      );
      const left = groups.length - MOST_LINES;
      setText(more, left > 0 ? `and ${fullNumber(left)} more reasons: search, or look at a job or a server` : '');
    },
  };
}

function createRow() {
  const parts = {
    error: h('th', { scope: 'row', class: 'message' }),
    jobs: h('td', {}),
    servers: h('td', {}),
    slot: h('td', { class: 'num' }),
  };
  return withParts(h('tr', {}, ...Object.values(parts)), parts);
}

function updateRow({ parts }, { error, jobs, servers, slot }, now) {
  const text = `${error.message}\n${error.hint ?? ''}`;
  if (parts.error.dataset.text !== text) {
    parts.error.dataset.text = text;
    parts.error.replaceChildren(
      h('span', { class: 'error-text' }, error.message),
      error.hint ? h('span', { class: 'hint' }, error.hint) : '',
    );
  }
  listNames(parts.jobs, jobs, (name) => `#/jobs/${encodeURIComponent(name)}`);
  const [job] = jobs;
  listNames(parts.servers, servers, (name) =>
    jobs.size === 1
      ? `#/jobs/${encodeURIComponent(job)}?server=${encodeURIComponent(name)}`
      : `#/servers/${encodeURIComponent(name)}`,
  );
  setText(parts.slot, relative(slot, now));
}

/** How many, and the first of them as links. */
function listNames(cell, set, hrefOf) {
  const names = [...set];
  const text = names.join('\n');
  if (cell.dataset.names === text) return;
  cell.dataset.names = text;
  const links = names
    .slice(0, MOST_NAMES)
    .flatMap((name, index) => [index > 0 ? ', ' : '', h('a', { href: hrefOf(name) }, name)]);
  const left = names.length - MOST_NAMES;
  const more = left > 0 ? ` and ${fullNumber(left)} more` : '';
  cell.replaceChildren(names.length > 1 ? h('strong', {}, `${fullNumber(names.length)} `) : '', ...links, more);
}

/** Alike but for names and numbers is the same reason. */
export function groupFailures({ jobs, servers }) {
  const groups = new Map();
  const shown = new Set(servers.map(({ name }) => name));
  for (const job of jobs) {
    for (const server of job.servers) {
      if (!shown.has(server)) continue;
      const run = job.runs.get(server);
      if (statusOf(job, run) !== 'failed') continue;
      const error = run.more?.error ?? { message: 'failed without a reason' };
      const key = withoutNames(error.message, server, job.name);
      const group = groups.get(key) ?? { key, error, jobs: new Set(), servers: new Set(), slot: 0, count: 0 };
      group.jobs.add(job.name);
      group.servers.add(server);
      group.count++;
      group.slot = Math.max(group.slot, run.slot);
      groups.set(key, group);
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function withoutNames(message, ...names) {
  const words = names.map((name) => name.replace(/[.]/g, '\\.')).join('|');
  return message.replace(new RegExp(`(?<![\\w.-])(${words})(?![\\w-])`, 'g'), '#').replace(/[\d.:TZ-]*\d/g, '#');
}
