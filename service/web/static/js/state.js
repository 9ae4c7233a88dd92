// What this browser remembers between visits: the theme, and which documents of a corpus are switched off.

const PREFIX = "unabridged.";

/** Return what was kept under a name, or `fallback`; a browser that keeps nothing is no mistake. */
export function recall(name, fallback) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** Keep a value under a name; null forgets it. */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Full, or not allowed: it holds for this visit then.
  }
}

/** Return a value that others can watch: `get()`, `set(value)`, `watch(fn)`, which returns a function that stops it. */
export function store(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const watcher of [...watchers]) watcher(next);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}
