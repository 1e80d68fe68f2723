// The page: which view is shown, when it is brought up to date, and what is said when the connection is lost.
import { followEvents, getJson, Refused } from './connection.js';
import { h, setAttribute, setText } from './dom.js';
import { createJobView } from './job.js';
import { applyEvent, createModel } from './model.js';
import { createOverview } from './overview.js';
import { createReplicasView } from './replicas.js';
import { createServerView } from './server.js';
import { STATUSES, statusOf } from './status.js';
import { withToken } from './token.js';

const main = document.getElementById('main');
const linkText = document.getElementById('link-text');
const link = document.getElementById('link');
const banner = document.getElementById('banner');
const announcer = document.getElementById('announce');

let model;
let view;
let shown = '';
/** Events that came before the state. */
let early = [];
let skew = 0;
let loading;
let drawn = false;

const now = () => (Date.now() + skew) / 1000;

function route() {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [kind, name = ''] = path.split('/');
  return { kind, name: decodeURIComponent(name), query: new URLSearchParams(query), text: location.hash };
}

function show() {
  // `#main` and the like are places on the page.
  if (!model || (location.hash !== '' && !location.hash.startsWith('#/'))) return;
  const at = route();
  if (shown !== at.text || !view) {
    view?.close?.();
    view = open(at);
    main.replaceChildren(view.element);
    document.title = view.title ? `${view.title} · pgtally` : 'pgtally';
    for (const anchor of document.querySelectorAll('header nav a'))
      setAttribute(anchor, 'aria-current', anchor.hash === (at.kind ? `#/${at.kind}` : '#/') ? 'page' : undefined);
    if (shown !== '') {
      main.focus();
      window.scrollTo(0, 0);
    }
    shown = at.text || '#/';
  }
  draw();
}

function open({ kind, name, query }) {
  if (kind === 'jobs') return createJobView(name, query.get('server') ?? undefined, () => model);
  if (kind === 'servers') return createServerView(name, () => model);
  if (kind === 'replicas') return createReplicasView();
  return createOverview();
}

function draw() {
  drawn = true;
  view?.update(model, now());
  setText(
    linkText,
    link.dataset.link === 'live' ? 'live' : link.dataset.link === 'lost' ? 'connection lost' : 'connecting',
  );
  const trouble = !model.fleet.available
    ? 'Kafka is not reached: nothing is dispatched, and what is shown is the last that was read.'
    : model.problems[0];
  banner.hidden = trouble === undefined;
  setText(banner, trouble ?? '');
  announce();
}

/** Told to who cannot see it change: jobs that begin or cease to fail. */
const failing = new Map();
function announce() {
  const words = [];
  for (const job of model.jobs.values()) {
    const count = job.servers.filter((server) => statusOf(job, job.runs.get(server)) === 'failed').length;
    const before = failing.get(job.name);
    failing.set(job.name, count);
    if (before === undefined || before > 0 === count > 0) continue;
    words.push(count > 0 ? `${job.name} ${STATUSES.failed.word} on ${count} servers` : `${job.name} runs again`);
  }
  if (words.length > 0) announcer.textContent = words.slice(0, 5).join('; ');
}

function takeIn(name, data) {
  if (!model || loading) {
    early.push([name, data]);
    return;
  }
  if (name === 'hello') {
    // What happened between the state and the first event is in neither.
    if (model.epoch !== data.epoch || model.seq < data.seq) void load();
    return;
  }
  const came = applyEvent(model, name, data);
  if (came === undefined) {
    load();
    return;
  }
  for (const [job, runs] of Object.entries(came)) view?.came?.(job, runs);
  drawn = false;
}

function load() {
  loading ??= (async () => {
    try {
      const answer = await withToken(() => getJson('api/state'), 'This page is seen with the token only.');
      if (!answer) {
        main.replaceChildren(
          h('p', { class: 'error' }, 'This page is seen with the token only. Load it again to give it.'),
        );
        return;
      }
      if (!Number.isNaN(answer.at)) skew = Math.abs(answer.at - Date.now()) > 2000 ? answer.at - Date.now() : 0;
      model = createModel(answer.data);
    } catch (error) {
      if (model) setTimeout(load, 2000);
      else
        main.replaceChildren(h('p', { class: 'error', role: 'alert' }, `The fleet cannot be read: ${error.message}`));
      if (error instanceof Refused && error.hint && !model) main.append(h('p', {}, `Hint: ${error.hint}`));
      return;
    } finally {
      loading = undefined;
    }
    const waiting = early;
    early = [];
    for (const [name, data] of waiting) takeIn(name, data);
    show();
  })();
  return loading;
}

function setLink(state) {
  link.dataset.link = state;
  if (model) drawn = false;
}

window.addEventListener('hashchange', show);
// Ages grow, and what came meanwhile is shown, once a second; not at all in a window that nobody sees.
setInterval(() => {
  if (model && document.visibilityState === 'visible') draw();
}, 1000);
setInterval(() => {
  if (model && !drawn && document.visibilityState === 'visible') draw();
}, 250);

// The events first, so that what happens while the state is read is among them.
const follow = () => followEvents(takeIn, setLink);
const following = follow();
const loaded = load();
following
  .catch(async () => {
    // Refused before the token was given.
    await loaded;
    if (model) await follow();
  })
  .catch((error) => {
    setLink('lost');
    banner.hidden = false;
    setText(banner, error.message);
  });
