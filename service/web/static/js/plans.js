// The price before the question: the plans side by side, what each leaves out, and the threshold accepted or not.

import { post } from "./api.js";
import { copyAsButton } from "./copyas.js";
import { costCurve } from "./costcurve.js";
import { debounced, fill, h, newId } from "./dom.js";
import { amount, dollars, shown } from "./money.js";
import { count } from "./numbers.js";
import { plainly } from "./plainwords.js";
import { planCard } from "./plancard.js";
import { extraWords, offered, sameKind, titleOf } from "./planwords.js";
import { isAbort, problemNotice } from "./problems.js";

const TYPING_MS = 350;
const NAMED = 2;
const TIERS = [["standard", "Standard"], ["flex", "Flex"], ["batch", "Batch"]];

/**
 * Return the panel as `{element, outcome, ask(), update(asked), stop()}`.
 *
 * @param handlers `{onAsk({plan, acceptsLongContext, request}), onFix(fix), onTier(tier), onQuestions(n), onPriced(plan, asked)}`: the last is told
 * the plan of one call over everything that was asked about.
 * `outcome` is where asking shows what it does. `update` takes `{corpusId, request, why, documentIds, documents}`.
 */
export function plansPanel(handlers) {
  const place = h("div", { class: "plans-place" });
  const outcome = h("div", { class: "plans-outcome" });
  const element = h("section", { class: "plans", "aria-label": "Plans and their prices" }, place, outcome);
  const group = newId("plan");
  const curve = costCurve({ onQuestions: handlers.onQuestions });
  let asked = null;
  let offer = null;
  let wanted = null;
  let accepted = null;
  let isAsking = false;
  let controller = null;

  const later = debounced(load, TYPING_MS);

  async function load() {
    controller?.abort();
    controller = new AbortController();
    element.setAttribute("aria-busy", "true");
    try {
      offer = await post(`/v1/corpora/${encodeURIComponent(asked.corpusId)}/plans`, body(), { signal: controller.signal });
      show();
      handlers.onPriced(offer.data.find((plan) => plan.strategy === "whole" || plan.strategy === "selected") ?? null, asked);
    } catch (error) {
      if (isAbort(error)) return;
      offer = null;
      fill(place, problemNotice(error, { onRetry: load }), fixes(error.fixes ?? []));
    }
    element.removeAttribute("aria-busy");
  }

  const body = () => ({ ...asked.request, ...(asked.documentIds ? { document_ids: asked.documentIds } : {}) });

  function show() {
    const plans = offered(offer.data);
    const chosen = chosenOf(plans);
    if (chosen && accepted !== acceptance(chosen)) accepted = null;
    const names = new Map(asked.documents.map((one) => [one.id, one.filename]));
    const focused = place.contains(document.activeElement) ? document.activeElement.id : null;
    fill(place,
      h("div", { class: "plans-head" }, h("h2", null, "What it will cost"), tiers(chosen), copyAsButton(requests)),
      offer.recommended_because ? h("p", { class: "quiet plans-because" }, plainly(offer.recommended_because)) : null,
      h("div", { class: "plan-cards", role: "radiogroup", "aria-label": "Plans" }, plans.map((plan) => planCard(plan, {
        group, names, isChosen: plan === chosen, isRecommended: plan.id === offer.recommended, onChoose: () => { wanted = sameKind(plan); show(); } }))),
      chosen ? [action(chosen), warnings(chosen)] : null,
      curve.element);
    curve.show({ plans: plans.filter((plan) => plan.feasible && plan.cost), chosen, questions: asked.request.expected_questions ?? 1 });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function chosenOf(plans) {
    const feasible = plans.filter((plan) => plan.feasible);
    return feasible.find((plan) => sameKind(plan) === wanted) ?? feasible.find((plan) => plan.id === offer.recommended) ?? feasible[0] ?? null;
  }

  /** What a tick stands for: another plan, or another price, has to be accepted anew. */
  const acceptance = (plan) => (plan.threshold.status === "over" ? `${sameKind(plan)} ${plan.threshold.extra_usd}` : null);

  function action(plan) {
    const extra = acceptance(plan);
    const isOpen = extra === null || accepted === extra;
    const price = shown(plan.cost?.expected_usd ?? null);
    const isBatch = plan.service_tier === "batch";
    const verb = isBatch ? "Put it in a batch" : "Ask";
    const button = h("button", { id: `${group}-ask`, type: "button", class: `button primary ask-button${isOpen ? "" : " is-closed"}`, "aria-disabled": isOpen ? null : "true", "aria-describedby": extra === null ? null : `${group}-extra`, onclick: () => (isOpen ? send(plan, extra !== null) : tick.focus()) },
      extra === null ? `${verb} for about ${price}` : isOpen ? `${verb} at the long-context price: about ${price}` : "Accept the long-context price first");
    const tick = h("input", { id: `${group}-accept`, type: "checkbox", checked: isOpen && extra !== null, onchange: () => { accepted = tick.checked ? extra : null; show(); } });
    return h("div", { class: `ask-bar${extra === null ? "" : " is-over"}` },
      extra === null ? null : h("div", { id: `${group}-extra`, class: "ask-extra" },
        h("p", null, h("strong", null, `${count(plan.threshold.tokens_over)} tokens over the ${count(plan.threshold.at)} mark: `), "every token costs the long-context price."),
        h("label", { class: "check" }, tick, " ", h("span", null, "I accept the long-context price: ", h("strong", null, extraWords(plan))))),
      h("div", { class: "row ask-do" }, button, h("span", { class: "small quiet" }, plan.cost ? `At most ${shown(plan.cost.max_usd)}; no bill is higher.` : "No price is published for this.", isBatch ? " It comes within 24 hours; you need not stay." : "")),
      plan.warnings.filter(isThreshold).map((one) => fixes(one.fixes, "Or stay below: ")));
  }

  async function send(plan, acceptsLongContext) {
    if (isAsking) return; // a second click would be paid as well
    isAsking = true;
    fill(outcome, h("p", { class: "quiet", role: "status" }, "Asking…"));
    try {
      await handlers.onAsk({ plan, acceptsLongContext, request: body() });
    } catch (error) {
      if (!isAbort(error)) fill(outcome, problemNotice(error), fixes(error.fixes ?? []));
      if (["plan_changed", "plan_expired", "price_moved"].includes(error.code)) load();
    } finally {
      isAsking = false;
    }
  }

  /** What is on the screen, to be run elsewhere. */
  function requests() {
    const at = `/v1/corpora/${encodeURIComponent(asked.corpusId)}`;
    const question = body();
    const chosen = chosenOf(offered(offer.data));
    const priced = { name: "Tell the prices of this question", method: "POST", path: `${at}/plans`, body: question };
    if (!chosen) return [priced];
    const { expected_questions: _, ...asking } = question;
    const strategy = { strategy: chosen.strategy, ...(chosen.budget_tokens ? { budget_tokens: chosen.budget_tokens } : {}) };
    const isAccepted = acceptance(chosen) !== null && accepted === acceptance(chosen);
    const limit = chosen.cost ? { max_cost_usd: chosen.cost.max_usd } : {};
    return [priced, { name: `Ask it: ${titleOf(chosen)}`, method: "POST", path: `${at}/answers`, pick: "text", body: { ...asking, ...strategy, ...limit, ...(isAccepted ? { allow_long_context: true } : {}) } }];
  }

  /** The tiers of service with the price of the chosen plan in each. */
  function tiers(chosen) {
    const now = chosen?.service_tier ?? "standard";
    const others = new Map((chosen?.alternatives ?? []).map((one) => [one.service_tier, one]));
    const standing = TIERS.filter(([tier]) => tier === now || others.get(tier)?.cost || tier === "standard");
    if (standing.length < 2) return null;
    return h("div", { class: "tiers", role: "group", "aria-label": "Service tier" }, standing.map(([tier, label]) => {
      const other = others.get(tier);
      const usd = tier === now ? chosen.cost?.expected_usd : other?.cost?.expected_usd;
      return h("button", { id: `${group}-${tier}`, type: "button", class: "tier", "aria-pressed": String(tier === now), disabled: tier !== now && other?.feasible === false, title: plainly(other?.note ?? ""), onclick: () => handlers.onTier(tier === "standard" ? null : tier) },
        label, usd ? h("span", { class: "number" }, shown(usd)) : null);
    }));
  }

  function warnings(plan) {
    return plan.warnings.filter((one) => !isThreshold(one)).map((one) => h("div", { class: `notice small${one.code.startsWith("over") ? " warned" : ""}` }, h("p", null, plainly(one.detail)), fixes(one.fixes)));
  }

  function fixes(list, lead = null) {
    const known = list.filter((fix) => fix.do === "use_strategy" || ["leave_out", "narrow", "leave_out_waste", "send_page_images"].includes(fix.do));
    if (!known.length) return null;
    const names = new Map((asked?.documents ?? []).map((one) => [one.id, one.filename]));
    return h("div", { class: "row fixes" }, lead ? h("span", { class: "small" }, lead) : null, known.map((fix) => h("button", { type: "button", class: "button narrow", title: plainly(fix.detail), onclick: () => mend(fix) },
      h("span", null, worded(fix, names)), fix.saves_usd ? h("span", { class: "quiet" }, `saves ${mostOf(fix)}${dollars(amount(fix.saves_usd))}`) : null)));
  }

  /** What is saved is reckoned cold; while something is cached it is the most. */
  function mostOf({ saves_usd: saved }) {
    const cost = chosenOf(offered(offer?.data ?? []))?.cost;
    return cost && amount(cost.expected_usd) < amount(cost.cold_usd) && amount(saved) > amount(cost.expected_usd) ? "up to " : "";
  }

  function mend(fix) {
    if (fix.do === "use_strategy") {
      const plan = offered(offer?.data ?? []).find((one) => one.strategy === fix.strategy);
      if (plan) { wanted = sameKind(plan); show(); }
    } else handlers.onFix(fix);
  }

  return {
    element,
    outcome,
    /** Ask the chosen plan, as its button does: a price that is not accepted yet leads to its tick. */
    ask() { if (offer && !element.hasAttribute("aria-busy")) document.getElementById(`${group}-ask`)?.click(); },
    update(next) {
      asked = next;
      if (next.request) return later();
      later.stop();
      controller?.abort();
      offer = null;
      element.removeAttribute("aria-busy");
      return fill(place, h("p", { class: "quiet plans-hint" }, next.why ?? "Type a question, and its price comes before anything is asked."));
    },
    stop() { later.stop(); controller?.abort(); },
  };
}

const isThreshold = (warning) => warning.code === "over_threshold";

/** A fix on its button: with the names of the first documents, where it names some. */
function worded(fix, names) {
  if (fix.do === "use_strategy") return `Take “${titleOf({ strategy: fix.strategy })}”`;
  const ids = fix.document_ids ?? [];
  const verb = { leave_out: "Leave out", narrow: "Ask only" }[fix.do];
  if (!verb || !ids.length) return plainly(fix.detail);
  const more = ids.length - NAMED;
  return [`${verb} `, ids.slice(0, NAMED).flatMap((id, n) => [n ? ", " : "", h("bdi", null, names.get(id) ?? id)]), more > 0 ? ` and ${count(more)} more` : ""];
}
