// The page a citation points to, next to the answer: its picture with the quote marked, or its text.

import { get, getBlob } from "./api.js";
import { capital, meaning, place, verdictBadge, words } from "./citations.js";
import { announce, fill, h } from "./dom.js";
import { count } from "./numbers.js";
import { isAbort, problemNotice } from "./problems.js";

const ZOOMS = [1, 1.35, 1.8, 2.5];
const STEP = 200; // widths are asked for in steps, so that a picture can be kept
const MOST_WIDTH = 3000;
const DRAWABLE = /^(application\/pdf|image\/)/; // of the others the text is shown
const LONGEST_QUOTE = 4000; // of an address

/**
 * Return the viewer: `{element, open(citation, opener), close(), stop()}`; `onClose` is called when it is closed.
 *
 * It takes the focus when it opens and gives it back to `opener` when it closes, also on Escape.
 */
export function viewer({ onClose }) {
  const heading = h("h2", { class: "viewer-title", tabindex: "-1" });
  const where = h("p", { class: "small quiet viewer-where" });
  const verdict = h("div", { class: "viewer-verdict" });
  const back = button("‹", "Previous page", () => turn(-1));
  const forth = button("›", "Next page", () => turn(1));
  const home = h("button", { type: "button", class: "button bare narrow", onclick: () => go(state.cited) }, "Back to the quote");
  const smaller = button("−", "Smaller", () => zoom(-1));
  const larger = button("+", "Larger", () => zoom(1));
  const sheet = h("div", { class: "sheet", tabindex: "0", role: "group", "aria-label": "Page" });
  const element = h("aside", { class: "viewer", hidden: true, "aria-label": "Source" },
    h("div", { class: "viewer-head" }, h("div", { class: "viewer-name" }, heading, where), button("✕", "Close the source", () => close())),
    verdict,
    h("div", { class: "viewer-tools", role: "toolbar", "aria-label": "Page" }, back, forth, home, h("span", { class: "push" }), smaller, larger),
    sheet);
  const covers = matchMedia("(max-width: 60rem)"); // as the style sheet has it: then the page lies over all else
  covers.addEventListener("change", shade);
  let state = null;
  let opener = null;
  let level = 0;
  let showing = new AbortController();
  let picture = null;

  function onKey(event) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) { event.stopPropagation(); close(); }
    else if (event.key === "PageDown" && event.altKey) { event.preventDefault(); turn(1); }
    else if (event.key === "PageUp" && event.altKey) { event.preventDefault(); turn(-1); }
  }

  async function open(citation, from) {
    opener = from;
    const { found } = citation;
    const documentId = found?.document_id ?? citation.document_id;
    state = { citation, documentId, cited: found?.page ?? citation.page ?? 1, page: 0, pages: null, name: nameOf(citation, documentId) };
    element.hidden = false;
    document.addEventListener("keydown", onKey);
    shade();
    fill(heading, h("bdi", null, state.name));
    fill(verdict, h("div", { class: "row" }, verdictBadge(citation.verdict), h("span", { class: "small" }, `${capital(meaning(citation))}.`)), words(citation).slice(0, 1));
    heading.focus({ preventScroll: false });
    if (!documentId || citation.source_gone) {
      fill(sheet, h("p", { class: "notice" }, citation.source_gone ? "The document has been deleted since; the words above are those kept with the answer." : "No document has that number, so there is no page to show."));
      tools(false);
      return;
    }
    tools(true);
    await go(state.cited);
  }

  function close() {
    if (element.hidden) return;
    showing.abort();
    hide();
    onClose();
    opener?.focus();
  }

  function hide() {
    element.hidden = true;
    document.removeEventListener("keydown", onKey);
    shade();
    drop();
  }

  /** What the page lies over can't be reached until it is closed. */
  function shade() {
    const isCovered = !element.hidden && covers.matches;
    for (const one of document.querySelectorAll("#app > :not(main), .skip, .answer, .compare-apart")) one.inert = isCovered;
  }

  function stop() {
    showing.abort();
    covers.removeEventListener("change", shade);
    hide();
  }

  async function turn(by) {
    await go(state.page + by);
  }

  /** Show a page of the document; the picture that is there stays until the next one is. */
  async function go(page) {
    showing.abort();
    showing = new AbortController();
    const { signal } = showing;
    const now = state;
    now.page = page;
    sheet.setAttribute("aria-busy", "true");
    label();
    try {
      if (now.pages === null) {
        const known = await get(`/v1/documents/${encodeURIComponent(now.documentId)}`, { signal });
        now.pages = known.pages;
        now.isDrawable = DRAWABLE.test(known.media_type);
        now.name = known.filename;
        fill(heading, h("bdi", null, now.name));
      }
      label();
      await draw(now, signal);
      announce(`Page ${page} of ${now.pages}`);
    } catch (error) {
      if (isAbort(error)) return;
      fill(sheet, error.status === 404 ? h("p", { class: "notice" }, "The document is not there any more.") : problemNotice(error, { onRetry: () => go(page) }));
    }
    if (!signal.aborted) sheet.removeAttribute("aria-busy");
  }

  async function draw(now, signal) {
    const path = `/v1/documents/${encodeURIComponent(now.documentId)}/pages/${now.page}`;
    const quote = quoteOn(now);
    const text = get(path, { signal });
    text.catch(() => {});
    try {
      if (!now.isDrawable) { asText(now, await text); return; }
      const query = new URLSearchParams({ width: String(width()), ...(quote ? { quote: quote.slice(0, LONGEST_QUOTE) } : {}) });
      const { blob, headers } = await getBlob(`${path}/image?${query}`, { signal });
      await show(now, blob, { isMarked: headers.get("X-Quote-Found") === "true", text: await text, signal });
    } catch (error) {
      if (error.code !== "no_image") throw error;
      asText(now, await text);
    }
  }

  function asText(now, text) {
    drop();
    smaller.hidden = true;
    larger.hidden = true;
    fill(sheet, textOf(now, text));
    sheet.querySelector("mark")?.scrollIntoView({ block: "center" });
  }

  async function show(now, blob, { isMarked, text, signal }) {
    smaller.hidden = false;
    larger.hidden = false;
    const address = URL.createObjectURL(blob);
    const image = h("img", { class: "page-image", src: address, dataset: { marked: String(isMarked) },
      alt: `Page ${now.page} of ${now.name}${isMarked ? ", with the quote marked" : ""}. Its text follows.` });
    await image.decode();
    if (signal.aborted) { URL.revokeObjectURL(address); return; }
    drop();
    picture = { address, image };
    size();
    fill(sheet, image, h("details", { class: "page-words" }, h("summary", null, "The text of this page"), textOf(now, text)));
    if (isMarked) toMark(image);
    else sheet.scrollTop = 0;
  }

  /** Scroll to where the picture is marked: the marks are the only yellow that letters stand on. */
  function toMark(image) {
    const row = firstMarkedRow(image);
    if (row !== null) sheet.scrollTop = Math.max(0, row * image.clientHeight - sheet.clientHeight / 3);
  }

  async function zoom(by) {
    level = Math.min(Math.max(level + by, 0), ZOOMS.length - 1);
    size();
    label();
    if (picture) await go(state.page);
  }

  function size() {
    picture?.image.style.setProperty("width", `${ZOOMS[level] * 100}%`);
  }

  function width() {
    const wanted = (sheet.clientWidth || 600) * ZOOMS[level] * Math.min(globalThis.devicePixelRatio || 1, 2);
    return Math.min(Math.max(Math.ceil(wanted / STEP) * STEP, 600), MOST_WIDTH);
  }

  function drop() {
    if (picture) URL.revokeObjectURL(picture.address);
    picture = null;
  }

  function label() {
    fill(where, state.pages ? `Page ${count(state.page)} of ${count(state.pages)}` : `Page ${count(state.page)}`);
    sheet.setAttribute("aria-label", `Page ${state.page}`);
    disable(back, state.page <= 1);
    disable(forth, state.pages === null || state.page >= state.pages);
    disable(smaller, level === 0);
    disable(larger, level === ZOOMS.length - 1);
    home.hidden = state.page === state.cited;
  }

  function tools(isShown) {
    for (const one of [back, forth, smaller, larger]) one.hidden = !isShown;
    home.hidden = true;
    fill(where, isShown ? "" : place(state.citation));
  }

  return { element, open, close, stop };
}

/** Return the words to mark on the page that is shown: as the source has them. */
function quoteOn({ citation, page, cited }) {
  return page === cited || page === citation.page ? citation.found?.text ?? "" : "";
}

/** Return a page's text, the quote in it marked by its place. */
function textOf({ citation, page, cited }, { text }) {
  const { found } = citation;
  if (!found || page !== cited) return h("pre", { class: "page-text", dir: "auto" }, text);
  const letters = Array.from(text); // places are counted in characters, not in halves of them
  const part = (from, to) => letters.slice(from, to).join("");
  return h("pre", { class: "page-text", dir: "auto" }, part(0, found.start), h("mark", null, part(found.start, found.end)), part(found.end));
}

/** Return how far down the first row with a mark's yellow is, 0 to 1; null where there is none. */
function firstMarkedRow(image) {
  const canvas = document.createElement("canvas");
  canvas.width = 240;
  canvas.height = Math.max(1, Math.round((240 * image.naturalHeight) / image.naturalWidth));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] > 200 && data[at + 1] > 180 && data[at + 2] < 160) return Math.floor(at / 4 / canvas.width) / canvas.height;
  }
  return null;
}

function nameOf(citation, documentId) {
  return documentId === citation.document_id && citation.filename ? citation.filename : "Source";
}

function button(sign, name, onclick) {
  return h("button", { type: "button", class: "button bare icon", "aria-label": name, title: name, onclick(event) {
    if (event.currentTarget.getAttribute("aria-disabled") !== "true") onclick();
  } }, sign);
}

/** A button that can't be pressed keeps the focus, so that nobody is thrown out of the toolbar. */
function disable(element, isDisabled) {
  element.setAttribute("aria-disabled", String(isDisabled));
}
