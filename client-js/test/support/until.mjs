// Waiting for conditions, randomness with a seed, and a watch over what nobody caught.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test as named } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

/** A test that does not hang. */
export const test = (name, run, timeout = 60_000) => named(name, { timeout }, run);

/** Until it is true (or gives something); asks again and again. */
export const until = async (what, condition, patience = 20_000) => {
  const end = performance.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) assert.fail(`waited in vain until ${what}`);
    await sleep(5);
  }
};

/** Of something that should come about by itself. */
export const soon = async (what, promise, patience = 20_000) => {
  const late = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(patience, undefined, { signal: late.signal, ref: true }).then(() =>
        assert.fail(`waited in vain for ${what}`),
      ),
    ]);
  } finally {
    late.abort();
  }
};

/** The next event of that type. */
export const heard = async (target, type, patience) =>
  (await soon(`the event ${type}`, once(target, type), patience))[0];

/** Until the signal has aborted; its reason. */
export const aborted = async (signal, patience) => {
  if (!signal.aborted) await heard(signal, "abort", patience);
  return signal.reason;
};

export { sleep };

/** Random numbers from 0 to 1 by a seed, which is told, so that a failure can be had again: SEED=… */
export const random = (t, seed = Number(process.env.SEED ?? Date.now() % 1e9)) => {
  t.diagnostic(`SEED=${seed}`);
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, {
    /** A whole number below. */
    below: (n) => Math.floor(next() * n),
    of: (list) => list[Math.floor(next() * list.length)],
    seed,
  });
};

/** Whatever nobody caught, and every warning, for a test to find none of. */
export const unheeded = [];
process.on("unhandledRejection", (reason) => unheeded.push(reason));
process.on("warning", (warning) => unheeded.push(warning));

/** To be called at the end of each file: `after(nothingUnheeded)`. */
export const nothingUnheeded = async () => {
  await sleep(0);
  assert.deepEqual(unheeded.filter(({ name }) => name !== "ExperimentalWarning"), []);
};
