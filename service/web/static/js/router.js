// Addresses behind the `#`: `#/`, `#/c/{corpus}`, `#/a/{answer}`, `#/spend`, `#/compare/{corpus}/{answers}`.

/** Return the address as `{name, id}`; names are home, corpus, answer, spend, compare; of the last also `ids`, the answers. */
export function route(hash = location.hash) {
  const [, head = "", id = "", more = ""] = hash.replace(/^#/, "").split("/");
  if (head === "c" && id) return { name: "corpus", id: decoded(id) };
  if (head === "a" && id) return { name: "answer", id: decoded(id) };
  if (head === "compare" && id) return { name: "compare", id: decoded(id), ids: more.split(",").map(decoded).filter(Boolean) };
  if (head === "spend") return { name: head, id: null };
  return { name: "home", id: null };
}

export const corpusAddress = (id) => `#/c/${encodeURIComponent(id)}`;
export const answerAddress = (id) => `#/a/${encodeURIComponent(id)}`;

export const compareAddress = (id, answers = []) => `#/compare/${encodeURIComponent(id)}${answers.length ? `/${answers.map(encodeURIComponent).join(",")}` : ""}`;

/** Go to an address; the one that is shown already is left as it is. */
export function go(address) {
  if (location.hash !== address) location.hash = address;
}

/** Call `show(route)` now and whenever the address changes. */
export function onRoute(show) {
  // The skip link's `#main` is no address of ours.
  const changed = () => { if (location.hash !== "#main") show(route()); };
  addEventListener("hashchange", changed);
  changed();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
