// A long list of which only what is in sight is built: rows of one height, moved through by the arrow keys.

import { h } from "./dom.js";

const SPARE = 6;
const RELEASES = ["keyup", "pointerup", "pointercancel", "contextmenu", "blur"];

/**
 * Return a list as `{element, show(items)}`.
 *
 * @param label its name for screen readers.
 * @param row `(item, index) => element`: its first focusable element is reached by the arrow keys. Rows are rebuilt at will.
 * @param rowHeight in CSS pixels.
 */
export function windowedList({ label, row, rowHeight }) {
  const ground = h("ul", { class: "windowed-ground", "aria-label": label });
  const element = h("div", { class: "windowed", onscroll: () => schedule(), onkeydown: keyed, onpointerdown: (event) => { if (event.button === 0) pressed(event); }, onfocusin: entered }, ground);
  let items = [];
  let current = 0;
  let asked = 0;
  let press = null;
  let isDue = false;

  function schedule() {
    asked ||= requestAnimationFrame(() => { asked = 0; isDue = isHeld(); if (!isDue) draw(); });
  }

  /**
   * While a key or a button is down on a row, no row is rebuilt: what is let go of where nothing was pressed is no click.
   * Nor while a dialog is open: the focus comes back to where it was opened.
   */
  function isHeld() {
    const dialog = document.querySelector("dialog:modal");
    dialog?.addEventListener("close", schedule, { once: true });
    return Boolean(press || dialog);
  }

  function pressed(event) {
    if (press || !event.target.closest(".windowed-row")) return;
    press = new AbortController();
    for (const end of RELEASES) window.addEventListener(end, released, { signal: press.signal });
  }

  function released() {
    press.abort();
    press = null;
    if (isDue) schedule();
  }

  function keyed(event) {
    pressed(event);
    moved(event);
  }

  function draw() {
    const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - SPARE);
    const last = Math.min(items.length, Math.ceil((element.scrollTop + (element.clientHeight || 600)) / rowHeight) + SPARE);
    const held = ground.contains(document.activeElement) ? focusedPlace() : null;
    const shown = [];
    for (let index = first; index < last; index += 1) shown.push(placed(index));
    // The row with the focus stays, however far it is scrolled away: the keyboard would be lost with it.
    if (held && (held.index < first || held.index >= last) && held.index < items.length) shown.push(placed(held.index));
    ground.replaceChildren(...shown);
    if (held) focusables(rowAt(Math.min(held.index, items.length - 1)))[held.step]?.focus({ preventScroll: true });
  }

  function placed(index) {
    const content = row(items[index], index);
    const item = h("li", { class: "windowed-row", dataset: { index: String(index) }, "aria-setsize": String(items.length), "aria-posinset": String(index + 1),
      style: { transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` } }, content);
    for (const one of focusables(item)) one.tabIndex = index === current ? 0 : -1;
    return item;
  }

  const rowAt = (index) => ground.querySelector(`[data-index="${index}"]`);
  const focusables = (item) => (item ? [...item.querySelectorAll("input, button, a")].filter((one) => !one.disabled) : []);

  function focusedPlace() {
    const item = document.activeElement.closest(".windowed-row");
    return item && { index: Number(item.dataset.index), step: focusables(item).indexOf(document.activeElement) };
  }

  function entered(event) {
    const index = Number(event.target.closest(".windowed-row")?.dataset.index ?? current);
    if (index === current) return;
    for (const one of focusables(rowAt(current))) one.tabIndex = -1;
    for (const one of focusables(rowAt(index))) one.tabIndex = 0;
    current = index;
  }

  function moved(event) {
    const page = Math.max(1, Math.floor(element.clientHeight / rowHeight) - 1);
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || event.target.type === "text" || !items.length) return;
    event.preventDefault();
    go(Math.max(0, Math.min(items.length - 1, to)));
  }

  function go(index) {
    current = index;
    const top = index * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
    document.activeElement.blur?.();
    draw();
    focusables(rowAt(index))[0]?.focus({ preventScroll: true });
  }

  new ResizeObserver(schedule).observe(element);
  return {
    element,
    /** Show these items; where it is scrolled to, and the focus, stay. */
    show(next) {
      items = next;
      current = Math.max(0, Math.min(current, items.length - 1));
      ground.style.setProperty("height", `${items.length * rowHeight}px`);
      schedule();
    },
  };
}
