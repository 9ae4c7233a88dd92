// What was spent: by day, corpus and model, against what was expected, and the budgets that hold it.

import { get, getAll } from "./api.js";
import { bars, columns } from "./charts.js";
import { fill, h } from "./dom.js";
import { amount, dollars, drawn, exact, onScale, shown } from "./money.js";
import { count, moment, percent, plural } from "./numbers.js";
import { answerAddress } from "./router.js";

const DAYS = 30;
const LINES = 12;
const NAMED = 100;
const KINDS = { reserve: "held", release: "freed", settle: "paid", correct: "corrected" };
const A_DAY_MS = 86_400_000;

/** Show what was spent in the last days. */
export async function showSpend(view) {
  const controller = new AbortController();
  const options = { signal: controller.signal };
  const from = encodeURIComponent(new Date(Date.now() - DAYS * A_DAY_MS).toISOString());
  const by = (group) => get(`/v1/ledger?group_by=${group}&from=${from}`, options);
  const [days, corpora, models, budgets, lines, answers] = await Promise.all([by("day"), by("corpus"), by("model"), get("/v1/budgets", options), getAll(`/v1/ledger?from=${from}`, options),
    get(`/v1/answers?newest_first=true&limit=${NAMED}`, options)]);
  document.title = "Spend · Unabridged";
  fill(view, h("div", { class: "spend" }, h("header", null, h("h1", null, "Spend"), h("p", { class: "quiet" }, `The last ${DAYS} days, as the ledger has them.`)),
    figures(days), days.data.length ? [
      card("By day", columns(everyDay(days.data), { label: "Spent by day, and what was expected", scaleText: onScale, names: ["paid", "expected"] })),
      h("div", { class: "spend-columns" },
        h("div", { class: "stack" },
          card("By corpus", spendBars(sorted(corpora.data), "Spent by corpus", (one) => h("bdi", null, one.name ?? "a corpus that is gone"))),
          card("By model", spendBars(sorted(models.data), "Spent by model", (one) => one.key)),
          card("From the cache, by day", cacheBars(days.data))),
        card("Expected and paid", estimates(days)))] : h("p", { class: "quiet" }, "Nothing was asked yet, so nothing was spent."),
    budgetsCard(budgets.data), ledgerCard(lines, new Map(answers.data.map((one) => [one.id, one.question])))));
  return () => { controller.abort(); document.title = "Unabridged"; };
}

function figures({ total, held_usd: held }) {
  const cached = total.prompt_tokens ? total.cached_tokens / total.prompt_tokens : 0;
  return h("dl", { class: "spend-figures" },
    figure("Spent", shown(total.spent_usd), `${known(total)}: ${plural(total.answers, "answer")}, ${plural(total.calls, "call")}`),
    figure("Held for open calls", shown(held), "freed or settled as they end; of answers in doubt, once you resolve them"),
    figure("Tokens read", count(total.prompt_tokens), `${count(total.completion_tokens)} written`),
    figure("From the cache", percent(cached), `${count(total.cached_tokens)} tokens at the cached price`));
}

/** What of it is exact, and what calls that told no usage are booked at. */
const known = ({ spent_usd: spent, exact_usd: sure, at_most_usd: most, at_most_calls: calls }) =>
  (calls ? `exactly ${exact(amount(sure))}, and at most ${exact(amount(most))} of ${plural(calls, "call")} that told no usage` : `exactly ${exact(amount(spent))}`);

const figure = (name, value, note) => h("div", { class: "figure" }, h("dt", null, name), h("dd", { class: "number" }, value), h("dd", { class: "small" }, note));

const card = (title, content) => h("section", { class: "card" }, h("h2", null, title), content);

/** What share of the tokens read came from the cache, newest day first. */
function cacheBars(groups) {
  const days = groups.filter((one) => one.prompt_tokens).sort((a, b) => (a.key < b.key ? 1 : -1));
  if (!days.length) return h("p", { class: "quiet" }, "No call has told its usage yet.");
  return bars(days.map((one) => ({ name: dayName(one.key), value: one.cached_tokens / one.prompt_tokens, text: `${percent(one.cached_tokens / one.prompt_tokens)} of ${count(one.prompt_tokens)}` })),
    { label: "Tokens from the cache by day", whole: 1 });
}

function spendBars(groups, label, name) {
  return bars(groups.map((one) => ({ name: name(one), value: drawn(amount(one.spent_usd)), text: exact(amount(one.spent_usd)) })), { label });
}

/** All days of the span, those without a call too: `[{name, value, text}]`. */
function everyDay(groups) {
  const found = new Map(groups.map((one) => [one.key, one]));
  return Array.from({ length: DAYS }, (_, n) => new Date(Date.now() - (DAYS - 1 - n) * A_DAY_MS).toISOString().slice(0, 10))
    .map((key) => ({ name: dayName(key), ...dayOf(found.get(key)) }));
}

/** What a day's calls cost, and what they were expected to: the mean error is of those calls that told their usage. */
function dayOf(group) {
  if (!group) return { value: 0, text: shown("0"), expected: 0 };
  const spent = amount(group.spent_usd);
  const expected = group.estimate ? spent - amount(group.estimate.mean_error_usd) * BigInt(group.estimate.calls) : spent;
  return { value: drawn(spent), expected: drawn(expected), text: `${dollars(spent)}, expected ${dollars(expected)}` };
}

const sorted = (groups) => [...groups].sort((a, b) => (amount(b.spent_usd) > amount(a.spent_usd) ? 1 : -1));
const dayName = (key) => new Date(`${key}T00:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

function estimates({ total }) {
  const { estimate } = total;
  if (!estimate) return h("p", { class: "quiet" }, "No call has told its usage yet.");
  return h("table", null, h("tbody", null,
    row("Calls compared", count(estimate.calls)), mean(amount(estimate.mean_error_usd)),
    row("Off by on average, either way", shown(estimate.mean_absolute_error_usd)),
    row("Cached tokens expected", count(estimate.expected_cached_tokens)), row("Cached tokens that came", count(estimate.cached_tokens))));
}

const mean = (error) => row(`On average a call cost ${error > 0n ? "more" : "less"} than expected by`, dollars(error < 0n ? -error : error));
const row = (name, value) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "number" }, value));

function budgetsCard(budgets) {
  if (!budgets.length) return null;
  return card("Budgets", h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Budgets" }, h("table", { class: "budgets" },
    h("thead", null, h("tr", null, ["Of", "Limit", "Spent", "Held", "Free"].map((name, n) => h("th", { scope: "col", class: n ? "number" : "" }, name)), h("td", { class: "budget-bar" }))),
    h("tbody", null, budgets.map((one) => h("tr", null, h("th", { scope: "row" }, h("bdi", null, one.corpus ?? one.key ?? (one.scope === "tenant" ? "everything" : one.scope))),
      h("td", { class: "number" }, `${exact(amount(one.limit_usd))} a ${one.period}`.replace("a total", "in all")),
      [one.spent_usd, one.reserved_usd, one.available_usd].map((usd) => h("td", { class: "number" }, exact(amount(usd)))), h("td", { class: "budget-bar" }, used(one))))))));
}

/** How much of a limit is gone, and how much is held: what the figures beside it say. */
function used({ limit_usd: limit, spent_usd: spent, reserved_usd: held }) {
  const share = (usd) => (amount(limit) > 0n ? Math.min(1, drawn(amount(usd)) / drawn(amount(limit))) : 1);
  return h("span", { class: `gauge${share(spent) > 0.9 ? " is-full" : ""}`, "aria-hidden": "true", style: { "--spent": String(share(spent)), "--held": String(share(held)) } }, h("span", { class: "gauge-spent" }), h("span", { class: "gauge-held" }));
}

function ledgerCard(lines, questions) {
  if (!lines.length) return null;
  return card("Ledger, the last lines", h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Ledger" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "At"), h("th", { scope: "col" }, "What"), h("th", { scope: "col" }, "Question"), h("th", { scope: "col", class: "number" }, "Amount"))),
    h("tbody", null, lines.slice(-LINES).reverse().map((line) => h("tr", null, h("td", null, moment(line.at)), h("td", null, KINDS[line.kind] ?? line.kind),
      h("td", { class: "ledger-question" }, h("a", { href: answerAddress(line.answer_id), dir: "auto" }, questions.get(line.answer_id) ?? line.answer_id)), h("td", { class: "number" }, exact(amount(line.usd)))))))));
}
