// A quote laid beside its source: what the answer changed, word by word.

import { h } from "./dom.js";

const MOST_WORDS = 500; // of quote and source each; longer ones are shown one below the other
const ELLIPSIS = /…|\.\.\./;

/** Return a quote with what the answer put in struck out, and what the source says in its place. */
export function compared({ quote, found, differences }) {
  const said = quote.match(/\S+/gu) ?? [];
  const stands = found.text.match(/\S+/gu) ?? [];
  if (ELLIPSIS.test(quote) || Math.max(said.length, stands.length) > MOST_WORDS) return apart(quote, differences);
  return steps(said, stands).map(([kind, words]) => {
    const text = words.join(" ");
    if (kind === "del") return [h("del", null, h("span", { class: "unseen" }, "the answer says: "), text), " "];
    if (kind === "ins") return [h("ins", null, h("span", { class: "unseen" }, "the source says: "), text), " "];
    return `${text} `;
  });
}

function apart(quote, differences) {
  return [quote, h("ul", { class: "changes" }, differences.map((one) => h("li", null,
    one.quote ? h("del", null, h("span", { class: "unseen" }, "the answer says: "), one.quote) : null, " ",
    one.source ? h("ins", null, h("span", { class: "unseen" }, "the source says: "), one.source) : null)))];
}

/** Return runs of words as `[kind, words]`: `same`, `del` (in the answer alone), `ins` (in the source alone). */
export function steps(said, stands) {
  const a = edged(said.map(plain));
  const b = edged(stands.map(plain));
  const longest = lengths(a, b);
  const runs = [];
  const put = (kind, word) => {
    if (runs.at(-1)?.[0] === kind) runs.at(-1)[1].push(word);
    else runs.push([kind, [word]]);
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { put("same", said[i]); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) { put("del", said[i]); i += 1; }
    else { put("ins", stands[j]); j += 1; }
  }
  return runs;
}

/** Return how many words the rests of two texts, from each place on, have in common in order. */
function lengths(a, b) {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

/** What a quote takes along or leaves at its ends is no difference: the stop of the sentence, a mark of quoting. */
function edged(words) {
  if (words.length) words[0] = words[0].replace(/^[\p{P}]+(?=[^\p{P}])/u, "");
  if (words.length) words[words.length - 1] = words.at(-1).replace(/(?<=[^\p{P}])[\p{P}]+$/u, "");
  return words;
}

/** A word with the glyphs of quote marks and hyphens made alike. */
const plain = (word) => word.normalize("NFKC").replace(/[‘’‚′]/gu, "'").replace(/[“”„″«»]/gu, '"').replace(/[‐-―−]/gu, "-").replace(/\u00ad/gu, "");
