// The receipt: what was read and what was left out, and what it cost against what was said before.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { amount, dollars, exact } from "./money.js";
import { count, percent, plural } from "./numbers.js";
import { isAbort, problemNotice } from "./problems.js";

const REASONS = {
  not_selected: "not among the documents that were asked",
  over_window: "does not fit the model's window",
  ranked_lower: "other pages match the question better",
  blank: "nothing is on them",
  compacted: "sent as a line, since the conversation was shortened",
};
const MOST_NAMES = 40;

/** Return why something was left out, in words. */
const reason = (code) => REASONS[code] ?? String(code).replaceAll("_", " ");

/** Return what was read and what was not; the list of pages is fetched when it is opened. */
export function coverage(answer, { signal }) {
  const read = answer.coverage;
  if (!read) return null;
  const out = read.documents_out ?? [];
  const all = read.pages_in === read.pages_total && !out.length;
  const summary = `${count(read.pages_in)} of ${plural(read.pages_total, "page")} in ${plural(read.documents_in.length, "document")}`;
  const title = answer.status === "done" ? "What was read" : "What was to be read";
  return h("section", { class: "receipt", "aria-label": title },
    h("h2", null, title),
    h("p", null, all ? `Everything: ${summary}.` : `${summary}.`, " ",
      h("span", { class: "quiet" }, `${percent(read.tokens_share)} of the tokens.`)),
    leftOut(read, signal),
    unfolding(answer.status === "done" ? "Every page that was read" : "Every page that was to be read", () => pages(answer, signal)));
}

function leftOut(read, signal) {
  const lines = [
    ...(read.documents_out ?? []).slice(0, MOST_NAMES).map((one) => h("li", null, named(one.document_id, signal), `: ${reason(one.reason)}`)),
    ...(read.pages_out ?? []).slice(0, MOST_NAMES).map((one) => h("li", null, named(one.document_id, signal), `, ${pageWords(one.pages)}: ${reason(one.reason)}`)),
    ...(read.repeated_out ?? []).map((one) => h("li", null, named(one.document_id, signal), `: repeated headers and footers, ${plural(one.tokens, "token")}`)),
    ...(read.history_out ?? []).map((one) => h("li", null, `An earlier turn: ${reason(one.reason)}`)),
  ];
  const more = Math.max(0, (read.documents_out ?? []).length - MOST_NAMES);
  if (read.pages_without_text) lines.push(h("li", null, `${plural(read.pages_without_text, "page")} without text that could be read`));
  if (!lines.length) return null;
  return h("div", null, h("h3", null, "Left out"), h("ul", { class: "plain-list" }, lines, more ? h("li", null, `and ${plural(more, "document")} more`) : null));
}

/** Return a document's name, asked for as it is shown. */
function named(documentId, signal) {
  const place = h("bdi", null, documentId);
  get(`/v1/documents/${encodeURIComponent(documentId)}`, { signal }).then((known) => { place.textContent = known.filename; }, () => { place.textContent = "a document that was deleted since"; });
  return place;
}

async function pages(answer, signal) {
  const [plan, listed] = await Promise.all([
    get(`/v1/plans/${encodeURIComponent(answer.plan_id)}`, { signal }), get(`/v1/plans/${encodeURIComponent(answer.plan_id)}/pages`, { signal })]);
  const names = new Map(plan.calls.flatMap((call) => call.documents).map((one) => [one.document_id, { name: one.filename, number: one.ordinal }]));
  const rows = new Map();
  for (const page of listed.data) {
    const row = rows.get(page.document_id) ?? { pages: [], tokens: 0, isGone: false };
    if (page.page !== null) row.pages.push(page.page);
    for (const [first, last] of page.page_runs ?? []) for (let number = first; number <= last; number += 1) row.pages.push(number);
    row.isGone ||= Boolean(page.source_gone);
    row.tokens += page.tokens;
    rows.set(page.document_id, row);
  }
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Every page that was read" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Document"), h("th", { scope: "col" }, "Pages"), h("th", { scope: "col", class: "number" }, "Tokens"))),
    h("tbody", null, [...rows].map(([id, row]) => h("tr", null,
      h("td", null, h("span", { class: "quiet" }, `D${names.get(id)?.number ?? "?"} `), h("bdi", null, names.get(id)?.name ?? id), row.isGone ? h("span", { class: "quiet" }, " (deleted since)") : null),
      h("td", null, pageWords(row.pages)), h("td", { class: "number" }, count(row.tokens)))))));
}

/** Return page numbers in stretches: "pages 1–3, 7". */
export function pageWords(numbers) {
  const runs = [];
  for (const number of numbers) {
    if (runs.length && runs.at(-1)[1] === number - 1) runs.at(-1)[1] = number;
    else runs.push([number, number]);
  }
  const words = runs.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`));
  return `${numbers.length === 1 ? "page" : "pages"} ${words.join(", ")}`;
}

/** Return a `details` whose content is made when it is first opened. */
export function unfolding(title, make) {
  const content = h("div", { class: "unfolded" });
  let isMade = false;
  return h("details", { async ontoggle(event) {
    if (isMade || !event.currentTarget.open) return;
    isMade = true;
    fill(content, h("p", { class: "quiet" }, "…"));
    try {
      fill(content, await make());
    } catch (error) {
      isMade = false;
      if (!isAbort(error)) fill(content, problemNotice(error));
    }
  } }, h("summary", null, title), content);
}

/** Return what it cost against what was said before, and why the two differ. */
export function costs(answer) {
  const { cost, usage, estimate, cache } = answer;
  if (answer.engine === "offline") {
    return h("section", { class: "receipt", "aria-label": "What it cost" }, h("h2", null, "What it cost"), h("p", null, "Nothing: no model was asked. The closest passages are shown."));
  }
  const rows = [
    ["Price", exact(amount(cost.estimated_usd)), cost.actual_usd === null ? unpaid(answer) : `${cost.actual_is === "at_most" ? "at most " : ""}${exact(amount(cost.actual_usd))}`],
    ...(usage ? [
      ["Tokens in", estimate ? count(estimate.predicted_prompt_tokens) : "", count(usage.prompt_tokens)],
      ["of them cached", cache ? count(cache.expected_cached_tokens) : "", cache && cache.cached_tokens !== null ? count(cache.cached_tokens) : ""],
      ["Tokens out", "", count(usage.completion_tokens)],
      ["of them reasoning", "", count(usage.reasoning_tokens)],
    ] : []),
  ];
  return h("section", { class: "receipt", "aria-label": "What it cost" },
    h("h2", null, "What it cost"),
    h("table", { class: "costs" },
      h("thead", null, h("tr", null, h("td", null), h("th", { scope: "col", class: "number" }, "Estimated"), h("th", { scope: "col", class: "number" }, "Actual"))),
      h("tbody", null, rows.map(([name, before, came]) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "number" }, before || "–"), h("td", { class: "number" }, came || "–"))))),
    h("p", { class: "small quiet" }, apart(estimate), cache?.because ? `${cache.because} ` : "", `At most ${exact(amount(cost.max_usd))} was to be spent, and held for it.`,
      usage?.estimated ? " The provider told no usage, so what is booked is an upper bound by our own counts; the provider’s invoice says what it was, and unabridged resolve puts it right." : ""));
}

/** Return in a word what no amount is known of: refused or never sent is nothing, in doubt is in doubt. */
const unpaid = ({ status, error }) => (status === "in_doubt" || error?.code === "in_doubt" ? "not known" : "nothing");

/** Return in a sentence how far the price before was off. */
function apart(estimate) {
  if (!estimate) return "";
  const off = amount(estimate.error_usd);
  if (off === 0n) return "It cost what was estimated. ";
  const share = estimate.error_share === null ? "" : ` (${percent(Math.abs(estimate.error_share))})`;
  return `It cost ${dollars(off < 0n ? -off : off)} ${off < 0n ? "less" : "more"} than estimated${share}. `;
}
