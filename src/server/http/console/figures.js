// The server's figures, of the last ten minutes.

import { read } from "./api.js";
import { every } from "./seen.js";

const EVERY_MS = 2000;
export const SPAN_MS = 600_000;

/** What is known. `change` says that it has changed. */
export const figures = Object.assign(new EventTarget(), {
  /** What was told last. @type {Record<string, any> | undefined} */
  now: undefined,
  /** Each with when it came: `at`. @type {Record<string, any>[]} */
  samples: [],
  /** Why there is nothing newer. @type {import("./api.js").Refusal | undefined} */
  failure: undefined,
  /** Operations in a second. @type {number | undefined} */
  rate: undefined,
});

/** What a restart begins anew. */
function rateOf(before, now) {
  const ms = now.at - before?.at;
  const operations = now.Operations - before?.Operations;
  return before?.Started_t === now.Started_t && operations >= 0 && ms > 0 ? (operations * 1000) / ms : undefined;
}

async function look(signal) {
  try {
    const now = { ...(await read("status", { signal })), at: Date.now() };
    now.rate = rateOf(figures.now, now);
    figures.now = now;
    figures.failure = undefined;
    figures.samples = [...figures.samples.filter(({ at }) => at > now.at - SPAN_MS), now];
  } catch (error) {
    if (signal.aborted) return;
    figures.failure = error;
  }
  figures.dispatchEvent(new Event("change"));
}

/** @param {AbortSignal} signal */
export function follow(signal) {
  figures.failure = undefined;
  return every(EVERY_MS, signal, async () => {
    // Who may not see them is not let in by asking again.
    if (figures.failure?.status === 403) return;
    await look(signal);
  });
}
