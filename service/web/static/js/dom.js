// Builds elements. Strings become text nodes, always: nothing here ever parses HTML.

const SVG = "http://www.w3.org/2000/svg";
const LIVE = new Set(["value", "checked", "disabled", "indeterminate", "open", "hidden", "selected", "inert"]);

/**
 * Return an element.
 *
 * `props`: `class`, `dataset` (an object), `style` (an object of CSS properties, set by CSSOM), `on…` functions,
 * live properties (`value`, `checked`, `disabled`, `hidden`, …), and any attribute; null and false leave one out.
 * `children`: nodes, strings, numbers, and lists of them; null, undefined and false are passed over.
 */
export function h(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

/** Put these children in place of what an element holds; return it. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Say something to screen readers, without moving anything. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** Return a function that runs `action` once calls have paused for `ms`; `.now()` runs it at once, `.stop()` never. */
export function debounced(action, ms) {
  let timer = 0;
  const later = (...args) => { clearTimeout(timer); timer = setTimeout(() => action(...args), ms); };
  later.now = (...args) => { clearTimeout(timer); return action(...args); };
  later.stop = () => clearTimeout(timer);
  return later;
}

let ids = 0;

/** Return an id that no other element has. */
export function newId(stem) {
  ids += 1;
  return `${stem}-${ids}`;
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
  else if (LIVE.has(name)) element[name] = value;
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
