// Uploads: at most four at once over all corpora, going on while other views are looked at.

import { ApiProblem, keyHeaders, renewKey } from "./api.js";
import { h } from "./dom.js";
import { keep, recall } from "./state.js";

const AT_ONCE = 4;
const TRIES = 3;
const AGAIN_MS = 1500;
const MOST_FOLDERS = 5000;
const LITTER = /^(?:thumbs\.db|ehthumbs\.db|desktop\.ini|~\$.*|\..*)$/i;
const LITTER_FOLDERS = /^(?:__macosx|\$recycle\.bin|system volume information|\..*)$/i;

const batches = new Map();
const queue = [];
let running = 0;

addEventListener("beforeunload", (event) => { if (running || queue.length) event.preventDefault(); });

/** Return the uploads of a corpus: `{entries, watch(fn)}`; `fn` is told at most once a frame. */
export function uploadsOf(corpusId) {
  if (!batches.has(corpusId)) batches.set(corpusId, newBatch());
  return batches.get(corpusId);
}

/** Send files to a corpus, `[{file, name}]`. */
export function addFiles(corpusId, files) {
  const batch = uploadsOf(corpusId);
  const entries = files.map(({ file, name }) => ({ batch, corpusId, file, name, size: file.size, sent: 0, state: "waiting", documentId: null, document: null, error: null }));
  batch.entries.push(...entries);
  queue.push(...entries);
  batch.tell();
  next();
}

/** Return `{of(document), learn(entries)}`: the folder that a document was dropped in, with its stroke; "" where none is known to this browser. */
export function foldersOf(corpusId) {
  const known = new Map(recall(`folders.${corpusId}`, []));
  let root = rootOf([...known.values()]);
  return { of: (document) => (known.get(document.id) ?? "").slice(root.length), learn(entries) {
    const news = entries.filter((one) => one.name.includes("/") && !known.has(one.documentId));
    for (const one of news) known.set(one.documentId, one.name.slice(0, one.name.lastIndexOf("/") + 1));
    if (news.length) keep(`folders.${corpusId}`, [...known].slice(-MOST_FOLDERS));
    root = rootOf([...known.values()]);
  } };
}

/** The folder that all of them lie in says nothing of any. */
function rootOf(folders) {
  const root = folders.length ? folders[0].slice(0, folders[0].indexOf("/") + 1) : "";
  return folders.every((one) => one.startsWith(root)) ? root : "";
}

/**
 * Return a picker as `{element, open(isFolder)}`; `onFiles` is given what was chosen.
 *
 * Its input stays in the page: one that nothing holds may be collected as garbage while its dialog is open, and the choice with it.
 */
export function filePicker(onFiles) {
  const element = h("input", { type: "file", multiple: true, hidden: true, onchange() {
    const files = filesOfInput(element);
    element.value = ""; // the same files may be chosen again
    onFiles(files);
  } });
  return { element, open(isFolder) { element.webkitdirectory = isFolder; element.click(); } };
}

function filesOfInput(input) {
  return [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })).filter(({ name }) => !isLitter(name));
}

/** Return the files of a drop, folders walked through. */
export async function filesOfDrop(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found.filter(({ name }) => !isLitter(name));
}

/** Take what is dropped anywhere on the page; returns a function that stops it. */
export function droppable(view, onDrop) {
  let depth = 0;
  const over = (change) => { depth = Math.max(0, depth + change); view.classList.toggle("is-dropping", depth > 0); };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const handlers = {
    dragenter: (event) => { if (holdsFiles(event)) { event.preventDefault(); over(1); } },
    dragover: (event) => { if (holdsFiles(event)) event.preventDefault(); },
    dragleave: (event) => { if (holdsFiles(event)) over(-1); },
    drop: (event) => { if (holdsFiles(event)) { event.preventDefault(); over(-depth); onDrop(event.dataTransfer); } },
  };
  for (const [name, handler] of Object.entries(handlers)) addEventListener(name, handler);
  return () => { for (const [name, handler] of Object.entries(handlers)) removeEventListener(name, handler); };
}

/** Whether a path is hidden, or left there by a system rather than a person. */
export function isLitter(path) {
  const parts = path.split("/");
  return LITTER.test(parts.pop()) || parts.some((part) => LITTER_FOLDERS.test(part));
}

async function walk(entry, folder, found) {
  if (entry instanceof File) found.push({ file: entry, name: entry.name });
  else if (entry.isFile) found.push({ file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }), name: folder + entry.name });
  else {
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
      if (!some.length) return;
      for (const inner of some) await walk(inner, `${folder}${entry.name}/`, found);
    }
  }
}

function newBatch() {
  const watchers = new Set();
  let told = 0;
  return {
    entries: [],
    watch(watcher) { watchers.add(watcher); return () => watchers.delete(watcher); },
    tell() { told ||= requestAnimationFrame(() => { told = 0; for (const watcher of [...watchers]) watcher(); }); },
    dismiss(some) { this.entries = this.entries.filter((one) => !some.includes(one)); this.tell(); },
  };
}

function next() {
  while (running < AT_ONCE && queue.length) {
    const entry = queue.shift();
    running += 1;
    send(entry).finally(() => { running -= 1; entry.batch.tell(); next(); });
  }
}

async function send(entry) {
  for (let tried = 1; ; tried += 1) {
    entry.state = "sending";
    entry.sent = 0;
    entry.batch.tell();
    try {
      const { data } = await sent(entry);
      entry.document = data[0];
      entry.documentId = data[0].id;
      entry.state = "done";
      entry.file = null;
      return;
    } catch (problem) {
      if (problem.status === 401 && (await renewKey(problem))) continue;
      if (problem.status === 0 && tried < TRIES) { await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS * tried); }); continue; }
      entry.state = "failed";
      entry.error = problem.detail || problem.message;
      return;
    }
  }
}

function sent(entry) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/documents?${new URLSearchParams({ filename: entry.name, corpus_id: entry.corpusId })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => { entry.sent = event.loaded; entry.batch.tell(); };
    request.onload = () => (request.status < 300 ? resolve(request.response) : reject(new ApiProblem(request.response ?? {}, request.status)));
    request.onerror = () => reject(new ApiProblem({ code: "offline", detail: "It could not be sent: the service can't be reached, or the file changed meanwhile. Add it again." }, 0));
    request.send(entry.file);
  });
}
