// The fleet: how many are well, what fails, each job in a line, and every job on every server.
import { h, keyed, setAttribute, setText, withParts } from './dom.js';
import { createFailing } from './failing.js';
import { fullNumber, plural } from './format.js';
import { createJobTable } from './job-table.js';
import { createMatrix } from './matrix.js';
import { STATUS_NAMES, STATUSES, statusOf } from './status.js';

export function createOverview() {
  const filter = { text: '', status: undefined };
  let latest;
  const tally = h('ul', { class: 'tally', 'aria-label': 'How the last runs stand; press one to see only those' });
  const search = h('input', {
    type: 'search',
    id: 'search',
    placeholder: 'job, server, label or error',
    'aria-keyshortcuts': '/',
    oninput() {
      filter.text = search.value;
      redraw();
    },
  });
  const found = h('p', { class: 'found', role: 'status' });
  const failing = createFailing();
  const jobs = createJobTable();
  const matrix = createMatrix();
  const element = h(
    'div',
    { class: 'overview' },
    h('h1', { class: 'unseen' }, 'Fleet'),
    h('div', { class: 'tools' }, tally, h('div', { class: 'search' }, h('label', { for: 'search' }, 'Search'), search)),
    found,
    failing.element,
    jobs.element,
    matrix.element,
  );

  const onKey = (event) => {
    const typing = event.target.matches('input, textarea');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === 'Escape' && event.target === search) {
      search.value = '';
      filter.text = '';
      redraw();
    }
  };
  document.addEventListener('keydown', onKey);

  function redraw() {
    if (latest) update(...latest);
  }

  function update(model, now) {
    latest = [model, now];
    const fleet = survey(model);
    drawTally(fleet.counts);
    const chosen = choose(model, fleet, filter);
    const filtered = filter.text.trim() !== '' || filter.status !== undefined;
    setText(
      found,
      filtered
        ? `${plural(chosen.jobs.length, 'job')} of ${model.jobs.size}, ${plural(chosen.servers.length, 'server')} of ${fullNumber(model.servers.size)}`
        : `${plural(model.jobs.size, 'job')} on ${plural(model.servers.size, 'server')}`,
    );
    failing.update(chosen, now);
    jobs.update(chosen, now);
    matrix.update(chosen, now);
  }

  function drawTally(counts) {
    const shown = STATUS_NAMES.filter((name) => counts[name] > 0 || name === 'failed' || name === filter.status);
    keyed(
      tally,
      shown,
      (name) => name,
      (name) => {
        const number = h('strong', {});
        const button = h(
          'button',
          {
            type: 'button',
            class: `s-${name}`,
            'data-status': name,
            onclick() {
              filter.status = filter.status === name ? undefined : name;
              redraw();
            },
          },
          h('span', { class: 'glyph', 'aria-hidden': 'true' }, STATUSES[name].glyph),
          number,
          h('span', {}, STATUSES[name].word),
        );
        const item = h('li', {}, button);
        return withParts(item, { number, button });
      },
      (item, name) => {
        setText(item.parts.number, fullNumber(counts[name]));
        setAttribute(item.parts.button, 'aria-pressed', String(filter.status === name));
        setAttribute(item.parts.button, 'class', `s-${name}${counts[name] === 0 ? ' none' : ''}`);
      },
    );
  }

  return { element, title: '', update, close: () => document.removeEventListener('keydown', onKey) };
}

/** Counts by status: of all, of each job and of each server. */
function survey(model) {
  const counts = zero();
  const byJob = new Map();
  const byServer = new Map();
  for (const name of model.servers.keys()) byServer.set(name, zero());
  for (const job of model.jobs.values()) {
    const own = zero();
    byJob.set(job.name, own);
    for (const server of job.servers) {
      const status = statusOf(job, job.runs.get(server));
      counts[status]++;
      own[status]++;
      byServer.get(server)[status]++;
    }
  }
  return { counts, byJob, byServer };
}

function zero() {
  return Object.fromEntries(STATUS_NAMES.map((name) => [name, 0]));
}

/** The jobs and servers that the filter leaves, worst first. */
function choose(model, fleet, { text, status }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const errorsHave = (server, word) =>
    server.jobs.some((job) => job.runs.get(server.name)?.more?.error?.message.toLowerCase().includes(word));
  let jobs = [...model.jobs.values()];
  let servers = [...model.servers.values()];
  for (const word of words) {
    const jobsLeft = jobs.filter((job) => textOfJob(job).includes(word));
    const serversLeft = servers.filter((server) => textOfServer(server).includes(word) || errorsHave(server, word));
    if (jobsLeft.length > 0) jobs = jobsLeft;
    if (serversLeft.length > 0) servers = serversLeft;
    if (jobsLeft.length === 0 && serversLeft.length === 0) {
      jobs = [];
      servers = [];
    }
  }
  if (status) {
    jobs = jobs.filter(({ name }) => fleet.byJob.get(name)[status] > 0);
    servers = servers.filter(({ name }) => fleet.byServer.get(name)[status] > 0);
  }
  return {
    model,
    status,
    fleet,
    jobs: worstFirst(jobs, fleet.byJob),
    servers: worstFirst(servers, fleet.byServer),
  };
}

const natural = new Intl.Collator('en', { numeric: true }).compare;

function worstFirst(list, counts) {
  return list.toSorted((a, b) => {
    const [x, y] = [counts.get(a.name), counts.get(b.name)];
    return y.failed - x.failed || y.late - x.late || natural(a.name, b.name);
  });
}

function textOfJob(job) {
  return `${job.name} ${job.description ?? ''} ${job.topic ?? ''}`.toLowerCase();
}

function textOfServer({ name, address = '', labels = {} }) {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return `${name} ${address} ${pairs.join(' ')}`.toLowerCase();
}
