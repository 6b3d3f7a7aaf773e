// The jobs, the newest first; those that run move while one looks.

import { ask, inTurn, withQuery } from "./client.js";
import { bar, between, h, moment, refusal, state, table, tableRow, tell, wrong } from "./elements.js";

const STATES = ["queued", "scheduled", "held", "running", "succeeded", "cancelled", "dead"];
const SERVICES = ["video", "document", "inference", "media", "code"];
export const ENDED = ["succeeded", "cancelled", "dead"];

export async function jobs(root, page) {
  const rows = new Map(), asked = { service: "", state: "", batch: "", cursor: null };
  const listed = h("div"), older = h("button", { type: "button" }, "Older");
  root.append(h("h1", {}, "Jobs"), filters(asked, () => look()), listed, h("p", {}, older));
  const columns = [
    ["job", (job) => [h("a", { href: `#/jobs/${job.id}` }, job.name || job.id), h("div", { class: "why" }, job.id)]],
    ["service", (job) => job.service],
    ["state", (job) => [state(job.state), wrong(job.error)]],
    ["progress", (job) => (job.state === "running" ? bar(job.progress, job.stage) : "")],
    ["submitted", (job) => moment(job.createdAt)],
    ["took", (job) => (job.startedAt ? between(job.startedAt, job.finishedAt) : ""), "number"],
    ["", (job) => actions(job, page)],
  ];
  const rowOf = (job) => {
    const made = tableRow(columns, job, { id: `job-${job.id}` });
    rows.set(job.id, { job, made });
    return made;
  };

  const look = inTurn(() => list(null));

  async function list(cursor) {
    const before = listed.firstChild;
    const found = await ask("GET", withQuery("/v1/jobs", { ...asked, cursor, limit: 50 }), { signal: page.signal });
    if (listed.firstChild !== before) return; // it would go on with what is no longer there
    if (!cursor) {
      rows.clear();
      listed.replaceChildren(table("Jobs, the newest first", columns, found.jobs, { rowOf, empty: "No job is like that." }));
    } else {
      listed.querySelector("tbody").append(...found.jobs.map(rowOf));
    }
    older.hidden = !found.next;
    older.onclick = () => list(found.next);
  }
  await look();

  const changed = new Set();
  page.onEvent((event) => {
    const row = rows.get(event.job);
    if (event.type !== "progress") changed.add(event.job);
    else if (row && row.job.state === "running") renew({ ...row.job, progress: event.data.fraction, stage: event.data.stage });
  });
  const renew = (job) => {
    const before = rows.get(job.id).made;
    if (before.contains(document.activeElement)) { // the keyboard stays where it is
      const at = [...before.querySelectorAll("a, button")].indexOf(document.activeElement);
      const after = rowOf(job);
      before.replaceWith(after);
      after.querySelectorAll("a, button")[at]?.focus();
    } else {
      before.replaceWith(rowOf(job));
    }
  };
  page.whenever(async () => {
    const ids = [...changed];
    changed.clear();
    const isNew = ids.some((id) => id && !rows.has(id));
    if (isNew && rows.size <= 50) return look().catch(() => {});
    const known = ids.filter((id) => rows.has(id)).slice(0, 20);
    await Promise.all(known.map((id) => ask("GET", `/v1/jobs/${id}`, { signal: page.signal }).then(renew, () => {})));
  });
}

function filters(asked, look) {
  const chosen = (name, label, values) =>
    h("label", {}, label, h("select", { name, onchange: (event) => { asked[name] = event.target.value; look(); } },
      h("option", { value: "" }, "all"), values.map((value) => h("option", {}, value))));
  const batch = h("input", { name: "batch", onchange: (event) => { asked.batch = event.target.value.trim(); look(); } });
  return h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    chosen("service", "Service", SERVICES), chosen("state", "State", STATES), h("label", {}, "Batch", batch));
}

/** The buttons for what may be done to a job. */
export function actions(job, page, done = () => {}) {
  const act = (verb, said) => async (event) => {
    event.target.disabled = true;
    try {
      await ask("POST", `/v1/jobs/${job.id}/${verb}`, { body: {} });
      tell(`${job.name || job.id}: ${said}.`);
      done();
    } catch (error) {
      tell(refusal(error));
      event.target.disabled = false;
    }
  };
  if (!page.may("submitter")) return "";
  const name = job.name || job.id;
  if (!ENDED.includes(job.state))
    return h("button", { class: "small", "aria-label": `Cancel ${name}`, onclick: act("cancel", "is being cancelled") }, "Cancel");
  if (job.state === "dead")
    return h("button", { class: "small", "aria-label": `Retry ${name}`, onclick: act("retry", "is queued again") }, "Retry");
  return "";
}
