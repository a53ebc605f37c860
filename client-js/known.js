// What the helper knows of its session: plain tables, so that what a resume means can be found without doing it.

/** @import { TicketdError } from "./error.js" */
/** @import { Held as Public } from "./index.d.ts" */
/** @import { HoldRow, Ok, Request, WatchRow } from "./wire.d.ts" */

/**
 * @typedef {number | string} Key Of a hold its fence; of what is issued its name.
 *
 * @typedef {(ok: Ok | undefined, error: TicketdError, at: number) => void} Then Given one of the first two, and when it
 *   was sent what this answers; called at once, so that the next frame finds what it changed.
 *
 * @typedef {object} Pending A request that is not answered yet.
 * @property {Request & { id: number }} message @property {boolean} [sent] On this connection, or on the one before.
 * @property {number} at When it was. @property {number} since What it is granted has a higher fence.
 * @property {Then} then @property {Hold} [of] What asks it.
 *
 * @typedef {{ resource: string, ticket?: string, fence?: number }} Row What a hold is called on the wire.
 *
 * @typedef {object} Hold A lock, a claimed ticket, or one that was issued here.
 * @property {Row} row @property {string} resource @property {string} name @property {number} [fence]
 * @property {Uint8Array} [data] @property {string} [mode] Of a lock. @property {() => void} [renew] Of a ticket that is to
 *   be touched.
 * @property {TicketdError} [ended] Why it did.
 * @property {(run: () => void) => void} onEnd What is run when it ends, or has.
 * @property {(why: string | TicketdError) => void} lose
 *
 * @typedef {Hold & Public & { mode?: string, hold?: number, leave(code: "released", more?: object): Promise<void>,
 *   count(left: number | undefined, at: number): void, touch(hold?: number): Promise<unknown>,
 *   update(data: unknown): Promise<unknown> }} Held
 *
 * @typedef {object} Caller One who waits.
 * @property {{ wait?: true, mode?: "shared" } & Partial<Request>} terms How it asks. One who does not wait only tries.
 * @property {Pending} [asked] What it has asked. @property {Held} [twin] What it may come to share.
 * @property {(hold: Held | null) => unknown} done Gives whether it still waited for that. @property {(error: unknown) => void} fail
 * @property {(position: number) => void} [onPosition]
 *
 * @typedef {{ resource?: string, resources?: string[], ticket?: string }} Want What is waited for.
 *
 * @typedef {object} Queue For a lock, for a ticket by its name, or (one for each call) for any ticket.
 * @property {unknown} key @property {{ op: "lock" | "claim" } & Want} frame
 * @property {Set<Caller>} callers Those who wait here, in their order.
 * @property {Map<Pending, Caller | undefined>} asked What was asked and is not answered, and by whom.
 * @property {Set<Hold>} held What they have.
 * @property {"shared"} [mode] When what is asked, or held, is for sharers, and nobody else waits for it.
 * @property {number} [fence] Of what they share. @property {number} wait The number of the wait on the wire; 0: there is none.
 * @property {number} since What is granted to it has a higher fence.
 *
 * @typedef {object} Watched
 * @property {WatchRow | TicketdError} [state] What is known of it, or why nothing will be.
 * @property {Set<() => void>} waits What wakes those who watch it.
 */

/** At first that is nothing. */
export class Known {
  /** It has just come, and may take up a session that another page began. */
  first = true;
  /** Why nothing can be asked any more. @type {TicketdError | undefined} */
  over;
  /** What the session is called where its id must not be told. */
  ref = "";
  /** The highest fence heard of. */
  seen = 0;
  /** By their ids. @type {Map<number | undefined, Pending>} */
  pending = new Map();
  /** @type {Map<Key, Hold>} */
  holds = new Map();
  /** By what they are for. @type {Map<unknown, Queue>} */
  queues = new Map();
  /** The queues that have a wait on the wire, by its number. @type {Map<number | undefined, Queue>} */
  waits = new Map();
  /** The resources that are watched, each for all who watch it. @type {Map<string, Watched>} */
  watched = new Map();
}
