// What was spent.

import { fill, h } from "./dom.js";

/** Show what was spent. */
export function showSpend(view) {
  fill(view, h("h1", null, "Spend"));
}
