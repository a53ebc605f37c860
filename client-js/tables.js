// The tables of a session, and how they follow what the server says.

import { unpack } from "./bytes.js";
import { EVENTS } from "./codes.js";
import { holds } from "./holds.js";
import { claims, watches } from "./iterators.js";
import { nothing } from "./known.js";
import { keyOf, named } from "./names.js";
import { requests } from "./requests.js";
import { join, reconcile } from "./resume.js";
import { steps, waitQueues } from "./waitqueue.js";

/** @import { TicketdError } from "./error.js" */
/** @import { HoldRow, Lists, Message, WaitRow, WatchRow } from "./wire.d.ts" */

/** @param {(message: object) => boolean} send @param {() => boolean} expired */
export const tables = (send, expired) => {
  const known = nothing();
  const { ask, settle, flush } = requests(known, send);
  const { add, drop, expire, issue } = holds(known, ask, expired);
  const { next, place, grant } = steps(known, ask, add, drop);
  const { queueOf, ...asks } = waitQueues(known, next);
  const { changed, subscribe, watch } = watches(known, ask);

  const saw = (fence = 0) => {
    known.seen = Math.max(known.seen, fence);
  };

  /** What is done about events, by EVENTS, and what the actions of a resume are. */
  const does = {
    settle,
    drop,
    subscribe,
    changed,
    place,
    grant,
    updated(/** @type {HoldRow} */ row) {
      const hold = known.holds.get(keyOf(row));
      if (hold) hold.data = unpack(row);
    },
    taken(/** @type {Message & { event: string }} */ row) {
      const { resource, ticket, event, reason = event } = row;
      // A ticket that is revoked is not issued any more, also when it was issued here.
      if (reason === "revoked") known.holds.get(named(resource, ticket))?.lose(reason);
      known.holds.get(keyOf(row))?.lose(reason);
    },
    granted(/** @type {HoldRow & { wait: number }} */ row) {
      const queue = known.waits.get(row.wait);
      if (queue) grant(queue, row);
      else drop(row);
    },
    unplaced(/** @type {WaitRow} */ row) {
      const queue = known.waits.get(row.wait);
      if (queue) place(queue);
    },
    inherit: (/** @type {WaitRow} */ { kind, resource, ticket, wait }) =>
      place(queueOf(kind === "lock" ? kind : "claim", resource, ticket), wait, true),
  };
  const /** @type {(...action: [what: keyof typeof does, ...args: unknown[]]) => void} */ act = (what, ...args) =>
    /** @type {(...args: unknown[]) => void} */ (does[what])(...args);

  return {
    known,
    flush,
    expire,
    /** What one may ask for. */
    asks: {
      ...asks,
      /** @param {string} resource @param {Parameters<typeof claims>[2]} options */
      claims: (resource, options) => claims(asks.claim, resource, options),
      issue,
      watch,
    },

    /** @param {Message} message */
    hear(message) {
      const { id, ok, error, event } = message;
      const what = event && EVENTS.get(event);
      saw(message.fence ?? ok?.fence ?? ok?.ticket?.fence);
      if (what) act(what, message);
      else if (ok || error) settle(id, ok, error);
      // It ends the session, and what was asked with it.
      else if (!event) throw new TypeError("no answer");
    },

    /**
     * All that was asked, had and waited for is set right by the state.
     * @param {(Partial<Lists> | undefined)[]} parts In which it came.
     */
    resume(parts) {
      const state = join(parts);
      // One who hears of a loss may ask for something at once: what is known is looked at after that.
      for (const [key, hold] of known.holds) if (!state.rows.has(key)) hold.lose("gone");
      const actions = reconcile(known, state);
      for (const row of state.holds) saw(row.fence);
      for (const queue of known.queues.values()) queue.since = known.seen;
      for (const [what, ...args] of actions) act(what, ...args);
      for (const request of known.pending.values()) request.sent = false;
      known.first = false;
    },

    /** @param {TicketdError} error What all ends with. */
    end(error) {
      known.over = error;
      for (const id of known.pending.keys()) settle(id, undefined, error);
      for (const queue of known.queues.values()) place(queue);
      for (const hold of known.holds.values()) hold.lose(error);
      for (const resource of known.watched.keys()) changed(error, resource);
    },
  };
};
