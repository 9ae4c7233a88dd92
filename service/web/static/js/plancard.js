// One plan as a card: what it does, what it costs now, cold, warm and at most, and what it leaves out.

import { h, newId } from "./dom.js";
import { amount, exact, shown } from "./money.js";
import { count } from "./numbers.js";
import { plainly } from "./plainwords.js";
import { extraWords, leftOut, manner, reach, titleOf } from "./planwords.js";

const MOST_SHOWN = 60;

/** Return the card; `{group, names, isChosen, isRecommended, onChoose}`. */
export function planCard(plan, { group, names, isChosen, isRecommended, onChoose }) {
  const id = `${group}-${plan.strategy}-${plan.budget_tokens ?? 0}`;
  const about = newId("about");
  return h("div", { class: `plan${isChosen ? " is-chosen" : ""}${plan.feasible ? "" : " is-infeasible"}${plan.threshold.status === "over" && plan.feasible ? " is-over" : ""}` },
    h("label", { class: "plan-choice", for: id },
      h("input", { id, type: "radio", name: group, checked: isChosen, disabled: !plan.feasible, "aria-describedby": about, onchange: onChoose }),
      h("span", { class: "plan-title" }, titleOf(plan)),
      isRecommended ? h("span", { class: "badge good" }, "Recommended") : null),
    h("div", { id: about, class: "plan-about" }, plan.feasible ? feasible(plan) : h("p", { class: "plan-manner" }, plainly(plan.infeasible_because))),
    plan.feasible ? omissions(plan, names) : null);
}

/** Return what a plan that can be asked costs, does, reads and leaves out. */
export const planFacts = (plan, names) => [feasible(plan), omissions(plan, names)];

function feasible(plan) {
  return [
    plan.cost ? h("div", { class: "plan-figures" },
      h("p", { class: "plan-price" }, h("span", { class: "plan-now number", title: every(plan.cost.expected_usd) }, shown(plan.cost.expected_usd)), h("span", { class: "quiet" }, " now")),
      h("dl", { class: "plan-prices" },
        pair("cold", plan.cost.cold_usd), pair("cached", plan.cache.reusable ? plan.cost.warm_usd : null), pair("at most", plan.cost.max_usd)))
      : h("p", { class: "quiet" }, "no price is published"),
    h("p", { class: "plan-manner" }, manner(plan)),
    plan.threshold.status === "over" ? h("p", { class: "plan-over" }, h("strong", null, `Over the ${count(plan.threshold.at)} mark: `), extraWords(plan))
      : plan.threshold.status === "near" && isOneOfAll(plan) ? h("p", { class: "plan-near" }, `Close to the ${count(plan.threshold.at)} mark`) : null,
  ];
}

/** Parts and rankings are made to end close to the mark: no news there. */
const isOneOfAll = ({ strategy }) => strategy === "whole" || strategy === "selected";

const pair = (name, usd) => h("div", null, h("dt", null, name), h("dd", { class: "number", title: every(usd) }, shown(usd)));

/** Every digit, for who points at a figure. */
const every = (usd) => (usd === null ? null : `exactly ${exact(amount(usd))}`);

function omissions(plan, names) {
  const out = leftOut(plan, names);
  if (!out.length) return h("p", { class: "plan-reach" }, reach(plan));
  return h("details", { class: "plan-reach" }, h("summary", null, reach(plan)),
    h("ul", { class: "plan-out" }, out.slice(0, MOST_SHOWN).map((one) => h("li", null, h("bdi", null, one.name), " — ", one.said)),
      out.length > MOST_SHOWN ? h("li", null, `and ${count(out.length - MOST_SHOWN)} more`) : null));
}
