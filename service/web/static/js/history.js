// What was asked before, in the rail. Filled where answers are kept.

/** Show the questions asked of a corpus (or of all, where `corpusId` is null); returns a function that stops it. */
export function showHistory(container, { corpusId }) {
  void corpusId;
  container.replaceChildren();
  return () => {};
}
