// Plans in plain words.

import { amount, shown } from "./money.js";
import { count, percent, plural } from "./numbers.js";

const REASONS = {
  ranked_lower: "less to do with the question", not_selected: "switched off", not_needed: "not needed", duplicate: "the same as another",
  near_duplicate: "nearly the same as another", blank: "blank", failed: "could not be read", not_ready: "not read yet",
};

/** The plans worth showing: without those that nothing needs, and without rankings that read the same pages. */
export function offered(plans) {
  const seen = new Set();
  return plans.filter((plan) => {
    if (plan.infeasible_code === "not_needed") return false;
    const pack = plan.strategy === "ranked" && plan.feasible ? `ranked ${plan.input_tokens} ${plan.coverage.pages_in}` : plan.id;
    return !seen.has(pack) && seen.add(pack);
  });
}

/** What stays the same of a plan when it is priced anew. */
export const sameKind = (plan) => `${plan.strategy === "selected" ? "whole" : plan.strategy} ${plan.budget_tokens ?? ""}`;

/** A plan's name. */
export function titleOf({ strategy, budget_tokens: budget }) {
  if (strategy === "split") return "In parts";
  if (strategy === "ranked") return budget ? `Closest pages, ${Math.round(budget / 1000)}k` : "Closest pages";
  return "Everything at once";
}

/** Short enough for a chart. */
export function shortTitleOf({ strategy, budget_tokens: budget }) {
  if (strategy === "split") return "In parts";
  if (strategy === "ranked") return `Closest ${Math.round(budget / 1000)}k`;
  return "All at once";
}

/** What a plan does, in a sentence. */
export function manner(plan) {
  const parts = plan.calls.filter((call) => call.kind === "part").length;
  if (plan.strategy === "split") return parts ? `${plural(parts, "call")} read every page below the mark; one more merges what they found.` : "Several calls below the mark, and one that merges.";
  if (plan.strategy === "ranked") return `One call reads the pages that your question is most about, up to ${count(plan.budget_tokens)} tokens.`;
  return plan.strategy === "selected" ? "One call reads every page of the documents that are on." : "One call reads every page.";
}

/** What the threshold adds, in words: reckoned cold, so it is the most where something is cached. */
export const extraWords = ({ cost, threshold }) => `${cost && amount(cost.expected_usd) < amount(cost.cold_usd) ? "up to " : ""}${shown(threshold.extra_usd)} more`;

/** What a plan reads, in a few words. */
export function reach({ coverage }) {
  if (coverage.pages_in === coverage.pages_total) return `reads 100 %: all ${plural(coverage.pages_total, "page")}`;
  return `reads ${percent(coverage.tokens_share)}: ${count(coverage.pages_in)} of ${plural(coverage.pages_total, "page")}`;
}

/** What a plan leaves out: `[{name, said}]`, documents first. */
export function leftOut({ coverage }, names) {
  const name = (one) => one.filename ?? names.get(one.document_id) ?? one.document_id;
  return [
    ...coverage.documents_out.map((one) => ({ name: name(one), said: one.pages ? `all ${plural(one.pages, "page")}: ${reason(one.reason)}` : reason(one.reason) })),
    ...byDocument(coverage.pages_out).map((one) => ({ name: name(one), said: `${plural(one.pages, "page")}: ${reason(one.reason)}` })),
    ...coverage.repeated_out.map((one) => ({ name: name(one), said: "repeated headers and footers" })),
  ];
}

const reason = (code) => REASONS[code] ?? String(code).replaceAll("_", " ");

function byDocument(pages) {
  const found = new Map();
  for (const one of pages) {
    const key = `${one.document_id} ${one.reason}`;
    const sum = found.get(key) ?? { document_id: one.document_id, filename: one.filename, reason: one.reason, pages: 0 };
    sum.pages += Array.isArray(one.pages) ? one.pages.length : 1;
    found.set(key, sum);
  }
  return [...found.values()];
}
