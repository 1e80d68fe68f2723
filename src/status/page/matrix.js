// Every job on every server. Only the lines in sight are elements: a thousand servers by fifty jobs would be too many. A grid to
// the keyboard (WAI-ARIA Authoring Practices, grid pattern): one cell can be reached by Tab, the arrows move.
import { h, setAttribute, setText } from './dom.js';
import { shortNumber } from './format.js';
import { describe, STATUSES, statusOf } from './status.js';

const LINE_HEIGHT = 26;
const BEYOND = 8;
/** With so few jobs there is room for a number in each cell. */
const FEW_JOBS = 6;

export function createMatrix() {
  const head = h('thead', {});
  const body = h('tbody', {});
  const above = h('tr', { class: 'gap', 'aria-hidden': 'true' }, h('td', {}));
  const below = h('tr', { class: 'gap', 'aria-hidden': 'true' }, h('td', {}));
  const table = h('table', { role: 'grid', class: 'matrix', 'aria-labelledby': 'matrix' }, head, body);
  const box = h('div', { class: 'window', tabindex: -1, onscroll: () => paint() }, table);
  const detail = h('p', { class: 'detail' }, 'Point at a cell, or move with the arrow keys, to read it here.');
  const element = h(
    'section',
    { 'aria-labelledby': 'matrix', class: 'panel' },
    h('h2', { id: 'matrix' }, 'Servers × jobs'),
    box,
    detail,
  );

  /** By number of the line. */
  const lines = new Map();
  const active = { line: 0, column: 0 };
  let servers = [];
  let jobs = [];
  let now = 0;
  let columns = '';

  function update(chosen, time) {
    now = time;
    servers = inUse() ? sameOrder(chosen.servers) : chosen.servers;
    jobs = chosen.jobs.filter(({ servers: its }) => its.length > 0);
    element.hidden = servers.length === 0 || jobs.length === 0;
    if (element.hidden) return;
    drawHead();
    setAttribute(table, 'aria-rowcount', servers.length + 1);
    setAttribute(table, 'aria-colcount', jobs.length + 1);
    active.line = Math.min(active.line, servers.length - 1);
    active.column = Math.min(active.column, jobs.length - 1);
    paint();
  }

  /** Lines must not change places under a pointer or while somebody moves through them. */
  function inUse() {
    return box.matches(':hover') || box.contains(document.activeElement);
  }

  function sameOrder(list) {
    const byName = new Map(list.map((server) => [server.name, server]));
    const same = list.length === servers.length && servers.every(({ name }) => byName.has(name));
    return same ? servers.map(({ name }) => byName.get(name)) : list;
  }

  function drawHead() {
    const now = jobs.map(({ name }) => name).join('\n');
    if (now === columns) return;
    columns = now;
    table.classList.toggle('roomy', jobs.length <= FEW_JOBS);
    const names = jobs.map(({ name }) =>
      h('th', { scope: 'col' }, h('a', { href: `#/jobs/${encodeURIComponent(name)}`, tabindex: -1 }, name)),
    );
    head.replaceChildren(h('tr', { 'aria-rowindex': 1 }, h('th', { scope: 'col' }, 'Server'), ...names));
    for (const line of lines.values()) line.remove();
    lines.clear();
  }

  /** Makes the lines in sight, drops the others, and leaves their room free. */
  function paint() {
    const first = Math.max(0, Math.floor(box.scrollTop / LINE_HEIGHT) - BEYOND);
    const last = Math.min(servers.length, Math.ceil((box.scrollTop + box.clientHeight) / LINE_HEIGHT) + BEYOND);
    for (const [number, line] of lines) {
      if (number >= first && number < last) continue;
      line.remove();
      lines.delete(number);
    }
    if (above.parentNode !== body) body.append(above, below);
    above.firstChild.style.height = `${first * LINE_HEIGHT}px`;
    below.firstChild.style.height = `${(servers.length - last) * LINE_HEIGHT}px`;
    setAttribute(above, 'hidden', first === 0);
    setAttribute(below, 'hidden', last === servers.length);
    for (let number = first; number < last; number++) {
      const line = lines.get(number) ?? addLine(number);
      fill(line, servers[number]);
    }
  }

  function addLine(number) {
    const name = h('a', { tabindex: -1 });
    const cells = jobs.map((_, column) => h('td', { role: 'gridcell', tabindex: -1, 'data-column': column }));
    const line = h(
      'tr',
      { 'aria-rowindex': number + 2, 'data-line': number },
      h('th', { scope: 'row', role: 'rowheader' }, name),
      ...cells,
    );
    line.parts = { name, cells };
    lines.set(number, line);
    // Lines stay in their order, between the two gaps.
    const next = [...lines].filter(([other]) => other > number).sort(([a], [b]) => a - b)[0];
    body.insertBefore(line, next ? next[1] : below);
    return line;
  }

  function fill(line, server) {
    if (line.parts.name.textContent !== server.name) {
      line.parts.name.textContent = server.name;
      line.parts.name.href = `#/servers/${encodeURIComponent(server.name)}`;
      line.parts.name.title = server.name;
    }
    const roomy = jobs.length <= FEW_JOBS;
    for (const [column, job] of jobs.entries()) {
      const cell = line.parts.cells[column];
      const here = Number(line.dataset.line) === active.line && column === active.column;
      setAttribute(cell, 'tabindex', here ? 0 : -1);
      const has = server.jobs.includes(job);
      const run = has ? job.runs.get(server.name) : undefined;
      const status = has ? statusOf(job, run) : 'none';
      const number = roomy && run && (status === 'published' || status === 'late') ? shortNumber(run.rows) : '';
      const key = `${status} ${number} ${server.name}`;
      if (cell.dataset.key === key) continue;
      cell.dataset.key = key;
      cell.className = `s-${status}`;
      const word = has ? STATUSES[status].word : 'does not run here';
      setAttribute(
        cell,
        'aria-label',
        `${job.name} on ${server.name}: ${word}${number ? `, ${number} row${number === '1' ? '' : 's'}` : ''}`,
      );
      setText(cell, has ? `${STATUSES[status].glyph}${number ? ` ${number}` : ''}` : '');
    }
  }

  function read(cell) {
    const line = Number(cell.parentNode.dataset.line);
    const [server, job] = [servers[line], jobs[Number(cell.dataset.column)]];
    if (!server || !job) return;
    const runs = server.jobs.includes(job);
    setText(
      detail,
      runs ? describe(job, server.name, job.runs.get(server.name), now) : `${job.name} does not run on ${server.name}`,
    );
  }

  function open(cell) {
    const line = Number(cell.parentNode.dataset.line);
    const job = jobs[Number(cell.dataset.column)].name;
    location.hash = `#/jobs/${encodeURIComponent(job)}?server=${encodeURIComponent(servers[line].name)}`;
  }

  function move(line, column) {
    active.line = Math.max(0, Math.min(servers.length - 1, line));
    active.column = Math.max(0, Math.min(jobs.length - 1, column));
    const top = active.line * LINE_HEIGHT;
    const room = box.clientHeight - head.offsetHeight - LINE_HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top > box.scrollTop + room) box.scrollTop = top - room;
    paint();
    lines.get(active.line).parts.cells[active.column].focus();
  }

  const cellOf = (event) => event.target.closest('td[data-column]');
  body.addEventListener('mouseover', (event) => {
    const cell = cellOf(event);
    if (cell) read(cell);
  });
  body.addEventListener('focusin', (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    active.line = Number(cell.parentNode.dataset.line);
    active.column = Number(cell.dataset.column);
    read(cell);
  });
  body.addEventListener('click', (event) => {
    const cell = cellOf(event);
    if (cell) open(cell);
  });
  body.addEventListener('keydown', (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    const { line, column } = active;
    const page = Math.max(1, Math.floor(box.clientHeight / LINE_HEIGHT) - 2);
    const to = {
      ArrowUp: [line - 1, column],
      ArrowDown: [line + 1, column],
      ArrowLeft: [line, column - 1],
      ArrowRight: [line, column + 1],
      PageUp: [line - page, column],
      PageDown: [line + page, column],
      Home: [event.ctrlKey ? 0 : line, 0],
      End: [event.ctrlKey ? servers.length - 1 : line, jobs.length - 1],
    }[event.key];
    if (event.key === 'Enter') open(cell);
    else if (to) move(...to);
    else return;
    event.preventDefault();
  });

  return { element, update };
}
