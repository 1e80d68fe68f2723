// What fails, by job and reason: a thousand servers that fail for one reason are one line.
import { h, keyed, scrollBox, setText, tableHead, withParts } from './dom.js';
import { fullNumber, relative } from './format.js';
import { statusOf } from './status.js';

const MOST_LINES = 12;
const MOST_SERVERS = 4;

export function createFailing() {
  const rows = h('tbody', {});
  const more = h('p', { class: 'more' });
  const count = h('span', { class: 'count' });
  const table = h(
    'table',
    { class: 'failing' },
    tableHead([
      ['Job', ''],
      ['Error', ''],
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
      setText(count, fullNumber(groups.reduce((sum, { servers }) => sum + servers.length, 0)));
      keyed(
        rows,
        groups.slice(0, MOST_LINES),
        (group) => group.key,
        createRow,
        (row, group) => updateRow(row, group, now),
      );
      const left = groups.length - MOST_LINES;
      setText(more, left > 0 ? `and ${fullNumber(left)} more reasons: search, or look at a job` : '');
    },
  };
}

function createRow({ job }) {
  const parts = { error: h('td', { class: 'message' }), servers: h('td', {}), slot: h('td', { class: 'num' }) };
  const link = h('a', { href: `#/jobs/${encodeURIComponent(job.name)}` }, job.name);
  const row = h('tr', {}, h('th', { scope: 'row' }, link), parts.error, parts.servers, parts.slot);
  return withParts(row, parts);
}

function updateRow({ parts }, { job, error, servers, slot }, now) {
  const text = `${error.message}\n${error.hint ?? ''}`;
  if (parts.error.dataset.text !== text) {
    parts.error.dataset.text = text;
    parts.error.replaceChildren(
      h('span', { class: 'error-text' }, error.message),
      error.hint ? h('span', { class: 'hint' }, error.hint) : '',
    );
  }
  const names = servers.join('\n');
  if (parts.servers.dataset.names !== names) {
    parts.servers.dataset.names = names;
    const links = servers
      .slice(0, MOST_SERVERS)
      .flatMap((name, index) => [
        index > 0 ? ', ' : '',
        h('a', { href: `#/jobs/${encodeURIComponent(job.name)}?server=${encodeURIComponent(name)}` }, name),
      ]);
    const left = servers.length - MOST_SERVERS;
    parts.servers.replaceChildren(
      h('strong', {}, fullNumber(servers.length)),
      ' ',
      ...links,
      left > 0 ? ` and ${fullNumber(left)} more` : '',
    );
  }
  setText(parts.slot, relative(slot, now));
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
      const key = `${job.name}\n${error.message.replaceAll(server, '#').replace(/[\d.:]+/g, '#')}`;
      const group = groups.get(key) ?? { key, job, error, servers: [], slot: 0 };
      group.servers.push(server);
      group.slot = Math.max(group.slot, run.slot);
      groups.set(key, group);
    }
  }
  return [...groups.values()].sort((a, b) => b.servers.length - a.servers.length);
}
