// One way to ask a question, among those that are compared: its model, plan and manner, with its price and its acceptance.

import { post } from "./api.js";
import { debounced, fill, h, newId } from "./dom.js";
import { amount, asShown, shown } from "./money.js";
import { count } from "./numbers.js";
import { asFormat, choice, furtherFields, mannerFields, mannerWords, NO_JSON } from "./parameters.js";
import { planFacts } from "./plancard.js";
import { plainly } from "./plainwords.js";
import { extraWords, offered, sameKind, titleOf } from "./planwords.js";
import { isAbort, problemNotice } from "./problems.js";

const TYPING_MS = 350;
const TIERS = [["", "standard"], ["flex", "flex"]];

/**
 * Return a column as `{element, update(asked), plan(), isOpen(), kept(), request(), stop()}`.
 *
 * @param kept `{parameters, wanted}`, as `kept()` gave it before. @param models those that can be asked, as `[[id, name]]`.
 * @param onChange called as its price or what it keeps changes; @param onRemove null where it can't go.
 */
export function compareColumn({ number, kept, models, onChange, onRemove }) {
  let more = { ...kept.parameters };
  let wanted = kept.wanted ?? null;
  let accepted = null;
  let asked = null;
  let plans = [];
  let recommended = null;
  let controller = null;
  const name = newId("column");
  const place = h("div", { class: "compare-price" });
  const now = () => more;
  const further = furtherFields(now, set);
  const element = h("section", { class: "compare-column card", "aria-labelledby": name },
    h("div", { class: "row" }, h("h2", { id: name }, `Way ${number}`),
      onRemove ? h("button", { type: "button", class: "button bare narrow push", "aria-label": `Take way ${number} away`, onclick: onRemove }, "✕") : null),
    h("div", { class: "compare-fields" }, choice("Model", "model", models, now, set), choice("Service tier", "service_tier", TIERS, now, set), mannerFields(now, set)),
    h("details", { class: "more", open: mannerWords({ ...more, reasoning_effort: null, verbosity: null }).length > 0 }, h("summary", null, "More"), h("div", { class: "more-fields" }, further)),
    place);
  const later = debounced(load, TYPING_MS);

  function set(field, value) {
    more = { ...more, [field]: value };
    if (value === "" || value === null || value === undefined || value === false || value?.length === 0) delete more[field];
    onChange();
    update(asked);
  }

  async function load() {
    controller?.abort();
    controller = new AbortController();
    const format = asFormat(more.response_format);
    if (format === undefined) return void nothing(h("p", { class: "small field-wrong", role: "alert" }, NO_JSON));
    try {
      const offer = await post(`/v1/corpora/${encodeURIComponent(asked.corpusId)}/plans`, body(format), { signal: controller.signal });
      plans = offered(offer.data);
      ({ recommended } = offer);
      show();
    } catch (error) {
      if (isAbort(error)) return;
      nothing(problemNotice(error, { onRetry: load }));
    }
    element.removeAttribute("aria-busy");
    onChange();
  }

  const body = (format) => ({ ...asked.request, ...more, ...(format ? { response_format: format } : {}) });

  function nothing(said) {
    plans = [];
    element.removeAttribute("aria-busy");
    fill(place, said);
    onChange();
  }

  /** What was chosen; else the recommended one in the first column, and another in the next, so that there is something to compare. */
  function chosen() {
    const feasible = plans.filter((plan) => plan.feasible);
    const best = feasible.find((plan) => plan.id === recommended) ?? feasible[0] ?? null;
    return feasible.find((plan) => sameKind(plan) === wanted) ?? (number === 1 ? best : feasible.find((plan) => plan !== best && acceptance(plan) === null) ?? best);
  }

  const acceptance = (plan) => (plan?.threshold.status === "over" ? `${plan.model} ${sameKind(plan)} ${plan.threshold.extra_usd}` : null);

  function show() {
    const plan = chosen();
    if (!plan) return fill(place, h("p", { class: "notice" }, plainly(plans[0]?.infeasible_because) ?? "It can't be asked this way."));
    if (accepted !== acceptance(plan)) accepted = null;
    const focused = place.contains(document.activeElement) ? document.activeElement.id : null;
    fill(place,
      h("div", { class: "field" }, h("label", { for: `${name}-plan` }, "Plan"),
        h("select", { id: `${name}-plan`, onchange(event) { wanted = event.target.value; show(); onChange(); } }, plans.map((one) => h("option", { value: sameKind(one), selected: one === plan, disabled: !one.feasible },
          one.feasible ? `${titleOf(one)}: ${one.cost ? shown(one.cost.expected_usd) : "no price"}` : `${titleOf(one)}: not this way`)))),
      planFacts(plan, asked.names), acceptBox(plan),
      plan.warnings.filter((one) => one.code !== "over_threshold" && one.code !== "waste").map((one) => h("p", { class: "notice small" }, plainly(one.detail))));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function acceptBox(plan) {
    const extra = acceptance(plan);
    if (extra === null) return null;
    const tick = h("input", { id: `${name}-accept`, type: "checkbox", checked: accepted === extra, onchange() { accepted = tick.checked ? extra : null; onChange(); } });
    return h("label", { class: "check compare-accept" }, tick, " ", h("span", null, `${count(plan.threshold.tokens_over)} tokens over the ${count(plan.threshold.at)} mark: I accept the long-context price, `, h("strong", null, extraWords(plan))));
  }

  /** Price a question; `{corpusId, request, names}`, the request null where nothing is asked yet. */
  function update(next) {
    asked = next;
    controller?.abort();
    plans = [];
    if (!asked?.request) {
      later.stop();
      element.removeAttribute("aria-busy");
      fill(place, h("p", { class: "small quiet" }, "Its price comes with the question."));
      return;
    }
    element.setAttribute("aria-busy", "true");
    later();
  }

  return {
    element, update,
    plan: chosen,
    isOpen() { const plan = chosen(); return plan !== null && acceptance(plan) === accepted; },
    kept: () => ({ parameters: more, wanted }),
    /** What tells this way from others. */
    sign() { const plan = chosen(); return plan && JSON.stringify([plan.model, sameKind(plan), Object.entries(more).sort()]); },
    asked() { const plan = chosen(); return { planId: plan.id, acceptsLongContext: acceptance(plan) !== null, manner: mannerWords(more) }; },
    stop() { later.stop(); controller?.abort(); },
  };
}

/** Return what plans cost together, `{expected, most}`, as the sums of what is shown of each (or of `each(amount)`); null of an amount that nobody knows. */
export function together(plans, each = asShown) {
  const sum = (name) => (plans.every((plan) => plan.cost) ? plans.reduce((all, plan) => all + each(amount(plan.cost[name])), 0n) : null);
  return { expected: sum("expected_usd"), most: sum("max_usd") };
}
