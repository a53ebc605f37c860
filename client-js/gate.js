// Queues: those of one session who want the same thing have one wait on the wire at a time.

import { TicketdError, traced } from "./error.js";

/**
 * @typedef {{ tries?: boolean, done: (hold: any) => void, fail: (error: any) => void }} Caller
 */

/** A key: those of locks and of tickets are never the same. @param {(string | undefined)[]} names */
export const named = (...names) => JSON.stringify(names);

/** What is no name, the server would refuse, or close the line for. @param {any} name */
export const check = (name) => {
  if (typeof name !== "string" || !/^[^\p{Cc}\p{Cs}]+$/u.test(name) || new TextEncoder().encode(name).length > 255) {
    throw new TicketdError("bad-request", "a name is 1 to 255 bytes, no controls");
  }
};

const /** @type {WeakMap<AbortSignal, [AbortSignal, Set<() => void>, () => void]>} */ heard = new WeakMap();

/**
 * Runs that when the signal aborts, even if a listener of others stops the event: what depends on a signal is aborted
 * by the platform. One for all who listen: nothing is left behind by each of them, and Node does not warn of many.
 * @param {AbortSignal | undefined} signal @param {() => void} run @returns {() => void} Ends it.
 */
export const onAbort = (signal, run) => {
  if (!signal) return () => {};
  if (!heard.has(signal)) {
    const all = new Set();
    heard.set(signal, [AbortSignal.any?.([signal]) ?? signal, all, () => all.forEach((run) => run())]);
  }
  const [own, all, tell] = /** @type {any} */ (heard.get(signal));
  all.add(run);
  own.addEventListener("abort", tell);
  return () => {
    all.delete(run);
    if (!all.size) own.removeEventListener("abort", tell);
  };
};

/**
 * @param {(members: object, then: (ok: any, error: any) => void) => any} request
 * @param {(grant: any) => any} held Makes a hold of a grant. @param {(grant: any) => void} drop Gives it back.
 * @param {Map<unknown, any>} things What is held, by its fence. @param {Map<number, any>} pending
 * @param {() => number} seen The highest fence heard of.
 */
export const gates = (request, held, drop, things, pending, seen) => {
  const /** @type {Map<unknown, any>} */ all = new Map();
  const /** @type {Map<number, any>} */ waits = new Map();

  /**
   * For a lock, for a ticket by its name, or (one for each call) for any ticket.
   * @param {string} op @param {string} resource @param {string} [ticket]
   */
  const gateOf = (op, resource, ticket) => {
    const key = op !== "lock" && ticket === undefined ? {} : named(resource, ticket);
    const there = all.get(key);
    if (there) return there;
    let /** @type {any} What was asked and is not answered. */ asked;
    let wait = 0;
    let /** What is granted to it has a higher fence. */ since = 0;
    const /** @type {Caller[]} */ waiting = [];

    const withdraw = () => {
      pending.delete(asked?.message.id);
      asked = undefined;
    };

    const next = () => {
      // What is waited for is not free.
      if (wait && waiting[0]?.tries) waiting[0].done(null);
      const [first] = waiting;
      if (gate.held) return;
      if (!first && !asked?.sent) withdraw();
      if (asked || (first && wait)) return;
      if (wait) {
        asked = request({ op: "cancel", wait }, (ok) => {
          asked = undefined;
          // Should it fail, the wait stands until the next resume, or for whoever comes next.
          if (ok) awaits();
        });
      } else if (first) {
        since = seen();
        asked = request({ op, resource, ticket, wait: first.tries ? undefined : true }, (ok, error) => {
          asked = undefined;
          if (ok.granted) return gate.grant(ok.ticket ?? { ...ok, resource });
          if (!ok.wait && waiting[0] === first) {
            if (first.tries && (ok || /held|not-found/.test(error.code))) first.done(null);
            // One who waits and is told neither a wait nor an error: it throws.
            else first.fail(error.name && error);
          }
          awaits(ok.wait);
        });
      } else {
        all.delete(key);
      }
    };

    /** Its wait is this one, or none. */
    const awaits = (now = 0, left = false) => {
      waits.delete(wait);
      wait = now;
      if (now) waits.set(now, gate);
      // The place for a lock that a former page left is kept for who locks it soon.
      if (!left || op !== "lock") next();
    };

    const gate = {
      op,
      resource,
      held: false,
      waiting,
      next,
      wait: awaits,

      /**
       * After a resume: the state says what became of what was asked, or waited for.
       * @param {any[]} holds Those that nobody here knows and nobody is giving up. @param {any[]} there
       */
      open(holds, there) {
        const from = since;
        since = seen();
        if (!wait && !asked?.sent) return;
        withdraw();
        const mine = there.find((w) =>
          waits.has(w.wait) ? w.wait === wait : !wait && w.resource === resource && w.ticket === ticket,
        );
        // What is older was taken some other way, by REST.
        const at = holds.findIndex(
          (h) => h.resource === resource && (ticket ?? h.ticket) === h.ticket && h.fence > from,
        );
        if (mine || at < 0) awaits(mine?.wait);
        else gate.grant(holds.splice(at, 1)[0]);
      },

      grant(/** @type {any} */ what) {
        const known = things.get(what.fence);
        const [first] = waiting;
        // Claimed by its name, and held here already: calls of one session exclude one another too.
        // What is being given up is no grant: it is asked for anew, behind that.
        const ends = [...pending.values()].some(({ message }) => message.fence === what.fence);
        const hold = known ?? (first && !ends && held(what));
        if (hold) {
          gate.held = true;
          hold.over.push(() => {
            gate.held = false;
            next();
          });
          if (!known || first?.tries) first?.done(known ? null : hold);
        } else {
          drop(what);
        }
        awaits();
      },
    };
    all.set(key, gate);
    return gate;
  };

  /**
   * Waits, or tries.
   * @param {string} op @param {string} resource
   * @param {{ signal?: AbortSignal, ifAvailable?: boolean } | null} [options] @param {string} [ticket]
   */
  const enter = (op, resource, options, ticket) =>
    traced(
      new Promise((resolve, reject) => {
        const { signal, ifAvailable, ...rest } = options ?? {};
        check(resource);
        if (ticket !== undefined) check(ticket);
        for (const name in rest) throw new TypeError(`${op}() has no option "${name}"`);
        signal?.throwIfAborted();
        const gate = gateOf(op, resource, ticket);
        const { waiting, next } = gate;
        if (ifAvailable && (gate.held || waiting.length)) return resolve(null);
        const settle = (/** @type {(value: any) => void} */ how) => (/** @type {any} */ value) => {
          forget();
          waiting.splice(waiting.indexOf(caller), 1);
          how(value);
        };
        const caller = { tries: ifAvailable, done: settle(resolve), fail: settle(reject) };
        const forget = onAbort(signal, () => {
          caller.fail(/** @type {any} */ (signal).reason);
          next();
        });
        waiting.push(caller);
        next();
      }),
      options?.signal,
    );

  /** As `navigator.locks.query()`. */
  const query = async () => {
    const held = [];
    const pending = [];
    for (const { op, resource: name, held: is, waiting } of all.values()) {
      if (op !== "lock") continue;
      if (is) held.push({ name });
      for (const _ of waiting) pending.push({ name });
    }
    return { held, pending };
  };

  return /** @type {const} */ ([enter, waits, query, all, gateOf]);
};
