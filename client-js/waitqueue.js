// Wait queues: those of one session who want the same thing have one wait on the wire at a time.

import { onAbort } from "./abort.js";
import { MISSING } from "./codes.js";
import { TicketdError, traced } from "./error.js";
import { check, named } from "./names.js";

/** @import { Caller, Held, Known, Queue } from "./known.js" */
/** @import { Ask } from "./requests.js" */
/** @import { HoldRow, Request } from "./wire.d.ts" */

/** @typedef {{ signal?: AbortSignal, ifAvailable?: boolean, onPosition?: (position: number) => void }} Options */

const never = () => {};

/** Forgets what was asked. @param {Known} known @param {Queue} queue */
const withdraw = ({ pending }, { asked }) => {
  for (const [{ message }, caller] of asked) {
    pending.delete(message.id);
    if (caller) caller.asked = undefined;
  }
  asked.clear();
};

/**
 * How a queue goes on.
 * @param {Known} known @param {Ask} ask
 * @param {{ take(row: HoldRow, wanted: unknown): Held | undefined, share(hold: Held): Held }} holding
 */
export const steps = (known, ask, { take, share }) => {
  const { holds, queues, waits } = known;

  /** @param {Queue} queue @param {Held} hold Had by one of its callers. */
  const own = (queue, hold) => {
    queue.held.add(hold);
    hold.onEnd(() => {
      queue.held.delete(hold);
      next(queue);
    });
    return hold;
  };

  /** @param {Queue} queue @param {Caller} caller */
  const askFor = (queue, caller) => {
    const { frame, callers, asked } = queue;
    queue.since = known.seen;
    queue.mode = caller.terms.mode;
    const request = (caller.asked = ask(/** @type {Request} */ ({ ...frame, ...caller.terms }), (ok, error, at) => {
      asked.delete(request);
      caller.asked = undefined;
      if (ok?.granted) grant(queue, ok.ticket ?? /** @type {HoldRow} */ ({ ...ok, ...frame }), at, caller);
      else if (!ok?.wait && callers.has(caller)) {
        if (!caller.terms.wait && (ok || error.code === "ticket-held" || MISSING.test(error.code))) caller.done(null);
        // One who waits and is told neither a wait nor an error: it throws.
        else caller.fail(error.name && error);
      }
      move(queue, ok?.wait ?? queue.wait, ok?.position);
    }));
    asked.set(request, caller);
  };

  /** Asks for what its callers want, or gives up what none wants any more. @param {Queue} queue */
  const next = (queue) => {
    const { callers, asked, held, wait } = queue;
    const [first] = callers;
    if (!first && ![...asked.keys()].some(({ sent }) => sent)) withdraw(known, queue);
    if (wait && !first && !asked.size) {
      queue.mode = undefined;
      const request = ask({ op: "cancel", wait }, (ok) => {
        asked.delete(request);
        // Should it fail, the wait stands until the next resume, or for the next who comes.
        if (ok) place(queue);
      });
      asked.set(request, undefined);
    }
    for (const caller of wait ? [] : callers) {
      // Sharers ask beside each other; all others for themselves.
      if ((caller !== first || held.size || asked.size) && !(caller.terms.mode && queue.mode)) break;
      if (!caller.asked) askFor(queue, caller);
    }
    if (!first && !held.size && !asked.size) queues.delete(queue.key);
  };

  /**
   * Its wait is this one, or none.
   * @param {Queue} queue @param {number} wait @param {number} [position] @param {boolean} [left] By a former page.
   */
  const move = (queue, wait, position, left) => {
    const [first] = queue.callers;
    waits.delete(queue.wait);
    queue.wait = wait;
    if (wait) waits.set(wait, queue);
    if (position) queueMicrotask(() => first?.onPosition?.(position));
    // The place for a lock that a former page left is kept for who locks it soon.
    if (!left || queue.frame.op !== "lock") next(queue);
  };

  /**
   * … and what was asked about the former is of no use any more.
   * @param {Queue} queue @param {number} [wait]
   */
  const place = (queue, wait = 0) => {
    withdraw(known, queue);
    move(queue, wait);
  };

  /**
   * @param {Queue} queue @param {HoldRow} row
   * @param {number} [at] When it was sent what this answers. @param {Caller} [caller] Who asked that.
   */
  const grant = (queue, row, at, caller) => {
    const [first] = queue.callers;
    // Claimed by its name, and held here already: calls of one session exclude one another too.
    const mine = holds.get(row.fence);
    const mode = first?.terms.mode;
    // To be shared, it is of no use to one who wants it alone.
    const hold = take(row, first && (mode || !row.mode));
    if (!hold) return;
    if (!mine) {
      queue.mode = mode;
      if (mode) hold.mode = mode;
      const ready = () => hold.ended || first.done(own(queue, hold)) || hold.leave("released", { untried: true }).catch(never);
      hold.count(row.left, at ?? 0);
      // The time of one that came by itself began before it came.
      if (row.hold && !at) own(queue, hold).touch().then(ready, never);
      else ready();
    } else if (queue.mode && !row.waiting) {
      if (caller && queue.callers.has(caller)) caller.done(own(queue, share(hold)));
    } else {
      queue.mode = undefined;
      own(queue, hold);
      if (caller && !caller.terms.wait) caller.done(null);
    }
  };

  return { next, move, place, grant, own };
};

/** What is waited for. @typedef {{ resource?: string, resources?: string[], ticket?: string }} Want */

/** @param {Known} known @param {Ask} ask @param {Pick<ReturnType<typeof steps>, "next" | "own">} steps @param {(row: HoldRow, wanted: true) => Held | undefined} take */
export const waitQueues = (known, ask, { next, own }, take) => {
  const { queues } = known;

  /** @param {"lock" | "claim"} op @param {Want} want @returns {Queue} */
  const queueOf = (op, want) => {
    const key = op !== "lock" && want.ticket === undefined ? {} : named(want.resource, want.ticket);
    const queue = queues.get(key) ?? {
      key, frame: { op, ...want }, callers: new Set(), asked: new Map(), held: new Set(), wait: 0, since: 0,
    };
    queues.set(key, queue);
    return queue;
  };

  return {
    queueOf,

    /**
     * Waits, or tries.
     * @param {"lock" | "claim"} op @param {Want} want @param {Options | null} [options]
     * @param {Omit<Caller["terms"], "wait">} [terms]
     */
    enter: (op, want, options, terms) =>
      traced(
        new Promise((/** @type {(hold: Held | null) => void} */ resolve, reject) => {
          const { signal, ifAvailable, onPosition, ...rest } = options ?? {};
          (want.resources ?? [want.resource]).forEach(check);
          if (want.ticket !== undefined) check(want.ticket);
          for (const name in rest) throw new TypeError(`${op}() has no option "${name}"`);
          signal?.throwIfAborted();
          const queue = queueOf(op, want);
          /** @template T @param {(value: T) => void} how @returns {(value: T) => unknown} */
          const settle = (how) => (value) => queue.callers.delete(caller) && (forget(), how(value), true);
          const wait = ifAvailable ? undefined : /** @type {const} */ (true);
          const /** @type {Caller} */ caller = {
            terms: { wait, progress: (wait && onPosition && true) || undefined, ...terms },
            done: settle(resolve),
            fail: settle(reject),
            onPosition,
          };
          const forget = onAbort(signal, () => {
            caller.fail(signal?.reason);
            next(queue);
          });
          queue.callers.add(caller);
          next(queue);
          // What cannot be asked for now, is not free.
          if (!wait && !caller.asked) caller.done(null);
        }),
        options?.signal,
      ),

    /** Takes a lock from whoever holds it. @param {string} resource */
    steal: (resource) =>
      traced(
        new Promise((/** @type {(hold: Held) => void} */ resolve, reject) =>
          ask({ op: "lock", resource, steal: true }, (ok, error) => {
            if (!ok?.granted) return reject(error ?? new TicketdError("unavailable", "paused"));
            const queue = queueOf("lock", { resource });
            const stolen = [...queue.held];
            queue.mode = undefined;
            resolve(own(queue, /** @type {Held} */ (take(/** @type {HoldRow} */ ({ ...ok, resource }), true))));
            for (const hold of stolen) hold.lose("forced");
          }),
        ),
      ),

    /** As `navigator.locks.query()`, of this session. */
    async query() {
      // What was asked before is answered before.
      await new Promise((resolve) => ask({ op: "cancel", wait: 0 }, resolve));
      const all = [...queues.values()].filter(({ frame }) => frame.op === "lock");
      /** @param {(queue: Queue) => Iterable<{ mode?: string }>} of */
      const list = (of) =>
        all.flatMap((queue) => [...of(queue)].map(({ mode = "exclusive" }) => ({ name: queue.frame.resource, mode, clientId: known.ref })));
      return { held: list(({ held }) => held), pending: list(({ callers }) => [...callers].map(({ terms }) => terms)) };
    },
  };
};

/** @typedef {ReturnType<typeof waitQueues>["enter"]} Enter */
