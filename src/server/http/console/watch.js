// Follows one resource for as long as the page is seen: told of each change, and looks now and then, for what changes
// without being told.

import { read, segment, send } from "./api.js";
import { pause, seen } from "./seen.js";

/** How often it is looked at without being told, in ms. */
const LOOK_MS = 2000;
/** As long as the next look would come too soon to be read, in ms. */
const LEAST_MS = 250;
/** After a stream that broke, and when others have all that there may be, in ms. */
const AGAIN_MS = 1000;
const CROWDED_MS = 10_000;
/** Browsers have six connections to a server, for all their tabs: so many may be kept by streams. */
const STREAMS = 3;

/**
 * Runs once at a time, however often that is wanted, and not too often.
 * @param {AbortSignal} signal @param {() => Promise<unknown>} run
 */
export function calmly(signal, run) {
  let wanted = false;
  let busy;
  const go = async () => {
    while (wanted && !signal.aborted) {
      wanted = false;
      await run();
      await pause(LEAST_MS, signal).catch(() => {});
    }
    busy = undefined;
  };
  return () => {
    wanted = true;
    busy ??= go();
  };
}

/** Aborts when the page is hidden, for browsers have few connections to a server. @param {AbortSignal} signal */
function whileSeen(signal) {
  const hidden = new AbortController();
  const look = () => document.hidden && hidden.abort();
  document.addEventListener("visibilitychange", look, { signal: AbortSignal.any([signal, hidden.signal]) });
  return AbortSignal.any([signal, hidden.signal]);
}

/**
 * Runs that as one of few among all tabs. A browser that cannot tell them apart does without.
 * @param {() => Promise<void>} run @returns {Promise<boolean>} Whether it ran.
 */
async function asOneOfFew(run) {
  for (let n = 0; n < STREAMS; n++) {
    const ran = await navigator.locks?.request(`ticketd console stream ${n}`, { ifAvailable: true }, async (lock) => {
      if (lock) await run();
      return lock !== null;
    });
    if (ran) return true;
  }
  return false;
}

/** Reads an event stream. @param {string} name @param {AbortSignal} signal @param {() => void} changed */
async function stream(name, signal, changed) {
  const answer = await send("GET", `resources/${segment(name)}/events`, { signal, accept: "text/event-stream, application/problem+json" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (line + value).split("\n");
    line = lines.pop() ?? "";
    if (lines.some((line) => line.startsWith("data:"))) changed();
  }
}

/** @param {string} name @param {AbortSignal} signal @param {() => void} changed It may have. */
export async function follow(name, signal, changed) {
  const timer = setInterval(() => document.hidden || changed(), LOOK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  while (!signal.aborted) {
    let ran = true;
    try {
      await seen(signal);
      changed();
      ran = await asOneOfFew(() => stream(name, whileSeen(signal), changed));
    } catch (error) {
      // Who may not be told each time looks now and then.
      if (signal.aborted || error.status === 401 || error.status === 403) return;
    }
    await pause((ran ? AGAIN_MS : CROWDED_MS) * (1 + Math.random()), signal).catch(() => {});
  }
}

/** How a resource stands. @param {string} name @param {number} limit @param {AbortSignal} signal */
export const look = (name, limit, signal) => read(`resources/${segment(name)}`, { query: { limit }, signal });
