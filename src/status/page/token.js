// Asking for the token, once in a browser's session, when something needs it.
import { forgetToken, hasToken, Refused, rememberToken } from './connection.js';
import { h } from './dom.js';

/** Does `work`; where a token is needed or the one given is wrong, asks for it and tries again. Undefined when the person gives up. */
export async function withToken(work, why) {
  let complaint = '';
  for (;;) {
    if (complaint === '' || hasToken()) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 401) throw error;
        complaint = hasToken() ? 'The token is wrong.' : ' ';
        forgetToken();
      }
    }
    if (!(await askToken(why, complaint))) return undefined;
  }
}

function askToken(why, complaint) {
  const field = h('input', { type: 'password', id: 'token', autocomplete: 'off', required: true });
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'token-title' },
    h(
      'form',
      {
        method: 'dialog',
        onsubmit(event) {
          event.preventDefault();
          rememberToken(field.value);
          dialog.close('given');
        },
      },
      h('h2', { id: 'token-title' }, 'Token'),
      h('p', {}, why),
      h('label', { for: 'token' }, 'status.token of pgtally.yaml'),
      field,
      h('p', { class: 'complaint', role: 'alert' }, complaint.trim()),
      h(
        'p',
        { class: 'buttons' },
        h('button', { type: 'submit', class: 'primary' }, 'Go on'),
        h('button', { type: 'button', onclick: () => dialog.close('') }, 'Cancel'),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'given');
    });
  });
}
