// Rows and duration over time, drawn by uPlot, which is loaded when the first plot is wanted. Each plot says in words what it shows.
import { h, setAttribute, setText } from './dom.js';
import { clock, fullNumber, relative, shortNumber, took } from './format.js';

const HEIGHT = 190;

let library;
function loadLibrary() {
  library ??= Promise.all([
    import('./uplot.js'),
    new Promise((resolve, reject) => {
      document.head.append(
        h('link', { rel: 'stylesheet', href: 'assets/uplot.css', onload: resolve, onerror: reject }),
      );
    }),
  ]).then(([{ default: UPlot }]) => UPlot);
  return library;
}

/** Two plots over the same slots: tuples of [slot, rows, slowest ms, runs, failed]. */
export function createPlots() {
  const rows = createPlot('Rows a slot', (slot) => slot[1], shortNumber, fullNumber);
  const slowest = createPlot('Slowest server', (slot) => slot[2], took, took);
  return {
    element: h('div', { class: 'plots' }, rows.element, slowest.element),
    update(slots, now) {
      rows.update(slots, now);
      slowest.update(slots, now);
    },
    close() {
      rows.close();
      slowest.close();
    },
  };
}

function createPlot(title, valueIn, shortly, fully) {
  const place = h('div', { class: 'plot', role: 'img' });
  const words = h('figcaption', {}, title);
  const value = h('span', { class: 'value' });
  words.append(' ', value);
  const element = h('figure', {}, words, place);
  let plot;
  let failures = [];
  let drawn = '';
  let closed = false;
  let making = false;

  const resize = new ResizeObserver(() => {
    if (plot && place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  });
  resize.observe(place);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const repaint = () => plot?.redraw();
  scheme.addEventListener('change', repaint);

  async function make(data) {
    if (making) return;
    making = true;
    const UPlot = await loadLibrary();
    if (closed) return;
    const colour = (name) => () => getComputedStyle(element).getPropertyValue(name);
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    plot = new UPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false },
        scales: { y: { range: (_, _low, high) => [0, Math.max(high ?? 1, 1) * 1.1] } },
        axes: [
          { ...axis, space: 90, values: (_, marks) => marks.map((mark) => clock(mark, Date.now() / 1000)) },
          {
            ...axis,
            size: 62,
            values: (_, marks) => marks.map((mark) => (Number.isInteger(mark) ? shortly(mark) : '')),
          },
        ],
        series: [
          {},
          { label: title, stroke: colour('--plot'), width: 1.5, fill: colour('--plot-fill'), points: { size: 4 } },
        ],
        hooks: { draw: [(drawing) => markFailures(drawing, failures, colour('--failed')())], setCursor: [showCursor] },
      },
      data,
      place,
    );
    setAttribute(place, 'data-drawn', 'true');
  }

  let last = '';
  function showCursor(drawing) {
    const at = drawing.cursor.idx;
    const slot = at === null || at === undefined ? undefined : drawing.data[0][at];
    setText(value, slot === undefined ? last : `${fully(drawing.data[1][at])} at ${clock(slot, Date.now() / 1000)}`);
  }

  return {
    element,
    update(slots, now) {
      const key = JSON.stringify([slots.length, slots.at(-1), slots[0]]);
      if (key === drawn) return;
      drawn = key;
      const values = slots.map(valueIn);
      const data = [slots.map(([slot]) => slot), values];
      failures = slots.flatMap(([, , , , failed], index) => (failed > 0 ? [index] : []));
      element.hidden = slots.length === 0;
      if (slots.length === 0) return;
      last = fully(values.at(-1));
      const range = `${fully(Math.min(...values))} to ${fully(Math.max(...values))}`;
      setAttribute(
        place,
        'aria-label',
        `${title} over ${slots.length} slots since ${relative(slots[0][0], now)}: ${range}, last ${last}; ${failures.length} slots with failures`,
      );
      setText(value, last);
      if (plot) plot.setData(data);
      else void make(data);
    },
    close() {
      closed = true;
      resize.disconnect();
      scheme.removeEventListener('change', repaint);
      plot?.destroy();
    },
  };
}

/** A triangle at the foot of each slot in which a server failed. */
function markFailures({ ctx, bbox, data, valToPos }, failures, colour) {
  const size = 5 * devicePixelRatio;
  const foot = bbox.top + bbox.height;
  ctx.save();
  ctx.fillStyle = colour;
  for (const index of failures) {
    const x = valToPos(data[0][index], 'x', true);
    ctx.beginPath();
    ctx.moveTo(x - size, foot);
    ctx.lineTo(x + size, foot);
    ctx.lineTo(x, foot - 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}
