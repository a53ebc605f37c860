// Holds: what one has until one gives it up or loses it. Locks, claimed tickets, and tickets that one issued.

import { pack, unpack } from "./bytes.js";
import { LOST, MISSING } from "./codes.js";
import { TicketdError, called, traced } from "./error.js";
import { check, named } from "./names.js";

/** @import { Held, Known } from "./known.js" */
/** @import { Ask } from "./requests.js" */
/** @import { HoldRow } from "./wire.d.ts" */

/**
 * @typedef {object} Shared What all holds of a session share.
 * @property {Known} known @property {Ask} ask
 * @property {() => boolean} expired Whether it is too late, by one's own clock. @property {() => void} expire
 */

/** What one has. */
class Hold {
  /** What is run when it ends. @type {(() => void)[]} */
  over = [];
  /** Why it ended. @type {TicketdError | undefined} */
  ended;
  #abort = new AbortController();
  #shared;
  #key;
  /** With what code it was given up. @type {string | undefined} */
  #code;
  /** What came of that. @type {Promise<void> | undefined} */
  #left;

  /** @param {Shared} shared @param {string} resource @param {string} [name] @param {number} [fence] */
  constructor(shared, resource, name, fence) {
    this.#shared = shared;
    this.#key = fence ?? named(resource, name);
    this.resource = resource;
    this.name = name;
    this.fence = fence;
  }

  /** Whether it has not ended, and no other stands in its place. */
  get #there() {
    return this.#shared.known.holds.get(this.#key) === this;
  }

  get signal() {
    const { expired, expire } = this.#shared;
    // A timer may be late; asking is not.
    if (expired() && this.fence && this.#there) expire();
    return this.#abort.signal;
  }

  /** @param {string | TicketdError} why */
  lose(why) {
    this.#shared.known.holds.delete(this.#key);
    this.ended =
      why instanceof TicketdError ? why : new TicketdError(this.name ? "ticket-revoked" : "lock-lost", why);
    this.#abort.abort(this.ended);
    for (const run of this.over.splice(0)) run();
  }

  /**
   * Gives it up; that it is gone already is as good. Should it fail, it is kept, for another try.
   * @param {"released" | "done" | "ticket-revoked"} code What it has ended with.
   */
  async leave(code) {
    const { known, ask } = this.#shared;
    const { holds } = known;
    const { resource, name: ticket, fence } = this;
    const released = code === "released";
    // What is issued anew under the name is another's to give up.
    if (this.#there) {
      const op = released ? (ticket ? "release" : "unlock") : "revoke";
      this.#code = code;
      this.#left = traced(
        new Promise((/** @type {(value: void) => void} */ resolve, reject) =>
          ask({ op, resource, ticket, fence }, (ok, error) => {
            const gone = known.over || LOST.includes(error?.code);
            if (ok || (gone && released) || MISSING.includes(error.code)) return resolve();
            if (!gone) holds.set(this.#key, this);
            reject(error);
          }),
        ),
      );
      this.lose(new TicketdError(code));
      // What is done is not issued any more, also when it was issued here.
      if (code === "done") holds.get(named(resource, ticket))?.lose(code);
    }
    // How something else ended is told to who asked for that.
    if (this.#code === code) await this.#left;
  }
}

/** A lock that one holds. */
class Lock extends Hold {
  release() {
    return this.leave("released");
  }
  [Symbol.asyncDispose]() {
    return this.release();
  }
}

/** A ticket that one has claimed. */
class Ticket extends Lock {
  issuer = "";
  data = new Uint8Array();

  text() {
    return new TextDecoder().decode(this.data);
  }
  json() {
    return JSON.parse(this.text());
  }
  async done() {
    // Work that is done after the ticket was lost, or given back, may be another's by now.
    const { reason } = this.signal;
    if (reason && reason.code !== "done") throw called(reason, new Error());
    await this.leave("done");
  }
}

/** A ticket that one has issued. */
class Issued extends Hold {
  /** New data, or the first. @type {((data: unknown) => Promise<Hold>) | undefined} */
  update;

  revoke() {
    return this.leave("ticket-revoked");
  }
  [Symbol.asyncDispose]() {
    return this.revoke();
  }
}

/**
 * Issues it: the first data, or new ones.
 * @param {Shared} shared @param {Issued} mine @param {true} [notify] @returns {(data: unknown) => Promise<Hold>}
 */
const issuing = ({ known: { holds }, ask }, mine, notify) => (data) =>
  traced(
    new Promise((resolve, reject) => {
      const { resource, name: ticket } = mine;
      const key = named(resource, ticket);
      mine.signal.throwIfAborted();
      ask(
        { op: "issue", resource, ticket, notify, ...pack(data) },
        (ok, error) => {
          if (!ok) return reject(error);
          // Of two that were under way together, there is one handle.
          if (!mine.ended && !holds.has(key)) holds.set(key, mine);
          resolve(/** @type {Issued} */ (holds.get(key) ?? mine));
        },
        mine,
      );
    }),
  );

/** @param {Known} known @param {Ask} ask @param {() => boolean} expired Whether it is too late, by one's own clock. */
export const holds = (known, ask, expired) => {
  const { holds, pending } = known;

  /**
   * Gives back what is not wanted here.
   * @param {{ resource?: string, ticket?: string, name?: string, fence?: number }} hold
   */
  const drop = ({ resource, ticket, name = ticket, fence }) =>
    ask({ op: name ? "release" : "unlock", resource, ticket: name, fence });

  /** The clock took all: the server may have it still, and it goes back before it is asked for anew. */
  const expire = () => {
    const why = new TicketdError("session-lost");
    for (const request of pending.values()) {
      if (!request.message.fence) continue;
      // Who gives up a hold need not wait any longer: it is gone. Whether the work was done, cannot be known.
      request.then(undefined, why);
      request.then = () => {};
    }
    for (const hold of holds.values()) {
      if (!hold.fence) continue;
      drop(hold);
      hold.lose(why);
    }
  };

  const shared = { known, ask, expired, expire };
  /** Makes a hold of a grant. @param {HoldRow} row */
  const add = ({ resource, ticket, fence, issuer, ...data }) => {
    if (!fence) throw new TypeError("fence");
    const hold = new (ticket ? Ticket : Lock)(shared, resource, ticket, fence);
    if (ticket) Object.assign(hold, { issuer, data: unpack(data) });
    holds.set(fence, hold);
    return hold;
  };

  return {
    drop,
    expire,

    /**
     * The hold of a grant, if there is one already or one is wanted; else it is given back. What is being given up is
     * no grant: it is asked for anew, behind that.
     * @param {HoldRow} row @param {boolean} wanted
     */
    take(row, wanted) {
      const known = holds.get(row.fence);
      const ends = [...pending.values()].some(({ message }) => message.fence === row.fence);
      if (known || (wanted && !ends)) return /** @type {Held} */ (known ?? add(row));
      drop(row);
    },

    /**
     * @param {string} resource @param {string} ticket @param {unknown} data
     * @param {{ notify?: boolean } | null} [options]
     */
    async issue(resource, ticket, data, options) {
      const notify = options?.notify ? true : undefined;
      check(resource);
      check(ticket);
      const known = holds.get(named(resource, ticket));
      const mine = /** @type {Issued} */ (known ?? new Issued(shared, resource, ticket));
      mine.update = issuing(shared, mine, notify);
      return mine.update(data);
    },
  };
};
