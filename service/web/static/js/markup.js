// A model's Markdown on the page. HTML is made and sanitised by the service; here it is only put in place,
// and this is the one module that may: the policy below is the only one the page's headers allow.

import { post } from "./api.js";
import { h } from "./dom.js";

const MOST = 100_000; // characters of one request: what the service takes
const GAP_MS = 160; // between two requests while a text is being written
const UNFINISHED = /[[【][^[\]【】\n]{0,200}$/; // what may become a mark

const policy = globalThis.trustedTypes?.createPolicy("unabridged", { createHTML: (html) => html });

/**
 * Return a text that grows: `{element, append(text), finish(text)}`.
 *
 * Blocks that are settled stay as they are; only what comes last is drawn again, a few times a second.
 * `decorate(button, index)` is called for each mark of a citation that comes onto the page. `finish(text)`
 * resolves when all of the text stands there, another one where it is told; whatever fails then is thrown by it.
 */
export function growing({ decorate, signal }) {
  const element = h("div", { class: "prose" });
  let text = "";
  let state = fresh();
  let running = null;

  function fresh() {
    return { start: 0, marks: 0, open: [], drawn: "", shownTo: 0, html: null };
  }

  async function draw(upTo) {
    const tail = upTo.slice(state.start);
    const part = tail.slice(0, MOST);
    const made = await post("/web/markdown", { text: part, first_mark: state.marks }, { signal });
    const isAll = part.length === tail.length;
    // A block that alone is larger than a request is shown in pieces rather than never.
    const nothingSettled = made.lines === 0 && !isAll;
    const html = nothingSettled ? made.settled + made.open : made.settled;
    place(html, nothingSettled ? "" : made.open);
    state.start += nothingSettled ? part.length : afterLines(part, made.lines);
    state.marks += nothingSettled ? marksIn(html) : made.marks;
    state.shownTo = isAll ? upTo.length : state.start;
    return isAll;
  }

  function place(settled, open) {
    if (!settled && open === state.html) return;
    for (const node of state.open) node.remove();
    element.append(parsed(settled, decorate));
    const last = parsed(open, decorate);
    state.open = [...last.childNodes];
    state.html = open;
    element.append(last);
  }

  async function drawAll(isWhole) {
    for (;;) {
      if (!isWhole()) await pause(lastAt + GAP_MS - performance.now());
      lastAt = performance.now();
      const upTo = isWhole() ? text : text.replace(UNFINISHED, "");
      if (upTo.length <= state.shownTo && state.shownTo > 0) return;
      if (await draw(upTo) && upTo.length === text.length) return;
    }
  }

  let whole = false;
  let lastAt = -GAP_MS;
  let failure = null;

  function kick() {
    running ??= drawAll(() => whole).catch((error) => { failure = error; }).finally(() => { running = null; });
    return running;
  }

  return {
    element,
    append(more) {
      text += more;
      failure = null;
      kick();
    },
    async finish(all = text) {
      whole = true;
      while (running) await running;
      if (all !== text) {
        if (!all.startsWith(text)) {
          state = fresh();
          element.replaceChildren();
        }
        text = all;
      }
      failure = null;
      if (state.shownTo < text.length) await kick();
      if (failure) throw failure;
    },
    get text() { return text; },
  };
}

/** Return sanitised HTML of the service as nodes. */
function parsed(html, decorate) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  for (const button of template.content.querySelectorAll("button.cite")) decorate(button, Number(button.dataset.index));
  for (const table of template.content.querySelectorAll("table")) {
    const frame = h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  return template.content;
}

const pause = (ms) => (ms > 0 ? new Promise((resolve) => { setTimeout(resolve, ms); }) : null);

const marksIn = (html) => html.split('class="cite"').length - 1;

/** Return how many characters the first lines of a text take, their ends included. */
function afterLines(text, lines) {
  let at = 0;
  for (let line = 0; line < lines; line += 1) at = text.indexOf("\n", at) + 1;
  return at;
}
