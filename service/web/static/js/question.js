// The question, and how it is asked: what most people never need is folded away.

import { debounced, h, newId } from "./dom.js";
import { keep, recall } from "./state.js";

const KEEP_MS = 400;
const EFFORTS = [["", "the model's own"], ["none", "none"], ["low", "low"], ["medium", "medium"], ["high", "high"], ["xhigh", "very high"]];
const LENGTHS = [["", "the model's own"], ["low", "short"], ["medium", "medium"], ["high", "long"]];
const PICTURES = [["none", "text only"], ["without_text", "pages without text, as pictures"], ["scans", "scans too, as pictures"]];
const WASTE = [["duplicates", "copies of a document"], ["near_duplicates", "near copies"], ["repeated", "repeated headers and footers"], ["blank", "blank pages"]];

/**
 * Return the form as `{element, request(), parameters(), change(partial), stop()}`.
 *
 * @param draft where what is typed is kept in this browser.
 * @param onChange called as it changes; `request()` is then the body of a plan, or null where nothing is asked.
 */
export function questionForm({ draft, onChange }) {
  const kept = recall(draft, {});
  let more = kept.parameters ?? {};
  const id = newId("question");
  const text = h("textarea", { id, class: "question-text", rows: "3", placeholder: "What do you want to know?", value: kept.text ?? "", oninput: changed, "aria-describedby": `${id}-hint` });
  const several = h("input", { type: "checkbox", checked: Boolean(kept.several), onchange: changed });
  const wrong = h("p", { class: "small field-wrong", role: "alert" });
  const fields = h("div", { class: "more-fields" });
  const element = h("form", { class: "question", onsubmit: (event) => event.preventDefault() },
    h("div", { class: "field" }, h("label", { for: id, class: "question-label" }, "Your question"), text,
      h("span", { id: `${id}-hint`, class: "unseen" }, "Its price is shown below before anything is asked.")),
    h("details", { class: "more", open: Object.keys(more).length > 1 }, h("summary", null, "More"), fields));

  const remember = debounced(() => keep(draft, text.value || Object.keys(more).length ? { text: text.value, several: several.checked, parameters: more } : null), KEEP_MS);

  function changed() {
    remember();
    onChange();
  }

  function set(name, value) {
    more = { ...more, [name]: value };
    if (value === "" || value === null || value === undefined || value === false || value?.length === 0) delete more[name];
    changed();
  }

  function draw() {
    fields.replaceChildren(
      h("label", { class: "check" }, several, " Several questions, one a line: asked together in one call"),
      choice("Thinking", "reasoning_effort", EFFORTS), choice("Length of the answer", "verbosity", LENGTHS), choice("Pages", "page_images", PICTURES),
      number("Most tokens of the answer", "max_completion_tokens", { min: 1, placeholder: "16,000" }),
      number("Budget of a ranked plan, in tokens", "budget_tokens", { min: 2000, placeholder: "272,000, 128,000, 32,000" }),
      h("fieldset", { class: "field wide" }, h("legend", null, "Leave out"), h("div", { class: "checks" }, WASTE.map(([value, label]) => h("label", { class: "check" },
        h("input", { type: "checkbox", checked: (more.leave_out ?? []).includes(value), onchange: (event) => set("leave_out", toggled(more.leave_out, value, event.target.checked)) }), ` ${label}`)))),
      h("label", { class: "check wide" }, h("input", { type: "checkbox", checked: Boolean(more.repair), onchange: (event) => set("repair", event.target.checked) }), " Ask once more where quotes fail the check (only then it costs more)"),
      area("Instructions of your own", "system_prompt", "Answer in German. Name every figure with its unit."),
      area("Answer as JSON (a response_format)", "response_format", '{"type": "json_schema", "json_schema": {…}}'), wrong);
  }

  function choice(label, name, options) {
    const key = newId("choice");
    const chosen = more[name] ?? options[0][0];
    return h("div", { class: "field" }, h("label", { for: key }, label),
      h("select", { id: key, onchange: (event) => set(name, event.target.value === options[0][0] ? "" : event.target.value) }, options.map(([value, shown]) => h("option", { value, selected: value === chosen }, shown))));
  }

  function number(label, name, options) {
    const key = newId("number");
    return h("div", { class: "field" }, h("label", { for: key }, label),
      h("input", { id: key, class: "input", type: "number", step: "1", ...options, value: more[name] ?? "", oninput: (event) => set(name, event.target.valueAsNumber || "") }));
  }

  function area(label, name, placeholder) {
    const key = newId("area");
    return h("div", { class: "field wide" }, h("label", { for: key }, label),
      h("textarea", { id: key, rows: "2", placeholder, value: more[name] ?? "", oninput: (event) => set(name, event.target.value) }));
  }

  draw();
  return {
    element,
    parameters: () => more,
    stop: () => remember.now(),
    request() {
      wrong.textContent = "";
      const lines = text.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (!lines.length) return null;
      const format = asJson(more.response_format, wrong);
      if (format === undefined) return null;
      const asked = several.checked && lines.length > 1 ? { questions: lines } : { question: text.value.trim() };
      return { ...asked, ...more, ...(format ? { response_format: format } : {}) };
    },
    /** Change parameters from elsewhere: a fix, the tier, the number of questions. */
    change(partial) {
      more = { ...more, ...partial };
      for (const [name, value] of Object.entries(more)) if (value === null || value === "" || value?.length === 0) delete more[name];
      draw();
      changed();
    },
  };
}

function asJson(given, wrong) {
  if (!given) return null;
  try {
    return JSON.parse(given);
  } catch {
    wrong.textContent = "The response_format is no JSON yet, so there is no price.";
    return undefined;
  }
}

const toggled = (list = [], value, isIn) => (isIn ? [...new Set([...list, value])] : list.filter((one) => one !== value));
