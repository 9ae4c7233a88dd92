// An answer that is JSON, as a tree: members, items, and the marks of citations where they stand.

import { h } from "./dom.js";

const MOST_ITEMS = 200;
const DEEPEST = 24;
const PLAIN = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/** Return a JSON value as elements; `chips(path)` returns what stands behind the string at that path (RFC 9535). */
export function outputTree(value, chips) {
  return h("div", { class: "tree" }, branch(value, "$", 0, chips));
}

function branch(value, path, depth, chips) {
  if (value === null || typeof value !== "object") return leaf(value, path, chips);
  if (depth >= DEEPEST) return h("pre", null, JSON.stringify(value, null, 2));
  return Array.isArray(value) ? items(value, path, depth, chips) : members(value, path, depth, chips);
}

function leaf(value, path, chips) {
  if (typeof value === "string") return h("span", { class: "tree-text", dir: "auto" }, value, chips(path));
  return h("code", null, value === null ? "null" : String(value));
}

function members(value, path, depth, chips) {
  const names = Object.keys(value);
  if (!names.length) return h("span", { class: "quiet" }, "nothing");
  return h("dl", { class: "tree-members" }, some(names, (name) => {
    const step = PLAIN.test(name) ? `.${name}` : `['${name.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}']`;
    return h("div", null, h("dt", null, h("bdi", null, name.replaceAll("_", " "))), h("dd", null, branch(value[name], path + step, depth + 1, chips)));
  }));
}

function items(value, path, depth, chips) {
  if (!value.length) return h("span", { class: "quiet" }, "none");
  return h("ol", { class: "tree-items" }, some(value, (one, at) => h("li", null, branch(one, `${path}[${at}]`, depth + 1, chips))));
}

/** Return the first of many, and behind them how many more there are. */
function some(list, make) {
  const shown = list.slice(0, MOST_ITEMS).map(make);
  const more = list.length - shown.length;
  return more > 0 ? [...shown, h("p", { class: "quiet" }, `and ${more} more: export the answer to see them`)] : shown;
}
