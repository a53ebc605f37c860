// What locks are taken for: to run something while one is held, as the browser does, several of them, or to lead.

import { never } from "./abort.js";
import { pack } from "./bytes.js";
import { TicketdError, called } from "./error.js";
import { isName } from "./names.js";

/** @import { LockOptions } from "./index.d.ts" */
/** @import { Held, Queue } from "./known.js" */
/** @import { Tables } from "./tables.js" */
/** @import { Options } from "./waitqueue.js" */

/** Rejects when the lock is lost. @param {Held} lock @returns {Promise<never>} */
const loss = (lock) =>
  new Promise((_, reject) =>
    lock.onEnd(() => {
      const { code } = /** @type {TicketdError} */ (lock.ended);
      if (code === "lock-lost") reject(new DOMException("the lock was stolen", "AbortError"));
      else if (code !== "released") reject(lock.ended);
    }),
  );

/**
 * Runs that, releases.
 * @param {Promise<Held | null>} wanted @param {unknown} run
 * @param {Error} [at] Who called, if one is to learn of a loss only when that has settled.
 */
const using = async (wanted, run, at) => {
  const lock = await wanted;
  let result;
  try {
    const running = /** @type {Function} */ (run)(lock);
    result = await (at || !lock ? running : Promise.race([running, loss(lock)]));
  } catch (error) {
    await lock?.release().catch(never);
    throw error;
  }
  // What ran on after the loss ran beside the one who got the lock next.
  const why = at && lock?.signal.reason;
  const error = why && why.code !== "released" ? called(why, at) : await lock?.release().catch((error) => error);
  if (error) throw Object.assign(error, { result });
  return result;
};

/** Names in the order of their bytes: comparable as text. @param {string} name */
const bytes = (name) => String.fromCharCode(...new TextEncoder().encode(name));

/** @param {Tables} tables */
export const locks = (tables) => {
  /** @param {string} resource @param {Options | null} [options] */
  const lock = async (resource, options) => tables.enter("lock", { resource }, options);

  return {
    lock,

    /** @param {string} resource @param {unknown[]} rest Of options, if there are some, and what to run. */
    async withLock(resource, ...rest) {
      const at = new Error();
      const run = rest.pop();
      const { mode = "exclusive", steal, ...options } = /** @type {LockOptions & { steal?: boolean }} */ (rest[0] ?? {});
      if (typeof run !== "function") throw new TypeError("no function");
      if (mode !== "exclusive" || steal) throw new TicketdError("bad-request", "locks are exclusive");
      return using(lock(resource, options), run, at);
    },

    /** @param {string} resource @param {unknown} value @param {Options | null} [options] */
    elect: async (resource, value, options) => tables.enter("lock", { resource }, options, pack(value)),

    /** All of them, or none: in the same order everywhere. @param {string[]} names @param {Options | null} [options] */
    async lockAll(names, options) {
      const /** @type {Map<string, Held | null>} */ had = new Map();
      try {
        for (const name of [...new Set(names)].sort((a, b) => (bytes(a) < bytes(b) ? -1 : 1))) {
          had.set(name, await lock(name, options));
          if (!had.get(name)) throw null;
        }
        for (const one of had.values()) one?.signal.throwIfAborted();
        return names.map((name) => had.get(name));
      } catch (error) {
        await Promise.all([...had.values()].map((one) => one?.release().catch(never)));
        if (error) throw error;
        return null;
      }
    },
  };
};

/** As `navigator.locks`. @param {Tables} tables */
export const webLocks = (tables) => ({
  /** @param {string} resource @param {unknown[]} rest */
  async request(resource, ...rest) {
    const run = rest.pop();
    const { mode = "exclusive", steal, ifAvailable, signal } =
      /** @type {Options & { mode?: string, steal?: boolean }} */ (rest[0] ?? {});
    const shared = mode === "shared" ? mode : undefined;
    if (typeof run !== "function") throw new TypeError("no function");
    if (!shared && mode !== "exclusive") throw new TypeError("no mode");
    const name = `${resource}`;
    if (!isName(name) || name[0] === "-" || (steal ? ifAvailable || shared || signal : ifAvailable && signal)) {
      throw new DOMException("that name, or these options together", "NotSupportedError");
    }
    return using(
      steal ? tables.steal(name) : tables.enter("lock", { resource: name }, { ifAvailable, signal }, { mode: shared }),
      run,
    );
  },

  /** Of this session. */
  async query() {
    // What was asked before is answered before.
    await new Promise((resolve) => tables.ask({ op: "cancel", wait: 0 }, resolve));
    const all = [...tables.queues.values()].filter(({ frame }) => frame.op === "lock");
    /** @param {(queue: Queue) => Iterable<{ mode?: string }>} of */
    const list = (of) =>
      all.flatMap((queue) =>
        [...of(queue)].map(({ mode = "exclusive" }) => ({ name: queue.frame.resource, mode, clientId: tables.ref })),
      );
    return { held: list(({ held }) => held), pending: list(({ callers }) => [...callers].map(({ terms }) => terms)) };
  },
});
