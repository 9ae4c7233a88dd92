// What the tabs of one browser tell each other: that something was asked, or has ended.

const NAME = "unabridged";
// Two of them, for none hears itself: what one tells, the other of the same tab hears too.
const mouth = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
const ear = mouth ? new BroadcastChannel(NAME) : null;

/** Tell all tabs, this one too; `what` is "asked" or "ended". */
export function tellOthers(what, answerId) {
  mouth?.postMessage({ what, answerId });
}

/** Call `hear()` when there may be news: a tab told, or this one is looked at again; returns a function that stops it. */
export function onNews(hear) {
  const seen = () => { if (document.visibilityState === "visible") hear(); };
  ear?.addEventListener("message", hear);
  document.addEventListener("visibilitychange", seen);
  addEventListener("focus", hear);
  return () => {
    ear?.removeEventListener("message", hear);
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("focus", hear);
  };
}
