// The service's sentences in the page's words: fields of the page for fields of the API, and amounts as they are shown.

import { shown } from "./money.js";

const WORDS = [
  [/[:,;]? leave them out with `?leave_out`?/g, ""],
  [/Name the documents to ask in `?document_ids`?/g, "Leave only the documents to ask switched on"],
  [/Name fewer documents in `?document_ids`?/g, "Switch some documents off"],
  [/Ask for other documents in `?document_ids`?/g, "Switch other documents on"],
  [/ (?:in|with) `?document_ids`?/g, ""],
  [/`?document_ids`?/g, "the documents that are on"],
  [/`?leave_out`?/g, "“Leave out”"],
  [/with `?budget_tokens`? (\d+)/g, (_, tokens) => `with a budget of ${Number(tokens).toLocaleString("en-US")} tokens`],
  [/`?budget_tokens`?/g, "“Budget of a ranked plan”"],
  [/`?max_completion_tokens`?/g, "“Most tokens of the answer”"],
  [/`?page_images`?/g, "“Pages”"],
  [/`?service_tier`?/g, "the service tier"],
  [/`?reasoning_effort`?/g, "“Thinking”"],
  [/`?system_prompt`?/g, "“Instructions of your own”"],
  [/`?response_format`?/g, "“Answer as JSON”"],
  [/leave `?conversation_id`? out, or name a new one/g, "begin a new conversation"],
  [/`?conversation_id`?/g, "the conversation"],
  [/`?allow_long_context`?/g, "the tick for the long-context price"],
  [/`?max_cost_usd`?/g, "the most it may cost"],
  [/`?limit_usd`?/g, "the limit"],
  [/`questions`/g, "the questions"],
  [/\bstrategy (?:whole|selected)\b/g, "“Everything at once”"],
  [/\bstrategy split\b/g, "“In parts”"],
  [/\bstrategy ranked\b/g, "“Closest pages”"],
];
const AMOUNT = /\$(\d+\.\d{2,12})(?!\d)/g;

/** Return a sentence of the service as this page says it; a document's name in it stays as it is, unless it is a field's. */
export function plainly(said) {
  if (!said) return said;
  const worded = WORDS.reduce((text, [field, words]) => text.replace(field, words), String(said));
  return worded.replace(AMOUNT, (_, digits) => shown(digits));
}
