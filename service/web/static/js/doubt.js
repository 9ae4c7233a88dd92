// An answer of which nobody knows yet whether it was billed: what is known, and the two ways to end it.

import { post } from "./api.js";
import { askWith, confirm } from "./dialogs.js";
import { fill, h, newId } from "./dom.js";
import { amount, exact, paid } from "./money.js";
import { moment, plural } from "./numbers.js";
import { problemNotice } from "./problems.js";

const FIELDS = [["prompt_tokens", "Tokens in"], ["cached_tokens", "of them cached"], ["completion_tokens", "Tokens out"]];

/** Return the notice of an answer in doubt; `onResolved(answer)` is called with how it ended. */
export function doubtNotice(answer, { onResolved }) {
  const trouble = h("div");
  const held = exact(amount(answer.cost.held_usd));
  const settle = async (body) => {
    try {
      onResolved(await post(`/v1/answers/${encodeURIComponent(answer.id)}/resolve`, body));
    } catch (error) {
      fill(trouble, problemNotice(error));
    }
  };
  const billed = async () => {
    const usage = await askUsage(answer, held);
    if (usage) await settle({ billed: true, ...usage });
  };
  const free = async () => {
    if (await confirm({ title: "It was not billed", text: `The provider's records show no charge. What is held, ${held}, is free again; this can't be taken back.`, action: "Free it" })) await settle({ billed: false });
  };
  return h("section", { class: "notice warned doubt", "aria-label": "This answer is in doubt" },
    h("p", null, h("strong", null, "Nobody can say yet whether this was billed. "), answer.error?.detail ?? "It was sent, and its reply never came whole."),
    h("ul", { class: "plain-list" }, known(answer, held).map((one) => h("li", null, one))),
    h("p", null, "Nothing asks again by itself. Look it up in the provider's own records, then say what they show."),
    h("div", { class: "row" },
      h("button", { type: "button", class: "button narrow", onclick: billed }, "It was billed"),
      h("button", { type: "button", class: "button narrow", onclick: free }, "It was not billed")),
    trouble);
}

/** What is certain: when it was sent, what came of it, what it would cost, what is held. */
function known(answer, held) {
  return [
    `Asked at ${moment(answer.created_at)}, of ${answer.model}${answer.batch_id ? ", in a batch" : ""}.`,
    answer.text ? `${plural(answer.text.length, "character")} of an answer came and are kept below.` : "Nothing of an answer came.",
    answer.cost.actual_usd === null ? null : `Other calls of it ended: they cost ${paid(answer.cost)}, and their replies are kept.`,
    `What may have been billed is at most ${held}, and stays held until you decide.`,
  ].filter(Boolean);
}

/** Ask for what the records say; resolves to `{usage}`, to {} where only the charge is known, to null where it was called off. */
function askUsage(answer, held) {
  const id = newId("billed");
  const inputs = FIELDS.map(([name]) => h("input", { id: `${id}-${name}`, class: "input", type: "number", min: "0", step: "1", oninput: together }));
  const isOneCall = answer.strategy !== "split"; // of several calls nobody could say which one it was
  /** Half a usage would be booked as all of it. */
  function together() {
    const isToldAny = inputs.some((one) => one.value !== "");
    for (const [n, [name]] of FIELDS.entries()) inputs[n].required = isToldAny && name !== "cached_tokens";
  }
  return askWith({
    title: "It was billed", action: "Book it",
    text: isOneCall ? `Its tokens, where the records tell them, are what is booked; without them all that is held is, ${held}. This can't be taken back.`
      : `The provider's records show a charge. What is held, ${held}, is booked; this can't be taken back.`,
    content: isOneCall ? h("div", { class: "billed-fields" }, FIELDS.map(([name, label], n) => h("div", { class: "field" }, h("label", { for: `${id}-${name}` }, label), inputs[n]))) : null,
    result() {
      if (inputs.every((one) => one.value === "")) return {};
      return { usage: Object.fromEntries(FIELDS.map(([name], n) => [name, inputs[n].valueAsNumber || 0])) };
    },
  });
}
