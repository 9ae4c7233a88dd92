// The first view: what this is, and where documents are dropped.

import { post } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { problemNotice } from "./problems.js";
import { corpusAddress, go } from "./router.js";
import { addFiles, droppable, filePicker, filesOfDrop } from "./upload.js";

/** Show the welcome; returns a function that stops it. */
export function showHome(view, { corpora, refresh }) {
  const problems = h("div");
  const picker = filePicker(begin);

  /** Make a corpus of what was dropped, named after its folder, and go there while it is sent. */
  async function begin(files) {
    if (!files.length) return announce("There was no file in it.");
    try {
      const corpus = await post("/v1/corpora", { name: nameOf(files) });
      addFiles(corpus.id, files);
      await refresh();
      return go(corpusAddress(corpus.id));
    } catch (error) {
      return fill(problems, problemNotice(error));
    }
  }

  fill(view, h("section", { class: "welcome" },
    h("h1", null, "Ask the whole pile. Know the price first."),
    h("p", { class: "lead" }, "Nothing is cut into snippets: every page you switch on is read, every quote is checked against its page, and what a question costs is shown before it is asked."),
    h("div", { class: "drop-zone" },
      h("p", { class: "drop-title" }, "Drop files or a folder"),
      h("p", { class: "quiet" }, "PDF, Word, PowerPoint, Excel, OpenDocument, mail, archives, scans, text and code"),
      h("div", { class: "row drop-buttons" },
        h("button", { type: "button", class: "button primary", onclick: () => picker.open(false) }, "Choose files"),
        h("button", { type: "button", class: "button", onclick: () => picker.open(true) }, "Choose a folder")),
      picker.element),
    problems,
    corpora.get().length ? h("p", { class: "quiet" }, "Or go on with a corpus that is there.") : null,
    h("ol", { class: "steps" },
      step("Add", "Pages and tokens are counted as the model counts them, while the files are read."),
      step("See the price", "Cold, cached, and at most; the 272,000 mark is never crossed unless you say so."),
      step("Check", "Each quote is looked up in its page, and you see that page."))),
  h("div", { class: "drop-veil", "aria-hidden": "true" }, h("p", null, "Drop to begin a corpus")));
  return droppable(view, async (transfer) => begin(await filesOfDrop(transfer)));
}

const step = (title, text) => h("li", null, h("strong", null, title), h("span", null, text));

function nameOf(files) {
  const [head, ...rest] = files[0].name.split("/");
  if (rest.length) return head.slice(0, 200);
  if (files.length === 1) return head.slice(0, 200);
  return `${files.length} documents, ${new Date().toLocaleDateString("en-GB", { day: "numeric", month: "short" })}`;
}
