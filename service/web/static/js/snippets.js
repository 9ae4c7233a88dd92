// A request of the REST API as something to run elsewhere: curl, Python, JavaScript. Pure; never with the key itself.

const LONGEST_WORD = 60_000; // characters of one word of a command line: Linux takes 131,072 bytes
const END = "JSON"; // no line of a body is only this: its strings have no line ends
const KEY = "UNABRIDGED_KEY";
// Signs that nobody sees, or that turn the direction of what stands beside them, are written out: what is read is what runs.
const UNSEEN = /[\u007f-\u00a0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufe00-\ufe0f\ufeff\ufff0-\uffff]|[\u{e0000}-\u{e0fff}]/gu;

export const LANGUAGES = [["curl", "curl", asCurl], ["python", "Python", asPython], ["javascript", "JavaScript", asJavaScript]];

/**
 * Return a request as a command line for sh, bash and zsh.
 *
 * @param request `{method, url, body, hasKey, accept}`; `body` is JSON or null, `accept` a media type other than JSON.
 */
export function asCurl({ method, url, body = null, hasKey = false, accept = null }) {
  const text = body === null ? null : json(body, 0);
  const isLong = text !== null && text.length > LONGEST_WORD;
  const words = [
    `curl -sS --fail-with-body${method === "GET" ? "" : ` -X ${method}`} ${quoted(url)}`,
    hasKey ? `-H "Authorization: Bearer $${KEY}"` : null,
    accept ? `-H ${quoted(`Accept: ${accept}`)}` : null,
    text === null ? null : "-H 'Content-Type: application/json'",
    text === null ? null : isLong ? `--data-binary @- <<'${END}'` : `--data-binary ${quoted(text)}`,
  ].filter(Boolean).join(" \\\n  ");
  return isLong ? `${words}\n${text}\n${END}\n` : `${words}\n`;
}

/** Return a request as a Python program. */
export function asPython({ method, url, body = null, hasKey = false, accept = null, pick = null }) {
  const headers = [hasKey ? `"Authorization": f"Bearer {os.environ['${KEY}']}"` : null, accept ? `"Accept": ${pythonText(accept)}` : null].filter(Boolean);
  const lines = [
    hasKey ? "import os\n" : null, "import httpx\n",
    body === null ? null : `body = ${python(body, 0)}`,
    `response = httpx.${method.toLowerCase()}(`, `    ${pythonText(url)},`, body === null ? null : "    json=body,",
    headers.length ? `    headers={${headers.join(", ")}},` : null, "    timeout=None,", ")", "response.raise_for_status()",
    `print(response.${accept ? "text" : "json()"}${pick ? `["${pick}"]` : ""})`,
  ];
  return `${lines.filter((line) => line !== null).join("\n")}\n`;
}

/** Return a request as a JavaScript module, for Node and for browsers. */
export function asJavaScript({ method, url, body = null, hasKey = false, accept = null, pick = null }) {
  const headers = [hasKey ? `Authorization: \`Bearer \${process.env.${KEY}}\`` : null, accept ? `Accept: ${json(accept, 0)}` : null, body === null ? null : '"Content-Type": "application/json"'].filter(Boolean);
  const lines = [
    body === null ? null : `const body = ${javascript(body, 0)};`,
    `const response = await fetch(${json(url, 0)}, {`, `  method: ${json(method, 0)},`,
    headers.length ? `  headers: { ${headers.join(", ")} },` : null, body === null ? null : "  body: JSON.stringify(body),", "});",
    "if (!response.ok) throw new Error(await response.text());",
    accept ? "console.log(await response.text());" : `console.log(${pick ? `(await response.json()).${pick}` : "await response.json()"});`,
  ];
  return `${lines.filter((line) => line !== null).join("\n")}\n`;
}

/** Return a word in single quotes, as every shell of the Bourne family reads it. */
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

const whole = (text) => text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
const seen = (text, written) => JSON.stringify(whole(text)).replace(UNSEEN, written);
const jsonText = (text) => seen(text, (sign) => [...Array(sign.length).keys()].map((at) => `\\u${hex(sign.charCodeAt(at), 4)}`).join(""));
const pythonText = (text) => seen(text, (sign) => (sign.length > 1 ? `\\U${hex(sign.codePointAt(0), 8)}` : `\\u${hex(sign.charCodeAt(0), 4)}`));
const hex = (number, digits) => number.toString(16).padStart(digits, "0");

const JSON_WORDS = { text: jsonText, name: jsonText, constant: String };
const PYTHON_WORDS = { text: pythonText, name: pythonText, constant: (value) => ({ true: "True", false: "False", null: "None" })[value] };
// Written plainly, this one name of a member would set what the object inherits from.
const JAVASCRIPT_WORDS = { text: jsonText, name: (name) => (name === "__proto__" ? '["__proto__"]' : jsonText(name)), constant: String };

const json = (value, depth) => written(value, depth, JSON_WORDS);
const python = (value, depth) => written(value, depth, PYTHON_WORDS);
const javascript = (value, depth) => written(value, depth, JAVASCRIPT_WORDS);

/** Return a value of JSON as source text, in the words of a language, indented. */
function written(value, depth, words) {
  if (typeof value === "string") return words.text(value);
  if (value === null || typeof value === "boolean") return words.constant(value);
  if (typeof value !== "object") return String(value);
  const isList = Array.isArray(value);
  const parts = isList ? value.map((one) => written(one, depth + 1, words))
    : Object.entries(value).filter(([, one]) => one !== undefined).map(([name, one]) => `${words.name(name)}: ${written(one, depth + 1, words)}`);
  if (!parts.length) return isList ? "[]" : "{}";
  const pad = "  ".repeat(depth + 1);
  return `${isList ? "[" : "{"}\n${parts.map((part) => pad + part).join(",\n")}\n${"  ".repeat(depth)}${isList ? "]" : "}"}`;
}
