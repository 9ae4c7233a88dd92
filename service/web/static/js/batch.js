// A question in a batch: what became of it at the provider, until its answer comes.

import { events } from "./api.js";
import { fill, h } from "./dom.js";
import { moment } from "./numbers.js";
import { isAbort } from "./problems.js";

const STATES = {
  preparing: "It is put together.", submitted: "The provider has it.", in_progress: "The provider is at it.", finalizing: "Its answers are being collected.",
  done: "It is done.", failed: "It failed.", expired: "The provider's time was over first.", cancelled: "It was stopped.", in_doubt: "Of some answers nobody knows yet.",
};
const OPEN = new Set(["preparing", "submitted", "in_progress", "finalizing"]);

/** Return a line that tells the state of a batch, as long as it lasts. */
export function batchState(batchId, { signal }) {
  const place = h("span", { class: "said", role: "status" }, "In a batch.");
  follow().catch((error) => { if (!isAbort(error) && !signal.aborted) fill(place, "In a batch, whose state can't be told at the moment."); });
  return place;

  async function follow() {
    for await (const { name, data } of events(`/v1/batches/${encodeURIComponent(batchId)}/events`, { signal, isLast: ({ name: last, data: batch }) => last === "done" || !OPEN.has(batch?.status) })) {
      if (name === "batch" || name === "done") fill(place, words(data));
    }
  }
}

function words(batch) {
  const others = batch.counts.total > 1 ? ` ${batch.counts.done} of ${batch.counts.total} questions are answered.` : "";
  const until = OPEN.has(batch.status) && batch.expires_at ? ` It comes by ${moment(batch.expires_at)}; you need not stay.` : "";
  return `In a batch. ${batch.cancel_requested && OPEN.has(batch.status) ? "It is being stopped." : STATES[batch.status] ?? batch.status}${batch.error ? ` ${batch.error.detail ?? batch.error}` : ""}${others}${until}`;
}
