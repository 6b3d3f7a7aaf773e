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

/** Events of the whole server, for as long as the page is open; after a break it goes on where it was. */
export async function listen({ onEvent, onState, signal }) {
  let last = null;
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 15000)) {
    try {
      for await (const line of lines(last === null ? "/v1/events" : `/v1/events?after=${last}`, signal)) {
        onState(true);
        wait = 500;
        if (line.startsWith("id: ")) last = Number(line.slice(4));
        else if (line.startsWith("data: ")) onEvent(JSON.parse(line.slice(6)));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 403) {
        onState(false, error);
        return;
      }
    }
    onState(false);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
