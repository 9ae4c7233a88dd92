// Talks to the REST API: JSON, problems with their fixes, the key, and server-sent events that go on after a break.

const KEY = "unabridged.key";
const TYPE = "application/json";
const PAUSES_MS = [300, 1000, 2000, 5000];

/** A refusal as the service words it (RFC 9457): `code`, `title`, `detail`, and the ways out, `fixes`. */
export class ApiProblem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.name = "ApiProblem";
    this.body = body;
    this.status = status;
    this.code = body.code ?? (status ? "unknown" : "offline");
    this.title = body.title ?? "";
    this.detail = body.detail ?? "";
    this.fixes = body.fixes ?? [];
  }
}

let askForKey = async () => null;
let asking = null;

/** Tell how a person is asked for a key; `ask(problem)` returns it, or null where they don't give one. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

/** Return the key of this tab, or null: it is kept for the session, nowhere else. */
export function currentKey() {
  return sessionStorage.getItem(KEY);
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

export const get = (path, options) => json("GET", path, options);
export const post = (path, body, options) => json("POST", path, { ...options, body });
export const put = (path, body, options) => json("PUT", path, { ...options, body });
export const patch = (path, body, options) => json("PATCH", path, { ...options, body });
export const remove = (path, options) => json("DELETE", path, options);

/** Return all of a list that comes in pages. */
export async function getAll(path, options) {
  const found = [];
  let after = null;
  do {
    const url = path + (path.includes("?") ? "&" : "?") + `limit=1000${after ? `&after=${encodeURIComponent(after)}` : ""}`;
    const page = await get(url, options);
    found.push(...page.data);
    after = page.has_more ? page.next : null;
  } while (after);
  return found;
}

/** Return `{blob, headers}` of what is no JSON: pictures, exports, originals. */
export async function getBlob(path, { signal } = {}) {
  const response = await request("GET", path, { signal });
  return { blob: await response.blob(), headers: response.headers };
}

/** Return the headers that an XMLHttpRequest has to send. */
export function keyHeaders() {
  const key = currentKey();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Ask for a key after a 401 met elsewhere (an upload); return whether there is a new one. */
export async function renewKey(problem) {
  asking ??= askForKey(problem).finally(() => { asking = null; });
  const key = await asking;
  if (key) sessionStorage.setItem(KEY, key);
  return Boolean(key);
}

/**
 * Yield the events of a stream as `{id, name, data}`, connecting again from the last id after a break.
 *
 * It ends after an event that `isLast(event)` says is the last one; other ends are breaks. Errors of the
 * service (4xx) are thrown as `ApiProblem`; a network that stays away is tried again until `signal` aborts.
 */
export async function* events(path, { signal, lastEventId = null, isLast, onBreak } = {}) {
  let last = lastEventId;
  let failures = 0;
  while (!signal?.aborted) {
    try {
      for await (const event of stream("GET", path, { signal, lastEventId: last })) {
        failures = 0;
        if (event.id !== null) last = event.id;
        yield event;
        if (isLast(event)) return;
      }
    } catch (error) {
      if (signal?.aborted || (error instanceof ApiProblem && error.status && error.status < 500)) throw error;
    }
    onBreak?.();
    await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)], signal);
    failures += 1;
  }
}

/** Yield the events of one response, `{id, name, data}`, until it ends. */
export async function* stream(method, path, { signal, lastEventId = null, body } = {}) {
  const headers = { Accept: "text/event-stream", ...(lastEventId === null ? {} : { "Last-Event-ID": String(lastEventId) }) };
  const response = await request(method, path, { signal, headers, body });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  const fields = { id: null, event: "message" };
  const data = [];
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at <= 0) continue;
    const name = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else fields[name] = value;
  }
  return data.length ? { id: fields.id, name: fields.event, data: JSON.parse(data.join("\n")) } : null;
}

async function json(method, path, options = {}) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

async function request(method, path, { body, signal, headers = {} } = {}) {
  const init = { method, signal, headers: { ...headers }, credentials: "omit", cache: "no-store" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = TYPE;
  }
  for (;;) {
    const response = await reached(path, { ...init, headers: { ...init.headers, ...keyHeaders() } });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status !== 401 || !(await renewKey(problem))) throw problem;
  }
}

async function reached(path, init) {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiProblem({ code: "offline", title: "The service can't be reached", detail: "The service can't be reached. Is it running? What you typed is kept; try again." }, 0);
  }
}

/** Return what a response says is wrong. */
export async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiProblem(body && typeof body === "object" ? body : {}, response.status);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
