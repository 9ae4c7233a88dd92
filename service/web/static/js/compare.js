// The same question asked in two or three ways: their prices side by side, and their answers.

import { openAnswer } from "./answer.js";
import { get, getAll } from "./api.js";
import { askAll } from "./asking.js";
import { compareColumn, together } from "./comparecolumn.js";
import { comparison } from "./comparison.js";
import { announce, debounced, fill, h, newId } from "./dom.js";
import { dollars, exact } from "./money.js";
import { count, plural } from "./numbers.js";
import { problemNotice } from "./problems.js";
import { compareAddress, corpusAddress, go } from "./router.js";
import { keep, recall } from "./state.js";
import { isAskable } from "./tally.js";

const MOST = 3;
const KEEP_MS = 400;
const NUMBERS = ["", "it", "both", "all three"];
let refusal = null; // of a way that was refused after others were asked: told where their answers are shown

/** Show what is compared; `ids` are answers that are there already. Returns a function that stops it. */
export async function showCompare(view, { corpusId, ids }) {
  const controller = new AbortController();
  const { signal } = controller;
  const corpus = await get(`/v1/corpora/${encodeURIComponent(corpusId)}`, { signal }).catch((error) => { if (ids.length && error.status === 404) return null; throw error; });
  const stop = ids.length > 1 ? showAnswers(view, { corpusId, corpus, ids: ids.slice(0, MOST), signal }) : await showWays(view, { corpusId, corpus, base: ids[0] ?? null, signal });
  document.title = `Compare · ${corpus?.name ?? "Unabridged"}`;
  return () => { controller.abort(); stop(); document.title = "Unabridged"; };
}

/** The sums to the last digit, for who points at them. */
function exactly(plans) {
  const { expected, most } = together(plans, (value) => value);
  return `exactly ${exact(expected)}, at most ${exact(most)}`;
}

const crumbs = (corpus, more) => h("p", { class: "small quiet crumbs" }, corpus ? h("a", { href: corpusAddress(corpus.id) }, h("bdi", null, corpus.name)) : "a corpus that was forgotten", more);

/** The ways to ask, with what each costs, before anything is asked. */
async function showWays(view, { corpusId, corpus, base, signal }) {
  const draft = `compare.${corpusId}`;
  const kept = recall(draft, {});
  const [models, documents, before] = await Promise.all([
    getAll("/v1/models", { signal }), getAll(`/v1/corpora/${encodeURIComponent(corpusId)}/documents`, { signal }),
    base ? get(`/v1/answers/${encodeURIComponent(base)}`, { signal }) : null]);
  const names = new Map(documents.map((one) => [one.id, one.filename]));
  const off = new Set(recall(`off.${corpusId}`, []));
  const askable = documents.filter(isAskable);
  const on = askable.filter((one) => !off.has(one.id));
  const choices = [["", "the service's own"], ...models.filter((one) => one.takes_chat && one.prices.some((period) => period.current)).map((one) => [one.id, one.id])];
  const id = newId("compared");
  const text = h("textarea", { id, class: "question-text", rows: "3", placeholder: "What do you want to know?", value: kept.text ?? "", oninput: changed });
  const place = h("div", { class: "compare-columns" });
  const bar = h("div", { class: "compare-bar card" });
  const outcome = h("div");
  const add = h("button", { type: "button", class: "button", onclick: () => { ways.push(way({})); lay(); ways.at(-1).element.querySelector("select").focus(); } }, "+ Another way");
  const first = before ? 2 : 1;
  const remember = debounced(() => keep(draft, { text: text.value, ways: ways.map((one) => one.kept()) }), KEEP_MS);
  const least = before ? 1 : 2;
  let isAsking = false;
  let ways = [];
  ways = Array.from({ length: Math.max(least, Math.min(kept.ways?.length ?? 0, MOST + 1 - first)) }, (_, at) => way(kept.ways?.[at] ?? {}, at));

  function way(held, at = ways.length) {
    const made = compareColumn({ number: at + first, kept: held, models: choices, onChange: () => { remember(); showBar(); },
      onRemove: at < least ? null : () => { made.stop(); ways = ways.filter((one) => one !== made); remember(); lay(); add.focus(); } });
    made.update(asked());
    return made;
  }

  function asked() {
    const question = before ? (before.questions.length ? { questions: before.questions } : { question: before.question }) : { question: text.value.trim() };
    const isAll = on.length === askable.length && documents.every((one) => one.status === "ready");
    const request = on.length && (question.questions || question.question) ? { ...question, ...(isAll ? {} : { document_ids: on.map((one) => one.id) }) } : null;
    return { corpusId, request, names };
  }

  function changed() {
    remember();
    for (const one of ways) one.update(asked());
    showBar();
  }

  function lay() {
    fill(place, before ? h("section", { class: "compare-column card", "aria-label": "Way 1, answered already" }, h("div", { class: "row" }, h("h2", null, "Way 1"), h("span", { class: "badge good" }, "answered already")), comparison([before]), h("p", { class: "small quiet" }, "It is not asked again.")) : null,
      ways.map((one) => one.element));
    add.hidden = ways.length + first - 1 >= MOST;
    showBar();
  }

  function showBar() {
    const plans = ways.map((one) => one.plan());
    const isPriced = plans.every(Boolean);
    const isOpen = isPriced && ways.every((one) => one.isOpen());
    const { expected, most } = isPriced ? together(plans) : { expected: null, most: null };
    const said = !isPriced ? "Each way's price first, then their sum." : expected === null ? "No price is published for all of them." : `${ways.length > 1 ? "Together about" : "About"} ${dollars(expected)}; at most ${dollars(most)}, no bill is higher.`;
    const isFocused = bar.contains(document.activeElement);
    const button = h("button", { type: "button", class: `button primary ask-button${isPriced && !isOpen ? " is-closed" : ""}`, "aria-disabled": isOpen && !isAsking ? null : "true", onclick: () => (isOpen && !isAsking ? ask() : place.querySelector(".compare-accept input:not(:checked)")?.focus()) },
      isPriced && !isOpen ? "Accept the long-context price first" : expected === null ? `Ask ${NUMBERS[ways.length]}` : `Ask ${NUMBERS[ways.length]} for about ${dollars(expected)}`);
    fill(bar, h("div", { class: "row" }, button, h("span", { class: "compare-sum", title: expected === null ? null : exactly(plans) }, said), h("span", { class: "push" }, add)), alike(), outcome);
    if (isFocused && document.activeElement === document.body) button.focus({ preventScroll: true });
  }

  /** Two ways that are the same cost twice and tell nothing. */
  function alike() {
    const signs = ways.map((one) => one.sign());
    const second = signs.findIndex((sign, at) => sign && signs.indexOf(sign) < at);
    return second < 0 ? null : h("p", { class: "notice warned small" }, `Ways ${signs.indexOf(signs[second]) + first} and ${second + first} are the same. Choose another plan, model or manner for one of them.`);
  }

  async function ask() {
    isAsking = true;
    showBar();
    fill(outcome, h("p", { class: "quiet", role: "status" }, "Asking…"));
    try {
      const came = await askAll({ corpusId, before: before ? [before.id] : [], asked: ways.map((one) => one.asked()) });
      refusal = came.refusal;
      if (came.ids.length > (before ? 1 : 0)) return void go(compareAddress(corpusId, came.ids));
      fill(outcome, problemNotice(refusal));
      refusal = null;
    } catch (error) {
      fill(outcome, problemNotice(error, { onRetry: () => location.reload() }));
    }
    isAsking = false;
    changed();
  }

  const which = on.length === askable.length ? `Each way is asked of all ${plural(on.length, "document")}.` : `Each way is asked of the ${plural(on.length, "document")} that are on, of ${count(askable.length)}.`;
  fill(view, h("div", { class: "compare stack" },
    h("header", { class: "compare-head" }, crumbs(corpus), h("h1", null, "Compare")),
    refused(),
    before ? h("p", { class: "compare-question", dir: "auto" }, before.question)
      : h("div", { class: "field" }, h("label", { for: id, class: "question-label" }, "The question, asked in each way"), text),
    h("p", { class: "small quiet" }, which, " Each way is a question of its own, paid by itself; its answer stands in the history, in no conversation."), place, bar));
  lay();
  const leaving = () => remember.now();
  addEventListener("pagehide", leaving);
  return () => { removeEventListener("pagehide", leaving); remember.now(); for (const one of ways) one.stop(); };
}

function refused() {
  const said = refusal ? h("div", { class: "stack" }, h("p", { class: "notice warned" }, "One way was refused, and what came after it was not asked:"), problemNotice(refusal)) : null;
  refusal = null;
  return said;
}

/** The answers side by side, as they are written, and what came of each. */
function showAnswers(view, { corpusId, corpus, ids, signal }) {
  const known = new Map();
  const plans = new Map();
  const summary = h("div", { class: "compare-apart" });
  const question = h("h1", { class: "question", dir: "auto" });
  const columns = ids.map((id, at) => {
    const title = h("h2", null, `Answer ${at + 1}`);
    const body = h("div");
    return { id, title, body, element: h("section", { class: "compare-answer", "aria-label": `Answer ${at + 1}` }, title, body) };
  });
  fill(view, h("div", { class: "compare stack" },
    h("header", { class: "compare-head compare-apart" }, crumbs(corpus), question), h("div", { class: "compare-apart" }, refused()),
    h("div", { class: "compare-answers", dataset: { count: columns.length } }, columns.map((one) => one.element)), summary,
    h("p", { class: "row compare-apart" }, corpus ? h("a", { class: "button", href: compareAddress(corpusId) }, "Compare another question") : null)));
  const stops = columns.map((column) => openAnswer(column.body, { answerId: column.id, isOneOfSeveral: true, onKnown: (answer) => heard(column, answer),
    onSource: () => { for (const [at, stop] of stops.entries()) if (columns[at] !== column) stop.closeSource(); } }));

  function heard(column, answer) {
    const isNew = !known.has(answer.id);
    known.set(answer.id, answer);
    question.textContent = answer.question;
    question.classList.toggle("long", answer.question.length > 240);
    draw();
    if (isNew) get(`/v1/plans/${encodeURIComponent(answer.plan_id)}`, { signal }).then((plan) => { plans.set(answer.id, plan); draw(); }, () => {});
    else announce(`Answer ${columns.indexOf(column) + 1} has ended`);
  }

  function draw() {
    const there = ids.map((id) => known.get(id)).filter(Boolean);
    if (there.length === ids.length) fill(summary, h("section", { class: "card", "aria-label": "Side by side" }, h("h2", null, "Side by side"), comparison(there, plans)));
  }

  return () => { for (const stop of stops) stop(); };
}
