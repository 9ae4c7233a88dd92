// Dialogs: for a key, for a name, for a yes.

import { h, newId } from "./dom.js";

/** Ask for a line of text; resolves to it, or to null where it was called off. */
export function askFor({ title, text, label, value = "", action = "Save", secret = false }) {
  const id = newId("field");
  const input = h("input", { id, class: "input", type: secret ? "password" : "text", value, autocomplete: "off", required: true, maxlength: 200 });
  return shown({ title, text, action, content: h("div", { class: "field" }, h("label", { for: id }, label), input), result: () => input.value.trim() || null });
}

/** Ask whether to go on; resolves to true or false. */
export async function confirm({ title, text, action, danger = false }) {
  return (await shown({ title, text, action, danger, result: () => true })) === true;
}

/** Ask with fields of one's own; resolves to what `result()` gives when it is confirmed, or to null. */
export const askWith = (given) => shown(given);

/** Say something that has to be read and nothing else; resolves when it is closed. */
export async function tell({ title, content }) {
  await shown({ title, content, action: null, result: () => true });
}

function shown({ title, text, content, action, danger = false, result }) {
  const name = newId("dialog");
  return new Promise((resolve) => {
    let outcome = null;
    const form = h("form", { class: "stack", method: "dialog", onsubmit(event) {
      event.preventDefault();
      outcome = result();
      if (outcome !== null) dialog.close();
    } },
    h("h2", { id: name }, title), text ? h("p", { class: "quiet" }, text) : null, content,
    h("div", { class: "row" },
      h("button", { class: "button bare push", type: "button", onclick: () => dialog.close() }, action ? "Cancel" : "Close"),
      action && h("button", { class: danger ? "button danger" : "button primary", type: "submit" }, action)));
    const dialog = h("dialog", { "aria-labelledby": name, onclose() { dialog.remove(); resolve(outcome); } }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}
