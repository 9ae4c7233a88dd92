// Numbers as people read them.

const WHOLE = new Intl.NumberFormat("en-US");

/** 301,687 */
export const count = (n) => WHOLE.format(n);

/** 302k, 1.2M: for axes and narrow places, never where it binds. */
export function short(n) {
  if (n < 1000) return String(n);
  if (n < 1_000_000) return `${trimmed(n / 1000)}k`;
  return `${trimmed(n / 1_000_000)}M`;
}

/** "1 page", "2 pages" */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** A share, 0 to 1, as a percentage that never rounds something to nothing or less than all to all. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return share >= 10 ? `${count(Math.round(share * 100))} %` : `${trimmed(share * 100)} %`;
}

/** 4.2 MB */
export function bytes(n) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) { n /= 1000; at += 1; }
  return `${at ? trimmed(n) : n} ${units[at]}`;
}

/** 14:05, or 3 Nov, 14:05 where it was another day. */
export function moment(iso, now = new Date()) {
  const at = new Date(iso);
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}

function trimmed(n) {
  return (n < 10 ? n.toFixed(1) : n.toFixed(0)).replace(/\.0$/, "");
}
