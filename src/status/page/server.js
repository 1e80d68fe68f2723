// A server: what is known of it, and how each of its jobs last ended there, with errors in full.
import { getJson } from './connection.js';
import { h, keyed, scrollBox, setText, tableHead, withParts } from './dom.js';
import { relative } from './format.js';
import { createRunLine, updateRunLine } from './run-lists.js';
import { STATUSES, statusOf } from './status.js';

export function createServerView(name) {
  const fields = h('dl', { class: 'definition' });
  const body = h('tbody', {});
  const errors = h('div', {});
  const table = h(
    'table',
    { class: 'runs' },
    tableHead([
      ['Job', ''],
      ['Last outcome', ''],
      ['Rows', 'num'],
      ['Took', 'num wide'],
      ['Slot', 'num'],
    ]),
    body,
  );
  const missing = h('p', { class: 'error', hidden: true }, `There is no server named ${name}.`);
  const errorPanel = h(
    'section',
    { class: 'panel bad', 'aria-labelledby': 'errors' },
    h('h2', { id: 'errors' }, 'Errors'),
    errors,
  );
  const element = h(
    'div',
    { class: 'server' },
    h('p', { class: 'path' }, h('a', { href: '#/' }, 'Fleet'), ` / ${name}`),
    h('h1', {}, name),
    missing,
    errorPanel,
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'jobs' },
      h('h2', { id: 'jobs' }, 'Jobs'),
      scrollBox('Jobs', table),
    ),
    h('section', { class: 'panel', 'aria-labelledby': 'about' }, h('h2', { id: 'about' }, 'Server'), fields),
  );
  getJson(`api/servers/${encodeURIComponent(name)}`)
    .then(({ data }) => {
      fields.replaceChildren(...data.fields.flatMap(({ field, text }) => [h('dt', {}, field), h('dd', {}, text)]));
    })
    .catch((error) => fields.replaceChildren(h('dd', {}, error.message)));

  return {
    element,
    title: name,
    update(model, now) {
      const server = model.servers.get(name);
      missing.hidden = server !== undefined;
      if (!server) return;
      const lines = server.jobs.map((job) => ({ job, run: job.runs.get(name) }));
      lines.sort((a, b) => STATUSES[statusOf(a.job, a.run)].rank - STATUSES[statusOf(b.job, b.run)].rank);
      keyed(
        body,
        lines,
        ({ job }) => job.name,
        ({ job }) => createRunLine(job.name, name, job.name),
        (row, { job, run }) => updateRunLine(row, job, run, now),
      );
      const failed = lines.filter(({ job, run }) => statusOf(job, run) === 'failed' && run.more?.error);
      errorPanel.hidden = failed.length === 0;
      keyed(
        errors,
        failed,
        ({ job, run }) => `${job.name} ${run.more.error.message}`,
        ({ job, run }) => {
          const { message, hint } = run.more.error;
          const who = h('p', { class: 'who' });
          const item = h('div', { class: 'full-error' }, h('p', {}, h('strong', {}, job.name)), h('pre', {}, message));
          item.append(hint ? h('p', { class: 'hint' }, hint) : '', who);
          return withParts(item, { who });
        },
        (item, { run }) => setText(item.parts.who, `slot ${relative(run.slot, now)}`),
      );
    },
  };
}
