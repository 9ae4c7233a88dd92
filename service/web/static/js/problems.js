// A refusal on the page: what, why, and what to do next.

import { ApiProblem } from "./api.js";
import { h } from "./dom.js";
import { plainly } from "./plainwords.js";

/** Return a notice of an error; `onRetry` adds a button, `fixes` are left to who knows how to do them. */
export function problemNotice(error, { onRetry } = {}) {
  const problem = error instanceof ApiProblem ? error : null;
  return h("div", { class: "notice bad", role: "alert" },
    problem?.title ? h("strong", null, problem.title, ". ") : null,
    h("span", null, problem ? plainly(problem.detail) : "Something went wrong on this page. Reload it; what is stored is safe."),
    onRetry ? h("div", null, h("button", { type: "button", class: "button narrow", onclick: onRetry }, "Try again")) : null);
}

/** Whether an error only says that nobody waits for the result any more. */
export const isAbort = (error) => error?.name === "AbortError";
