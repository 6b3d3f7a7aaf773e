// What was spent, on what, and how far the budgets have come.

import { ask, withQuery } from "./client.js";
import { bars } from "./charts.js";
import { count, dollars, h, nanodollars, table } from "./elements.js";

const PERIODS = ["day", "week", "month"];

export async function cost(root, page) {
  const shown = h("div");
  let period = "month";
  root.append(h("h1", {}, "Cost"),
    h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      h("label", {}, "The", h("select", { onchange: (event) => { period = event.target.value; look(); } },
        PERIODS.map((each) => h("option", { value: each, selected: each === period }, `${each} so far`))))),
    shown);

  async function look() {
    const { signal } = page;
    const by = page.isOfAll ? ["service", "day", "organisation"] : ["service", "day"];
    const [spent, { budgets }] = await Promise.all([
      ask("GET", withQuery("/v1/cost", { period, by }), { signal }),
      ask("GET", "/v1/budgets", { signal }),
    ]);
    shown.replaceChildren(
      h("dl", { class: "tiles" }, [
        ["Spent", nanodollars(spent.spentNanodollars)],
        ["It may come to", nanodollars(spent.projectedNanodollars) || "not known yet"],
        ["Of it idle", nanodollars(spent.idleNanodollars)],
        ["Failed attempts", nanodollars(spent.failedNanodollars)],
        ["Attempts", count(spent.attempts)],
      ].map(([name, value]) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value)))),
      h("div", { class: "apart" }, budgetTable(budgets)),
      h("div", { class: "columns apart" },
        bars("By day", rows(spent.by.day, true), nanodollars), bars("By service", rows(spent.by.service), nanodollars)),
      spent.by.organisation ? h("div", { class: "apart" }, table("By organisation", [
        ["organisation", (each) => each.name],
        ["attempts", (each) => count(each.attempts), "number"],
        ["cost of the work", (each) => nanodollars(each.workNanodollars), "number"],
      ], spent.by.organisation)) : "");
  }
  await look();
  page.whenever(() => look().catch(() => {}), { milliseconds: 3000 });
}

function rows(found, isSorted = false) {
  const made = (found ?? []).map((each) => ({ name: each.name, whole: each.instanceNanodollars ?? each.workNanodollars, idle: each.idleNanodollars ?? 0 }));
  return isSorted ? made.sort((one, other) => one.name.localeCompare(other.name)) : made;
}

function budgetTable(budgets) {
  return table("Budgets", [
    ["of", (each) => [each.organisation ?? "all", each.service && `, ${each.service}`]],
    ["each", (each) => each.period],
    ["amount", (each) => dollars(each.amountUsd), "number"],
    ["spent", (each) => dollars(each.spentUsd), "number"],
    ["", (each) => h("meter", { min: 0, max: 100, high: 80, value: Math.min(100, each.percent), "aria-label": `${each.percent} % spent` })],
    ["it may come to", (each) => dollars(each.projectedUsd), "number"],
    ["", (each) => (each.isCapped ? h("span", { class: "bad" }, "used up: jobs wait") : "")],
  ], budgets, { empty: "None: pitchey budget set 25 sets one." });
}
