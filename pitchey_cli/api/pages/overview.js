// How everything stands: the queue, the pools, what they cost.

import { ask, withQuery } from "./client.js";
import { bars, steps } from "./charts.js";
import { count, h, nanodollars, table } from "./elements.js";

const STATES = ["queued", "scheduled", "held", "running", "succeeded", "cancelled", "dead"];
const WAITING = ["queued", "scheduled", "held"];

export async function overview(root, page) {
  const top = h("div"), queue = h("div", { class: "apart" }), pools = h("div", { class: "apart" });
  const charts = h("div", { class: "columns apart" });
  root.append(h("h1", {}, "Overview"), top, queue, pools, charts);

  const look = async () => {
    const { signal } = page;
    const [status, scaling] = await Promise.all([
      ask("GET", "/v1/status", { signal }),
      page.isOfAll ? ask("GET", "/v1/scaling", { signal }) : null,
    ]);
    top.replaceChildren(warning(status), tiles(status));
    queue.replaceChildren(queueTable(status));
    pools.replaceChildren(scaling ? poolTable(scaling.pools) : h("p", { class: "quiet" }, "Pools belong to the whole installation."));
  };
  const draw = async () => {
    const { signal } = page;
    const [spent, changes] = await Promise.all([
      ask("GET", withQuery("/v1/cost", { since: "30d", by: "day" }), { signal }),
      page.isOfAll ? ask("GET", "/v1/scaling/events?limit=500", { signal }) : null,
    ]);
    charts.replaceChildren(
      changes && steps("Instances that were wanted", wanted(changes.events), count),
      bars("Cost of each day, and what of it was idle", days(spent), nanodollars));
  };
  await Promise.all([look(), draw()]);
  page.whenever(() => look().catch(() => {}), { every: 10000 });
  page.whenever(() => draw().catch(() => {}), { milliseconds: 30000 });
}

function warning(status) {
  if (status.daemon && !status.isDraining) return "";
  const others = status.nodes.length ? `No daemon runs here; up on this queue: ${status.nodes.join(", ")}.` : "No daemon runs: jobs wait.";
  const text = status.isDraining ? "The daemon drains: what runs goes on, and nothing new begins." : others;
  return h("p", { class: "panel notice", role: "alert" }, text);
}

function sum(status, states) {
  return Object.values(status.jobs).reduce((total, each) => total + states.reduce((of, one) => of + (each[one] ?? 0), 0), 0);
}

function tiles(status) {
  const shown = [["Waiting", WAITING], ["Running", ["running"]], ["Succeeded", ["succeeded"]], ["Dead letters", ["dead"]]];
  return h("dl", { class: "tiles" },
    shown.map(([name, states]) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, count(sum(status, states))))),
    h("div", { class: "tile" }, h("dt", {}, "Instances"), h("dd", {}, count(status.instances))));
}

function queueTable(status) {
  const rows = Object.entries(status.jobs).map(([service, states]) => ({ service, states }));
  return table("Jobs by service and state",
    [["service", (row) => row.service], ...STATES.map((state) => [state, (row) => count(row.states[state]), "number"])],
    rows, { empty: "No job has been submitted yet." });
}

function poolTable(pools) {
  return table("Pools and the last decision about each", [
    ["pool", (pool) => [pool.service, pool.organisation && ` of ${pool.organisation}`, pool.instanceType && ` (${pool.instanceType})`]],
    ["waiting", (pool) => count(pool.waiting), "number"],
    ["running", (pool) => count(pool.running), "number"],
    ["ready", (pool) => count(pool.ready), "number"],
    ["starting", (pool) => count(pool.starting), "number"],
    ["paused", (pool) => count(pool.paused), "number"],
    ["why", (pool) => h("span", { class: "why" }, pool.lastDecision?.why ?? "")],
  ], pools);
}

/** The sum over all pools after each change, oldest first. */
function wanted(events) {
  const by = new Map(), points = [];
  let total = 0;
  for (const event of events.filter((each) => each.change === "wanted").reverse()) {
    const pool = [event.service, event.organisation, event.instanceType].join();
    total += event.wanted - (by.get(pool) ?? event.was);
    if (!by.has(pool)) {
      total += event.was;
      points.forEach((point) => (point.value += event.was));
    }
    by.set(pool, event.wanted);
    points.push({ at: new Date(event.at), value: total });
  }
  return points;
}

function days(spent) {
  return (spent.by.day ?? [])
    .map((day) => ({ name: day.name, whole: day.instanceNanodollars ?? day.workNanodollars, idle: day.idleNanodollars ?? 0 }))
    .sort((one, other) => one.name.localeCompare(other.name));
}
