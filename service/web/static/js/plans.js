// The price before the question: the plans side by side, what each leaves out, and the threshold accepted or not.

import { post } from "./api.js";
import { copyAsButton } from "./copyas.js";
import { costCurve } from "./costcurve.js";
import { debounced, fill, h, newId } from "./dom.js";
import { draftConversation } from "./drafts.js";
import { amount, dollars, shown } from "./money.js";
import { count } from "./numbers.js";
import { plainly } from "./plainwords.js";
import { planCard } from "./plancard.js";
import { offered, sameKind, titleOf } from "./planwords.js";
import { isAbort, problemNotice } from "./problems.js";

const TYPING_MS = 350;
const NAMED = 2;
const TIERS = [["standard", "Standard"], ["flex", "Flex"], ["batch", "Batch"]];

/**
 * Return the panel as `{element, outcome, update(asked), stop()}`.
 *
 * @param handlers `{onAsk({planId, acceptsLongContext, plan}), onFix(fix), onTier(tier), onQuestions(n), onPriced(plan, asked)}`: the last is told
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
  let controller = null;

  const later = debounced(load, TYPING_MS);

  async function load() {
    controller?.abort();
    controller = new AbortController();
    element.setAttribute("aria-busy", "true");
    const { corpusId, request, documentIds } = asked;
    try {
      const conversation_id = await draftConversation(corpusId, { signal: controller.signal });
      const body = { ...request, conversation_id, ...(documentIds ? { document_ids: documentIds } : {}) };
      offer = await post(`/v1/corpora/${encodeURIComponent(corpusId)}/plans`, body, { signal: controller.signal });
      show();
      handlers.onPriced(offer.data.find((plan) => plan.strategy === "whole" || plan.strategy === "selected") ?? null, asked);
    } catch (error) {
      if (isAbort(error)) return;
      offer = null;
      fill(place, problemNotice(error, { onRetry: load }), fixes(error.fixes ?? []));
    }
    element.removeAttribute("aria-busy");
  }

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
    const button = h("button", { id: `${group}-ask`, type: "button", class: `button primary ask-button${isOpen ? "" : " is-closed"}`, "aria-disabled": isOpen ? null : "true", "aria-describedby": extra === null ? null : `${group}-extra`, onclick: () => (isOpen ? send(plan, extra !== null) : tick.focus()) },
      extra === null ? `Ask for about ${price}` : isOpen ? `Ask at the long-context price: about ${price}` : "Accept the long-context price first");
    const tick = h("input", { id: `${group}-accept`, type: "checkbox", checked: isOpen && extra !== null, onchange: () => { accepted = tick.checked ? extra : null; show(); } });
    return h("div", { class: `ask-bar${extra === null ? "" : " is-over"}` },
      extra === null ? null : h("div", { id: `${group}-extra`, class: "ask-extra" },
        h("p", null, h("strong", null, `${count(plan.threshold.tokens_over)} tokens over the ${count(plan.threshold.at)} mark. `), "Every token of this call is billed at the long-context price."),
        h("label", { class: "check" }, tick, " ", h("span", null, "I accept the long-context price: ", h("strong", null, `${shown(plan.threshold.extra_usd)} more`)))),
      h("div", { class: "row" }, button, h("span", { class: "small quiet" }, plan.cost ? `At most ${shown(plan.cost.max_usd)}; no bill is higher.` : "No price is published for this.")),
      plan.warnings.filter(isThreshold).map((one) => fixes(one.fixes, "Or stay below: ")));
  }

  async function send(plan, acceptsLongContext) {
    fill(outcome, h("p", { class: "quiet", role: "status" }, "Asking…"));
    try {
      await handlers.onAsk({ planId: plan.id, acceptsLongContext, plan });
    } catch (error) {
      if (!isAbort(error)) fill(outcome, problemNotice(error), fixes(error.fixes ?? []));
      if (["plan_changed", "plan_expired"].includes(error.code)) load();
    }
  }

  /** What is on the screen, to be run elsewhere: in no conversation, for this one is the tab's. */
  function requests() {
    const { corpusId, request, documentIds } = asked;
    const at = `/v1/corpora/${encodeURIComponent(corpusId)}`;
    const question = { ...request, ...(documentIds ? { document_ids: documentIds } : {}) };
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
      const isPriceOnly = tier === "batch" && tier !== now;
      return h("button", { id: `${group}-${tier}`, type: "button", class: "tier", "aria-pressed": String(tier === now), disabled: isPriceOnly, title: plainly(other?.note ?? ""), onclick: () => handlers.onTier(tier === "standard" ? null : tier) },
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
      h("span", null, worded(fix, names)), fix.saves_usd ? h("span", { class: "quiet" }, `saves ${dollars(amount(fix.saves_usd))}`) : null)));
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
