// A corpus: its documents, its meter, and the question.

import { get } from "./api.js";
import { fill, h } from "./dom.js";

/** Show a corpus; returns a function that stops it. */
export async function showCorpus(view, { corpusId }) {
  const corpus = await get(`/v1/corpora/${encodeURIComponent(corpusId)}`);
  fill(view, h("h1", null, corpus.name));
}
