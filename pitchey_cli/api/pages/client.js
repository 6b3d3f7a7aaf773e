// The API as this page uses it: requests with the token, problems as errors, the stream of events.

const KEPT = "pitchey.token"; // in this tab only, and gone with it

/** What the server says is wrong. */
export class Problem extends Error {
  constructor(status, said) {
    super(said.detail ?? said.title ?? `The server answered ${status}.`);
    this.status = status;
    this.hint = said.hint ?? "";
  }
}

export function token() {
  return sessionStorage.getItem(KEPT) ?? "";
}

export function keepToken(value) {
  if (value) sessionStorage.setItem(KEPT, value);
  else sessionStorage.removeItem(KEPT);
}

async function request(method, path, { body, signal } = {}) {
  const headers = {};
  if (token()) headers.Authorization = `Bearer ${token()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server does not answer.", hint: "Is the daemon running, with --api?" });
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

/** A request that is answered with JSON, or with nothing. */
export async function ask(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

/** A path with a query; what is empty is left out. */
export function withQuery(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== "" && each !== null) search.append(name, each);
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** A file of the server as a URL that an element can show. */
export async function fileUrl(path, signal) {
  return URL.createObjectURL(await (await request("GET", path, { signal })).blob());
}

/** The lines of an answer that goes on, as they come. */
export async function* lines(path, signal) {
  const response = await request("GET", path, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
  if (rest) yield rest;
}

/** Once the page is shown. */
export function shown() {
  return new Promise((resolve) => {
    if (document.hidden) document.addEventListener("visibilitychange", resolve, { once: true });
    else resolve();
  });
}

/**
 * A signal for what goes on, which ends when the page is hidden, too: a browser has six connections to a server for all
 * its tabs, and those that nobody looks at would leave none for another.
 */
export function whileShown(signal) {
  const hidden = new AbortController();
  document.addEventListener("visibilitychange", () => hidden.abort(), { once: true, signal });
  return AbortSignal.any([signal, hidden.signal]);
}

/** A look that is never taken twice at once, so that no older answer comes last. Who asks meanwhile shares the next. */
export function inTurn(look) {
  let last = Promise.resolve(), next = null;
  return () => (next ??= last = last.catch(() => {}).then(() => {
    next = null;
    return look();
  }));
}

/** Events of the whole server behind one of them, while the page is shown; after a break it goes on where it was. */
export async function listen({ after, onEvent, onState, signal }) {
  let last = after;
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 15000)) {
    await shown();
    const going = whileShown(signal);
    try {
      let id = last;
      for await (const line of lines(`/v1/events?after=${last}`, going)) {
        onState(true);
        wait = 500;
        if (line.startsWith("id: ")) id = Number(line.slice(4));
        else if (line.startsWith("data: ")) onEvent(JSON.parse(line.slice(6)));
        else if (!line) last = id; // all of it has come
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 403) {
        onState(false, error);
        return;
      }
    }
    onState(false);
    if (!going.aborted) await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
