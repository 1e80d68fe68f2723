// A job: how it stands, what it is, when it runs next, its past as plots and as a list, and its errors in full.
import { createActions } from './actions.js';
import { getJson } from './connection.js';
import { h, keyed, setAttribute, setText, withParts } from './dom.js';
import { groupFailures } from './failing.js';
import { fullNumber, instant, inZone, plural, relative } from './format.js';
import { lagText } from './job-table.js';
import { readRun } from './model.js';
import { createPlots } from './plots.js';
import { createRunList, createServerList } from './run-lists.js';
import { STATUS_NAMES, STATUSES, statusOf } from './status.js';

const MOST_RUNS = 50;
const MOST_SLOTS = 400;

/** `server`: only its runs are shown. */
export function createJobView(name, server, getModel) {
  const parts = {
    standing: h('p', { class: 'standing-line' }),
    pause: h('p', { class: 'paused s-paused' }),
    description: h('p', { class: 'description' }),
    errors: h('div', {}),
    lags: h('p', { class: 'lags' }),
    slots: h('ol', { class: 'slots' }),
    definition: h('dl', { class: 'definition' }),
    past: h('p', { class: 'note' }, 'Reading the history …'),
  };
  const actions = createActions(name, server);
  const plots = createPlots();
  const runs = createRunList(server === undefined);
  const servers = createServerList(name);
  const panel = (id, title, ...children) =>
    h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id }, title), ...children);
  const errorPanel = panel('errors', 'Last error', parts.errors);
  errorPanel.classList.add('bad');
  const serverPanel = panel('servers', 'Servers', servers.element);
  const lagPanel = panel('lag', 'Still to be read', parts.lags);
  const element = h(
    'div',
    { class: 'job' },
    h(
      'p',
      { class: 'path' },
      h('a', { href: '#/' }, 'Fleet'),
      ' / ',
      server === undefined ? name : h('a', { href: `#/jobs/${encodeURIComponent(name)}` }, name),
      server === undefined ? '' : ` / ${server}`,
    ),
    h('h1', {}, server === undefined ? name : `${name} on ${server}`),
    parts.description,
    parts.standing,
    parts.pause,
    actions.element,
    errorPanel,
    lagPanel,
    panel('past', 'Past', parts.past, plots.element),
    h('div', { class: 'columns' }, panel('runs', `Last ${MOST_RUNS} runs`, runs.element), serverPanel),
    h(
      'div',
      { class: 'columns' },
      panel('next', 'Next slots', parts.slots),
      panel('definition', 'Definition', parts.definition),
    ),
  );

  let history;
  let details;
  let early = [];
  let nextAsked = 0;
  const missing = h('p', { class: 'error', hidden: true }, `There is no job named ${name}.`);
  element.prepend(missing);

  const path = `api/jobs/${encodeURIComponent(name)}`;
  const readDetails = async () => {
    try {
      details = (await getJson(path)).data;
      drawDetails(parts, details, getModel().jobs.get(name));
    } catch (error) {
      setText(parts.slots, '');
      parts.definition.replaceChildren(h('dd', {}, error.message));
    }
  };
  const readHistory = async () => {
    try {
      const query = server === undefined ? '' : `?server=${encodeURIComponent(server)}`;
      const { data } = await getJson(`${path}/history${query}`);
      history = { ...data, slots: new Map(data.slots.map((slot) => [slot[0], slot])), runs: data.runs.map(readRun) };
      addRuns(
        history,
        early.filter((run) => !history.runs.some((known) => isSame(known, run))),
      );
      early = [];
      setText(parts.past, historyText(history, data.problems));
    } catch (error) {
      setText(parts.past, `The history cannot be read: ${error.message}`);
    }
  };
  void readDetails();
  void readHistory();

  return {
    element,
    title: name,
    /** Runs of this page's job that have just ended. */
    came(job, list) {
      if (job !== name) return;
      const own = server === undefined ? list : list.filter((run) => run.server === server);
      if (history) addRuns(history, own);
      else early.push(...own);
    },
    update(model, now) {
      const job = model.jobs.get(name);
      missing.hidden = job !== undefined;
      for (const child of element.children)
        if (child !== missing && !child.matches('.path')) child.hidden = job === undefined;
      if (!job) return;
      const shown = server === undefined ? job.servers : job.servers.filter((one) => one === server);
      setText(parts.description, job.description ?? '');
      drawStanding(parts.standing, job, shown, now);
      parts.pause.hidden = job.pause === undefined;
      if (job.pause)
        setText(parts.pause, `‖ Paused since ${job.pause.since}${job.pause.note ? `: ${job.pause.note}` : ''}`);
      actions.update(model, job);
      const failures = groupFailures({ jobs: [job], servers: shown.map((one) => ({ name: one })) });
      errorPanel.hidden = failures.length === 0;
      drawErrors(parts.errors, failures, now);
      lagPanel.hidden = !job.lags;
      if (job.lags) setText(parts.lags, lagsText(job.lags));
      serverPanel.hidden = server !== undefined;
      servers.update(job, shown, now);
      if (history) {
        plots.update(
          [...history.slots.values()].sort(([a], [b]) => a - b),
          now,
        );
        runs.update(history.runs, now);
      }
      // The slots that were to come have come.
      if (details?.next.length > 0 && details.next[0] <= now && now - nextAsked > 5) {
        nextAsked = now;
        void readDetails();
      }
      drawAges(parts.slots, now);
    },
    close: () => plots.close(),
  };
}

function addRuns(history, list) {
  for (const run of list) {
    history.runs.unshift(run);
    if (run.outcome === 's' || run.outcome === 'r') continue;
    const [, rows, slowest, count, failed] = history.slots.get(run.slot) ?? [run.slot, 0, 0, 0, 0];
    history.slots.set(run.slot, [
      run.slot,
      rows + run.rows,
      Math.max(slowest, run.ms),
      count + 1,
      failed + (run.outcome === 'f' ? 1 : 0),
    ]);
  }
  history.runs.length = Math.min(history.runs.length, MOST_RUNS);
  for (const slot of [...history.slots.keys()].sort((a, b) => b - a).slice(MOST_SLOTS)) history.slots.delete(slot);
}

function isSame(a, b) {
  return a.server === b.server && a.slot === b.slot && a.outcome === b.outcome;
}

function historyText({ slots, since }, problems) {
  const reach = since === null ? 'all that is kept' : `since ${instant(since)}`;
  const unread = problems.length > 0 ? `; ${plural(problems.length, 'record')} could not be read` : '';
  return slots.size === 0
    ? `No run is recorded (${reach})${unread}.`
    : `${plural(slots.size, 'slot')}, ${reach}${unread}.`;
}

function drawStanding(place, job, servers, now) {
  const counts = new Map();
  for (const server of servers) {
    const status = statusOf(job, job.runs.get(server));
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  keyed(
    place,
    [...STATUS_NAMES.filter((status) => counts.has(status)), 'next'],
    (status) => status,
    (status) => h('span', { class: status === 'next' ? 'state' : `state s-${status}` }),
    (state, status) => {
      if (status === 'next')
        setText(state, job.timing && !job.pause ? `next slot ${relative(job.timing[0], now)}` : '');
      else setText(state, `${STATUSES[status].glyph} ${fullNumber(counts.get(status))} ${STATUSES[status].word}`);
    },
  );
}

function drawErrors(place, failures, now) {
  keyed(
    place,
    failures.slice(0, 20),
    ({ key }) => key,
    ({ error }) => {
      const who = h('p', { class: 'who' });
      const item = h('div', { class: 'full-error' }, h('pre', {}, error.message));
      if (error.hint) item.append(h('p', { class: 'hint' }, error.hint));
      item.append(who);
      return withParts(item, { who });
    },
    (item, { error, servers, slot }) => {
      setText(item.querySelector('pre'), error.message);
      const code = error.code ? `, code ${error.code}` : '';
      const names = [...servers].slice(0, 8).join(', ');
      const left = servers.size > 8 ? ` and ${fullNumber(servers.size - 8)} more` : '';
      setText(item.parts.who, `${error.kind}${code} · on ${names}${left} · slot ${relative(slot, now)}`);
    },
  );
}

function lagsText(lags) {
  const parts = Object.entries(lags).map(([partition, lag]) => `partition ${partition}: ${fullNumber(lag)}`);
  return `${lagText(lags)} (${parts.join(', ')}), as this replica reads it`;
}

function drawDetails(parts, { definition, next }, job) {
  parts.definition.replaceChildren(
    ...definition.flatMap(({ field, text, sql }) => [
      h('dt', {}, field),
      h('dd', {}, sql ? h('pre', { tabindex: 0 }, text) : text),
    ]),
  );
  const items = next.map((slot) => {
    const local = job?.timezone && job.timezone !== 'UTC' ? ` = ${inZone(slot, job.timezone)} ${job.timezone}` : '';
    const age = h('span', { class: 'age' });
    return withParts(h('li', {}, h('time', { datetime: instant(slot) }, instant(slot)), local, ' ', age), {
      slot,
      age,
    });
  });
  parts.slots.replaceChildren(...(items.length > 0 ? items : [h('li', {}, 'none: it has no schedule')]));
}

function drawAges(list, now) {
  for (const { parts } of list.children) if (parts) setText(parts.age, relative(parts.slot, now));
  setAttribute(list, 'data-read', list.children.length > 0);
}
