// What a resume means: what one had, waited for and had asked, held against the state that the server tells. Pure:
// reconcile(known, state) says what to do, and changes nothing.

import { TicketdError } from "./error.js";
import { keyOf, named } from "./names.js";
import { givesUp } from "./requests.js";

/** @import { Key, Known, Queue } from "./known.js" */
/** @import { HoldRow, Lists, Ok, WaitRow, WatchRow } from "./wire.d.ts" */

/**
 * @typedef {Lists & { rows: Map<Key, { resource: string }> }} State With all that one has by its key.
 *
 * @typedef {["updated", HoldRow] | ["settle", number | undefined, Ok | undefined, TicketdError]
 *   | ["place", Queue, number | undefined, number | undefined] | ["granted", Queue, HoldRow]
 *   | ["changed", WatchRow] | ["subscribe", string]
 *   | ["drop", HoldRow] | ["inherit", WaitRow]} Action
 */

/** Joins the parts in which the state came. @param {(Partial<Lists> | undefined)[]} parts @returns {State} */
export const join = (parts) => {
  /** @template {keyof Lists} L @param {L} list */
  const all = (list) => parts.flatMap((part) => /** @type {Lists[L][number][]} */ (part?.[list] ?? []));
  const holds = all("holds");
  const issued = all("issued");
  const rows = new Map([...holds, ...issued].map((row) => [keyOf(row), row]));
  return { holds, issued, waits: all("waits"), watches: all("watches"), rows };
};

/** What is waited for. @param {{ resource?: string, resources?: string[], ticket?: string }} what */
const target = ({ resource, resources, ticket }) => named(resources ?? resource, ticket);

/** @param {Known} known @param {State} state @returns {Iterable<Action>} */
const all = function* ({ first, holds, pending, queues, waits, watched }, { rows, ...state }) {
  const fences = new Set([...holds.keys(), ...[...pending.values()].map(({ message }) => message.fence)]);
  const unknown = state.holds.filter(({ fence }) => !fences.has(fence));
  for (const row of state.holds) if (row.ticket && holds.has(row.fence)) yield ["updated", row];
  // What was asked and not answered. Locks, claims and their waits are for the queues; watches may be asked for again,
  // and so may tickets be issued: one is this session's still, or was not there.
  for (const [id, { message, sent, since, of }] of pending) {
    const { op, resource, fence, new: only, steal } = message;
    const key = keyOf(message);
    // A second theft might rob whoever came in between.
    if (steal && sent) {
      const at = unknown.findIndex((row) => row.resource === resource && !row.mode && row.fence > since);
      const [row] = at < 0 ? [] : unknown.splice(at, 1);
      yield ["settle", id, row && { granted: true, fence: row.fence }, new TicketdError("unavailable", "cut")];
    }
    // An update would take it back.
    if (of?.ended) yield ["settle", id, undefined, of.ended];
    // Work that one could not say was done may be another's by now.
    if ((givesUp(message) || op === "revoke") && !rows.has(key)) {
      yield ["settle", id, sent || !fence || op !== "revoke" ? {} : undefined, new TicketdError("ticket-revoked")];
    }
    // It was the first.
    if (only && rows.has(key) && !holds.has(key)) yield ["settle", id, {}, new TicketdError("ticket-exists")];
  }
  // What became of what was waited for.
  const taken = new Set(waits.keys());
  for (const queue of queues.values()) {
    const { frame, wait, since, asked } = queue;
    const { resource, resources = [resource], ticket } = frame;
    if (!wait && ![...asked.keys()].some(({ sent }) => sent)) continue;
    const place = state.waits.find((row) =>
      taken.has(row.wait) ? row.wait === wait : !wait && target(row) === target(frame),
    );
    // What is older was taken some other way, by REST.
    const at = unknown.findIndex(
      (row) => resources.includes(row.resource) && (ticket ?? row.ticket) === row.ticket && row.fence > since,
    );
    taken.add(place?.wait);
    yield place || at < 0 ? ["place", queue, place?.wait, place?.position] : ["granted", queue, unknown.splice(at, 1)[0]];
  }
  for (const resource of watched.keys()) {
    const row = state.watches.find((row) => row.resource === resource);
    yield row ? ["changed", row] : ["subscribe", resource];
  }
  // Of a session that another page began, locks are kept: to lock them again confirms them. Later, what was not asked
  // for here was taken by REST, and is its to give back.
  if (!first) return;
  for (const row of unknown) if (row.ticket) yield ["drop", row];
  for (const row of state.waits) yield ["inherit", row];
};

/**
 * To be done in this order, once what is not there any more is lost.
 * @param {Known} known @param {State} state
 */
export const reconcile = (known, state) => [...all(known, state)];
