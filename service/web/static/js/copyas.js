// "Copy as": what is on the screen as a request to run elsewhere.

import { currentKey } from "./api.js";
import { announce, fill, h, newId } from "./dom.js";
import { LANGUAGES } from "./snippets.js";
import { keep, recall } from "./state.js";

const LAST = "copyas";

/**
 * Return the button that opens the dialog.
 *
 * @param requests a function that returns what can be copied at the moment: `[{name, method, path, body, accept, pick}]`.
 */
export function copyAsButton(requests) {
  return h("button", { type: "button", class: "button bare narrow", "aria-haspopup": "dialog", onclick: () => open(requests()) }, "Copy as…");
}

function open(requests) {
  const name = newId("copyas");
  let language = LANGUAGES.find(([id]) => id === recall(LAST, "curl")) ?? LANGUAGES[0];
  let chosen = requests[0];
  const code = h("pre", { id: `${name}-code`, class: "copyas-code", tabindex: "0", role: "tabpanel" });
  const tabs = LANGUAGES.map((one) => h("button", { id: `${name}-${one[0]}`, type: "button", class: "tab", role: "tab", "aria-controls": `${name}-code`, onclick: () => show(one) }, one[1]));
  const copy = h("button", { type: "button", class: "button primary push", onclick: take }, "Copy");
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Language", onkeydown: turn }, tabs);
  const what = requests.length < 2 ? null : h("div", { class: "field" }, h("label", { for: `${name}-what` }, "What it does"),
    h("select", { id: `${name}-what`, onchange(event) { chosen = requests[Number(event.target.value)]; show(language); } }, requests.map((one, at) => h("option", { value: at }, one.name))));
  const dialog = h("dialog", { class: "copyas", "aria-labelledby": name, onclose: () => dialog.remove() },
    h("div", { class: "stack" }, h("h2", { id: name }, "Copy as"), what, list, code,
      currentKey() ? h("p", { class: "small quiet" }, "Your key is not in it: it is read from the environment, UNABRIDGED_KEY.") : null,
      h("div", { class: "row" }, h("button", { type: "button", class: "button bare", onclick: () => dialog.close() }, "Close"), copy)));

  function show(next) {
    language = next;
    keep(LAST, language[0]);
    const { method, path, body, accept, pick } = chosen;
    code.textContent = language[2]({ method, url: location.origin + path, body: body ?? null, accept, pick, hasKey: currentKey() !== null });
    code.setAttribute("aria-labelledby", `${name}-${language[0]}`);
    for (const [at, tab] of tabs.entries()) {
      const isShown = LANGUAGES[at] === language;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
  }

  function turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = LANGUAGES.indexOf(language);
    const next = event.key === "Home" ? 0 : event.key === "End" ? LANGUAGES.length - 1 : step ? (at + step + LANGUAGES.length) % LANGUAGES.length : null;
    if (next === null) return;
    event.preventDefault();
    show(LANGUAGES[next]);
    tabs[next].focus();
  }

  /** Where the browser gives no clipboard (plain HTTP to another machine) it is selected, for a key press to take. */
  async function take() {
    try {
      await navigator.clipboard.writeText(code.textContent);
      fill(copy, "Copied");
      announce("Copied");
    } catch {
      getSelection().selectAllChildren(code);
      fill(copy, "Selected: press Ctrl+C");
      announce("It is selected; press Control and C to copy it.");
    }
  }

  show(language);
  document.body.append(dialog);
  dialog.showModal();
}
