// What is asked of the server, by REST.

import { who } from "./who.js";

const root = new URL("../api/v1/", import.meta.url);

/** Who asks too often or too early is told when to come back; then it is asked again so many times. */
const TRIES = 5;
const RETRY_MS = 1000;
/** How long an answer may take. */
const PATIENCE_MS = 15_000;

/** Whether anybody is let in. `refused` has what was said when a right, or a token, was wanted. */
export const gate = new EventTarget();

/** Why nothing came of it. */
export class Refusal extends Error {
  /** @param {number} status 0: there was no answer. @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
  get words() {
    return this.message.replace(/\.?$/, ".");
  }
}

/** By how much the server's clock is ahead of this one, in ms, to a second. */
let ahead = 0;
export const serverNow = () => Date.now() + ahead;

function clock(answer) {
  const at = Date.parse(answer.headers.get("Date") ?? "");
  // The header has whole seconds.
  if (at && Math.abs(at + 500 - Date.now()) > 2000) ahead = at + 500 - Date.now();
  else ahead = 0;
}

/** A name as a part of a path. */
export function segment(name) {
  // Browsers take those for steps of the path, however they are written.
  if (name === "." || name === "..") {
    throw new Refusal(0, "bad-request", `a browser cannot ask for a resource that is called "${name}"`);
  }
  return encodeURIComponent(name);
}

async function refusal(answer) {
  const text = await answer.text();
  try {
    const { code, detail, title } = JSON.parse(text);
    return new Refusal(answer.status, code ?? String(answer.status), detail ?? title);
  } catch {
    return new Refusal(answer.status, String(answer.status), text.trim() || `status ${answer.status}`);
  }
}

/**
 * The answer, once it is good.
 * @param {string} method @param {string} path Below /api/v1/.
 * @param {{ query?: Record<string, unknown>, headers?: Record<string, string>, signal?: AbortSignal, accept?: string }} [more]
 */
export async function send(method, path, { query = {}, headers, signal, accept } = {}) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  let answer;
  try {
    answer = await fetch(url, {
      method,
      signal,
      cache: "no-store",
      headers: { Accept: accept ?? "application/json, application/problem+json", ...who.headers(), ...headers },
    });
  } catch (error) {
    if (signal?.aborted && signal.reason?.name !== "TimeoutError") throw error;
    throw new Refusal(0, "unreachable", "The server does not answer");
  }
  clock(answer);
  if (answer.ok) return answer;
  const why = await refusal(answer);
  why.retryAfter = Number(answer.headers.get("Retry-After")) * 1000 || 0;
  if (why.status === 401 || (why.status === 403 && !who.known)) {
    gate.dispatchEvent(new CustomEvent("refused", { detail: why }));
  }
  throw why;
}

/** Does something, once; what comes back as JSON. */
export async function act(method, path, more = {}) {
  return (await send(method, path, { signal: AbortSignal.timeout(PATIENCE_MS), ...more })).json();
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Reads something; put off for now, it is asked again. @param {string} path */
export async function read(path, { signal, ...more } = {}) {
  for (let tries = 1; ; tries++) {
    const late = AbortSignal.timeout(PATIENCE_MS);
    try {
      return await (await send("GET", path, { signal: signal ? AbortSignal.any([signal, late]) : late, ...more })).json();
    } catch (why) {
      signal?.throwIfAborted();
      if (!(why.status === 429 || why.status === 503) || tries === TRIES) throw why;
      await pause(Math.max(why.retryAfter, RETRY_MS) * (1 + Math.random()));
      signal?.throwIfAborted();
    }
  }
}
