// Answers: asking, and showing one. This is the smallest that works.

import { announce, fill, h } from "./dom.js";
import { get, post } from "./api.js";
import { answerAddress, go } from "./router.js";

/**
 * Ask, and go to the answer.
 *
 * @param container where something is shown until the address changes, and what went wrong.
 * @param request `{corpusId, planId, acceptsLongContext, plan}`; `plan` is the one that was offered.
 */
export async function ask(container, request) {
  fill(container, h("p", { class: "quiet" }, "Asking…"));
  const body = { plan_id: request.planId, allow_long_context: request.acceptsLongContext, wait: false };
  const answer = await post(`/v1/corpora/${encodeURIComponent(request.corpusId)}/answers`, body, {});
  go(answerAddress(answer.id));
}

/** Show an answer; returns a function that stops showing it. */
export function openAnswer(container, { answerId }) {
  const text = h("p", { class: "answer-text" }, "…");
  fill(container, h("article", { class: "answer" }, text));
  const controller = new AbortController();
  const look = async () => {
    const answer = await get(`/v1/answers/${encodeURIComponent(answerId)}`, { signal: controller.signal });
    text.textContent = answer.text ?? "";
    if (["queued", "running"].includes(answer.status)) setTimeout(look, 500);
    else announce("The answer is complete.");
  };
  look().catch((error) => { if (error.name !== "AbortError") text.textContent = error.message; });
  return () => controller.abort();
}
