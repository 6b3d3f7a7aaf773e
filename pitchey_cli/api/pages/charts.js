// Two charts, each with its numbers in a table for who cannot see it or wants them.

import { h, svg, table } from "./elements.js";

const WIDTH = 640, HEIGHT = 200, LEFT = 92, BOTTOM = 22, TOP = 10;
const LETTER = 11; // the width of one on a narrow screen, where they are largest

/** The axes. Below stand labels of {x, anchor, text}. */
function frame(title, most, word, labels, drawn) {
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
  const lines = [0, most / 2, most].map((value) => [
    svg("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, word(value)),
  ]);
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
    lines, drawn(y), labels.map(({ x, anchor, text }) => svg("text", { x, y: HEIGHT - 6, "text-anchor": anchor }, text)));
}

/** A label at the beginning, and one at the end. */
function ends(begin, end) {
  return [{ x: LEFT, anchor: "start", text: begin }, { x: WIDTH, anchor: "end", text: end }];
}

function panel(title, chart, columns, rows) {
  return h("section", { class: "panel" }, h("h2", {}, title), chart,
    h("details", {}, h("summary", {}, "The numbers"), table(title, columns, rows)));
}

/** Bars of two parts. Rows are {name, whole, idle}. */
export function bars(title, rows, word) {
  if (!rows.length) return h("section", { class: "panel" }, h("h2", {}, title), h("p", { class: "quiet" }, "Nothing yet."));
  const most = Math.max(...rows.map((row) => row.whole)) || 1;
  const step = (WIDTH - LEFT) / rows.length;
  const width = Math.min(step * 0.7, 60);
  const left = (index) => LEFT + step * (index + 0.5) - width / 2;
  const each = rows.map((row, index) => ({ x: left(index) + width / 2, anchor: "middle", text: row.name }));
  const fits = Math.max(...rows.map((row) => row.name.length)) * LETTER <= step;
  const labels = fits ? each : ends(rows[0].name, rows.at(-1).name);
  const chart = frame(title, most, word, labels, (y) => rows.map((row, index) => {
    const at = { x: left(index), width };
    return svg("g", {}, svg("title", {}, `${row.name}: ${word(row.whole)}, of which idle ${word(row.idle)}`),
      svg("rect", { class: "bar", ...at, y: y(row.whole), height: y(0) - y(row.whole) }),
      svg("rect", { class: "idle", ...at, y: y(row.idle), height: y(0) - y(row.idle) }));
  }));
  const columns = [["", (row) => row.name], ["in all", (row) => word(row.whole), "number"], ["of it idle", (row) => word(row.idle), "number"]];
  return panel(title, chart, columns, rows);
}

/** Steps over time. Points are {at, value}, in order; each value holds until the next. */
export function steps(title, points, word) {
  if (!points.length) return h("section", { class: "panel" }, h("h2", {}, title), h("p", { class: "quiet" }, "Nothing yet."));
  const begin = points[0].at.getTime(), end = Math.max(Date.now(), begin + 1);
  const most = Math.max(2, ...points.map((point) => point.value));
  const x = (at) => LEFT + ((WIDTH - LEFT) * (at - begin)) / (end - begin);
  const chart = frame(title, most, word, ends(points[0].at.toLocaleString(), "now"), (y) => {
    let path = `M${x(begin)} ${y(points[0].value)}`;
    for (const point of points.slice(1)) path += `H${x(point.at.getTime())}V${y(point.value)}`;
    return svg("path", { class: "line", d: `${path}H${x(end)}` });
  });
  const columns = [["at", (point) => point.at.toLocaleString()], ["value", (point) => word(point.value), "number"]];
  return panel(title, chart, columns, points.slice(-50).reverse());
}
