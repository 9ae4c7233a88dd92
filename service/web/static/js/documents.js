// The documents of a corpus: switches, shares, progress and errors, each in its row.

import { tell } from "./dialogs.js";
import { h, fill } from "./dom.js";
import { dollars } from "./money.js";
import { count, percent, plural, bytes } from "./numbers.js";
import { isAskable } from "./tally.js";
import { windowedList } from "./windowed.js";

const ROW = 52;
const MANY = 8;

/**
 * Return the panel as `{element, show(state)}`.
 *
 * @param actions `{onSwitch(ids, isOn), onTakeOut(document), onDismiss(upload), onFiles(), onFolder(), folderOf(document)}`: the last is the folder
 * that it was dropped in, as far as this browser knows.
 */
export function documentsPanel(actions) {
  let state = { tally: null, documents: [], uploads: [], off: new Set() };
  let wanted = "";
  const list = windowedList({ label: "Documents", row: (item) => rowOf(item, state, actions), rowHeight: ROW });
  const filter = h("input", { class: "input", type: "search", placeholder: "Find a document", "aria-label": "Find a document by its name", oninput: () => { wanted = filter.value.trim().toLowerCase(); refresh(); } });
  const every = h("input", { type: "checkbox", class: "switch", role: "switch", "aria-label": "All documents", onchange: () => actions.onSwitch(found().filter((item) => item.document && isAskable(item.document)).map((item) => item.document.id), every.checked) });
  const summary = h("p", { class: "small quiet", role: "status" });
  const tools = h("div", { class: "documents-tools" }, filter, h("label", { class: "documents-all" }, h("span", { class: "small quiet" }, "All"), every));
  const empty = h("p", { class: "quiet documents-empty" }, "Drop files or a folder anywhere on this page.");
  const element = h("section", { class: "documents", "aria-label": "Documents of the corpus" },
    h("div", { class: "documents-head" }, h("h2", null, "Documents"),
      h("span", { class: "row push" },
        h("button", { type: "button", class: "button narrow", onclick: actions.onFiles }, "Add files"),
        h("button", { type: "button", class: "button narrow", onclick: actions.onFolder }, "Add folder"))),
    summary, tools, list.element, empty);

  const found = () => rows(state, actions).filter((item) => !wanted || item.path.toLowerCase().includes(wanted));

  function refresh() {
    const items = found();
    list.show(items);
    const total = rows(state, actions).length;
    list.element.style.setProperty("--rows", String(Math.max(1, items.length)));
    tools.hidden = total <= 1;
    filter.hidden = total < MANY;
    list.element.hidden = items.length === 0;
    empty.hidden = total > 0;
    const askable = items.filter((item) => item.document && isAskable(item.document));
    const on = askable.filter((item) => !state.off.has(item.document.id)).length;
    every.checked = on > 0 && on === askable.length;
    every.indeterminate = on > 0 && on < askable.length;
    every.disabled = askable.length === 0;
    fill(summary, progress(state));
  }

  return { element, show(next) { state = next; refresh(); } };
}

/** Failed things first: nobody would scroll to them; then the documents in packed order, then what is on its way. */
function rows({ documents, uploads }, { folderOf }) {
  const known = new Set(documents.map((document) => document.id));
  const waiting = uploads.filter((upload) => !upload.documentId || !known.has(upload.documentId));
  const failed = (item) => (item.upload ? item.upload.state === "failed" : item.document.status === "failed");
  const items = [...documents.map((document) => ({ document, path: folderOf(document) + document.filename })), ...waiting.map((upload) => ({ upload, path: upload.name }))];
  return [...items.filter(failed), ...items.filter((item) => !failed(item))];
}

function progress({ documents, uploads, tally, same }) {
  const sending = uploads.filter((upload) => upload.state === "waiting" || upload.state === "sending").length;
  const reading = documents.filter((document) => document.status === "queued" || document.status === "processing").length;
  const failed = documents.filter((document) => document.status === "failed").length + uploads.filter((upload) => upload.state === "failed").length;
  const pages = documents.reduce((sum, document) => sum + document.pages, 0);
  const parts = [];
  if (sending) parts.push(`${plural(sending, "file")} on the way`);
  if (reading) parts.push(`${plural(reading, "document")} being read`);
  if (tally?.askable.length) parts.push(`${count(tally.on.length)} of ${count(tally.askable.length)} on`, plural(pages, "page"));
  if (failed) parts.push(`${count(failed)} could not be read`);
  if (same) parts.push(`${plural(same, "file was", "files were")} here already`);
  return parts.join(" · ");
}

function rowOf(item, state, actions) {
  return item.upload ? uploadRow(item.upload, actions) : documentRow(item.document, state, actions);
}

function documentRow(document, { tally, off }, actions) {
  if (document.status === "failed") return failedRow(document.filename, document.error?.detail, () => actions.onTakeOut(document), "Take out");
  if (document.status !== "ready") return readingRow(document, actions);
  if (!isAskable(document)) return plainRow(document.filename, `holds ${plural(document.files, "file")}, listed by themselves`, takeOut(document, actions));
  const isOn = !off.has(document.id);
  const detail = [plural(document.pages, "page"), `${count(tally ? tally.tokensOf(document) : document.tokens)} tokens`];
  return h("div", { class: `document${isOn ? "" : " is-off"}` },
    h("input", { type: "checkbox", role: "switch", class: "switch", checked: isOn, "aria-label": `Read ${actions.folderOf(document)}${document.filename}`, onchange: (event) => actions.onSwitch([document.id], event.target.checked) }),
    h("div", { class: "document-text" }, named(document.filename, actions.folderOf(document), notes(document)),
      h("div", { class: "document-detail" }, detail.join(" · ")),
      isOn && tally ? h("div", { class: "document-share", "aria-hidden": "true", style: { "--share": String(tally.tokensOf(document) / tally.largest) } }) : null),
    h("span", { class: "document-price number" }, isOn && tally ? [dollars(tally.dollarsOf(document)), h("span", { class: "document-percent" }, percent(tally.shareOf(document)))] : h("span", { class: "quiet" }, "off")),
    takeOut(document, actions));
}

/** What reading a document met, behind a button: a name alone would be told to who points at it and nobody else. */
function notes(document) {
  if (!document.warnings.length) return null;
  const said = plural(document.warnings.length, "note");
  return h("button", { type: "button", class: "document-notes", "aria-label": `${said} on ${document.filename}`, "aria-haspopup": "dialog", onclick: () => tell({
    title: said, content: [h("p", { class: "quiet" }, h("bdi", null, document.filename)), h("ul", { class: "plain-list stack" }, document.warnings.map((one) => h("li", null, one.detail)))] }) }, said);
}

const takeOut = (document, actions) => h("button", { type: "button", class: "button bare document-out", "aria-label": `Take ${document.filename} out of the corpus`, title: "Take out of the corpus", onclick: () => actions.onTakeOut(document) }, "×");

function readingRow(document, actions) {
  const { done, total, unit } = document.progress;
  const said = document.status === "queued" ? "waiting to be read"
    : total ? `reading ${unit} ${count(done)} of ${count(total)}${document.tokens ? ` · ${count(document.tokens)} tokens` : ""}` : "reading";
  return busyRow(document.filename, said, total ? done / total : null, actions.folderOf(document));
}

function uploadRow(upload, actions) {
  if (upload.state === "failed") return failedRow(upload.name, upload.error, () => actions.onDismiss(upload), "Dismiss");
  const [folder, name] = parted(upload.name);
  if (upload.state === "sending") return busyRow(name, `sending ${bytes(upload.sent)} of ${bytes(upload.size)}`, upload.size ? upload.sent / upload.size : null, folder);
  return busyRow(name, upload.state === "waiting" ? "waiting to be sent" : "sent", null, folder);
}

function busyRow(name, detail, share, folder = "") {
  return h("div", { class: "document is-busy" },
    h("span", { class: "document-dot", "aria-hidden": "true" }),
    h("div", { class: "document-text" }, named(name, folder), h("div", { class: "document-detail" }, detail),
      share === null ? null : h("progress", { class: "document-progress", max: "1", value: String(share), "aria-label": `${name}: ${detail}` })));
}

function plainRow(name, detail, action) {
  return h("div", { class: "document" }, h("span", { class: "document-dot", "aria-hidden": "true" }),
    h("div", { class: "document-text" }, named(name), h("div", { class: "document-detail" }, detail)), h("span"), action);
}

function failedRow(name, detail, onAct, action) {
  const said = detail || "It could not be read.";
  return h("div", { class: "document is-failed" },
    h("span", { class: "document-dot", "aria-hidden": "true" }, "!"),
    h("div", { class: "document-text" }, named(name), h("div", { class: "document-detail", title: said }, said)),
    h("button", { type: "button", class: "button narrow", "aria-label": `${action}: ${name}`, onclick: onAct }, action));
}

/** A name of somebody's choosing: isolated, so that its direction can't turn what stands around it. */
const named = (name, folder = "", more = null) => h("div", { class: "document-name", title: folder + name }, folder ? h("bdi", { class: "document-folder" }, folder) : null, h("bdi", { class: "document-own" }, name), more);

/** A path as its folder, with the stroke, and its name. */
function parted(path) {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}
