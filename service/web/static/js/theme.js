// Dark and light: as the system has it, or as the switch says.

import { h } from "./dom.js";
import { keep, recall } from "./state.js";

const NAMES = { auto: "as the system", light: "light", dark: "dark" };
const ORDER = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☼", dark: "☾" };
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** Put the theme on the page and keep it there; returns the switch. */
export function themeSwitch() {
  let chosen = recall("theme", "auto");
  const button = h("button", { type: "button", class: "button bare icon", onclick: next });
  function next() {
    chosen = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length];
    keep("theme", chosen === "auto" ? null : chosen);
    apply();
  }
  function apply() {
    const dark = chosen === "dark" || (chosen === "auto" && prefersDark.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = SIGNS[chosen];
    button.setAttribute("aria-label", `Theme: ${NAMES[chosen]}`);
    button.title = `Theme: ${NAMES[chosen]}`;
  }
  prefersDark.addEventListener("change", apply);
  apply();
  return button;
}
