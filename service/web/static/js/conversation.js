// A conversation: the turns before an answer, and the next question with its price before it is asked.

import { get, post } from "./api.js";
import { ask } from "./asking.js";
import { debounced, fill, h, newId } from "./dom.js";
import { growing } from "./markup.js";
import { amount, exact, shown } from "./money.js";
import { count, moment, plural } from "./numbers.js";
import { plainly } from "./plainwords.js";
import { extraWords } from "./planwords.js";
import { isAbort, problemNotice } from "./problems.js";
import { answerAddress, corpusAddress, go } from "./router.js";
import { unfolding } from "./receipt.js";

const PAUSE_MS = 350;
const WAYS = { whole: "everything in one call", split: "everything, in parts", ranked: "the most relevant pages", selected: "some documents" };
const UNSAID = new Set(["waste", "pages_without_text"]); // of the corpus, and told there

/** Return the turns before an answer (and a way to those after it); null where there are none. */
export function turnsAround(conversation, answerId, { signal }) {
  const at = conversation.turns.findIndex((turn) => turn.answer_id === answerId);
  const before = conversation.turns.slice(0, Math.max(at, 0));
  const after = conversation.turns.slice(at + 1);
  if (!before.length && !after.length) return null;
  return h("section", { class: "turns", "aria-label": "This conversation" },
    before.map((turn) => unfolding(turnTitle(turn), () => earlier(turn, signal))),
    after.length ? h("p", { class: "small" }, "Asked after this: ", after.map((turn, n) => [n ? ", " : "", h("a", { href: answerAddress(turn.answer_id) }, turn.question)])) : null);
}

const SENT = { line: "sent as a line", whole: null };

function turnTitle(turn) {
  const facts = [turn.status === "done" ? shown(turn.cost_usd) : turn.status.replace("_", " "), SENT[turn.sent_as]].filter(Boolean);
  return h("span", { class: "turn-title" }, h("span", { class: "asked", dir: "auto" }, turn.question), h("span", { class: "facts" }, ` ${facts.join(" · ")}`));
}

async function earlier(turn, signal) {
  const text = growing({ signal, decorate(button) { button.disabled = true; } });
  text.append(turn.text);
  await text.finish();
  return h("div", null, text.element, h("p", { class: "small" }, h("a", { href: answerAddress(turn.answer_id) }, "Open this answer with its sources"), h("span", { class: "quiet" }, ` ${moment(turn.created_at)}`)));
}

/**
 * Return the form for the next question of a conversation: its price stands there before it is asked.
 *
 * `typed` is what stands in it already. `conversation` is null where the answer was asked on its own: then there is nothing to go on from.
 */
export function nextQuestion({ corpusId, conversation, typed = "", signal, onChanged }) {
  if (!conversation) {
    return h("section", { class: "next" }, h("p", { class: "quiet" }, "This question was asked on its own, so nothing can be asked on from it. ",
      h("a", { href: corpusAddress(corpusId) }, "Ask this corpus something new")));
  }
  const id = newId("next");
  const price = h("div", { class: "next-price", role: "status" });
  const outcome = h("div");
  const way = h("select", { class: "way", "aria-label": "What is read", hidden: true, onchange: () => choose(way.value) });
  const send = h("button", { type: "submit", class: "button primary", disabled: true }, "Ask");
  const text = h("textarea", { id, rows: 2, maxlength: 200000, value: typed, placeholder: "Ask on. It is read behind the same documents and all that was said.", oninput: () => changed(), onkeydown(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  } });
  const form = h("form", { class: "next card", onsubmit(event) { event.preventDefault(); submit(); } },
    h("div", { class: "field" }, h("label", { for: id }, "Next question in this conversation"), text),
    price, h("div", { class: "row" }, history(conversation, onChanged, outcome)),
    h("div", { class: "row next-actions" }, way, h("span", { class: "push" }), send), outcome);
  let offer = null;
  let plans = [];
  let asking = new AbortController();
  signal.addEventListener("abort", () => asking.abort());
  const later = debounced(() => preview(), PAUSE_MS);

  function changed() {
    asking.abort();
    offer = null;
    send.disabled = true;
    later();
  }

  async function preview() {
    const question = text.value.trim();
    fill(outcome);
    if (!question) { fill(price); way.hidden = true; send.textContent = "Ask"; return; }
    asking = new AbortController();
    try {
      const found = await post(`/v1/corpora/${encodeURIComponent(corpusId)}/plans`, { question, conversation_id: conversation.id }, { signal: asking.signal });
      plans = found.data.filter((plan) => plan.feasible);
      const best = plans.find((plan) => plan.id === found.recommended) ?? plans[0];
      if (!best) { fill(price, h("p", null, plainly(found.data[0]?.infeasible_because) ?? "It can't be asked.")); return; }
      fill(way, plans.map((plan) => h("option", { value: plan.id, selected: plan === best }, `${WAYS[plan.strategy] ?? plan.strategy}: ${priceWords(plan)}`)));
      way.hidden = plans.length < 2;
      choose(best.id);
    } catch (error) {
      if (!isAbort(error)) fill(price, problemNotice(error));
    }
  }

  function choose(planId) {
    offer = plans.find((plan) => plan.id === planId);
    const { status } = offer.threshold;
    const over = status === "over";
    const tick = h("input", { type: "checkbox", onchange: () => { send.disabled = !tick.checked; } });
    const accept = h("label", { class: "notice warned check" }, tick, ` ${count(offer.threshold.tokens_over)} tokens over the ${count(offer.threshold.at ?? 0)} mark: I accept the long-context price, ${extraWords(offer)}`);
    fill(price, summary(offer), over ? accept : null, offer.warnings.filter(({ code }) => !UNSAID.has(code)).map((warning) => warningNotice(warning, conversation, { onChanged, outcome })));
    send.textContent = over ? `Ask at the long-context price, ${priceWords(offer)}` : `Ask for about ${priceWords(offer)}`;
    send.disabled = over;
  }

  async function submit() {
    if (!offer) return;
    send.disabled = true;
    try {
      await ask(outcome, { corpusId, planId: offer.id, plan: offer, acceptsLongContext: offer.threshold.status === "over" });
    } catch (error) {
      fill(outcome, problemNotice(error));
      await preview();
    }
  }

  if (typed) preview();
  return form;
}

const priceWords = (plan) => (plan.cost ? shown(plan.cost.expected_usd) : "an unknown price");

/** Return what the next question takes: tokens of documents and of what was said, and how much of it is cached. */
function summary(plan) {
  const said = plan.conversation?.history_tokens ?? 0;
  const cached = plan.cache.expected_cached_tokens;
  return h("p", { class: "small quiet" },
    `${plural(plan.input_tokens, "token")}${said ? `, ${count(said)} of them what was said before` : ""}${cached ? `; about ${count(cached)} should still be cached` : ""}. `,
    plan.cost ? `At most ${exact(amount(plan.cost.max_usd))}.` : "");
}

function warningNotice(warning, conversation, { onChanged, outcome }) {
  const buttons = (warning.fixes ?? []).map((fix) => {
    if (fix.do === "compact") return h("button", { type: "button", class: "button narrow", onclick: () => compact(conversation, fix.keep_last ?? 1, onChanged, outcome) }, "Send earlier turns as a list");
    if (fix.do === "new_conversation") return h("button", { type: "button", class: "button narrow", onclick: () => anew(conversation.corpus_id) }, "Begin a new conversation");
    return null;
  });
  return h("div", { class: "notice warned" }, plainly(warning.detail), buttons.some(Boolean) ? h("div", { class: "row" }, buttons) : null);
}

/** Return what of the conversation is sent with the next question, and the buttons that change it. */
function history(conversation, onChanged, outcome) {
  const whole = conversation.turns.filter((turn) => turn.sent_as === "whole").length;
  const lines = conversation.turns.filter((turn) => turn.sent_as === "line").length;
  const sent = [whole ? plural(whole, "turn") : null, lines ? `${plural(lines, "turn")} as a list` : null].filter(Boolean).join(" and ");
  return [
    h("span", { class: "small quiet" }, sent ? `Sent along: ${sent}, ${plural(conversation.history_tokens, "token")}.` : "Nothing said before is sent along."),
    whole > 1 ? h("button", { type: "button", class: "button bare narrow", title: "Turns before the last are sent as their questions and the pages they cited", onclick: () => compact(conversation, 1, onChanged, outcome) }, "Shorten") : null,
    lines ? h("button", { type: "button", class: "button bare narrow", onclick: () => change(conversation, "expand", null, onChanged, outcome) }, "Send all of it") : null,
    h("button", { type: "button", class: "button bare narrow", onclick: () => anew(conversation.corpus_id) }, "New conversation"),
  ];
}

const compact = (conversation, keepLast, onChanged, outcome) => change(conversation, "compact", { keep_last: keepLast }, onChanged, outcome);

async function change(conversation, how, body, onChanged, outcome) {
  try {
    const changed = await post(`/v1/conversations/${encodeURIComponent(conversation.id)}/${how}`, body ?? undefined);
    onChanged(changed);
  } catch (error) {
    fill(outcome, problemNotice(error));
  }
}

function anew(corpusId) {
  go(corpusAddress(corpusId));
}
