// How a question is asked: thinking, length, pictures, instructions; the fields of it, for whoever has a place for them.

import { h, newId } from "./dom.js";

const EFFORTS = [["none", "none"], ["low", "low"], ["medium", "medium"], ["high", "high"], ["xhigh", "very high"]];
const LENGTHS = [["low", "short"], ["medium", "medium"], ["high", "long"]];
const PICTURES = [["none", "text only"], ["without_text", "pages without text, as pictures"], ["scans", "scans too, as pictures"]];
const WASTE = [["duplicates", "copies of a document"], ["near_duplicates", "near copies"], ["repeated", "repeated headers and footers"], ["blank", "blank pages"]];

export const NO_JSON = "The response_format is no JSON yet, so there is no price.";

/** Return the fields; `now()` gives what is set at the moment, `set(name, value)` is told what is changed. */
export const parameterFields = (now, set) => [...mannerFields(now, set), ...furtherFields(now, set)];

/** The two of them that change an answer most. */
export const mannerFields = (now, set, unsaid = "the model's own") => [choice("Thinking", "reasoning_effort", [["", unsaid], ...EFFORTS], now, set), choice("Length of the answer", "verbosity", [["", unsaid], ...LENGTHS], now, set)];

/** All others. */
export function furtherFields(now, set) {
  return [
    choice("Pages", "page_images", PICTURES, now, set),
    number("Most tokens of the answer", "max_completion_tokens", { min: 1, placeholder: "16,000" }, now, set),
    number("Budget of a ranked plan, in tokens", "budget_tokens", { min: 2000, placeholder: "272,000, 128,000, 32,000" }, now, set),
    ...wasteFields(now, set), ...textFields(now, set),
  ];
}

function wasteFields(now, set) {
  const left = () => now().leave_out ?? [];
  return [
    h("fieldset", { class: "field wide" }, h("legend", null, "Leave out"), h("div", { class: "checks" }, WASTE.map(([value, label]) => h("label", { class: "check" },
      h("input", { type: "checkbox", checked: left().includes(value), onchange: (event) => set("leave_out", toggled(left(), value, event.target.checked)) }), ` ${label}`)))),
    h("label", { class: "check wide" }, h("input", { type: "checkbox", checked: Boolean(now().repair), onchange: (event) => set("repair", event.target.checked) }), " Ask once more where quotes fail the check (only then it costs more)"),
  ];
}

function textFields(now, set) {
  return [
    area("Instructions of your own", "system_prompt", "Answer in German. Name every figure with its unit.", now, set),
    area("Answer as JSON (a response_format)", "response_format", '{"type": "json_schema", "json_schema": {…}}', now, set),
  ];
}

/** Return a select of a parameter; its first option, `[value, shown]`, stands for not naming it. */
export function choice(label, name, options, now, set) {
  const key = newId("choice");
  const chosen = now()[name] ?? options[0][0];
  return h("div", { class: "field" }, h("label", { for: key }, label),
    h("select", { id: key, onchange: (event) => set(name, event.target.value === options[0][0] ? "" : event.target.value) }, options.map(([value, shown]) => h("option", { value, selected: value === chosen }, shown))));
}

function number(label, name, options, now, set) {
  const key = newId("number");
  return h("div", { class: "field" }, h("label", { for: key }, label),
    h("input", { id: key, class: "input", type: "number", step: "1", ...options, value: now()[name] ?? "", oninput: (event) => set(name, event.target.valueAsNumber || "") }));
}

function area(label, name, placeholder, now, set) {
  const key = newId("area");
  return h("div", { class: "field wide" }, h("label", { for: key }, label),
    h("textarea", { id: key, rows: "2", placeholder, value: now()[name] ?? "", oninput: (event) => set(name, event.target.value) }));
}

/** Return what is set beyond what the service would do by itself, in a few words each. */
export function mannerWords(set) {
  const of = (options, name) => options.find(([value]) => value === set[name])?.[1];
  return [
    set.reasoning_effort ? `thinking ${of(EFFORTS, "reasoning_effort")}` : null, set.verbosity ? `length ${of(LENGTHS, "verbosity")}` : null,
    set.page_images ? of(PICTURES, "page_images") : null, set.leave_out?.length ? `without ${set.leave_out.map((one) => WASTE.find(([value]) => value === one)?.[1] ?? one).join(", ")}` : null,
    set.system_prompt ? "own instructions" : null, set.response_format ? "JSON" : null, set.repair ? "asked once more where quotes fail" : null,
  ].filter(Boolean);
}

/** Return a response_format that was typed; null of nothing, undefined of what is no JSON yet. */
export function asFormat(given) {
  if (!given) return null;
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}

const toggled = (list, value, isIn) => (isIn ? [...new Set([...list, value])] : list.filter((one) => one !== value));
