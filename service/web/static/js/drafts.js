// The conversation that the next question to a corpus begins: one for a tab, empty until something is asked in it.

import { get, post } from "./api.js";

const DRAFT = "unabridged.draft.";
const looked = new Map(); // what is known of each corpus's, so that it is looked up once

/** Return the id of the conversation that a new question to a corpus begins. */
export async function draftConversation(corpusId, { signal } = {}) {
  const kept = sessionStorage.getItem(DRAFT + corpusId);
  if (kept && (looked.get(corpusId) === kept || await isEmpty(kept, signal))) {
    looked.set(corpusId, kept);
    return kept;
  }
  const made = await post("/v1/conversations", { corpus_id: corpusId }, { signal });
  sessionStorage.setItem(DRAFT + corpusId, made.id);
  looked.set(corpusId, made.id);
  return made.id;
}

/** Something was asked in a conversation: the next new question begins another one. */
export function forgetDraft(corpusId) {
  sessionStorage.removeItem(DRAFT + corpusId);
  looked.delete(corpusId);
}

async function isEmpty(id, signal) {
  try {
    return (await get(`/v1/conversations/${encodeURIComponent(id)}`, { signal })).turns.length === 0;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}
