// An answer taken along: as a file, or on the clipboard.

import { getBlob } from "./api.js";
import { copyAsButton } from "./copyas.js";
import { announce, h } from "./dom.js";
import { compareAddress } from "./router.js";

/** Return the buttons that export an answer which has ended; `onTrouble(error)` hears what went wrong, `more` are buttons beside them. */
export function exportButtons(answer, { onTrouble, more = [] }) {
  const copy = h("button", { type: "button", class: "button bare narrow", async onclick() {
    try {
      await navigator.clipboard.writeText(answer.text);
      announce("Copied");
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    } catch (error) {
      onTrouble(error);
    }
  } }, "Copy");
  const file = (form, name) => h("button", { type: "button", class: "button bare narrow", "aria-label": `Export as ${name}`, async onclick() {
    try {
      await download(answer, form);
    } catch (error) {
      onTrouble(error);
    }
  } }, `↓ ${name}`);
  return h("div", { class: "row exports", role: "group", "aria-label": "What to do with the answer" },
    navigator.clipboard ? copy : null, file("md", "Markdown"), file("json", "JSON"), h("a", { class: "button bare narrow", href: compareAddress(answer.corpus_id, [answer.id]) }, "Compare with…"), more, copyAsButton(() => requests(answer)));
}

/** What is on the screen, to be run elsewhere. */
function requests(answer) {
  const path = `/v1/answers/${encodeURIComponent(answer.id)}`;
  return [
    { name: "Read this answer", method: "GET", path },
    { name: "Read it as Markdown", method: "GET", path: `${path}/export?format=md`, accept: "text/markdown" },
  ];
}

async function download(answer, form) {
  const { blob, headers } = await getBlob(`/v1/answers/${encodeURIComponent(answer.id)}/export?format=${form}`);
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: nameOf(headers) ?? `${answer.id}.${form}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function nameOf(headers) {
  const [, name] = /filename\*=UTF-8''([^;]+)/.exec(headers.get("Content-Disposition") ?? "") ?? [];
  return name ? decodeURIComponent(name) : null;
}
