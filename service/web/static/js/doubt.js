// An answer of which nobody knows yet whether it was billed: what is known, and the two ways to end it.

import { post } from "./api.js";
import { confirm } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { amount, exact } from "./money.js";
import { problemNotice } from "./problems.js";

/** Return the notice of an answer in doubt; `onResolved(answer)` is called with how it ended. */
export function doubtNotice(answer, { onResolved }) {
  const trouble = h("div");
  const held = exact(amount(answer.cost.reserved_usd));
  const choose = async (billed) => {
    const said = billed
      ? { title: "It was billed", text: `The provider's records show a charge. What is held, ${held}, is booked; this can't be taken back.`, action: "Book it" }
      : { title: "It was not billed", text: `The provider's records show no charge. What is held, ${held}, is free again; this can't be taken back.`, action: "Free it" };
    if (!(await confirm(said))) return;
    try {
      onResolved(await post(`/v1/answers/${encodeURIComponent(answer.id)}/resolve`, { billed }));
    } catch (error) {
      fill(trouble, problemNotice(error));
    }
  };
  return h("section", { class: "notice warned doubt", "aria-label": "This answer is in doubt" },
    h("strong", null, "Nobody can say yet whether this was billed. "),
    h("p", null, answer.error?.detail ?? "It was sent, and its reply never came whole."),
    h("p", null, `${held} stays held, and nothing asks again by itself. Look it up in the provider's own records, then say what they show.`),
    h("div", { class: "row" },
      h("button", { type: "button", class: "button narrow", onclick: () => choose(true) }, "It was billed"),
      h("button", { type: "button", class: "button narrow", onclick: () => choose(false) }, "It was not billed")),
    trouble);
}
