// Run now, pause and resume, with the token; what came of it is said beside the buttons.
import { postJson } from './connection.js';
import { h, setText } from './dom.js';
import { fullNumber, plural } from './format.js';
import { withToken } from './token.js';

/** The buttons of a job; `server`: only this one is run. */
export function createActions(name, server) {
  const said = h('p', { class: 'said', role: 'status' });
  const why = 'Running, pausing and resuming need the token of this installation.';
  let busy = false;
  const act = async (action, body, done) => {
    if (busy) return;
    busy = true;
    setText(said, '…');
    try {
      const answer = await withToken(() => postJson(`api/jobs/${encodeURIComponent(name)}/${action}`, body), why);
      setText(said, answer === undefined ? '' : done(answer));
      said.className = 'said';
    } catch (error) {
      setText(said, `${error.message}${error.hint ? ` (${error.hint})` : ''}`);
      said.className = 'said complaint';
    } finally {
      busy = false;
    }
  };

  const run = h(
    'button',
    {
      type: 'button',
      class: 'primary',
      onclick: () =>
        act(
          'run',
          server === undefined ? {} : { servers: [server] },
          ({ servers }) => `Runs now on ${plural(servers, 'server')}.`,
        ),
    },
    server === undefined ? 'Run now' : `Run now on ${server}`,
  );
  const note = h('input', { type: 'text', id: 'note', maxlength: 500, placeholder: 'why, for the others' });
  const pause = h(
    'form',
    {
      class: 'pause',
      onsubmit(event) {
        event.preventDefault();
        void act('pause', { note: note.value }, () => 'Paused on every replica.');
      },
    },
    h('label', { for: 'note' }, 'Note'),
    note,
    h('button', { type: 'submit' }, 'Pause'),
  );
  const resume = h('button', { type: 'button', onclick: () => act('resume', {}, () => 'Resumed.') }, 'Resume');
  const off = h(
    'p',
    { class: 'off' },
    'Actions are off. To run and pause jobs from here, set ',
    h('code', {}, 'status: {token: …}'),
    ' in pgtally.yaml and restart.',
  );
  const progress = h('div', { class: 'progress' });
  const buttons = h('div', { class: 'buttons' }, run, pause, resume);
  const element = h('div', { class: 'actions' }, buttons, off, said, progress);
  let shown = '';

  return {
    element,
    update(model, job) {
      buttons.hidden = !model.actions;
      off.hidden = model.actions;
      run.hidden = !job.known;
      pause.hidden = !job.known || (!job.schedule && !job.stream) || job.pause !== undefined;
      resume.hidden = job.pause === undefined;
      const hand = model.byHand.get(name);
      const text = JSON.stringify(hand ?? null);
      if (text === shown) return;
      shown = text;
      progress.replaceChildren(...(hand ? handRun(hand) : []));
    },
  };
}

function handRun({ asked, servers, done, failed, rows, finished, errors }) {
  const state = finished ? 'ended' : `${fullNumber(done)} of ${plural(servers, 'server')} done`;
  return [
    h(
      'p',
      { class: failed > 0 ? 'hand s-failed' : 'hand', 'data-hand': finished ? 'ended' : 'running' },
      `Run by hand at ${asked.slice(11, 19)}: ${state}, ${plural(rows, 'row')}, ${fullNumber(failed)} failed`,
    ),
    ...errors.map(({ server, message, hint }) =>
      h(
        'p',
        { class: 'error-line' },
        h('strong', {}, server),
        ` ${message}`,
        hint ? h('span', { class: 'hint' }, hint) : '',
      ),
    ),
  ];
}
