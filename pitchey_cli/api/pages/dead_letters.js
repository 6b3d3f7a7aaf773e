// Jobs that have used up their attempts, or failed for good: to be looked at, queued again, or removed.

import { ask, inTurn, withQuery } from "./client.js";
import { confirmed, count, h, moment, refusal, table, tell, wrong } from "./elements.js";

export async function deadLetters(root, page) {
  const asked = { service: "", error: "" }, listed = h("div");
  let found = { jobs: [], next: null };
  const all = h("button", { class: "main", type: "button", hidden: !page.may("operator"), onclick: retryAll }, "Retry all of these");
  const field = (name, label) =>
    h("label", {}, label, h("input", { name, onchange: (event) => { asked[name] = event.target.value.trim(); look(); } }));
  root.append(h("h1", {}, "Dead letters"),
    h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      h("label", {}, "Service", h("select", { onchange: (event) => { asked.service = event.target.value; look(); } },
        h("option", { value: "" }, "all"),
        ["video", "document", "inference", "media", "code"].map((each) => h("option", {}, each)))),
      field("error", "Error code, * for anything"), all),
    listed);

  const look = inTurn(async () => {
    found = await ask("GET", withQuery("/v1/dead-letters", { ...asked, limit: 200 }), { signal: page.signal });
    all.disabled = !found.jobs.length;
    listed.replaceChildren(table("Dead letters, the newest first", [
      ["job", (job) => [h("a", { href: `#/jobs/${job.id}` }, job.name || job.id), h("div", { class: "why" }, job.id)]],
      ["service", (job) => job.service],
      ["error", (job) => [h("strong", {}, job.error?.code ?? job.reason ?? ""), wrong(job.error)]],
      ["attempts", (job) => String(job.attemptsUsed), "number"],
      ["ended", (job) => moment(job.finishedAt)],
      ["", (job) => buttons(job)],
    ], found.jobs, { empty: "There are none: every job has ended well, or still may." }));
  });

  function buttons(job) {
    const name = job.name || job.id;
    const retry = act(() => ask("POST", `/v1/jobs/${job.id}/retry`, { body: {} }), `${name} is queued again.`);
    const remove = async () => {
      if (await confirmed(`Remove ${name} for good, with its attempts and events?`, "Remove"))
        await act(() => ask("DELETE", `/v1/dead-letters/${job.id}`), `${name} is removed.`)();
    };
    return h("div", { class: "actions" },
      page.may("submitter") && h("button", { class: "small", "aria-label": `Retry ${name}`, onclick: retry }, "Retry"),
      page.may("operator") && h("button", { class: "small", "aria-label": `Remove ${name}`, onclick: remove }, "Remove"));
  }

  async function retryAll() {
    const number = found.next ? `More than ${count(found.jobs.length)}` : count(found.jobs.length);
    if (!(await confirmed(`Queue them again? ${number} dead letters get fresh attempts.`, "Retry"))) return;
    const body = { all: !asked.service && !asked.error };
    if (asked.service) body.service = [asked.service];
    if (asked.error) body.error = asked.error;
    await act(() => ask("POST", "/v1/dead-letters/retry", { body }), (said) => `${count(said.jobs)} are queued again.`)();
  }

  function act(deed, said) {
    return async () => {
      try {
        const answer = await deed();
        tell(typeof said === "function" ? said(answer) : said);
        await look();
      } catch (error) {
        tell(refusal(error));
      }
    };
  }

  await look();
  page.whenever(() => look().catch(() => {}));
}
