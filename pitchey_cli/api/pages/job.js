// One job: where it stands, what it gave, what it said.

import { ask, fileUrl, inTurn, lines, shown, whileShown } from "./client.js";
import { bar, between, bytes, dollars, facts, h, moment, refusal, seconds, state, table, tell, wrong } from "./elements.js";
import { actions, ENDED } from "./jobs.js";

const SHOWN_BYTES = 4 * 2 ** 20; // pictures up to this size are shown, others are only offered
const MOST_LINES = 2000;
const AGAIN_MILLISECONDS = 500;

export async function job(root, page) {
  const [id] = page.parts;
  const head = h("div"), results = h("div"), tries = h("div"), log = h("pre", { role: "log", tabindex: 0, "aria-label": "Log" });
  const why = h("div");
  root.append(head, results, tries, h("h2", {}, "Log"), log);
  let shownOutputs = "", current = null;

  const look = inTurn(async () => {
    current = await ask("GET", `/v1/jobs/${id}`, { signal: page.signal });
    document.title = `${current.name || id} - Pitchey`;
    showHead();
    tries.replaceChildren(attempts(current));
    const outputs = JSON.stringify(current.outputs);
    if (outputs !== shownOutputs) {
      shownOutputs = outputs;
      results.replaceChildren(...(current.outputs.length ? [h("h2", {}, "Outputs"), list(current.outputs, page)] : []));
    }
  });
  const showHead = () => {
    const buttons = h("div", { class: "actions" }, actions(current, page, look), whyButton(id, page, why));
    const hadFocus = head.contains(document.activeElement);
    head.replaceChildren(h("h1", {}, current.name || id), summary(current), failure(current), h("p", {}, buttons), why);
    if (hadFocus) head.querySelector("button")?.focus();
  };
  await look();
  page.onEvent((event) => {
    if (event.job !== id) return;
    if (event.type === "progress" && current.state === "running") {
      current = { ...current, progress: event.data.fraction, stage: event.data.stage, eta: event.data.etaSeconds };
      head.querySelector(".how-far")?.replaceChildren(howFar(current));
    } else if (event.type !== "log") {
      look().catch(() => {});
    }
  });
  follow(id, log, page, () => ENDED.includes(current.state));
}

function howFar(job) {
  return h("span", {}, bar(job.progress, job.stage), job.eta ? `, ${seconds(job.eta)} left` : "");
}

function summary(job) {
  return h("div", { class: "panel" }, facts([
    ["State", h("span", {}, state(job.state), job.reason && job.reason !== "completed" ? ` (${job.reason})` : "")],
    ["Progress", job.state === "running" ? h("span", { class: "how-far" }, howFar(job)) : null],
    ["Id", job.id],
    ["Service", job.service],
    ["Batch", job.batch],
    ["Held because", job.heldBecause],
    ["Organisation", job.organisation],
    ["Priority", String(job.priority)],
    ["Attempts", `${job.attemptsUsed} of ${job.maxAttempts}`],
    ["Submitted", moment(job.createdAt)],
    ["Not before", job.runAt && !job.startedAt ? moment(job.runAt) : null],
    ["Took", job.startedAt ? between(job.startedAt, job.finishedAt) : null],
    ["Inputs", job.inputs.length ? job.inputs.map((each) => each.name || each.url).join(", ") : null],
  ]), h("details", {}, h("summary", {}, "What was asked for"), h("pre", {}, JSON.stringify(job.spec, null, 2))));
}

function failure(job) {
  if (!job.error) return "";
  const hint = job.error.hint ? h("p", {}, job.error.hint) : "";
  return h("div", { class: "panel problem" }, h("strong", {}, job.error.message), hint);
}

function whyButton(id, page, why) {
  if (!page.isOfAll) return "";
  return h("button", { class: "small", onclick: async () => {
    const said = await ask("GET", `/v1/jobs/${id}/why`, { signal: page.signal });
    why.replaceChildren(h("div", { class: "panel" }, said.reasons.map((reason) => h("p", {}, reason))));
  } }, "Why?");
}

function attempts(job) {
  if (!job.attempts.length) return "";
  return h("div", { class: "apart" }, table("Attempts", [
    ["", (each) => String(each.number)],
    ["instance", (each) => each.instance],
    ["began", (each) => moment(each.startedAt)],
    ["took", (each) => between(each.startedAt, each.finishedAt), "number"],
    ["ended", (each) => [each.reason ?? "runs", wrong(each.error)]],
    ["CPU", (each) => seconds(each.cpuSeconds), "number"],
    ["memory", (each) => bytes(each.peakRssBytes), "number"],
    ["cost", (each) => dollars(each.costUsd), "number"],
  ], job.attempts));
}

function list(outputs, page) {
  return h("ul", { class: "outputs panel" }, outputs.map((output) => {
    const picture = h("span");
    if (/^image\/(png|jpeg|webp|gif)$/.test(output.mediaType) && output.size <= SHOWN_BYTES) {
      fileUrl(output.url, page.signal).then((url) => {
        page.signal.addEventListener("abort", () => URL.revokeObjectURL(url));
        picture.append(h("img", { src: url, alt: output.path }));
      }, () => {});
    }
    const save = async (event) => {
      event.target.disabled = true;
      try {
        const url = await fileUrl(output.url, page.signal);
        h("a", { href: url, download: output.path.split("/").at(-1) }).click();
        setTimeout(() => URL.revokeObjectURL(url), 60000);
      } catch (error) {
        tell(refusal(error));
      }
      event.target.disabled = false;
    };
    return h("li", {}, picture, h("strong", {}, output.path),
      h("span", { class: "quiet" }, `${output.role}, ${output.mediaType}, ${bytes(output.size)}`),
      h("button", { class: "small", "aria-label": `Download ${output.path}`, onclick: save }, "Download"));
  }));
}

/**
 * Show the log as it comes, until the job has ended: what came while the page was hidden comes when it is shown again, and
 * after a break, as when the server is started anew, it is asked for again.
 */
async function follow(id, log, page, hasEnded) {
  for (let known = 0; ;) {
    await shown();
    const going = whileShown(page.signal);
    let number = 0;
    try {
      for await (const line of lines(`/v1/jobs/${id}/logs?follow=true`, going)) {
        if (!line.trim() || (number += 1) <= known) continue;
        known = number;
        add(log, `${text(JSON.parse(line))}\n`);
      }
      if (hasEnded()) {
        if (!known) log.append("It has said nothing.");
        return;
      }
    } catch (error) {
      if (page.signal.aborted) return;
      if (error.status) {
        log.append(refusal(error));
        return;
      }
    }
    if (!going.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
  }
}

function add(log, line) {
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  log.append(line);
  while (log.childNodes.length > MOST_LINES) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function text(said) {
  const at = said.at ? `${new Date(said.at).toLocaleTimeString()}  ` : "";
  return `${at}${said.line ?? JSON.stringify(said)}`;
}
