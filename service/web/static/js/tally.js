// What the switches add up to: tokens and dollars of the documents that are on. Pure; sums are exact, since counts add.

import { amount, priceOf } from "./money.js";

export const BELOW = "below", NEAR = "near", OVER = "over", BEYOND = "beyond";

const NEAR_SHARE = 0.95;

/** Whether a document can be switched: it is read, and has pages of its own (an archive has none). */
export const isAskable = (document) => document.status === "ready" && document.pages > 0;

/** Return the rates of a model for a million tokens: `{short, long}`, each `{input, cached, output}` or null. */
export function ratesOf(model) {
  const tiers = model?.prices?.find((period) => period.current)?.tiers ?? [];
  const band = (name) => {
    const found = tiers.find((tier) => tier.tier === "standard" && tier.band === name);
    return found ? { input: found.input, cached: found.cached_input ?? found.input, output: found.output } : null;
  };
  const short = band("short") ?? tiers.find((tier) => tier.tier === "standard") ?? null;
  return { short, long: band("long") ?? short };
}

/**
 * Add up.
 *
 * @param documents of the corpus, in order.
 * @param meter of the service: its fixed tokens, its limits, what an answer usually costs.
 * @param model of the catalog; @param off a set of ids.
 */
export function tally({ documents, meter, model, off }) {
  const counted = new Map(meter.documents.map((one) => [one.document_id, one.tokens]));
  const tokensOf = (document) => counted.get(document.id) ?? document.tokens;
  const askable = documents.filter(isAskable);
  const on = askable.filter((document) => !off.has(document.id));
  const around = meter.input_tokens - sum(meter.documents.map((one) => one.tokens));
  const documentTokens = sum(on.map(tokensOf));
  const tokens = on.length ? documentTokens + around : 0;
  const mark = meter.threshold.at;
  const wall = meter.window.max_input;
  const status = statusOf(tokens, mark, wall);
  const rates = ratesOf(model);
  const rate = mark !== null && tokens > mark ? rates.long : rates.short;
  return {
    askable, on, tokens, mark, wall, status, rate, tokensOf,
    isAll: on.length === documents.length,
    ...pricesOf({ tokens, status, rate, meter, rates }),
    largest: Math.max(1, ...on.map(tokensOf)),
    shareOf: (document) => (documentTokens ? tokensOf(document) / documentTokens : 0),
    dollarsOf: (document) => (rate ? priceOf(tokensOf(document), rate.input) : null),
  };
}

/** What tells one selection from another. */
export const key = (documents) => documents.map((one) => one.id).join(" ");

/** Return the tally with the service's own figures of a plan over the same documents, the question counted in. */
export function withPriced(sum, priced) {
  if (!priced || priced.on !== key(sum.on)) return sum;
  const { plan } = priced;
  return {
    ...sum, isPriced: true, tokens: plan.input_tokens, status: statusOf(plan.input_tokens, sum.mark, sum.wall),
    cold: amount(plan.cost.cold_usd), warm: amount(plan.cost.warm_usd),
  };
}

/** Return how a number of tokens stands to the mark and the wall. */
export function statusOf(tokens, mark, wall) {
  if (tokens > wall) return BEYOND;
  if (mark === null || tokens < mark * NEAR_SHARE) return BELOW;
  return tokens > mark ? OVER : NEAR;
}

function pricesOf({ tokens, status, rate, meter, rates }) {
  if (!rate || !tokens || status === BEYOND) return { cold: null, warm: null };
  const answer = answerPrice(meter, rates, rate);
  const cold = priceOf(tokens, rate.input) + answer;
  const fresh = Math.min(tokens, freshTokens(meter, rates));
  return { cold, warm: priceOf(tokens - fresh, rate.cached) + priceOf(fresh, rate.input) + answer };
}

/** What the usual answer costs at a rate, by what the meter expects of the whole corpus. */
function answerPrice(meter, rates, rate) {
  const whole = wholeRate(meter, rates);
  const cold = amount(meter.per_question.cold_usd);
  if (!whole || cold === null) return 0n;
  const output = cold - priceOf(meter.input_tokens, whole.input);
  return (output * amount(rate.output)) / amount(whole.output);
}

/** Tokens that are never cached: the question, and what is left of the last step of the cache. */
function freshTokens(meter, rates) {
  const whole = wholeRate(meter, rates);
  const { cold_usd: cold, warm_usd: warm } = meter.per_question;
  if (!whole || cold === null || warm === null) return 0;
  const saving = amount(whole.input) - amount(whole.cached);
  if (saving <= 0n) return meter.input_tokens;
  return meter.input_tokens - Number(((amount(cold) - amount(warm)) * 1_000_000n) / saving);
}

const wholeRate = (meter, rates) => (meter.threshold.at !== null && meter.input_tokens > meter.threshold.at ? rates.long : rates.short);
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
