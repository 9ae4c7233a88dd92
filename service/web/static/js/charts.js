// Charts as SVG, drawn for the width they have, each with its figures as a table for who does not see it.

import { fill, h, s } from "./dom.js";

const HEIGHT = 210;
const PAD = { left: 52, right: 128, top: 12, bottom: 30 };
const LABEL = 15;
const NARROW = 420;

/**
 * Return lines over a shared axis as `{element, show({series, xName})}`.
 *
 * A series is `{name, className, points: [[x, y]], isChosen}`; y are numbers, `yText(y)` words them, `scaleText(y)` those of the scale.
 */
export function lineChart({ label, yText, scaleText }) {
  let data = null;
  const place = h("div", { class: "chart-place" });
  const table = h("table");
  const element = h("figure", { class: "chart", role: "group", "aria-label": label }, place, h("div", { class: "unseen" }, table));
  const draw = () => { if (data && place.clientWidth) fill(place, drawing(data, place.clientWidth, scaleText), place.clientWidth < NARROW ? legend(data) : null); };
  new ResizeObserver(draw).observe(place);
  return {
    element,
    show(next) {
      data = next;
      draw();
      fill(table, h("caption", null, label), tableOf(next, yText));
    },
  };
}

/** Return bars, one a row: `[{name, value, text, className}]`; `name` may be a node, `whole` is what fills a row where it isn't the largest value. */
export function bars(rows, { label, whole = null }) {
  const most = whole ?? (Math.max(...rows.map((row) => row.value), 0) || 1);
  return h("table", { class: "bars", "aria-label": label }, h("tbody", null, rows.map((row) => h("tr", null,
    h("th", { scope: "row" }, row.name),
    h("td", { class: "bars-bar" }, h("span", { class: `bar ${row.className ?? ""}`, style: { "--share": String(row.value / most) } })),
    h("td", { class: "number" }, row.text)))));
}

/** Return upright bars, one a moment: `[{name, value, text, expected}]`, oldest first; `names` are those of the bar and of the line over it. */
export function columns(points, { label, scaleText, names }) {
  const place = h("div", { class: "chart-place" });
  const draw = () => { if (place.clientWidth) fill(place, upright(points, place.clientWidth, scaleText)); };
  new ResizeObserver(draw).observe(place);
  return h("figure", { class: "chart", role: "group", "aria-label": label },
    h("div", { class: "chart-legend", "aria-hidden": "true" }, names.map((name, n) => h("span", { class: `chart-key-${n}` }, name))), place,
    h("div", { class: "unseen" }, h("table", null, h("caption", null, label),
      h("tbody", null, points.filter((point) => point.value).map((point) => h("tr", null, h("th", { scope: "row" }, point.name), h("td", null, point.text)))))));
}

function upright(points, width, scaleText) {
  const top = niceTop(Math.max(...points.flatMap((point) => [point.value, point.expected])));
  const step = (width - PAD.left) / points.length;
  const y = (value) => HEIGHT - PAD.bottom - (value / top) * (HEIGHT - PAD.top - PAD.bottom);
  const every = Math.ceil(points.length / Math.max(2, Math.floor(width / 110)));
  return s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true", focusable: "false" },
    [0, 0.5, 1].map((share) => [
      s("line", { class: "chart-rule", x1: PAD.left, x2: width, y1: y(top * share), y2: y(top * share) }),
      s("text", { class: "chart-text", x: PAD.left - 8, y: y(top * share) + 4, "text-anchor": "end" }, scaleText(top * share))]),
    points.map((point, n) => [
      s("rect", { class: "chart-column", x: PAD.left + n * step + step * 0.18, width: Math.max(0, step * 0.64), y: y(point.value), height: Math.max(0, y(0) - y(point.value)), rx: 2 }, s("title", null, `${point.name}: ${point.text}`)),
      point.expected ? s("line", { class: "chart-expected", x1: PAD.left + n * step + step * 0.06, x2: PAD.left + n * step + step * 0.94, y1: y(point.expected), y2: y(point.expected) }) : null,
      (points.length - 1 - n) % every ? null : s("text", { class: "chart-text", x: PAD.left + (n + 0.5) * step, y: HEIGHT - 10, "text-anchor": n === points.length - 1 ? "end" : "middle" }, point.name)]));
}

function drawing({ series, xName }, width, scaleText) {
  const right = width < NARROW ? 20 : PAD.right;
  const xs = series.flatMap((one) => one.points.map(([x]) => x));
  const top = niceTop(Math.max(...series.flatMap((one) => one.points.map(([, y]) => y)), 0));
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const x = (value) => PAD.left + ((value - from) / (to - from || 1)) * (width - PAD.left - right);
  const y = (value) => HEIGHT - PAD.bottom - (value / top) * (HEIGHT - PAD.top - PAD.bottom);
  const ends = spread(series.map((one) => ({ one, y: y(one.points.at(-1)[1]) })));
  return s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true", focusable: "false" },
    [0, 0.5, 1].map((share) => [
      s("line", { class: "chart-rule", x1: PAD.left, x2: width - right, y1: y(top * share), y2: y(top * share) }),
      s("text", { class: "chart-text", x: PAD.left - 8, y: y(top * share) + 4, "text-anchor": "end" }, scaleText(top * share))]),
    ticks(from, to).map((value) => s("text", { class: "chart-text", x: x(value), y: HEIGHT - 10, "text-anchor": "middle" }, value)),
    s("text", { class: "chart-text", x: width - right + 12, y: HEIGHT - 10 }, right > 100 ? xName : ""),
    series.map((one) => s("polyline", { class: `chart-line ${one.className} ${one.isChosen ? "is-chosen" : ""}`, points: one.points.map(([a, b]) => `${x(a)},${y(b)}`).join(" ") })),
    right > 100 ? ends.map(({ one, y: at }) => s("text", { class: `chart-name ${one.className} ${one.isChosen ? "is-chosen" : ""}`, x: width - right + 12, y: at + 4 }, one.name)) : null);
}

/** The names below, where there is no room for them beside the lines. */
function legend({ series }) {
  return h("div", { class: "chart-legend", "aria-hidden": "true" }, series.map((one) => h("span", { class: one.className }, one.name)));
}

/** Move labels apart that would stand on each other. */
function spread(labels) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((label, n) => { if (n) label.y = Math.max(label.y, sorted[n - 1].y + LABEL); });
  const lowest = HEIGHT - PAD.bottom;
  for (let n = sorted.length - 1, limit = lowest; n >= 0; n -= 1, limit -= LABEL) sorted[n].y = Math.min(sorted[n].y, limit);
  return sorted;
}

function ticks(from, to) {
  const step = [1, 2, 3, 5, 10, 20].find((one) => (to - from) / one <= 6) ?? Math.ceil((to - from) / 6);
  const found = [from];
  for (let value = Math.ceil((from + 1) / step) * step; value <= to; value += step) found.push(value);
  return found;
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

function tableOf({ series, xName }, yText) {
  const xs = series[0]?.points.map(([x]) => x) ?? [];
  return [h("thead", null, h("tr", null, h("th", { scope: "col" }, xName), series.map((one) => h("th", { scope: "col" }, one.name)))),
    h("tbody", null, xs.map((x, n) => h("tr", null, h("th", { scope: "row" }, x), series.map((one) => h("td", null, yText(one.points[n][1]))))))];
}
