// Wait queues: those of one session who want the same thing have one wait on the wire at a time.

import { onAbort } from "./abort.js";
import { MISSING } from "./codes.js";
import { traced } from "./error.js";
import { check, named } from "./names.js";

/** @import { Held, Known, Queue } from "./known.js" */
/** @import { Ask } from "./requests.js" */
/** @import { HoldRow } from "./wire.d.ts" */

/** @typedef {{ signal?: AbortSignal, ifAvailable?: boolean }} Options */

/** Forgets what was asked. @param {Known} known @param {Queue} queue */
const withdraw = ({ pending }, queue) => {
  pending.delete(queue.asked?.message.id);
  queue.asked = undefined;
};

/**
 * How a queue goes on.
 * @param {Known} known @param {Ask} ask
 * @param {(row: HoldRow, wanted: boolean) => Held | undefined} take What is had of a grant.
 */
export const steps = (known, ask, take) => {
  const { holds, queues, waits } = known;

  /** Asks for what the first of its callers wants, or gives up what none wants any more. @param {Queue} queue */
  const next = (queue) => {
    const { op, resource, ticket, callers, wait } = queue;
    // What is waited for is not free.
    if (wait && callers[0]?.tries) callers[0].done(null);
    const [first] = callers;
    if (queue.held) return;
    if (!first && !queue.asked?.sent) withdraw(known, queue);
    if (queue.asked || (first && wait)) return;
    if (wait) {
      queue.asked = ask({ op: "cancel", wait }, (ok) => {
        queue.asked = undefined;
        // Should it fail, the wait stands until the next resume, or for the next who comes.
        if (ok) place(queue);
      });
    } else if (first) {
      queue.since = known.seen;
      queue.asked = ask({ op, resource, ticket, wait: first.tries ? undefined : true }, (ok, error) => {
        if (ok?.granted) return grant(queue, ok.ticket ?? /** @type {HoldRow} */ ({ ...ok, resource }));
        queue.asked = undefined;
        if (!ok?.wait && callers[0] === first) {
          if (first.tries && (ok || error.code === "ticket-held" || MISSING.includes(error.code))) first.done(null);
          // One who waits and is told neither a wait nor an error: it throws.
          else first.fail(error.name && error);
        }
        place(queue, ok?.wait);
      });
    } else queues.delete(queue.key);
  };

  /**
   * Its wait is this one, or none: what was asked about the former is of no use any more.
   * @param {Queue} queue @param {number} [wait] @param {boolean} [left] By a former page.
   */
  const place = (queue, wait = 0, left = false) => {
    withdraw(known, queue);
    waits.delete(queue.wait);
    queue.wait = wait;
    if (wait) waits.set(wait, queue);
    // The place for a lock that a former page left is kept for who locks it soon.
    if (!left || queue.op !== "lock") next(queue);
  };

  /** @param {Queue} queue @param {HoldRow} row */
  const grant = (queue, row) => {
    const [first] = queue.callers;
    // Claimed by its name, and held here already: calls of one session exclude one another too.
    const mine = holds.has(row.fence);
    const hold = take(row, !!first);
    if (hold) {
      queue.held = true;
      hold.over.push(() => {
        queue.held = false;
        next(queue);
      });
      if (!mine || first?.tries) first?.done(mine ? null : hold);
    }
    place(queue);
  };

  return { next, place, grant };
};

/** @param {Known} known @param {(queue: Queue) => void} next */
export const waitQueues = ({ queues }, next) => {
  /** @param {Queue["op"]} op @param {string} resource @param {string} [ticket] */
  const queueOf = (op, resource, ticket) => {
    const key = op !== "lock" && ticket === undefined ? {} : named(resource, ticket);
    const /** @type {Queue} */ queue = queues.get(key) ?? { key, op, resource, ticket, callers: [], wait: 0, since: 0 };
    queues.set(key, queue);
    return queue;
  };

  /**
   * Waits, or tries.
   * @param {Queue["op"]} op @param {string} resource @param {Options | null} [options] @param {string} [ticket]
   */
  const enter = (op, resource, options, ticket) =>
    traced(
      new Promise((/** @type {(hold: Held | null) => void} */ resolve, reject) => {
        const { signal, ifAvailable, ...rest } = options ?? {};
        check(resource);
        if (ticket !== undefined) check(ticket);
        for (const name in rest) throw new TypeError(`${op}() has no option "${name}"`);
        signal?.throwIfAborted();
        const queue = queueOf(op, resource, ticket);
        const { callers } = queue;
        if (ifAvailable && (queue.held || callers.length)) return resolve(null);
        /** @template T @param {(value: T) => void} how @returns {(value: T) => void} */
        const settle = (how) => (value) => {
          forget();
          callers.splice(callers.indexOf(caller), 1);
          how(value);
        };
        const caller = { tries: ifAvailable, done: settle(resolve), fail: settle(reject) };
        const forget = onAbort(signal, () => {
          caller.fail(signal?.reason);
          next(queue);
        });
        callers.push(caller);
        next(queue);
      }),
      options?.signal,
    );

  return {
    queueOf,

    lock: (/** @type {string} */ resource, /** @type {Options | null} */ options) => enter("lock", resource, options),

    /** @param {string} resource @param {Options & { ticket?: string } | null} options */
    claim(resource, options) {
      const { ticket, ...rest } = options ?? {};
      return enter("claim", resource, rest, ticket);
    },

    /** As `navigator.locks.query()`. */
    async query() {
      const held = [];
      const pending = [];
      for (const { op, resource: name, held: is, callers } of queues.values()) {
        if (op !== "lock") continue;
        if (is) held.push({ name });
        for (const _ of callers) pending.push({ name });
      }
      return { held, pending };
    },
  };
};

/** @typedef {ReturnType<typeof waitQueues>["lock"]} Lock */
/** @typedef {ReturnType<typeof waitQueues>["claim"]} Claim */
