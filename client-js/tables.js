// The tables of a session, and how they follow what the server says.

import { unpack } from "./bytes.js";
import { TicketdError } from "./error.js";
import { keyOf, named } from "./names.js";
import { join, reconcile } from "./resume.js";
import { Queues } from "./waitqueue.js";

/** @import { Queue } from "./known.js" */
/** @import { HoldRow, Lists, WaitRow, WatchRow } from "./wire.d.ts" */

export class Tables extends Queues {
  // What the actions of a resume are, and what events change.

  /** @param {Queue | undefined} queue @param {HoldRow} row */
  granted(queue, row) {
    if (!queue) return this.drop(row, true);
    this.grant(queue, row);
    this.place(queue);
  }

  /** @param {HoldRow} row */
  updated(row) {
    const hold = this.holds.get(keyOf(row));
    if (hold) hold.data = unpack(row);
  }

  /** @param {HoldRow & { event: string, reason?: string }} row */
  taken(row) {
    const { resource, ticket, event, reason = event } = row;
    // A ticket that is revoked is not issued any more, also when it was issued here.
    if (reason === "revoked") this.holds.get(named(resource, ticket))?.lose(reason);
    this.holds.get(keyOf(row))?.lose(reason);
  }

  /** @param {WaitRow} row */
  inherit({ kind, resource, resources, ticket, wait }) {
    const queue = this.queueOf(kind === "lock" ? kind : "claim", { resource, resources, ticket });
    queue.wait = wait;
    this.waits.set(wait, queue);
    // The place for a lock that a former page left is kept for who locks it soon.
    if (kind !== "lock") this.next(queue);
  }

  /** @param {WatchRow | TicketdError} now @param {string} resource */
  changed(now, resource = /** @type {WatchRow} */ (now).resource) {
    const of = this.watched.get(resource);
    if (!of) return;
    of.state = now;
    of.waits.forEach((wake) => wake());
  }

  /** @param {string} resource */
  subscribe(resource) {
    this.ask({ op: "watch", resource, changes: true }, (ok, error) =>
      this.changed(/** @type {WatchRow | undefined} */ (ok) ?? error, resource),
    );
  }

  /** @param {any} message */
  hear(message) {
    const { id, ok, error, event, wait, resource, fence = ok?.fence ?? ok?.ticket?.fence } = message;
    const queue = this.waits.get(wait);
    this.saw(fence);
    // It ends the session, and what was asked with it.
    if (!(event || ok || error)) throw new TypeError("no answer");
    if (!event) return this.settle(id, ok, error);
    switch (event) {
      case "lock-granted":
      case "ticket-granted":
        return this.granted(queue, message);
      case "wait-ended":
        return queue && this.place(queue);
      case "wait-moved":
        return queue && this.move(queue, wait, message.position);
      case "lock-lost":
      case "ticket-revoked":
      case "ticket-taken":
        return this.taken(message);
      case "claim-expiring":
        return this.holds.get(fence)?.renew?.();
      case "ticket-updated":
        return this.updated(message);
      case "resource-changed":
        return this.changed(message);
      case "watch-ended":
        return this.changed(new TicketdError(message.reason), resource);
    }
  }

  /** @param {number} [fence] */
  saw(fence = 0) {
    this.seen = Math.max(this.seen, fence);
  }

  /**
   * All that was asked, had and waited for is set right by the state.
   * @param {(Partial<Lists> | undefined)[]} parts In which it came.
   */
  resume(parts) {
    const state = join(parts);
    // One who hears of a loss may ask for something at once: what is known is looked at after that.
    for (const [key, hold] of this.holds) if (!state.rows.has(key)) hold.lose("gone");
    const actions = reconcile(this, state);
    for (const row of state.holds) this.saw(row.fence);
    for (const queue of this.queues.values()) queue.since = this.seen;
    for (const [what, ...args] of actions) /** @type {any} */ (this)[what](...args);
    for (const request of this.pending.values()) request.sent = false;
    this.first = false;
  }

  /** @param {TicketdError} error What all ends with. */
  end(error) {
    this.over = error;
    for (const id of this.pending.keys()) this.settle(id, undefined, error);
    for (const queue of this.queues.values()) this.place(queue);
    for (const hold of this.holds.values()) hold.lose(error);
    for (const resource of this.watched.keys()) this.changed(error, resource);
  }
}
