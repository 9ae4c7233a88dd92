// Asking, so that it is paid once: what is on its way is kept until the service has said which answer it became.

import { ApiProblem, post } from "./api.js";
import { fill, h } from "./dom.js";
import { forgetDraft } from "./drafts.js";
import { tellOthers } from "./news.js";
import { problemNotice } from "./problems.js";
import { answerAddress, go } from "./router.js";

const PENDING = "unabridged.asking";

/**
 * Ask, and go to the answer.
 *
 * @param container where it is said what happens, until the address changes.
 * @param request `{corpusId, planId, acceptsLongContext, plan}`; `plan` is the one that was offered.
 */
export async function ask(container, { corpusId, planId, acceptsLongContext = false }) {
  const body = { plan_id: planId, allow_long_context: acceptsLongContext, wait: false };
  await send(container, keep({ corpusId, key: newKey(), body }));
}

/** Take up what was on its way when the page was left; with the same key, so that nothing is paid twice. */
export async function resumeAsking(container) {
  const pending = kept();
  if (pending) await send(container, pending);
}

async function send(container, pending) {
  fill(container, h("p", { class: "quiet", role: "status" }, "Asking…"));
  try {
    const path = `/v1/corpora/${encodeURIComponent(pending.corpusId)}/answers`;
    const answer = await post(path, pending.body, { headers: { "Idempotency-Key": pending.key } });
    forget();
    forgetDraft(pending.corpusId);
    tellOthers("asked", answer.id);
    go(answerAddress(answer.id));
  } catch (error) {
    // A refusal is an end; anything else may have reached the service, so the same request is sent again.
    const isRefused = error instanceof ApiProblem && error.status >= 400 && error.status < 500;
    if (isRefused) {
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

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(PENDING));
  } catch {
    return null;
  }
}

const forget = () => sessionStorage.removeItem(PENDING);

/** Not `crypto.randomUUID`: that is there on secure origins alone. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
