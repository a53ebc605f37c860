// The tables of a session, and how they follow what the server says.

import { unpack } from "./bytes.js";
import { TicketdError } from "./error.js";
import { holds } from "./holds.js";
import { watches } from "./iterators.js";
import { nothing } from "./known.js";
import { keyOf, named } from "./names.js";
import { requests } from "./requests.js";
import { join, reconcile } from "./resume.js";
import { steps, waitQueues } from "./waitqueue.js";

/** @import { Known, Queue } from "./known.js" */
/** @import { HoldRow, Lists, Message, WaitRow, WatchRow } from "./wire.d.ts" */

/**
 * The parts, each of which keeps some of what is known.
 * @param {Known} known @param {(message: object) => boolean} send @param {() => boolean} expired @param {() => number} now
 */
const parts = (known, send, expired, now) => {
  const asking = requests(known, send, now);
  const { ask } = asking;
  const holding = holds(known, ask, expired, now);
  const going = steps(known, ask, holding);
  return { ...asking, ...holding, ...going, ...waitQueues(known, ask, going, holding.take), ...watches(known, ask) };
};

/**
 * What the actions of a resume are.
 * @param {Known} known @param {ReturnType<typeof parts>} parts
 */
const deeds = ({ holds }, parts) => ({
  ...parts,
  grant(/** @type {Queue} */ queue, /** @type {HoldRow} */ row) {
    parts.grant(queue, row);
    parts.place(queue);
  },
  updated(/** @type {HoldRow} */ row) {
    const hold = holds.get(keyOf(row));
    if (hold) hold.data = unpack(row);
  },
  inherit: (/** @type {WaitRow} */ { kind, resource, resources, ticket, wait }) =>
    parts.move(parts.queueOf(kind === "lock" ? kind : "claim", { resource, resources, ticket }), wait, 0, true),
});

/**
 * What is done about events, beside that they are dispatched.
 * @param {Known} known @param {ReturnType<typeof deeds>} does @returns {Map<string | undefined, (event: any) => void>}
 */
const events = ({ holds, waits }, does) => {
  /** @param {HoldRow & { wait: number }} row */
  const granted = (row) => {
    const queue = waits.get(row.wait);
    if (queue) does.grant(queue, row);
    else does.drop(row, true);
  };
  /** @param {WaitRow & { event: string }} row */
  const moved = ({ event, wait, position }) => {
    const queue = waits.get(wait);
    if (queue) event === "wait-ended" ? does.place(queue) : does.move(queue, wait, position);
  };
  /** @param {HoldRow & { event: string, reason?: string }} row */
  const taken = (row) => {
    const { resource, ticket, event, reason = event } = row;
    // A ticket that is revoked is not issued any more, also when it was issued here.
    if (reason === "revoked") holds.get(named(resource, ticket))?.lose(reason);
    holds.get(keyOf(row))?.lose(reason);
  };
  return new Map(/** @type {[string, (event: any) => void][]} */ ([
    ["lock-granted", granted],
    ["ticket-granted", granted],
    ["wait-ended", moved],
    ["wait-moved", moved],
    ["lock-lost", taken],
    ["ticket-revoked", taken],
    ["ticket-taken", taken],
    ["ticket-updated", does.updated],
    ["resource-changed", does.changed],
    ["watch-ended", ({ reason, resource }) => does.changed(new TicketdError(reason), resource)],
  ]));
};

/** @param {(message: object) => boolean} send @param {() => boolean} expired @param {() => number} now */
export const tables = (send, expired, now) => {
  const known = nothing();
  const does = deeds(known, parts(known, send, expired, now));
  const acts = /** @type {Record<keyof typeof does, (...args: unknown[]) => void>} */ (/** @type {unknown} */ (does));
  const hears = events(known, does);
  const saw = (fence = 0) => {
    known.seen = Math.max(known.seen, fence);
  };

  return {
    known,
    does,

    /** @param {Message} message */
    hear(message) {
      const { id, ok, error, event } = message;
      saw(message.fence ?? ok?.fence ?? ok?.ticket?.fence);
      // It ends the session, and what was asked with it.
      if (!(event || ok || error)) throw new TypeError("no answer");
      if (!event) does.settle(id, ok, error);
      else hears.get(event)?.(message);
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
