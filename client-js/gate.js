// Queues: those of one session who want the same thing have one wait on the wire at a time.

/**
 * @typedef {{ tries?: boolean, done: (hold: any) => void, fail: (error: any) => void }} Caller
 *
 * @typedef {object} View What a resumed session has.
 * @property {any[]} holds Those that nobody here knows and nobody is giving up. @property {any[]} waits
 */

/** Names have no control characters. @param {string} resource @param {string} [ticket] */
export const named = (resource, ticket) => `${resource}\n${ticket}`;

/**
 * @param {(members: object, then: (ok: any, error: any) => void) => any} request
 * @param {(grant: any) => any} held Makes a hold of a grant. @param {(grant: any) => void} drop Gives it back.
 * @param {Map<unknown, any>} things What is held, by its fence. @param {Map<number, any>} pending
 */
export const gates = (request, held, drop, things, pending) => {
  const /** @type {Map<unknown, ReturnType<typeof make>>} */ all = new Map();
  const /** @type {Map<number, ReturnType<typeof make>>} */ waits = new Map();

  /**
   * For a lock, for a ticket by its name, or (one for each call) for any ticket.
   * @param {string} op @param {string} resource @param {string | undefined} ticket @param {unknown} key
   */
  const make = (op, resource, ticket, key) => {
    let /** @type {any} What was asked and is not answered. */ asked;
    let wait = 0;
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
      if (!asked?.sent && !first) withdraw();
      if (asked || (wait && first)) return;
      if (wait) {
        const mine = wait;
        asked = request({ op: "cancel", wait }, (ok) => {
          asked = undefined;
          // Should it fail, the wait stands until the next resume, or for whoever comes next.
          if (ok) awaits(wait === mine ? 0 : wait);
        });
      } else if (first) {
        asked = request({ op, resource, ticket, wait: first.tries ? undefined : true }, (ok, error) => {
          asked = undefined;
          if (ok.granted) return gate.grant(ok.ticket ?? { ...ok, resource });
          if (!ok.wait && waiting[0] === first) {
            if (ok || (first.tries && /held|not-found/.test(error.code))) first.done(null);
            else first.fail(error);
          }
          awaits(ok.wait);
        });
      } else {
        all.delete(key);
      }
    };

    /** Its wait is this one, or none. */
    const awaits = (now = 0) => {
      waits.delete(wait);
      wait = now;
      if (now) waits.set(now, gate);
      next();
    };

    const gate = {
      op,
      resource,
      held: false,
      waiting,
      next,
      wait: awaits,

      /** After a resume: the state says what became of what was asked, or waited for. */
      open(/** @type {View} */ view) {
        if (!wait && !asked?.sent) return;
        withdraw();
        const mine = view.waits.find((w) =>
          wait ? w.wait === wait : w.resource === resource && w.ticket === ticket && !waits.has(w.wait),
        );
        const at = view.holds.findIndex((h) => h.resource === resource && (ticket ?? h.ticket) === h.ticket);
        if (mine || at < 0) awaits(mine?.wait);
        else gate.grant(view.holds.splice(at, 1)[0]);
      },

      grant(/** @type {any} */ what) {
        const known = things.get(what.fence);
        const [first] = waiting;
        // Claimed by its name, and held here already: calls of one session exclude one another too.
        const hold = known ?? (first && held(what));
        if (hold) {
          const over = hold.over;
          gate.held = true;
          hold.over = () => {
            hold.over = over;
            over();
            gate.held = false;
            next();
          };
          if (!known || first?.tries) first?.done(known ? null : hold);
        } else {
          drop(what);
        }
        awaits();
      },
    };
    return gate;
  };

  /**
   * Waits, or tries.
   * @param {string} op @param {string} resource
   * @param {{ ticket?: string, signal?: AbortSignal, ifAvailable?: boolean }} [options] @returns {Promise<any>}
   */
  const enter = (op, resource, { ticket, signal, ifAvailable } = {}) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const key = op === "lock" ? resource : ticket === undefined ? {} : named(resource, ticket);
      const gate = all.get(key) ?? make(op, resource, ticket, key);
      const { waiting, next } = gate;
      if (ifAvailable && (gate.held || waiting.length)) return resolve(null);
      all.set(key, gate);
      const settle = (/** @type {(value: any) => void} */ how) => (/** @type {any} */ value) => {
        signal?.removeEventListener("abort", leave);
        waiting.splice(waiting.indexOf(caller), 1);
        how(value);
      };
      const leave = () => {
        caller.fail(signal?.reason);
        next();
      };
      const caller = { tries: ifAvailable, done: settle(resolve), fail: settle(reject) };
      signal?.addEventListener("abort", leave);
      waiting.push(caller);
      next();
    });

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

  return /** @type {const} */ ([enter, waits, query, all]);
};
