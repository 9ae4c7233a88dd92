// What came of answers, in a table: what each cost, how long it took, how far its quotes hold.

import { mannerOf } from "./asking.js";
import { VERDICTS } from "./citations.js";
import { h } from "./dom.js";
import { amount, exact, shown } from "./money.js";
import { count, percent, plural } from "./numbers.js";
import { titleOf } from "./planwords.js";
import { answerAddress } from "./router.js";

const OPEN = new Set(["queued", "running"]);
const ENDS = { done: "done", failed: "failed", cancelled: "stopped", in_doubt: "in doubt", queued: "waiting", running: "being written" };

/** Return the table; `plans` has the plan of each answer by its id, as far as they are known yet. */
export function comparison(answers, plans = new Map()) {
  const planOf = (answer) => plans.get(answer.id) ?? answer;
  const rows = [
    ["Plan", (answer) => titleOf({ ...planOf(answer), strategy: answer.strategy })],
    ["Model", (answer) => [answer.model, planOf(answer).service_tier && planOf(answer).service_tier !== "standard" ? ` · ${planOf(answer).service_tier}` : ""]],
    ["Asked with", (answer) => mannerOf(answer.id).join(", ") || "–"],
    ["State", (answer) => ENDS[answer.status] ?? answer.status],
    ["Estimated", (answer) => money(answer.cost.estimated_usd)],
    ["Paid", (answer) => (answer.cost.actual_usd === null ? "–" : [answer.cost.actual_is === "at_most" ? "at most " : null, money(answer.cost.actual_usd)])],
    ["Tokens in", (answer) => told(answer.usage, ({ prompt_tokens: n }) => count(n))],
    ["of them cached", (answer) => told(answer.usage, ({ cached_tokens: n, prompt_tokens: of }) => (n ? `${count(n)} (${percent(n / of)})` : "0"))],
    ["Tokens out", (answer) => told(answer.usage, ({ completion_tokens: n, reasoning_tokens: thought }) => (thought ? `${count(n)}, ${count(thought)} of them thinking` : count(n)))],
    ["Time", (answer) => told(answer.timings?.finished_ms, seconds)],
    ["Quotes", verdicts],
    ["Quotes that hold", (answer) => (OPEN.has(answer.status) || answer.citation_precision === null || !answer.citations.length ? "–" : percent(answer.citation_precision))],
    ["Pages read", (answer) => told(answer.coverage, ({ pages_in: n, pages_total: of }) => `${count(n)} of ${plural(of, "page")}`)],
  ];
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "What came of each" }, h("table", { class: "compare-table" },
    answers.length < 2 ? null : h("thead", null, h("tr", null, h("td", null), answers.map((answer, at) => h("th", { scope: "col" }, h("a", { href: answerAddress(answer.id) }, `Answer ${at + 1}`))))),
    h("tbody", null, rows.map(([name, cell]) => h("tr", null, h("th", { scope: "row" }, name), answers.map((answer) => h("td", null, cell(answer))))))));
}

const told = (value, words) => (value === null || value === undefined ? "–" : words(value));
const money = (usd) => (usd === null ? "–" : h("span", { class: "number", title: `exactly ${exact(amount(usd))}` }, shown(usd)));
const seconds = (ms) => (ms < 1000 ? `${count(ms)} ms` : ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${count(Math.round(ms / 1000))} s`);

function verdicts({ citations, status }) {
  if (!citations.length) return OPEN.has(status) ? "–" : "none";
  return h("span", { class: "row compare-verdicts" }, Object.entries(VERDICTS).map(([verdict, { sign, word, tone }]) => {
    const n = citations.filter((one) => one.verdict === verdict).length;
    return n ? h("span", { class: `badge ${tone}` }, h("span", { "aria-hidden": "true" }, sign), `${count(n)} ${word}`) : null;
  }));
}
