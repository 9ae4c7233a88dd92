// The cost over the number of questions: the first is read cold, the others find the documents cached.

import { lineChart } from "./charts.js";
import { h, newId } from "./dom.js";
import { amount, dollars, drawn, onScale } from "./money.js";
import { plural } from "./numbers.js";
import { sameKind, shortTitleOf } from "./planwords.js";

const SHORTEST = 10;
const LONGEST = 50;

/** Return what so many questions cost by a plan, exactly; a pack of one question's own pages is read anew each time. */
export function costOf(plan, questions) {
  const cold = amount(plan.cost.cold_usd);
  const again = plan.cache.reusable ? amount(plan.cost.warm_usd) : cold;
  return cold + again * BigInt(questions - 1);
}

/** Return the curve as `{element, show({plans, chosen, questions})}`; `onQuestions(n)` is told the number that is expected. */
export function costCurve({ onQuestions }) {
  const id = newId("questions");
  const chart = lineChart({ label: "Cost over the number of questions", yText: (y) => dollars(BigInt(Math.round(y * 1e6)) * 1_000_000n), scaleText: onScale });
  const said = h("output", { for: id, class: "number" });
  const slider = h("input", { id, type: "range", min: "1", max: String(LONGEST), step: "1", oninput: () => word(Number(slider.value)), onchange: () => onQuestions(Number(slider.value) === 1 ? null : Number(slider.value)) });
  const element = h("div", { class: "curve" },
    h("div", { class: "curve-head" }, h("label", { for: id }, "Questions about these documents"), slider, said), chart.element);
  let held = null;

  function word(questions) {
    const isCached = held?.chosen && amount(held.chosen.cost.expected_usd) < amount(held.chosen.cost.cold_usd);
    said.textContent = held?.chosen ? `${plural(questions, "question")}${!isCached ? "" : questions === 1 ? ", read cold" : ", the first read cold"}: ${dollars(costOf(held.chosen, questions))}` : plural(questions, "question");
    if (held) draw(questions);
  }

  function draw(questions) {
    const last = Math.max(SHORTEST, questions);
    chart.show({
      xName: "questions",
      series: held.plans.map((plan, n) => ({
        name: shortTitleOf(plan), className: `series-${n % 5}`, isChosen: held.chosen && sameKind(plan) === sameKind(held.chosen),
        points: Array.from({ length: last }, (_, at) => [at + 1, drawn(costOf(plan, at + 1))]),
      })),
    });
  }

  return {
    element,
    show({ plans, chosen, questions }) {
      held = { plans, chosen: chosen?.cost ? chosen : null };
      element.hidden = !plans.length;
      if (document.activeElement !== slider) slider.value = String(questions);
      word(Number(slider.value));
    },
  };
}
