// Asking, so that it is paid once: what is on its way is kept until the service has said which answer it became.

import { ApiProblem, post, remove } from "./api.js";
import { fill, h } from "./dom.js";
import { amount } from "./money.js";
import { tellOthers } from "./news.js";
import { sameKind } from "./planwords.js";
import { problemNotice } from "./problems.js";
import { answerAddress, compareAddress, go } from "./router.js";
import { keep as keepFor, recall } from "./state.js";

const PENDING = "unabridged.asking";
const COMPARING = "unabridged.comparing";
const MANNERS = "manners";
const MOST_MANNERS = 60;

/**
 * Ask, and go to the answer.
 *
 * @param container where it is said what happens, until the address changes.
 * @param request `{corpusId, planId, acceptsLongContext}`.
 */
export async function ask(container, { corpusId, planId, acceptsLongContext = false }) {
  const body = { plan_id: planId, allow_long_context: acceptsLongContext, wait: false };
  await send(container, keep({ path: answersOf(corpusId), key: newKey(), body }));
}

/**
 * Ask what begins a conversation: it is made only now, and the plan is made anew in it.
 *
 * @param asked `{corpusId, request, plan, acceptsLongContext}`: the body that `plan` was offered for, and the plan.
 * Throws `PriceMoved` where the same plan costs more by now; nothing is asked then.
 */
export async function askAnew(container, { corpusId, request, plan, acceptsLongContext = false }) {
  fill(container, h("p", { class: "quiet", role: "status" }, "Asking…"));
  const conversation = await post("/v1/conversations", { corpus_id: corpusId });
  try {
    const offer = await post(`/v1/corpora/${encodeURIComponent(corpusId)}/plans`, { ...request, conversation_id: conversation.id });
    const now = offer.data.find((one) => one.feasible && sameKind(one) === sameKind(plan));
    if (!now || isDearer(now, plan)) throw new PriceMoved();
    await ask(container, { corpusId, planId: now.id, acceptsLongContext });
  } catch (error) {
    remove(`/v1/conversations/${encodeURIComponent(conversation.id)}`).catch(() => {}); // nothing was said in it
    throw error;
  }
}

/** What was shown holds no more: another figure has to be looked at first. */
export class PriceMoved extends ApiProblem {
  constructor() {
    super({ code: "price_moved", title: "The price has changed", detail: "Nothing was asked: what is cached or known has changed since this price was shown. Look at it again, and ask." }, 409);
  }
}

const FIGURES = ["expected_usd", "max_usd"];
const isDearer = (now, shown) => now.threshold.status === "over" && shown.threshold.status !== "over"
  || now.coverage.pages_in !== shown.coverage.pages_in
  || FIGURES.some((name) => (amount(now.cost?.[name]) ?? 0n) > (amount(shown.cost?.[name]) ?? 0n));

const answersOf = (corpusId) => `/v1/corpora/${encodeURIComponent(corpusId)}/answers`;

/** Take up what was on its way when the page was left; with the same key, so that nothing is paid twice. */
export async function resumeAsking(container) {
  const pending = kept();
  if (pending) await send(container, pending);
}

/**
 * Ask several plans of one question; each is paid once, whatever breaks on the way.
 *
 * @param request `{corpusId, before, asked}`: answers that are there already, and `[{planId, acceptsLongContext, manner}]`.
 * Resolves to `{ids, refusal}`: all answers, and why the rest was refused, or null. What may have arrived is kept and sent again later.
 */
export function askAll({ corpusId, before, asked }) {
  const sent = asked.map(({ planId, acceptsLongContext, manner }) => ({ key: newKey(), manner, body: { plan_id: planId, allow_long_context: acceptsLongContext, wait: false } }));
  return sendAll({ corpusId, ids: before, sent });
}

/** Take up a comparison that was on its way when the page was left. */
export async function resumeComparing() {
  const pending = kept(COMPARING);
  if (!pending) return;
  const { ids } = await sendAll(pending);
  if (ids.length) go(compareAddress(pending.corpusId, ids));
}

async function sendAll({ corpusId, ids, sent }) {
  const done = [...ids];
  for (const [at, { key, manner, body }] of sent.entries()) {
    sessionStorage.setItem(COMPARING, JSON.stringify({ corpusId, ids: done, sent: sent.slice(at) }));
    try {
      const answer = await post(answersOf(corpusId), body, { headers: { "Idempotency-Key": key } });
      done.push(answer.id);
      noteManner(answer.id, manner);
      tellOthers("asked", answer.id);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      forget(COMPARING);
      return { ids: done, refusal: error };
    }
  }
  forget(COMPARING);
  return { ids: done, refusal: null };
}

/** Return how an answer was asked, in words, as far as this browser remembers. */
export const mannerOf = (answerId) => recall(MANNERS, []).find(([id]) => id === answerId)?.[1] ?? [];

const noteManner = (answerId, words) => keepFor(MANNERS, [[answerId, words], ...recall(MANNERS, [])].slice(0, MOST_MANNERS));

async function send(container, pending) {
  fill(container, h("p", { class: "quiet", role: "status" }, "Asking…"));
  try {
    const answer = await post(pending.path, pending.body, { headers: { "Idempotency-Key": pending.key } });
    forget();
    tellOthers("asked", answer.id);
    go(answerAddress(answer.id));
  } catch (error) {
    // A refusal is an end; anything else may have reached the service, so the same request is sent again.
    if (isRefusal(error)) {
      forget();
      throw error;
    }
    fill(container, problemNotice(error, { onRetry: () => send(container, pending) }));
  }
}

function keep(pending) {
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  return pending;
}

function kept(name = PENDING) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

const forget = (name = PENDING) => sessionStorage.removeItem(name);

const isRefusal = (error) => error instanceof ApiProblem && error.status >= 400 && error.status < 500;

/** Not `crypto.randomUUID`: that is there on secure origins alone. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
