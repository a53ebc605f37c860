// Grants: who of those who wait has what came.

import { never } from "./abort.js";
import { TicketdError, traced } from "./error.js";
import { Holds } from "./holds.js";
import { named } from "./names.js";

/** @import { Caller, Held, Queue, Want } from "./known.js" */
/** @import { HoldRow } from "./wire.d.ts" */

export class Grants extends Holds {
  /** How a queue goes on. @type {(queue: Queue) => void} */
  next = never;

  /** @param {Queue} queue @param {Held} hold Had by one of its callers. */
  own(queue, hold) {
    queue.held.add(hold);
    hold.onEnd(() => {
      queue.held.delete(hold);
      this.next(queue);
    });
    return hold;
  }

  /**
   * @param {Queue} queue @param {HoldRow} row
   * @param {number} [at] When it was sent what this answers. @param {Caller} [caller] Who asked that.
   */
  grant(queue, row, at, caller) {
    const [first] = queue.callers;
    // Claimed by its name, and held here already: calls of one session exclude one another too.
    const mine = this.holds.has(row.fence);
    const mode = first?.terms.mode;
    // To be shared, it is of no use to one who wants it alone.
    const hold = this.take(row, first && (mode || !row.mode));
    if (!hold) return;
    if (!mine) {
      queue.mode = mode;
      queue.fence = row.fence;
      if (mode) {
        hold.mode = mode;
        for (const other of queue.asked.values()) if (other) other.twin = this.share(row.fence);
      }
      const ready = () =>
        hold.ended || first.done(this.own(queue, hold)) || hold.leave("released", { untried: true }).catch(never);
      if (at) hold.count(row.left, at);
      // The time of one that came by itself began before it came.
      if (row.hold && !at) this.own(queue, hold).touch().then(ready, never);
      else ready();
    } else if (caller?.twin && queue.mode && !row.waiting) {
      if (!caller.done(caller.twin)) return;
      this.own(queue, caller.twin);
      caller.twin = undefined;
    } else {
      queue.mode = undefined;
      if (!caller?.twin) this.own(queue, hold);
      if (caller && !caller.terms.wait) caller.done(null);
    }
  }

  /** @param {"lock" | "claim"} op @param {Want} want @returns {Queue} */
  queueOf(op, want) {
    const key = op !== "lock" && want.ticket === undefined ? {} : named(want.resource, want.ticket);
    const queue = this.queues.get(key) ?? {
      key,
      frame: { op, ...want },
      callers: new Set(),
      asked: new Map(),
      held: new Set(),
      wait: 0,
      since: 0,
    };
    this.queues.set(key, queue);
    return queue;
  }

  /** Takes a lock from whoever holds it. @param {string} resource */
  steal(resource) {
    return traced(
      new Promise((/** @type {(hold: Held) => void} */ resolve, reject) =>
        this.ask({ op: "lock", resource, steal: true }, (ok, error) => {
          if (!ok?.granted) return reject(error ?? new TicketdError("unavailable", "paused"));
          const queue = this.queueOf("lock", { resource });
          const stolen = [...queue.held];
          queue.mode = undefined;
          resolve(this.own(queue, /** @type {Held} */ (this.take(/** @type {HoldRow} */ ({ ...ok, resource }), true))));
          for (const hold of stolen) hold.lose("forced");
        }),
      ),
    );
  }
}
