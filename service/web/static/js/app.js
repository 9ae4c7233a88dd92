// The frame of the page: head, rail, and the view that the address names.

import { openAnswer } from "./answer.js";
import { askAnew, resumeAsking, resumeComparing } from "./asking.js";
import { currentKey, forgetKey, get, getAll, onKeyNeeded, post } from "./api.js";
import { showCompare } from "./compare.js";
import { showCorpus } from "./corpus.js";
import { askFor } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { showHistory } from "./history.js";
import { showHome } from "./home.js";
import { count } from "./numbers.js";
import { onNews } from "./news.js";
import { isAbort, problemNotice } from "./problems.js";
import { corpusAddress, go, onRoute, route } from "./router.js";
import { showSpend } from "./spend.js";
import { store } from "./state.js";
import { themeSwitch } from "./theme.js";

const corpora = store([]);
const engine = h("span", { class: "engine" });
const list = h("ul", { class: "rail-list", "aria-label": "Corpora" });
const history = h("div", { class: "rail-history" });
const main = h("main", { id: "main", tabindex: "-1" });
const navigation = h("nav", { "aria-label": "Parts of the page" });
let leave = () => {};
let stopHistory = () => {};
let shown = false;
let isLooking = false;

function frame() {
  const rail = h("aside", { class: "rail", id: "rail", "aria-label": "Corpora and history" },
    h("div", { class: "rail-inner" },
      h("section", null, h("h2", null, "Corpora"), list,
        h("button", { type: "button", class: "button bare narrow", onclick: addCorpus }, "+ New corpus")),
      history));
  const toggle = h("button", { type: "button", class: "button bare icon rail-toggle", "aria-label": "Corpora and history", "aria-expanded": "false", "aria-controls": "rail", onclick() {
    toggle.setAttribute("aria-expanded", String(rail.classList.toggle("shown")));
  } }, "☰");
  const head = h("header", { class: "head" }, toggle,
    h("a", { class: "wordmark", href: "#/" }, "Unabridged"), navigation, h("span", { class: "push row" }, engine, themeSwitch()));
  fill(document.getElementById("app"), head, rail, main);
  const fold = () => { rail.classList.remove("shown"); toggle.setAttribute("aria-expanded", "false"); };
  rail.addEventListener("click", (event) => { if (event.target.closest("a")) fold(); });
  addEventListener("hashchange", fold);
}

/** Show the view of an address; the one before is left first, so that nothing of it goes on. */
async function show({ name, id, ids }) {
  leave();
  leave = () => {};
  mark({ name, id });
  const view = h("div", { class: `view view-${name}` });
  fill(main, view);
  if (shown) {
    main.focus({ preventScroll: true }); // another view is another place to read on from
    scrollTo(0, 0);
  }
  shown = true;
  try {
    leave = (await views[name](view, id, ids)) ?? (() => {});
  } catch (error) {
    if (!isAbort(error)) fill(view, problemNotice(error, { onRetry: () => show({ name, id, ids }) }));
  }
}

const views = {
  home: (view) => showHome(view, { corpora, addCorpus, refresh }),
  corpus: (view, id) => showCorpus(view, { corpusId: id, refresh, askAnew }),
  answer: (view, id) => openAnswer(view, { answerId: id }),
  spend: (view) => showSpend(view),
  compare: (view, id, ids) => showCompare(view, { corpusId: id, ids }),
};

function mark({ name, id }) {
  fill(navigation,
    link("#/", "Ask", name === "home" || ["corpus", "answer", "compare"].includes(name)), link("#/spend", "Spend", name === "spend"));
  listCorpora({ id });
  stopHistory();
  stopHistory = showHistory(history, { corpusId: name === "corpus" || name === "compare" ? id : null }) ?? (() => {});
}

function listCorpora({ id }) {
  const focused = list.contains(document.activeElement) ? document.activeElement.hash : null;
  fill(list, corpora.get().map((corpus) => h("li", null,
    h("a", { href: corpusAddress(corpus.id), "aria-current": corpus.id === id ? "page" : null },
      h("span", { class: "name" }, corpus.name),
      h("span", { class: "size" }, count(corpus.documents), h("span", { class: "unseen" }, " documents"))))));
  if (focused) [...list.querySelectorAll("a")].find((one) => one.hash === focused)?.focus({ preventScroll: true });
}

const link = (href, text, current) => h("a", { href, "aria-current": current ? "page" : null }, text);

/** Read the corpora anew: one was made, named, filled or forgotten. */
async function refresh() {
  corpora.set(await getAll("/v1/corpora"));
  mark(route());
}

/** The same when one may have been made elsewhere; nothing moves where nothing is new. */
async function lookAgain() {
  if (isLooking) return;
  isLooking = true;
  try {
    const found = await getAll("/v1/corpora");
    if (JSON.stringify(found) === JSON.stringify(corpora.get())) return;
    corpora.set(found);
    listCorpora(route());
  } catch {
    // The rail stays as it is; what the view itself needs says what is wrong.
  } finally {
    isLooking = false;
  }
}

async function addCorpus() {
  const name = await askFor({ title: "New corpus", label: "Name", text: "A corpus is what one question reads: the documents of a project, a case, a year.", action: "Make it" });
  if (!name) return;
  const corpus = await post("/v1/corpora", { name });
  await refresh();
  go(corpusAddress(corpus.id));
}

async function askKey(problem) {
  const wrong = currentKey() !== null;
  forgetKey();
  return askFor({ title: "A key is needed", label: "Key", secret: true, action: "Use it",
    text: wrong ? problem.detail : "This service admits whoever has a key (una_…). It is kept in this tab only, until you close it." });
}

async function begin() {
  onKeyNeeded(askKey);
  frame();
  try {
    const [ready] = await Promise.all([get("/readyz"), refresh()]);
    engine.textContent = ready.engine === "offline" ? "offline: the closest passages, no model" : ready.model;
    engine.title = `Engine: ${ready.engine}`;
  } catch (error) {
    fill(main, problemNotice(error, { onRetry: () => location.reload() }));
    return;
  }
  onRoute(show);
  addEventListener("hashchange", lookAgain);
  onNews(lookAgain);
  resumeAsking(main).catch((error) => fill(main, problemNotice(error)));
  resumeComparing().catch((error) => fill(main, problemNotice(error, { onRetry: () => location.reload() })));
}

begin();
