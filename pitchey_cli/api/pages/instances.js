// The instances that there are, and why there are as many.

import { ask } from "./client.js";
import { bytes, dollars, h, moment, table } from "./elements.js";

export async function instances(root, page) {
  const listed = h("div"), changes = h("div", { class: "apart" });
  root.append(h("h1", {}, "Instances"), listed, changes);

  const look = async () => {
    const { signal } = page;
    const [now, scaling] = await Promise.all([
      ask("GET", "/v1/instances", { signal }),
      page.isOfAll ? ask("GET", "/v1/scaling/events?limit=50", { signal }) : null,
    ]);
    listed.replaceChildren(table("Instances", [
      ["instance", (each) => [each.id, each.note && h("div", { class: "why" }, each.note)]],
      ["service", (each) => [each.service, each.organisation && ` of ${each.organisation}`]],
      ["state", (each) => each.state],
      ["slots", (each) => String(each.slots), "number"],
      ["CPUs", (each) => String(each.grantedCpus), "number"],
      ["memory", (each) => bytes(each.grantedMemoryBytes), "number"],
      ["models", (each) => each.models.map((model) => h("div", {}, `${model.name} ${bytes(model.memoryBytes)}`))],
      ["since", (each) => moment(each.createdAt)],
      ["cost so far", (each) => dollars(each.costUsd), "number"],
    ], now.instances, { empty: "None: they start with the next job." }));
    changes.replaceChildren(scaling ? table("What has changed about the pools, the newest first", [
      ["at", (each) => moment(each.at)],
      ["pool", (each) => [each.service, each.organisation && ` of ${each.organisation}`]],
      ["change", (each) => (each.change === "wanted" ? `${each.was} to ${each.wanted}` : each.change)],
      ["why", (each) => each.why],
    ], scaling.events) : h("p", { class: "quiet" }, "Pools belong to the whole installation."));
  };
  await look();
  page.whenever(() => look().catch(() => {}), { every: 5000 });
}
