// What the helper knows of its session: plain tables, so that what a resume means can be found without doing it.

/** @import { TicketdError } from "./error.js" */
/** @import { Held as Public, ResourceState } from "./index.d.ts" */
/** @import { HoldRow, Ok, Request } from "./wire.d.ts" */

/**
 * @typedef {number | string} Key Of a hold its fence; of what is issued its name.
 *
 * @typedef {(ok: Ok | undefined, error: TicketdError) => void} Then Given one of the two, and called at once, so that
 *   the next frame finds what it changed.
 *
 * @typedef {object} Pending A request that is not answered yet.
 * @property {Request & { id: number }} message @property {boolean} [sent] On this connection, or on the one before.
 * @property {Then} then @property {Hold} [issued] What it issues.
 *
 * @typedef {object} Hold A lock, a claimed ticket, or one that was issued here.
 * @property {string} resource @property {string} [name] @property {number} [fence] @property {Uint8Array} [data]
 * @property {(() => void)[]} over What is run when it ends. @property {TicketdError} [ended] Why it did.
 * @property {(why: string | TicketdError) => void} lose
 *
 * @typedef {Hold & Public} Held
 *
 * @typedef {{ tries?: boolean, done: (hold: Held | null) => void, fail: (error: unknown) => void }} Caller
 *
 * @typedef {object} Queue For a lock, for a ticket by its name, or (one for each call) for any ticket.
 * @property {unknown} key @property {"lock" | "claim"} op @property {string} resource @property {string} [ticket]
 * @property {Caller[]} callers Those who wait here, in their order.
 * @property {boolean} [held] Whether one of them holds it.
 * @property {number} wait The number of the wait on the wire; 0: there is none.
 * @property {number} since What is granted to it has a higher fence.
 * @property {Pending} [asked] What was asked and is not answered.
 *
 * @typedef {object} Watched
 * @property {ResourceState | TicketdError} [state] What is known of it, or why nothing will be.
 * @property {Set<() => void>} waits What wakes those who watch it.
 */

/** At first that is nothing. */
export const nothing = () => ({
  /** It has just come, and may take up a session that another page began. */
  first: true,
  /** Why nothing can be asked any more. @type {TicketdError | undefined} */
  over: undefined,
  /** The highest fence heard of. */
  seen: 0,
  /** By their ids. @type {Map<number | undefined, Pending>} */
  pending: new Map(),
  /** @type {Map<Key, Hold>} */
  holds: new Map(),
  /** By what they are for. @type {Map<unknown, Queue>} */
  queues: new Map(),
  /** The queues that have a wait on the wire, by its number. @type {Map<number | undefined, Queue>} */
  waits: new Map(),
  /** The resources that are watched, each for all who watch it. @type {Map<string, Watched>} */
  watched: new Map(),
});

/** @typedef {ReturnType<typeof nothing>} Known */
