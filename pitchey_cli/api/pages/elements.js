// Elements and words: nothing that came from a server is ever read as HTML.

/** An element. Properties that begin with "on" are listeners; null and false children are left out. */
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same, of SVG. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

/** A table with a caption. Columns are [heading, cell of a row, "number" where it is one]. */
export function table(caption, columns, rows, { empty = "There are none.", rowOf = null } = {}) {
  const head = columns.map(([heading, , kind]) => h("th", { scope: "col", class: kind }, heading));
  const body = h("tbody", {}, rows.map((row) => rowOf?.(row) ?? tableRow(columns, row)));
  if (!rows.length) body.append(h("tr", {}, h("td", { colspan: columns.length, class: "quiet" }, empty)));
  const made = h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), body);
  return h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption }, made);
}

/** One row of a table. */
export function tableRow(columns, row, properties = {}) {
  return h("tr", properties, columns.map(([, cell, kind]) => h("td", { class: kind }, cell(row))));
}

/** A list of facts: [name, value]; what is null is left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, known.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A job's state, in its colour and in a word. */
export function state(value) {
  return h("span", { class: `state ${value}` }, value);
}

/** What went wrong with a job or an attempt, and the way out; nothing where nothing did. */
export function wrong(error) {
  return error && [h("div", { class: "why" }, error.message), error.hint && h("div", { class: "why" }, error.hint)];
}

/** The same of a request, in one line. */
export function refusal(error) {
  return error.hint ? `${error.message} ${error.hint}` : error.message;
}

/** How far a job is, null where nobody knows. */
export function bar(fraction, stage) {
  if (fraction === null || fraction === undefined) return h("span", { class: "quiet" }, stage ?? "");
  const percent = Math.floor(fraction * 100);
  const label = `${percent} %${stage ? `, ${stage}` : ""}`;
  return h("span", {}, h("progress", { max: 100, value: percent, "aria-label": label }), ` ${label}`);
}

/** A moment, with all of it as the title. */
export function moment(text) {
  if (!text) return "";
  const at = new Date(text);
  const isToday = at.toDateString() === new Date().toDateString();
  const said = isToday ? at.toLocaleTimeString() : at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: text, title: at.toLocaleString() }, said);
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < 120) return `${value.toFixed(0)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
  return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
}

export function between(begin, end) {
  if (!begin) return "";
  return seconds(Math.max(0, ((end ? new Date(end) : new Date()) - new Date(begin)) / 1000));
}

export function bytes(value) {
  if (value === null || value === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  for (; value >= 1024 && step < units.length - 1; step += 1) value /= 1024;
  return `${step ? value.toFixed(1) : value} ${units[step]}`;
}

export function count(value) {
  return Number(value ?? 0).toLocaleString();
}

/** Dollars with as many digits as an amount needs to be seen. */
export function dollars(value) {
  if (value === null || value === undefined) return "";
  const digits = value === 0 || Math.abs(value) >= 1 ? 2 : Math.min(6, Math.max(2, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return `$${value.toFixed(digits)}`;
}

export function nanodollars(value) {
  return value === null || value === undefined ? "" : dollars(value / 1e9);
}

/** Ask before something that cannot be taken back. */
export async function confirmed(question, verb) {
  const dialog = h("dialog", { "aria-labelledby": "question" },
    h("form", { method: "dialog" },
      h("p", { id: "question" }, question),
      h("div", { class: "actions" },
        h("button", { value: "yes", class: "main" }, verb), h("button", { value: "no", autofocus: true }, "Leave it"))));
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  dialog.remove();
  return dialog.returnValue === "yes";
}

/** Say what has happened, also to who does not see it. */
export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  told.classList.add("on");
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => told.classList.remove("on"), 6000);
}
