// An answer taken up again: what is missing of it, or its very pages asked once more; each at a price that is told first.

import { getAll, post } from "./api.js";
import { ask } from "./asking.js";
import { debounced, fill, h, newId } from "./dom.js";
import { amount, exact, shown } from "./money.js";
import { count, plural } from "./numbers.js";
import { choice, mannerFields } from "./parameters.js";
import { plainly } from "./plainwords.js";
import { extraWords } from "./planwords.js";
import { isAbort, problemNotice } from "./problems.js";
import { answerAddress, corpusAddress } from "./router.js";

const TYPING_MS = 350;
const pathOf = (answer, how) => `/v1/answers/${encodeURIComponent(answer.id)}/${how}/plan`;

/** Return what can be done for an answer that failed or was stopped: its missing calls with their price, or asking anew. */
export function goOn(answer, { signal }) {
  if (answer.retried_as) return h("p", { class: "small" }, "It was gone on with: ", h("a", { href: answerAddress(answer.retried_as) }, "open that answer"), ".");
  const place = h("div", { class: "stack" }, h("p", { class: "small quiet" }, "Pricing what is missing…"));
  const anew = h("a", { class: "button narrow", href: corpusAddress(answer.corpus_id) }, "Ask anew");
  const outcome = h("div");
  price();
  return place;

  async function price() {
    try {
      const plan = await post(pathOf(answer, "retry"), undefined, { signal });
      if (!plan.feasible) return fill(place, h("p", { class: "small" }, plainly(plan.infeasible_because)), h("div", { class: "row" }, anew));
      const button = h("button", { type: "button", class: "button narrow", onclick: send }, `Go on for about ${priceOf(plan)}`);
      return fill(place, h("div", { class: "row" }, button, anew, h("span", { class: "small" }, keptWords(plan), plan.cost ? `At most ${exact(amount(plan.cost.max_usd))}.` : "")), outcome);

      async function send() {
        button.disabled = true;
        try {
          await ask(outcome, { corpusId: answer.corpus_id, planId: plan.id, acceptsLongContext: plan.threshold.status === "over" });
        } catch (error) {
          button.disabled = false;
          fill(outcome, problemNotice(error));
        }
      }
    } catch (error) {
      if (isAbort(error)) return undefined;
      return fill(place, h("p", { class: "small" }, "It can't be gone on with: ", plainly(error.detail || error.message)), h("div", { class: "row" }, anew));
    }
  }
}

/** Return the button that opens the form, and the form: `{button, element}`. */
export function replaying(answer, { signal }) {
  const element = h("div");
  const button = h("button", { type: "button", class: "button bare narrow", "aria-expanded": "false", onclick() {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) return void fill(element);
    fill(element, form(answer, { signal }));
    element.querySelector("textarea, select")?.focus();
  } }, "Ask again…");
  return { button, element };
}

function form(answer, { signal }) {
  const name = newId("replay");
  const text = answer.questions.length ? null : h("textarea", { id: name, rows: 2, maxlength: 200000, value: answer.question, oninput: changed });
  const model = h("div");
  const price = h("div", { class: "next-price", role: "status" });
  const outcome = h("div");
  const send = h("button", { type: "submit", class: "button primary", disabled: true }, "Ask again");
  let set = {};
  let plan = null;
  let pricing = new AbortController();
  signal.addEventListener("abort", () => pricing.abort());
  const now = () => set;
  const change = (field, value) => { set = { ...set, [field]: value }; if (value === "") delete set[field]; changed(); };
  const later = debounced(load, TYPING_MS);
  fill(model, choice("Model", "model", [["", "the same"]], now, change));
  getAll("/v1/models", { signal }).then((models) => fill(model, choice("Model", "model",
    [["", "the same"], ...models.filter((one) => one.takes_chat && one.id !== answer.model && one.prices.some((period) => period.current)).map((one) => [one.id, one.id])], now, change)), () => {});
  load();
  return h("form", { class: "replay card", "aria-label": "Ask the same pages again", onsubmit(event) { event.preventDefault(); submit(); } },
    h("div", null, h("h2", null, "Ask the same pages again"), h("p", { class: "small quiet" }, "The very pages of this answer, in their order, whatever has joined the corpus since. It is a question of its own, paid by itself, and no turn of the conversation.")),
    text ? h("div", { class: "field" }, h("label", { for: name }, "Question"), text) : null,
    h("div", { class: "compare-fields" }, model, choice("Service tier", "service_tier", [["", "the same"], ["flex", "flex"], ["batch", "batch"]], now, change), mannerFields(now, change, "the same")),
    price, h("div", { class: "row" }, h("span", { class: "push" }, send)), outcome);

  function changed() {
    pricing.abort();
    plan = null;
    send.disabled = true;
    later();
  }

  async function load() {
    pricing = new AbortController();
    const asked = text?.value.trim();
    if (text && !asked) { fill(price); return; }
    try {
      plan = await post(pathOf(answer, "replay"), { ...set, ...(text && asked !== answer.question ? { question: asked } : {}) }, { signal: pricing.signal });
      show();
    } catch (error) {
      if (!isAbort(error)) fill(price, problemNotice(error));
    }
  }

  function show() {
    if (!plan.feasible) { fill(price, h("p", { class: "notice small" }, plainly(plan.infeasible_because))); return; }
    const isOver = plan.threshold.status === "over";
    const cached = plan.cache.expected_cached_tokens;
    const tick = h("input", { type: "checkbox", onchange: () => { send.disabled = !tick.checked; } });
    fill(price,
      h("p", { class: "small quiet" }, `${plural(plan.input_tokens, "token")}${cached ? `; about ${count(cached)} should still be cached` : ""}. `, plan.cost ? `At most ${exact(amount(plan.cost.max_usd))}.` : "",
        plan.service_tier === "batch" ? " It comes within 24 hours; you need not stay." : ""),
      isOver ? h("label", { class: "notice warned check" }, tick, ` ${count(plan.threshold.tokens_over)} tokens over the ${count(plan.threshold.at)} mark: I accept the long-context price, ${extraWords(plan)}`) : null);
    send.textContent = `Ask again for about ${priceOf(plan)}`;
    send.disabled = isOver;
  }

  async function submit() {
    if (!plan?.feasible || send.disabled) return;
    send.disabled = true;
    try {
      await ask(outcome, { corpusId: answer.corpus_id, planId: plan.id, acceptsLongContext: plan.threshold.status === "over" });
    } catch (error) {
      fill(outcome, problemNotice(error));
      await load();
    }
  }
}

const priceOf = (plan) => (plan.cost ? shown(plan.cost.expected_usd) : "an unknown price");

function keptWords({ calls }) {
  const kept = calls.filter((call) => call.kept).length;
  return kept ? `${kept} of ${plural(calls.length, "call")} are kept and not paid again. ` : "";
}

/** Return what an answer goes back to, in words with a link; null where it was asked anew. */
export function origin({ retry_of: retried, replay_of: replayed }) {
  if (!retried && !replayed) return null;
  return h("p", { class: "small quiet" }, retried ? "It goes on with " : "It asks the pages of ", h("a", { href: answerAddress(retried ?? replayed) }, "an earlier answer"), retried ? "." : " again.");
}
