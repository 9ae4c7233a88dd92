// The meter: how much of the window the documents take, with the mark where the price doubles and the wall.

import { fill, h, s } from "./dom.js";
import { dollars } from "./money.js";
import { count, plural } from "./numbers.js";
import { BEYOND, NEAR, OVER } from "./tally.js";

const WIDTH = 1000;
const HEIGHT = 26;
const ROOM = 1.04;
const MOST_PIECES = 200;

/** Return the meter as `{element, show(tally)}`. */
export function meterCard() {
  const figure = h("p", { class: "meter-figure" });
  const price = h("p", { class: "meter-price" });
  const verdict = h("p", { class: "meter-verdict", role: "status" });
  const bar = h("div", { class: "meter-bar" });
  const scale = h("div", { class: "meter-scale", "aria-hidden": "true" });
  const element = h("section", { class: "meter", "aria-label": "Meter" },
    h("div", { class: "meter-head" }, figure, price), bar, scale, verdict);
  return {
    element,
    show(tally) {
      element.dataset.status = tally.status;
      fill(figure, h("span", { class: "meter-tokens" }, count(tally.tokens)), " tokens",
        h("span", { class: "quiet" }, ` in ${plural(tally.on.length, "document")}${tally.isPriced ? " and the question" : ""}`));
      fill(price, tally.cold === null ? h("span", { class: "quiet" }, tally.status === BEYOND ? "does not fit one question" : "")
        : [h("strong", null, dollars(tally.cold)), h("span", { class: "quiet" }, " first question · "),
          h("strong", null, dollars(tally.warm)), h("span", { class: "quiet" }, " while cached")]);
      const said = sentence(tally);
      if (verdict.textContent !== said) verdict.textContent = said;
      draw(bar, scale, tally);
    },
  };
}

/** Say in a sentence where the documents stand. */
export function sentence({ tokens, mark, wall, status, on }) {
  if (!on.length) return "No document is switched on.";
  if (status === BEYOND) return `${count(tokens - wall)} tokens more than one question can hold. Switch documents off, or ask in parts.`;
  if (status === OVER) return `Over the ${count(mark)} mark by ${count(tokens - mark)}: in one call, every token costs the long-context price.`;
  if (status === NEAR) return `${count(mark - tokens)} tokens below the ${count(mark)} mark, where the price of every token doubles.`;
  if (mark === null) return `${count(wall - tokens)} tokens are free.`;
  return `${count(mark - tokens)} tokens are free below the ${count(mark)} mark.`;
}

function draw(bar, scale, tally) {
  const full = Math.max(tally.wall, tally.tokens) * ROOM;
  const at = (tokens) => (tokens / full) * WIDTH;
  const end = at(tally.tokens);
  const limits = [["mark", tally.mark], ["wall", tally.wall]].filter(([, tokens]) => tokens !== null);
  const gauge = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
    s("rect", { class: "meter-ground", width: WIDTH, height: HEIGHT }),
    s("rect", { class: "meter-beyond", x: at(tally.wall), width: WIDTH - at(tally.wall), height: HEIGHT }),
    s("rect", { class: "meter-fill", width: end, height: HEIGHT }), pieces(tally, at),
    limits.map(([name, tokens]) => s("line", { class: `meter-limit ${name}`, x1: at(tokens), x2: at(tokens), y1: 0, y2: HEIGHT, "vector-effect": "non-scaling-stroke" })));
  fill(bar, h("div", { role: "meter", "aria-label": "Tokens", "aria-valuemin": "0", "aria-valuemax": String(Math.max(tally.wall, tally.tokens)),
    "aria-valuenow": String(tally.tokens), "aria-valuetext": `${count(tally.tokens)} tokens. ${sentence(tally)}` }, gauge));
  fill(scale, limits.map(([name, tokens]) => h("span", { class: `meter-label ${name}`, style: { left: `${(tokens / full) * 100}%` } },
    h("b", null, count(tokens)), name === "mark" ? " price doubles" : " wall")));
}

/** Thin lines where one document ends and the next begins; none where they would be a blur. */
function pieces(tally, at) {
  if (tally.on.length > MOST_PIECES) return [];
  let sum = 0;
  return tally.on.slice(0, -1).map((document) => {
    sum += tally.tokensOf(document);
    return s("line", { class: "meter-piece", x1: at(sum), x2: at(sum), y1: 0, y2: HEIGHT, "vector-effect": "non-scaling-stroke" });
  });
}

