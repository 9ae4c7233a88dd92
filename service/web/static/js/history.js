// What was asked before, in the rail: newest first, and anew when another tab has asked.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { paid } from "./money.js";
import { onNews } from "./news.js";
import { count, moment } from "./numbers.js";
import { isAbort } from "./problems.js";
import { answerAddress, route } from "./router.js";

const AT_ONCE = 20;
const SOON_MS = 4000;
const BATCH_MS = 60_000;
const STATES = { queued: "waiting", running: "being answered", failed: "failed", cancelled: "stopped", in_doubt: "in doubt" };
const SIGNS = { queued: "◌", running: "◌", failed: "✗", cancelled: "■", in_doubt: "?" };
let last = { corpusId: undefined, data: [] };

/** Show the questions asked of a corpus (or of all, where `corpusId` is null); returns a function that stops it. */
export function showHistory(container, { corpusId }) {
  const controller = new AbortController();
  const list = h("ul", { class: "history", "aria-label": "Questions asked" });
  const more = h("button", { type: "button", class: "button bare narrow", hidden: true, onclick: () => load(last.data.length + AT_ONCE) }, "Show earlier ones");
  let timer = 0;

  async function load(limit) {
    clearTimeout(timer);
    try {
      const query = new URLSearchParams({ newest_first: "true", limit: String(limit), ...(corpusId ? { corpus_id: corpusId } : {}) });
      const page = await get(`/v1/answers?${query}`, { signal: controller.signal });
      last = { corpusId, data: page.data };
      more.hidden = !page.has_more;
      draw();
      const isSoon = page.data.some((one) => isOpen(one) && !one.batch_id);
      if (page.data.some(isOpen) && !controller.signal.aborted) timer = setTimeout(() => load(limit), isSoon ? SOON_MS : BATCH_MS);
    } catch (error) {
      if (!isAbort(error) && error.status !== 0) throw error;
    }
  }

  function draw() {
    const here = route();
    if (!last.data.length) { fill(container); return; }
    fill(list, last.data.map((answer) => item(answer, here.name === "answer" && here.id === answer.id)));
    fill(container, h("section", { "aria-label": "Asked before" }, h("h2", null, "Asked before"), list, more));
  }

  if (last.corpusId === corpusId) draw();
  else fill(container);
  load(AT_ONCE);
  const stopNews = onNews(() => load(Math.max(AT_ONCE, last.data.length)));
  return () => { clearTimeout(timer); controller.abort(); stopNews(); };
}

const isOpen = (answer) => answer.status === "queued" || answer.status === "running";

function item(answer, isHere) {
  const state = answer.batch_id && isOpen(answer) ? "in a batch" : STATES[answer.status];
  const facts = [moment(answer.created_at), state ? null : price(answer), state ? null : held(answer.citations)];
  return h("li", null, h("a", { href: answerAddress(answer.id), "aria-current": isHere ? "page" : null },
    h("span", { class: "asked", dir: "auto" }, answer.question),
    h("span", { class: "facts" }, facts.filter(Boolean).join(" · "), state ? h("span", { dataset: { state: answer.status } }, ` · ${SIGNS[answer.status]} ${state}`) : null)));
}

/** Return how many quotes hold, in words; null where none was made. */
function held(citations) {
  const good = citations.filter((one) => one.verdict === "exact" || one.verdict === "close").length;
  return citations.length ? `${good} of ${count(citations.length)} hold` : null;
}

const price = (answer) => (answer.engine === "offline" ? "free" : paid(answer.cost));
