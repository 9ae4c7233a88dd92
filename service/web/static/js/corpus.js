// A corpus: its documents and switches, its meter, the question, and the plans for it.

import { get, getAll, patch, remove } from "./api.js";
import { askFor, confirm } from "./dialogs.js";
import { documentsPanel } from "./documents.js";
import { announce, debounced, fill, h } from "./dom.js";
import { meterCard } from "./meter.js";
import { plainly } from "./plainwords.js";
import { plansPanel } from "./plans.js";
import { isAbort, problemNotice } from "./problems.js";
import { questionForm } from "./question.js";
import { compareAddress, go } from "./router.js";
import { keep, recall } from "./state.js";
import { key, tally, withPriced } from "./tally.js";
import { addFiles, droppable, filePicker, filesOfDrop, foldersOf, uploadsOf } from "./upload.js";

const POLL_MS = 600;
const POLL_AT_ONCE = 50;
const METER_MS = 900;
const UNDER_WAY = new Set(["queued", "processing"]);

/** Show a corpus; returns a function that stops it. */
export async function showCorpus(view, { corpusId, refresh, askAnew }) {
  const controller = new AbortController();
  const { signal } = controller;
  const at = `/v1/corpora/${encodeURIComponent(corpusId)}`;
  const uploads = uploadsOf(corpusId);
  const folders = foldersOf(corpusId);
  const here = new Set(); // documents that a further file may be the same as
  const state = { same: 0, corpus: null, documents: [], meter: null, model: null, priced: null, off: new Set(recall(`off.${corpusId}`, [])), tally: null };
  const problems = h("div", { class: "stack" });
  const meter = meterCard();
  const documents = documentsPanel({ onSwitch, onTakeOut, onDismiss: (upload) => uploads.dismiss([upload]), onFiles: () => picker.open(false), onFolder: () => picker.open(true), folderOf: folders.of });
  const picker = filePicker(add);
  const plans = plansPanel({ onAsk, onFix, onPriced, onTier: (tier) => question.change({ service_tier: tier }), onQuestions: (n) => question.change({ expected_questions: n }) });
  const question = questionForm({ draft: `draft.${corpusId}`, onChange: plan, onSubmit: () => plans.ask() });
  const name = h("h1", { class: "corpus-name" });

  function lay() {
    const answering = h("section", { class: "asking", "aria-label": "Question and price" }, question.element, plans.element);
    fill(view, h("header", { class: "corpus-head" }, name,
      h("span", { class: "row push" },
        h("a", { class: "button bare narrow", href: compareAddress(corpusId) }, "Compare"),
        h("button", { type: "button", class: "button bare narrow", onclick: rename }, "Rename"),
        h("button", { type: "button", class: "button bare narrow", onclick: forget }, "Forget"))),
    problems, meter.element, h("div", { class: "corpus-body" }, documents.element, answering), picker.element);
    view.append(h("div", { class: "drop-veil", "aria-hidden": "true" }, h("p", null, "Drop to add to this corpus")));
  }

  function show() {
    name.textContent = state.corpus.name;
    document.title = `${state.corpus.name} · Unabridged`;
    state.tally = tally(state);
    meter.show(withPriced(state.tally, state.priced));
    documents.show({ ...state, uploads: uploads.entries });
  }

  function plan() {
    if (!state.tally) return; // typed before the documents were there: what is typed is planned with them
    const { on, isWhole } = selection();
    plans.update({ corpusId, request: on.length ? question.request() : null, why: on.length ? null : "Switch a document on, or add some, to ask about them.",
      documentIds: isWhole ? null : on.map((one) => one.id), documents: state.documents });
  }

  /** The service has counted the question too: its figures take the place of the sum, until a switch moves. */
  function onPriced(whole, { documents: counted }) {
    const isStale = counted !== state.documents;
    state.priced = whole?.cost && !isStale ? { plan: whole, on: key(state.tally.on) } : null;
    show();
  }

  /** What the switches leave; whole where naming the documents would change nothing. */
  function selection() {
    const blocked = state.documents.some((one) => UNDER_WAY.has(one.status) || (one.status === "failed" && one.parent_ids.length === 0));
    const { on, askable } = state.tally;
    return { on, isWhole: !blocked && on.length === askable.length };
  }

  function onSwitch(ids, isOn) {
    for (const id of ids) if (isOn) state.off.delete(id); else state.off.add(id);
    keep(`off.${corpusId}`, state.off.size ? [...state.off] : null);
    show();
    plan();
  }

  async function onTakeOut(taken) {
    await trying(async () => {
      await remove(`${at}/documents/${encodeURIComponent(taken.id)}`);
      announce(`${taken.filename} was taken out.`);
      await reload();
    });
  }

  function onFix(fix) {
    const named = new Set(fix.document_ids ?? []);
    if (fix.do === "leave_out") onSwitch([...named], false);
    else if (fix.do === "narrow") onSwitch(state.tally.askable.map((one) => one.id).filter((id) => !named.has(id)), false);
    else if (fix.do === "leave_out_waste") question.change({ leave_out: [...new Set([...(question.parameters().leave_out ?? []), ...fix.leave_out])] });
    else if (fix.do === "send_page_images") question.change({ page_images: fix.page_images ?? "without_text" });
    else return false;
    announce(plainly(fix.detail));
    return true;
  }

  function onAsk(chosen) {
    return askAnew(plans.outcome, { corpusId, ...chosen });
  }

  async function reload() {
    const [corpus, found, gauge] = await Promise.all([get(at, { signal }), getAll(`${at}/documents`, { signal }), get(`${at}/meter`, { signal })]);
    Object.assign(state, { corpus, documents: found, meter: gauge });
    if (state.model?.id !== gauge.model) state.model = await get(`/v1/models/${gauge.model}`, { signal }).catch(() => null);
    show();
    plan();
    follow();
  }

  const remeter = debounced(async () => {
    await trying(async () => {
      state.meter = await get(`${at}/meter`, { signal });
      show();
      plan();
      refresh();
    });
  }, METER_MS);

  let polling = false;

  /** Look after what is being read, the first ones in one call: they are read in about this order. */
  async function follow() {
    if (polling) return;
    polling = true;
    try {
      for (;;) {
        const waiting = state.documents.filter((one) => UNDER_WAY.has(one.status)).slice(0, POLL_AT_ONCE);
        if (!waiting.length || signal.aborted) return;
        const { data } = await get(`/v1/documents?${waiting.map((one) => `id=${encodeURIComponent(one.id)}`).join("&")}`, { signal });
        const ended = took(data);
        if (ended.some((one) => one.files)) return void setTimeout(() => trying(reload), POLL_MS);
        if (ended.length < waiting.length) await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
      }
    } catch (error) {
      if (!isAbort(error)) setTimeout(follow, POLL_MS * 5);
    } finally {
      polling = false;
    }
  }

  /** Put what was heard of documents in its place; return those that have ended. */
  function took(heard) {
    const news = new Map(heard.map((one) => [one.id, one]));
    state.documents = state.documents.map((one) => news.get(one.id) ?? one);
    const ended = heard.filter((one) => !UNDER_WAY.has(one.status));
    show();
    if (ended.length) remeter();
    return ended;
  }

  /** A file that has been sent is a document of the corpus, in its place at the end. */
  function arrived() {
    const sent = uploads.entries.filter((one) => one.state === "done");
    const news = new Map(sent.map((one) => [one.documentId, one.document]));
    folders.learn(sent);
    if (news.size) {
      for (const one of sent) {
        if (here.has(one.documentId)) state.same += 1; // the same bytes are the same document
        here.add(one.documentId);
      }
      const listed = new Set(state.documents.map((one) => one.id));
      state.documents = [...state.documents.map((one) => news.get(one.id) ?? one), ...[...news.values()].filter((one) => !listed.has(one.id))];
      uploads.dismiss(sent);
      remeter();
      follow();
    }
    if (state.tally) show();
  }

  async function trying(action) {
    try {
      await action();
      problems.replaceChildren();
    } catch (error) {
      if (!isAbort(error)) fill(problems, problemNotice(error, { onRetry: () => trying(action) }));
    }
  }

  function add(files) {
    if (!files.length) return announce("There was no file in it.");
    announce(`${files.length} files are being added.`);
    return addFiles(corpusId, files);
  }

  async function rename() {
    const given = await askFor({ title: "Rename the corpus", label: "Name", value: state.corpus.name });
    if (given) await trying(async () => { state.corpus = await patch(at, { name: given }); show(); await refresh(); });
  }

  async function forget() {
    const sure = await confirm({ title: `Forget “${state.corpus.name}”?`, text: "Its documents and its answers stay; only the corpus goes.", action: "Forget it", danger: true });
    if (sure) await trying(async () => { await remove(at); keep(`off.${corpusId}`, null); keep(`folders.${corpusId}`, null); await refresh(); go("#/"); });
  }

  lay();
  const isIdle = !uploads.entries.length; // else what is listed may have come with them
  await reload();
  if (isIdle) for (const one of state.documents) here.add(one.id);
  const unwatch = uploads.watch(arrived);
  arrived();
  const undrop = droppable(view, async (transfer) => add(await filesOfDrop(transfer)));
  return () => { controller.abort(); unwatch(); undrop(); plans.stop(); question.stop(); document.title = "Unabridged"; };
}
