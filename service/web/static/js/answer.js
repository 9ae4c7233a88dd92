// An answer: while it is written, and for good: its text, its sources, what was read and what it cost.

import { goOn, origin, replaying } from "./again.js";
import { events, get, post } from "./api.js";
import { batchState } from "./batch.js";
import { marks, sourceList } from "./citations.js";
import { nextQuestion, turnsAround } from "./conversation.js";
import { announce, fill, h } from "./dom.js";
import { doubtNotice } from "./doubt.js";
import { exportButtons } from "./exports.js";
import { growing } from "./markup.js";
import { amount, exact, paid, shown } from "./money.js";
import { onNews, tellOthers } from "./news.js";
import { count, moment, percent, plural } from "./numbers.js";
import { outputTree } from "./output.js";
import { plainly } from "./plainwords.js";
import { isAbort, problemNotice } from "./problems.js";
import { costs, coverage } from "./receipt.js";
import { corpusAddress } from "./router.js";
import { viewer } from "./viewer.js";

const LAST = new Set(["done", "error"]);
const AFTERWARDS = new Set(["other_model", "part_incomplete"]); // warnings that replies gave cause to
const HOLDS = new Set(["exact", "close"]);
const BREAK_MS = 1500;
const isOpen = (answer) => answer.status === "queued" || answer.status === "running";

/**
 * Show an answer, from its beginning and to its end; returns a function that stops showing it.
 *
 * `isOneOfSeveral` leaves away what stands once above several (the question, the turns) and what is told for all of them together (the
 * receipt, the next question); `onKnown(answer)` hears of it at its beginning and at its end, `onSource()` before a source is opened. The
 * function that is returned has `closeSource()`.
 */
export function openAnswer(container, { answerId, isOneOfSeveral = false, onKnown = () => {}, onSource = () => {} }) {
  const controller = new AbortController();
  const { signal } = controller;
  const path = `/v1/answers/${encodeURIComponent(answerId)}`;
  const place = places(isOneOfSeveral);
  const source = viewer({ onClose: () => { place.article.classList.remove("beside"); onPage.mark(-1); } });
  const onPage = marks({ onOpen: openSource });
  const text = growing({ decorate: onPage.decorate, signal });
  let answer = null;
  let citations = [];
  const ended = new AbortController();
  const clock = elapsed();
  let breaking = 0;
  let lastEventId = null;
  let turnsTold = "[]";

  const wasCalled = document.title;
  fill(container, h("div", { class: "answer-view" }, place.article, source.element));
  follow().catch(stopped);
  const stopNews = onNews(lookAgain);
  const stop = () => { controller.abort(); ended.abort(); source.stop(); clearTimeout(breaking); stopNews(); clock.stop(); if (!isOneOfSeveral) document.title = wasCalled; };
  return Object.assign(stop, { closeSource: () => source.close() });

  async function follow() {
    answer = await get(path, { signal });
    begin();
    if (isOpen(answer)) await live();
    await end();
  }

  function begin() {
    onKnown(answer);
    place.text.setAttribute("aria-busy", "true");
    fill(place.text, text.element);
    if (isOneOfSeveral) return;
    document.title = `${answer.question.slice(0, 80)} – Unabridged`;
    fill(place.question, answer.question);
    place.question.classList.toggle("long", answer.question.length > 240);
    fill(place.facts, facts(answer));
    fill(place.origin, origin(answer));
    get(`/v1/corpora/${encodeURIComponent(answer.corpus_id)}`, { signal }).then(
      (corpus) => fill(place.corpus, h("a", { href: corpusAddress(corpus.id) }, h("bdi", null, corpus.name))), () => fill(place.corpus, "a corpus that was forgotten"));
    if (answer.conversation_id) loadTurns().catch(() => {});
  }

  async function loadTurns() {
    const conversation = await get(`/v1/conversations/${encodeURIComponent(answer.conversation_id)}`, { signal });
    showTurns(conversation);
    return conversation;
  }

  /** Show the turns around this one; what has not changed stays as it is, unfolded where it was. */
  function showTurns(conversation) {
    const told = JSON.stringify(conversation.turns.map(({ answer_id, status, cost_usd, sent_as }) => answer_id === answerId || [answer_id, status, cost_usd, sent_as]));
    if (told === turnsTold) return;
    turnsTold = told;
    fill(place.turns, turnsAround(conversation, answerId, { signal }));
  }

  async function live() {
    fill(place.status, running());
    clock.start(answer.created_at);
    for await (const event of events(`${path}/events`, { signal, lastEventId, isLast: ({ name }) => LAST.has(name), onBreak: broke })) {
      clearTimeout(breaking);
      lastEventId = event.id;
      hear(event);
    }
    clearTimeout(breaking);
    tellOthers("ended", answerId);
  }

  /** A connection that is back at once is nothing to speak of. */
  function broke() {
    clearTimeout(breaking);
    breaking = setTimeout(() => say("The connection broke; it goes on from where it was, as soon as the service can be reached."), BREAK_MS);
  }

  function hear({ name, data }) {
    if (name === "plan") say(reading(data));
    else if (name === "progress") progressed(data);
    else if (name === "waiting") waits(data);
    else if (name === "delta") written(data.text);
    else if (name === "citation") cited(data);
    else if (name === "repair") say("Quotes were asked for once more.");
    else if (name === "done") answer = data;
    else if (name === "error") ({ answer } = data);
  }

  function written(more) {
    if (!text.text) say("Answering…");
    text.append(more);
    place.text.classList.toggle("raw", /^\s*[{[](?!D\d)/.test(text.text));
  }

  function cited(citation) {
    citations[citation.index ?? citations.length] = citation;
    onPage.set([...citations]);
    say(`Checking the quotes: ${count(citations.filter(Boolean).length)} so far`);
  }

  function say(what) {
    fill(place.said, what);
  }

  function progressed({ done, of }) {
    say(`Read ${done} of ${of} parts`);
    fill(place.progress, h("progress", { value: done, max: of, "aria-label": "Parts that were read" }));
  }

  /** What is heard again after a reload may be over. */
  function waits({ part, of, until, detail }) {
    const seconds = Math.ceil((Date.parse(until) - Date.now()) / 1000);
    if (seconds > 0) say(`${part ? `Part ${part} of ${of}: the` : "The"} provider refused for now and is asked again in ${seconds} s. ${detail}`);
  }

  function running() {
    const stop = h("button", { type: "button", class: "button narrow", async onclick() {
      stop.disabled = true;
      say("Stopping…");
      try {
        await post(`${path}/cancel`);
      } catch (error) {
        stop.disabled = false;
        fill(place.trouble, problemNotice(error));
      }
    } }, "Stop");
    return h("div", { class: "running" }, h("span", { class: "pulse", "aria-hidden": "true" }), answer.batch_id ? batchState(answer.batch_id, { signal: ended.signal }) : place.said, answer.batch_id ? null : clock.element, place.progress,
      h("span", { class: "small quiet held" }, `At most ${exact(amount(answer.cost.max_usd))}`), stop);
  }

  /** Show all that is known of an answer which has ended. */
  async function end() {
    clock.stop();
    ended.abort();
    fill(place.status);
    citations = answer.citations;
    await showText();
    onPage.set(citations, true);
    place.text.setAttribute("aria-busy", "false");
    fill(place.facts, facts(answer));
    fill(place.notices, notices());
    fill(place.verdicts, h("span", { class: "row" }, citations.length || answer.status === "done" ? verdicts(citations) : null, h("span", { class: "small quiet" }, inShort(answer))));
    const again = isOneOfSeveral || !answer.coverage ? null : replaying(answer, { signal });
    fill(place.again, again?.element);
    fill(place.actions, exportButtons(answer, { more: again?.button, onTrouble: (error) => fill(place.trouble, problemNotice(error)) }));
    fill(place.sources, citations.length ? h("section", isOneOfSeveral ? null : { "aria-label": "Sources" }, h(isOneOfSeveral ? "h3" : "h2", null, "Sources"), sourceList(citations, openSource)) : null);
    onKnown(answer);
    if (isOneOfSeveral) return;
    fill(place.receipts, coverage(answer, { signal }), costs(answer));
    announce(`The answer has ended: ${ending(answer)}`);
    await showNext();
  }

  async function showText() {
    if (answer.output !== null && answer.output !== undefined) {
      place.text.classList.remove("raw");
      fill(place.text, outputTree(answer.output, chipsAt));
      return;
    }
    await text.finish(answer.text);
  }

  /** Return the marks of a string inside an answer that is JSON. */
  function chipsAt(path_) {
    return citations.map((one, index) => {
      if (one.path !== path_) return null;
      const button = h("button", { type: "button", class: "cite", dataset: { index } });
      onPage.decorate(button, index);
      return [" ", button];
    });
  }

  function notices() {
    const found = [];
    if (answer.status === "in_doubt") found.push(doubtNotice(answer, { onResolved(resolved) { answer = resolved; end().catch(stopped); } }));
    if (answer.status === "failed") found.push(failure());
    if (answer.status === "cancelled") found.push(h("div", { class: "notice" }, h("p", null, "Stopped on request. What had come by then stands here, and what it cost was paid."), isOneOfSeveral ? null : goOn(answer, { signal })));
    if (answer.finish_reason === "length") found.push(h("div", { class: "notice warned" }, "The answer was cut: it reached the output that was reserved for it."));
    if (answer.finish_reason === "content_filter") found.push(h("div", { class: "notice warned" }, "The answer was cut: the provider's content filter ended it."));
    for (const one of answer.warnings ?? []) if (AFTERWARDS.has(one.code)) found.push(h("div", { class: "notice warned" }, plainly(one.detail)));
    if (lacksParts() && !isOneOfSeveral) found.push(goOn(answer, { signal }));
    if (answer.refusal) found.push(h("div", { class: "notice warned" }, h("strong", null, "The model refused: "), answer.refusal));
    if (answer.repair) found.push(repaired(answer));
    return found;
  }

  function lacksParts() {
    return answer.status === "done" && (answer.warnings ?? []).some((one) => one.code === "part_incomplete");
  }

  function failure() {
    return h("div", { class: "notice bad", role: "alert" }, h("strong", null, "This answer failed. "), answer.error?.detail ?? "", answer.cost.actual_usd === null ? " Nothing was billed." : ` What came before cost ${paid(answer.cost)}.`,
      isOneOfSeveral ? null : goOn(answer, { signal }));
  }

  async function showNext() {
    if (!answer.conversation_id) { fill(place.next, nextQuestion({ corpusId: answer.corpus_id, conversation: null, signal })); return; }
    try {
      showForm(await loadTurns());
    } catch (error) {
      if (isAbort(error)) throw error;
      fill(place.next);
    }
  }

  function showForm(conversation) {
    const typed = place.next.querySelector("textarea")?.value ?? "";
    fill(place.next, nextQuestion({ corpusId: answer.corpus_id, conversation, typed, signal, onChanged(changed) {
      showTurns(changed);
      showForm(changed);
    } }));
  }

  function openSource(index, button) {
    onSource();
    place.article.classList.add("beside");
    onPage.mark(index);
    source.open(citations[index], button);
  }

  /** Another tab may have resolved it, or asked on. */
  async function lookAgain() {
    if (!answer || isOpen(answer)) return;
    const now = await get(path, { signal }).catch(() => null);
    if (now && !isOpen(now) && now.status !== answer.status) { answer = now; await end().catch(stopped); }
  }

  function stopped(error) {
    if (isAbort(error) || signal.aborted) return;
    clock.stop();
    fill(place.status);
    fill(place.trouble, problemNotice(error, { onRetry() { fill(place.trouble); follow().catch(stopped); } }));
  }
}

/** The parts of the view, empty. */
function places(isOneOfSeveral) {
  const corpus = h("span");
  const facts_ = h("span");
  const empty = () => h("div");
  const place = {
    corpus, facts: facts_, question: h("h1", { class: "question", tabindex: "-1", dir: "auto" }), turns: empty(), origin: empty(), status: empty(), trouble: empty(),
    text: h("div", { class: "answer-text" }), notices: h("div", { class: "stack" }), verdicts: empty(), actions: empty(), again: empty(), sources: empty(),
    receipts: h("div", { class: "receipts" }), next: empty(), said: h("span", { role: "status", class: "said" }, "Waiting…"), progress: h("span"),
  };
  place.article = h("article", { class: "answer" },
    isOneOfSeveral ? null : h("header", { class: "answer-head" }, h("p", { class: "small quiet crumbs" }, corpus, facts_), place.turns, place.question, place.origin),
    place.status, place.trouble, h("h2", { class: "unseen" }, "Answer"), place.notices, place.text,
    h("div", { class: "row answer-foot" }, place.verdicts, place.actions), place.again,
    place.sources, place.receipts, place.next);
  return place;
}

function facts(answer) {
  const price = answer.engine === "offline" ? "free" : paid(answer.cost);
  return [` · ${moment(answer.created_at)} · ${answer.model}`, isOpen(answer) || answer.cost.actual_usd === null && answer.engine !== "offline" ? null : ` · ${price}`];
}

/** Return how many citations hold, in words and with a sign. */
function verdicts(citations) {
  if (!citations.length) return h("span", { class: "small quiet" }, "The answer cites nothing.");
  const good = citations.filter((one) => HOLDS.has(one.verdict)).length;
  const tone = good === citations.length ? "good" : "warned";
  return h("span", { class: `badge ${tone}` }, h("span", { "aria-hidden": "true" }, good === citations.length ? "✓" : "!"),
    good === citations.length ? (good === 1 ? "The quote holds" : good === 2 ? "Both quotes hold" : `All ${count(good)} quotes hold`) : `${good} of ${plural(citations.length, "quote")} hold`);
}

/** Return what was read and what it cost, in a line. */
function inShort({ coverage: read, cost, engine }) {
  const said = engine === "offline" || cost.actual_usd === null ? null : `${cost.actual_is === "at_most" ? "at most " : ""}${shown(cost.actual_usd)} (estimated ${shown(cost.estimated_usd)})`;
  return [read ? `${count(read.pages_in)} of ${plural(read.pages_total, "page")} read` : null, said].filter(Boolean).join(" · ");
}

function repaired({ repair }) {
  const before = repair.citation_precision_before;
  const words = {
    not_needed: "Every quote held, so none was asked for again.",
    done: `Quotes that did not hold were asked for once more: ${plural(repair.corrected, "was", "were")} put right, ${repair.withdrawn} withdrawn${before === null ? "" : `; ${percent(before)} held before`}.`,
    failed: `Quotes that did not hold were asked for once more, in vain: ${repair.because ?? ""}`,
    left_out: `Quotes that did not hold were not asked for again: ${repair.because ?? ""}`,
  };
  return h("div", { class: "notice" }, words[repair.status] ?? repair.because);
}

function ending(answer) {
  if (answer.status !== "done") return answer.status.replace("_", " ");
  const good = answer.citations.filter((one) => HOLDS.has(one.verdict)).length;
  return !answer.citations.length ? "it cites nothing." : good === answer.citations.length ? "all quotes hold." : `${count(good)} of ${count(answer.citations.length)} quotes hold.`;
}

function reading(plan) {
  const calls = plan.calls.filter((call) => call.kind !== "repair").length;
  return `Reading ${plural(plan.coverage?.pages_in ?? 0, "page")}, ${plural(plan.input_tokens, "token")}${calls > 1 ? `, in ${calls} calls` : ""}…`;
}

/** The seconds since a question was accepted. */
function elapsed() {
  const element = h("span", { class: "small quiet number", "aria-hidden": "true" });
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; };
  return { element, stop, start(since) {
    stop();
    const show = () => { element.textContent = `${Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000))} s`; };
    show();
    timer = setInterval(show, 1000);
  } };
}
