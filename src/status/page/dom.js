// Making and updating elements. Nothing is set that a strict Content-Security-Policy forbids: no style attribute, no HTML text.

/** An element: `on…` are listeners, `class` and all others attributes; undefined and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Keeps what is to be updated beside the element; under one name, as elements have properties of nearly every other. */
export function withParts(element, parts) {
  element.parts = parts;
  return element;
}

/** Nothing is touched that is right already: a screen reader would read it again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

const lists = new WeakMap();

/** Makes the children of `parent` those of `items`, in their order; an element stays the same for the same key. */
export function keyed(parent, items, keyOf, create, update) {
  const elements = lists.get(parent) ?? new Map();
  lists.set(parent, elements);
  const wanted = new Set();
  let previous = null;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let element = elements.get(key);
    if (!element) {
      element = create(item);
      elements.set(key, element);
    }
    update(element, item);
    const place = previous ? previous.nextSibling : parent.firstChild;
    if (element !== place) parent.insertBefore(element, place);
    previous = element;
  }
  for (const [key, element] of elements) {
    if (wanted.has(key)) continue;
    element.remove();
    elements.delete(key);
  }
}

/** A table that scrolls sideways by itself on a narrow screen, by keyboard too. */
export function scrollBox(label, table) {
  return h('div', { class: 'scroll', role: 'region', 'aria-label': `${label}, table`, tabindex: 0 }, table);
}

/** `columns`: [text, class]. */
export function tableHead(columns) {
  return h('thead', {}, h('tr', {}, ...columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text))));
}
