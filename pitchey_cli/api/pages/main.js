// The page: who is signed in, which view is open, and the events that keep it true.

import { ask, inTurn, keepToken, listen, token } from "./client.js";
import { cost } from "./cost.js";
import { deadLetters } from "./dead_letters.js";
import { h } from "./elements.js";
import { instances } from "./instances.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { overview } from "./overview.js";

const VIEWS = [
  [/^#\/$/, "Overview", overview],
  [/^#\/jobs$/, "Jobs", jobs],
  [/^#\/jobs\/([\w-]+)$/, "Job", job],
  [/^#\/dead-letters$/, "Dead letters", deadLetters],
  [/^#\/instances$/, "Instances", instances],
  [/^#\/cost$/, "Cost", cost],
];
const RANKS = ["viewer", "submitter", "operator", "admin"];

const main = document.getElementById("main");
let me = null, open = null, listening = null;

/** What a view is given: who asks, when it is closed, and the events while it is open. */
function opened(...parts) {
  const controller = new AbortController();
  const heard = [];
  let early = []; // what comes before the view has listened, whose first look may be older
  const onEvent = (listener) => {
    early?.forEach(listener);
    heard.push(listener);
  };
  open = {
    close: () => controller.abort(),
    hear: (event) => {
      early?.push(event);
      heard.forEach((each) => each(event));
    },
    isDrawn: () => { early = null; },
  };
  return {
    parts,
    signal: controller.signal,
    isOfAll: me.organisation === null,
    may: (role) => RANKS.indexOf(me.role) >= RANKS.indexOf(role),
    onEvent,
    /** Look again at most so often while events come. */
    whenever: (look, { milliseconds = 700, every = 0 } = {}) => {
      let timer = null;
      const again = inTurn(look);
      const later = () => (timer ??= setTimeout(() => { timer = null; if (!controller.signal.aborted) again().catch(() => {}); }, milliseconds));
      onEvent((event) => event.type === "progress" || later());
      const repeat = every ? setInterval(later, every) : null;
      controller.signal.addEventListener("abort", () => { clearTimeout(timer); clearInterval(repeat); });
    },
  };
}

async function show({ isMoved = true } = {}) {
  open?.close();
  const hash = location.hash || "#/";
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.hash === hash || (link.hash !== "#/" && hash.startsWith(`${link.hash}/`));
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const found = VIEWS.find(([pattern]) => pattern.test(hash));
  document.title = `${found?.[1] ?? "Nothing"} - Pitchey`;
  const root = h("div");
  main.replaceChildren(root);
  if (isMoved) main.focus({ preventScroll: true });
  if (!found) {
    root.append(h("h1", {}, "There is no such page."), h("p", {}, h("a", { href: "#/" }, "To the overview")));
    return;
  }
  const page = opened(...hash.match(found[0]).slice(1).map(decodeURIComponent)), mine = open;
  try {
    await found[2](root, page);
    mine.isDrawn();
  } catch (error) {
    if (page.signal.aborted) return;
    if (error.status === 401) signIn(error.message);
    else root.append(problem(error));
  }
}

function problem(error) {
  return h("div", { class: "panel problem", role: "alert" }, h("strong", {}, error.message), h("p", {}, error.hint ?? ""));
}

function signIn(why) {
  open?.close();
  listening?.abort();
  document.title = "Sign in - Pitchey";
  document.getElementById("sign-out").hidden = true;
  const field = h("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const wrong = h("p", { class: "bad", role: "alert" }, token() ? why : "");
  const form = h("form", { class: "panel sign-in", onsubmit: (event) => {
    event.preventDefault();
    keepToken(field.value.trim());
    begin();
  } },
    h("h1", {}, "Sign in"),
    h("label", { for: "token" }, "A token of this server", field),
    wrong,
    h("button", { class: "main" }, "Sign in"),
    h("p", { class: "quiet" }, "pitchey token add NAME makes one. It is kept in this tab, and gone with it."));
  main.replaceChildren(form);
  field.focus();
}

/** Follow the events behind one that is older than anything that is shown. */
function follow(after) {
  listening?.abort();
  listening = new AbortController();
  const live = document.getElementById("live");
  listen({
    after,
    signal: listening.signal,
    onEvent: (event) => open?.hear(event),
    onState: (isOn, error) => {
      live.textContent = isOn ? "live" : "not connected";
      live.classList.toggle("on", isOn);
      if (error?.status === 401) signIn(error.message);
    },
  });
}

async function begin() {
  let last = 0;
  try {
    me = await ask("GET", "/v1/me");
    last = (await ask("GET", "/v1/changes")).lastEvent;
  } catch (error) {
    if (error.status === 401) signIn(error.message);
    else main.replaceChildren(problem(error), h("button", { onclick: begin }, "Try again"));
    return;
  }
  const out = document.getElementById("sign-out");
  out.hidden = !token();
  out.title = `${me.name}, ${me.role}${me.organisation ? ` of ${me.organisation}` : ""}`;
  follow(last);
  show();
}

function theme(chosen) {
  const isDark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.getElementById("theme").textContent = isDark ? "Light" : "Dark";
}

document.getElementById("theme").addEventListener("click", () => {
  const chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("pitchey.theme", chosen);
  theme(chosen);
});
document.getElementById("sign-out").addEventListener("click", () => {
  keepToken("");
  signIn("");
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash is the page that is open
  main.focus();
});
addEventListener("hashchange", () => me && show());
theme(localStorage.getItem("pitchey.theme"));
begin();
