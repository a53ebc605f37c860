// The tables of a session, and how they follow what the server says.

import { unpack } from "./bytes.js";
import { EVENTS } from "./codes.js";
import { TicketdError } from "./error.js";
import { holds } from "./holds.js";
import { watches } from "./iterators.js";
import { nothing } from "./known.js";
import { keyOf, named } from "./names.js";
import { requests } from "./requests.js";
import { join, reconcile } from "./resume.js";
import { steps, waitQueues } from "./waitqueue.js";

/** @import { Known } from "./known.js" */
/** @import { HoldRow, Lists, Message, WaitRow, } from "./wire.d.ts" */

/**
 * The parts, each of which keeps some of what is known.
 * @param {Known} known @param {(message: object) => boolean} send @param {() => boolean} expired
 */
const parts = (known, send, expired) => {
  const asking = requests(known, send);
  const { ask } = asking;
  const holding = holds(known, ask, expired);
  const going = steps(known, ask, holding.take);
  return { ...asking, ...holding, ...going, ...waitQueues(known, going.next), ...watches(known, ask) };
};

/**
 * What is done about events, by EVENTS, and what the actions of a resume are.
 * @param {Known} known @param {ReturnType<typeof parts>} parts
 */
const deeds = ({ holds, waits }, parts) => ({
  ...parts,
  updated(/** @type {HoldRow} */ row) {
    const hold = holds.get(keyOf(row));
    if (hold) hold.data = unpack(row);
  },
  taken(/** @type {Message & { event: string }} */ row) {
    const { resource, ticket, event, reason = event } = row;
    // A ticket that is revoked is not issued any more, also when it was issued here.
    if (reason === "revoked") holds.get(named(resource, ticket))?.lose(reason);
    holds.get(keyOf(row))?.lose(reason);
  },
  granted(/** @type {HoldRow & { wait: number }} */ row) {
    const queue = waits.get(row.wait);
    if (queue) parts.grant(queue, row);
    else parts.drop(row);
  },
  unplaced(/** @type {WaitRow} */ { wait }) {
    const queue = waits.get(wait);
    if (queue) parts.place(queue);
  },
  blinded: (/** @type {Message & { reason: string, resource: string }} */ { reason, resource }) =>
    parts.changed(new TicketdError(reason), resource),
  inherit: (/** @type {WaitRow} */ { kind, resource, ticket, wait }) =>
    parts.place(parts.queueOf(kind === "lock" ? kind : "claim", resource, ticket), wait, true),
});

/** @param {(message: object) => boolean} send @param {() => boolean} expired */
export const tables = (send, expired) => {
  const known = nothing();
  const does = deeds(known, parts(known, send, expired));
  const acts = /** @type {Record<keyof typeof does, (...args: unknown[]) => void>} */ (does);
  const saw = (fence = 0) => {
    known.seen = Math.max(known.seen, fence);
  };

  return {
    known,
    does,

    /** @param {Message} message */
    hear(message) {
      const { id, ok, error, event } = message;
      const what = EVENTS.get(event);
      saw(message.fence ?? ok?.fence ?? ok?.ticket?.fence);
      // It ends the session, and what was asked with it.
      if (!(event || ok || error)) throw new TypeError("no answer");
      if (!event) does.settle(id, ok, error);
      else if (what) acts[what](message);
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
      for (const [what, ...args] of actions) acts[what](...args);
      for (const request of known.pending.values()) request.sent = false;
      known.first = false;
    },

    /** @param {TicketdError} error What all ends with. */
    end(error) {
      known.over = error;
      for (const id of known.pending.keys()) does.settle(id, undefined, error);
      for (const queue of known.queues.values()) does.place(queue);
      for (const hold of known.holds.values()) hold.lose(error);
      for (const resource of known.watched.keys()) does.changed(error, resource);
    },
  };
};
