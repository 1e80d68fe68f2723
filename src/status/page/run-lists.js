// Two tables of runs: a job's last ones in time, and the last one on each server.
import { h, keyed, scrollBox, setText, tableHead, withParts } from './dom.js';
import { bytes, clock, fullNumber, plural, relative, took } from './format.js';
import { outcomeStatus, outcomeText, STATUSES, statusOf } from './status.js';

const FIRST_SERVERS = 25;

/** Newest first. */
export function createRunList(withServer) {
  const body = h('tbody', {});
  const columns = [
    ['Slot (UTC)', 'num'],
    ...(withServer ? [['Server', '']] : []),
    ['Outcome', ''],
    ['Rows', 'num'],
    ['Size', 'num wide'],
    ['Took', 'num'],
  ];
  const table = h('table', { class: 'runs' }, tableHead(columns), body);
  return {
    element: scrollBox('Last runs', table),
    update(runs, now) {
      keyed(
        body,
        runs,
        (run) => `${run.server} ${run.slot} ${run.outcome} ${run.rows} ${run.ms}`,
        (run) => createRun(run, withServer),
        (row, run) => setText(row.parts.slot, clock(run.slot, now)),
      );
    },
  };
}

function createRun(run, withServer) {
  const slot = h('td', { class: 'num' });
  const skipped = run.outcome === 's';
  const row = h(
    'tr',
    {},
    slot,
    withServer && h('td', {}, run.server),
    h('td', {}, outcome(run)),
    h('td', { class: 'num' }, skipped ? (run.more?.slots ? plural(run.more.slots, 'slot') : '') : fullNumber(run.rows)),
    h('td', { class: 'num wide' }, run.bytes > 0 ? bytes(run.bytes) : ''),
    h('td', { class: 'num' }, skipped || run.outcome === 'r' ? '' : took(run.ms)),
  );
  return withParts(row, { slot });
}

function outcome(run) {
  const status = outcomeStatus(run);
  const glyph = h('span', { class: 'glyph', 'aria-hidden': 'true' }, STATUSES[status].glyph);
  const attempts = run.more?.attempts ? `, ${run.more.attempts} attempts` : '';
  const text = `${outcomeText(run)}${attempts}`;
  const error = run.more?.error && h('span', { class: 'error-text' }, run.more.error.message);
  return h('span', {}, h('span', { class: `state s-${status}` }, glyph, text), error);
}

/** Worst first; the rest of a long list when it is asked for. */
export function createServerList(job) {
  const body = h('tbody', {});
  const table = h(
    'table',
    { class: 'runs' },
    tableHead([
      ['Server', ''],
      ['Last outcome', ''],
      ['Rows', 'num'],
      ['Took', 'num wide'],
      ['Slot', 'num'],
    ]),
    body,
  );
  let all = false;
  let redraw;
  const more = h('button', {
    type: 'button',
    onclick() {
      all = true;
      redraw?.();
    },
  });
  return {
    element: h('div', {}, scrollBox('Servers', table), more),
    update(of, servers, now) {
      redraw = () => this.update(of, servers, now);
      const rank = (server) => STATUSES[statusOf(of, of.runs.get(server))].rank;
      const ordered = servers.map((server) => [rank(server), server]).sort(([a], [b]) => a - b);
      const shown = all ? ordered : ordered.slice(0, FIRST_SERVERS);
      keyed(
        body,
        shown,
        ([, server]) => server,
        ([, server]) => createRunLine(job, server, server),
        (row, [, server]) => updateRunLine(row, of, of.runs.get(server), now),
      );
      more.hidden = shown.length === ordered.length;
      setText(more, `Show all ${fullNumber(ordered.length)}`);
    },
  };
}

/** A line of the last run of a (job, server), under the name of the one that the list is not of. */
export function createRunLine(job, server, name) {
  const parts = {
    state: h('td', {}),
    rows: h('td', { class: 'num' }),
    took: h('td', { class: 'num wide' }),
    slot: h('td', { class: 'num' }),
  };
  const href = `#/jobs/${encodeURIComponent(job)}?server=${encodeURIComponent(server)}`;
  const row = h('tr', {}, h('th', { scope: 'row' }, h('a', { href }, name)), ...Object.values(parts));
  return withParts(row, parts);
}

/** `job`: as the model has it. */
export function updateRunLine({ parts }, job, run, now) {
  const status = statusOf(job, run);
  const key = `${status} ${run?.outcome} ${run?.more?.error?.message} ${run?.more?.reason}`;
  if (parts.state.dataset.key !== key) {
    parts.state.dataset.key = key;
    const late = status === 'late' || status === 'paused' || !run;
    const glyph = h('span', { class: 'glyph', 'aria-hidden': 'true' }, STATUSES[status].glyph);
    const state = late ? h('span', { class: `state s-${status}` }, glyph, STATUSES[status].word) : outcome(run);
    parts.state.replaceChildren(state);
  }
  setText(parts.rows, run && run.outcome !== 's' && run.outcome !== 'r' ? fullNumber(run.rows) : '');
  setText(parts.took, run && run.outcome !== 's' && run.outcome !== 'r' ? took(run.ms) : '');
  setText(parts.slot, run ? relative(run.slot, now) : '');
}
