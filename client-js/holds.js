// Holds: what comes of grants, and what has an end by one's own clock.

import { never } from "./abort.js";
import { unpack } from "./bytes.js";
import { TicketdError } from "./error.js";
import { Lock, Ticket } from "./hold.js";
import { Requests, givesUp } from "./requests.js";

/** @import { Held } from "./known.js" */
/** @import { HoldRow } from "./wire.d.ts" */

export class Holds extends Requests {
  /** Gives back what is not wanted here. @param {HoldRow} row @param {boolean} [untried] Nobody has seen it. */
  drop({ resource, ticket, fence, attempt }, untried) {
    this.ask({ op: ticket ? "release" : "unlock", resource, ticket, fence, untried: (untried && !!attempt) || undefined });
  }

  /**
   * The clock took all, or that: the server may have it still, and it goes back before it is asked for anew.
   * @param {number} [only] The fence.
   */
  expire(only) {
    const why = new TicketdError(only ? "ticket-revoked" : "session-lost", only ? "timeout" : undefined);
    const due = (/** @type {number | undefined} */ fence) => fence && (only ?? fence) === fence;
    for (const request of this.pending.values()) {
      if (!due(request.message.fence)) continue;
      // Who gives up a hold need not wait any longer: it is gone. Whether the work was done, cannot be known.
      request.then(undefined, why, 0);
      request.then = never;
    }
    for (const hold of this.holds.values()) {
      if (!due(hold.fence)) continue;
      this.drop(/** @type {HoldRow} */ (hold.row));
      hold.lose(why);
    }
  }

  /** Another handle of what is shared, if it is held. @param {number | undefined} fence */
  share(fence) {
    const hold = /** @type {Lock} */ (this.holds.get(fence ?? 0));
    const twin = hold && Object.assign(hold.join(new Lock(this, hold.row)), { mode: "shared" });
    return /** @type {Held | undefined} */ (/** @type {unknown} */ (twin));
  }

  /**
   * The hold of a grant, if there is one already or one is wanted; else it is given back. What is being given up is
   * no grant: it is asked for anew, behind that.
   * @param {HoldRow} row @param {unknown} wanted
   */
  take(row, wanted) {
    const { ticket, fence, issuer, attempt, hold: lasts } = row;
    const known = this.holds.get(fence);
    if (known) return /** @type {Held} */ (known);
    if (!wanted || [...this.pending.values()].some(({ message }) => message.fence === fence && givesUp(message))) {
      return void this.drop(row, true);
    }
    if (!fence) throw new TypeError("fence");
    const hold = new (ticket ? Ticket : Lock)(this, row);
    if (ticket) Object.assign(hold, { issuer, attempt, hold: lasts, data: unpack(row) });
    this.holds.set(fence, hold);
    return /** @type {Held} */ (/** @type {unknown} */ (hold));
  }
}
