// Talking to the replica that served this page: requests with the token where there is one, and its events as they come.
// Events are read by fetch, because EventSource cannot send a token.

const TOKEN = 'pgtally-token';
const LONGEST_WAIT = 10_000;

export function rememberToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? more : { ...more, authorization: `Bearer ${token}` };
}

/** What was answered with an error: `status`, its message and hint. */
export class Refused extends Error {
  constructor(status, { error, hint }) {
    super(error ?? `the answer was ${status}`);
    this.status = status;
    this.hint = hint;
  }
}

/** The JSON of an answer, and the server's clock. Throws Refused. */
export async function getJson(path) {
  const response = await fetch(path, { headers: headers() });
  return { data: await readAnswer(response), at: Date.parse(response.headers.get('date') ?? '') };
}

export async function postJson(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: headers({ 'content-type': 'application/json' }),
    body: JSON.stringify(body),
  });
  return readAnswer(response);
}

async function readAnswer(response) {
  if (response.ok) return response.json();
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

/** Calls `onEvent(name, data)` for ever, and `onLink` with `live`, or with `lost` between two attempts. Rejects only with Refused. */
export async function followEvents(onEvent, onLink) {
  for (let wait = 500; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    try {
      const response = await fetch('api/events', { headers: headers() });
      if (!response.ok) throw new Refused(response.status, await response.json());
      onLink('live');
      wait = 250;
      await readEvents(response.body, onEvent);
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    onLink('lost');
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function readEvents(body, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split('\n\n');
    text = events.pop();
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
      if (name) onEvent(name, JSON.parse(data));
    }
  }
}
