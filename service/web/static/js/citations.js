// Citations: what a verdict is called and looks like, the marks in the text, and the list of sources below it.

import { compared } from "./differences.js";
import { fill, h } from "./dom.js";

/** Each verdict by a sign and a word: never by its colour alone. */
export const VERDICTS = {
  exact: { sign: "✓", word: "exact", tone: "good", means: "stands in the source word for word" },
  close: { sign: "≈", word: "close", tone: "good", means: "stands in the source, with differences that do not change its meaning" },
  elsewhere: { sign: "↷", word: "elsewhere", tone: "warned", means: "stands in the source, but not where the answer says" },
  altered: { sign: "≠", word: "altered", tone: "bad", means: "the source says something else" },
  missing: { sign: "✗", word: "missing", tone: "bad", means: "was not found in anything that was read" },
};
const UNCHECKED = { sign: "–", word: "not checked", tone: "", means: "was not checked, for the answer was not finished" };
const CHECKING = { sign: "…", word: "being checked", tone: "", means: "is held against the source once the answer is written" };

/** Return what a citation's verdict means, in words; it has more to say than the verdict where a source is gone. */
export function meaning(citation) {
  if (citation.verdict === "missing" && citation.source_gone) return "was not found, or its document was deleted before it could be checked";
  if (citation.verdict === "missing" && !citation.quote.trim()) return "could not be checked: the answer quotes no words here";
  return (VERDICTS[citation.verdict] ?? CHECKING).means;
}

/** Return words as a sentence begins. */
export const capital = (words_) => words_[0].toUpperCase() + words_.slice(1);

/** Return the badge of a verdict. */
export function verdictBadge(verdict) {
  const { sign, word, tone } = VERDICTS[verdict] ?? CHECKING;
  return h("span", { class: `badge verdict ${tone}` }, h("span", { "aria-hidden": "true" }, sign), word);
}

/** Return each citation's number: the same words from the same place share one. */
export function numbered(citations) {
  const known = new Map();
  return citations.map(({ marker, quote }) => {
    const name = JSON.stringify([marker, quote]);
    if (!known.has(name)) known.set(name, known.size + 1);
    return known.get(name);
  });
}

/** Return where a citation is from, in words: "report.pdf, page 12 (labelled ix)". */
export function place(citation) {
  if (!citation.filename) return `${citation.marker}, a document that was not asked`;
  const page = citation.page === null ? "" : `, page ${citation.page}`;
  return citation.filename + page + (citation.label && citation.label !== String(citation.page) ? ` (labelled ${citation.label})` : "");
}

/** The marks of one answer: those on the page so far, and what is known of each. */
export function marks({ onOpen }) {
  const buttons = new Map(); // by index, those on the page
  let citations = [];
  let numbers = [];
  let hasEnded = false;

  function show(index) {
    const button = buttons.get(index);
    if (!button) return;
    const citation = citations[index];
    const { sign, word, tone, means } = VERDICTS[citation?.verdict] ?? (hasEnded ? UNCHECKED : CHECKING);
    const wears = tone === "good" || !citation ? null : h("span", { class: "word" }, word);
    button.className = `cite ${tone}`;
    fill(button, h("span", { "aria-hidden": "true" }, sign), " ", h("span", null, numbers[index] ?? index + 1), wears);
    button.setAttribute("aria-label", citation
      ? `Source ${numbers[index]}: ${word}. ${place(citation)}. Show the page`
      : `Source ${index + 1}, ${word}`);
    button.title = citation ? `${place(citation)}: ${meaning(citation)}` : `It ${means}`;
  }

  return {
    decorate(button, index) {
      buttons.set(index, button);
      button.addEventListener("click", () => { if (citations[index]) onOpen(index, button); });
      show(index);
    },
    /** Show what is known of each; `isLast` where nothing more will be. */
    set(list, isLast = false) {
      citations = list;
      hasEnded = isLast;
      numbers = numbered(list);
      for (const index of buttons.keys()) show(index);
    },
    mark(index) {
      for (const [at, button] of buttons) button.setAttribute("aria-current", String(at === index));
    },
    button: (index) => buttons.get(index),
  };
}

/** Return the list of an answer's sources, each once. */
export function sourceList(citations, onOpen) {
  const numbers = numbered(citations);
  const first = new Map();
  numbers.forEach((number, index) => { if (!first.has(number)) first.set(number, index); });
  return h("ol", { class: "sources" }, [...first].map(([number, index]) => source(citations[index], number, (button) => onOpen(index, button))));
}

function source(citation, number, onOpen) {
  const open = h("button", { type: "button", class: "source-open", onclick: () => onOpen(open) },
    h("span", { class: "source-number" }, number), h("bdi", { class: "source-place" }, place(citation)));
  return h("li", { class: "source" },
    h("div", { class: "row" }, open, verdictBadge(citation.verdict), citation.repaired ? h("span", { class: "badge" }, "put right") : null),
    words(citation));
}

/** Return what the answer quotes and, where that differs, what the source says. */
export function words(citation) {
  const { quote, found, differences, verdict } = citation;
  const blocks = [];
  if (quote.trim()) blocks.push(h("blockquote", { class: "quote", dir: "auto" }, differences?.length && found ? compared(citation) : quote));
  if (verdict === "elsewhere" && found && (found.document_id !== citation.document_id || found.page !== citation.page)) {
    blocks.push(h("p", { class: "small quiet" }, `It stands on page ${found.page}`, found.document_id === citation.document_id ? null : [" of ", h("bdi", null, found.filename ?? "another document")], ", not where the answer says."));
  } else if (verdict !== "exact" && verdict !== "close") blocks.push(h("p", { class: "small quiet" }, `${capital(meaning(citation))}.`));
  return blocks;
}
