// The question, and how it is asked: what most people never need is folded away.

import { debounced, fill, h, newId } from "./dom.js";
import { asFormat, NO_JSON, parameterFields } from "./parameters.js";
import { keep, recall } from "./state.js";

const KEEP_MS = 400;

/**
 * Return the form as `{element, request(), parameters(), change(partial), stop()}`.
 *
 * @param draft where what is typed is kept in this browser.
 * @param onSubmit called by Control and Enter.
 * @param onChange called as it changes; `request()` is then the body of a plan, or null where nothing is asked.
 */
export function questionForm({ draft, onChange, onSubmit }) {
  const kept = recall(draft, {});
  let more = kept.parameters ?? {};
  const id = newId("question");
  const text = h("textarea", { id, class: "question-text", rows: "3", placeholder: "What do you want to know?", value: kept.text ?? "", oninput: changed, "aria-describedby": `${id}-hint`, onkeydown(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); onSubmit(); }
  } });
  const several = h("input", { type: "checkbox", checked: Boolean(kept.several), onchange: changed });
  const wrong = h("p", { class: "small field-wrong", role: "alert" });
  const fields = h("div", { class: "more-fields" });
  const element = h("form", { class: "question", onsubmit: (event) => event.preventDefault() },
    h("div", { class: "field" }, h("label", { for: id, class: "question-label" }, "Your question"), text,
      h("span", { id: `${id}-hint`, class: "unseen" }, "Its price is shown below before anything is asked; Control and Enter ask the plan that is chosen.")),
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
    fill(fields,
      h("label", { class: "check" }, several, " Several questions, one a line: asked together in one call"),
      parameterFields(() => more, set), wrong);
  }

  draw();
  return {
    element,
    parameters: () => more,
    stop: () => remember.now(),
    request() {
      const lines = text.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (!lines.length) return null;
      const format = asFormat(more.response_format);
      wrong.textContent = format === undefined ? NO_JSON : "";
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
