// The first view: what this is, and where documents are dropped.

import { h, fill } from "./dom.js";

/** Show the welcome; the corpora stand in the rail. */
export function showHome(view) {
  fill(view, h("section", { class: "welcome" }, h("h1", null, "Ask the whole pile. Know the price first.")));
}
