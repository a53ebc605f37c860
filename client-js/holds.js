// Holds: what one has until one gives it up or loses it. Locks, claimed tickets, and tickets that one issued.

import { pack, unpack } from "./bytes.js";
import { LOST, MISSING } from "./codes.js";
import { TicketdError, called, traced } from "./error.js";
import { check, keyOf, named } from "./names.js";
import { givesUp } from "./requests.js";

/** @import { Held, Known, Row } from "./known.js" */
/** @import { Ask } from "./requests.js" */
/** @import { HoldRow, Ok, Request } from "./wire.d.ts" */

/**
 * @typedef {object} Shared What all holds of a session share.
 * @property {Known} known @property {Ask} ask @property {() => number} now
 * @property {() => boolean} expired Whether it is too late, by one's own clock.
 * @property {(fence?: number) => void} expire
 */

/** What one has. */
class Hold {
  /** Why it ended. @type {TicketdError | undefined} */
  ended;
  /** What is run then. @type {(() => void)[]} */
  #over = [];
  /** Who share it. @type {Set<Hold>} */
  #twins = new Set([this]);
  #abort = new AbortController();
  #shared;
  /** Up to when it is certainly held, if it ends by itself. */
  #until = Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** With what code it was given up. @type {string | undefined} */
  #code;
  /** What came of that. @type {Promise<void> | undefined} */
  #left;

  /** @param {Shared} shared @param {Row} row */
  constructor(shared, { resource, ticket, fence }) {
    this.#shared = shared;
    this.row = { resource, ticket, fence };
    this.resource = resource;
    this.name = ticket ?? resource;
    this.fence = fence;
  }

  /** Whether it has not ended, and no other stands in its place. */
  get #there() {
    const first = /** @type {Hold | undefined} */ (this.#shared.known.holds.get(keyOf(this.row)));
    return first && first.#twins.has(this);
  }

  get signal() {
    const { expired, expire, now } = this.#shared;
    // A timer may be late; asking is not.
    if (expired() && this.fence && this.#there) expire();
    if (now() >= this.#until && this.#there) expire(this.fence);
    return this.#abort.signal;
  }

  /** @param {() => void} run Run when it ends, or at once when it has. */
  onEnd(run) {
    if (this.ended) run();
    else this.#over.push(run);
  }

  /** Another handle of the same hold: it ends with the last of them. @param {Hold} twin */
  join(twin) {
    twin.#twins = this.#twins.add(twin);
    return twin;
  }

  /** Counts how long it lasts, from when that was asked. @param {number | undefined} left In ms. @param {number} at */
  count(left, at) {
    const { now } = this.#shared;
    clearTimeout(this.#timer);
    this.#until = left ? at + left * 0.9 : Infinity;
    // To look at it is to notice.
    if (left) this.#timer = setTimeout(() => this.signal, this.#until - now() + 1);
  }

  /** The end of this handle. @param {TicketdError} why */
  end(why) {
    const { holds } = this.#shared.known;
    this.#twins.delete(this);
    if (!this.#twins.size) holds.delete(keyOf(this.row));
    clearTimeout(this.#timer);
    this.ended = why;
    this.#abort.abort(why);
    for (const run of this.#over.splice(0)) run();
  }

  /** The end of all its handles. @param {string | TicketdError} why */
  lose(why) {
    const error = why instanceof TicketdError ? why : new TicketdError(this.row.ticket ? "ticket-revoked" : "lock-lost", why);
    for (const twin of this.#twins) twin.end(error);
  }

  /**
   * Asks something about it. What the server does not know any more is lost.
   * @template [T=void] @param {Request} frame @param {(ok: Ok, at: number) => T} then @returns {Promise<T>}
   */
  call(frame, then) {
    return traced(
      new Promise((resolve, reject) => {
        this.signal.throwIfAborted();
        this.#shared.ask(
          { ...frame, ...this.row },
          (ok, error, at) => {
            if (ok) return resolve(then(ok, at));
            if (MISSING.test(error.code)) this.lose("gone");
            reject(error);
          },
          this,
        );
      }),
    );
  }

  /**
   * Gives it up; that it is gone already is as good. Should it fail, it is kept, for another try.
   * @param {"released" | "done" | "ticket-revoked"} code What it has ended with. @param {object} [more] For the server.
   */
  async leave(code, more) {
    const { known, ask } = this.#shared;
    const { holds } = known;
    const { resource, ticket } = this.row;
    const released = code === "released";
    // What is issued anew under the name is another's to give up.
    if (this.#there) {
      const op = released ? (ticket ? "release" : "unlock") : "revoke";
      const last = this.#twins.size === 1;
      this.#code = code;
      this.#left = traced(
        new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
          if (!last) return resolve();
          ask({ ...more, op, ...this.row }, (ok, error) => {
            const gone = known.over || LOST.test(error?.code);
            if (ok || (gone && released) || MISSING.test(error.code)) return resolve();
            if (!gone) holds.set(keyOf(this.row), this.join(this));
            reject(error);
          });
        }),
      );
      this.end(new TicketdError(code));
      // What is done is not issued any more, also when it was issued here.
      if (code === "done") holds.get(named(resource, ticket))?.lose(code);
    }
    // How something else ended is told to who asked for that.
    if (this.#code === code) await this.#left;
  }

  [Symbol.asyncDispose]() {
    return this.leave(this.fence ? "released" : "ticket-revoked");
  }
}

/** A lock that one holds. */
class Lock extends Hold {
  mode = "exclusive";

  release() {
    return this.leave("released");
  }
  /** @param {unknown} value What its holder makes known. */
  async update(value) {
    await this.call({ op: "lock", ...pack(value) }, () => {});
  }
}

/** A ticket that one has claimed. */
class Ticket extends Hold {
  issuer = "";
  data = new Uint8Array();

  release() {
    return this.leave("released");
  }
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
  /** @param {string} note @param {{ delay?: number, dead?: boolean }} [more] */
  fail(note, more) {
    return this.leave("released", { ...more, note });
  }
  /** @param {number} [hold] In ms. */
  touch(hold) {
    return this.call({ op: "touch", hold }, ({ left }, at) => this.count(left, at));
  }
}

/** A ticket that one has issued. */
class Issued extends Hold {
  /** New data, or the first. @type {((data: unknown, more?: object) => Promise<Hold>) | undefined} */
  update;

  revoke() {
    return this.leave("ticket-revoked");
  }
}

/** @param {Known} known @param {Ask} ask @param {() => boolean} expired @param {() => number} now */
export const holds = (known, ask, expired, now) => {
  const { holds, pending } = known;

  /** Gives back what is not wanted here. @param {HoldRow} row @param {boolean} [untried] Nobody has seen it. */
  const drop = ({ resource, ticket, fence, attempt }, untried) =>
    ask({ op: ticket ? "release" : "unlock", resource, ticket, fence, untried: (untried && !!attempt) || undefined });

  /**
   * The clock took all, or that: the server may have it still, and it goes back before it is asked for anew.
   * @param {number} [only] The fence.
   */
  const expire = (only) => {
    const why = new TicketdError(only ? "ticket-revoked" : "session-lost", only ? "timeout" : undefined);
    const due = (/** @type {number | undefined} */ fence) => fence && (only ?? fence) === fence;
    for (const request of pending.values()) {
      if (!due(request.message.fence)) continue;
      // Who gives up a hold need not wait any longer: it is gone. Whether the work was done, cannot be known.
      request.then(undefined, why, 0);
      request.then = () => {};
    }
    for (const hold of holds.values()) {
      if (!due(hold.fence)) continue;
      drop(/** @type {HoldRow} */ (hold.row));
      hold.lose(why);
    }
  };

  const shared = { known, ask, now, expired, expire };
  /** Makes a hold of a grant. @param {HoldRow} row */
  const add = (row) => {
    const { ticket, fence, issuer, attempt, hold: lasts } = row;
    if (!fence) throw new TypeError("fence");
    const hold = new (ticket ? Ticket : Lock)(shared, row);
    if (ticket) Object.assign(hold, { issuer, attempt, hold: lasts, data: unpack(row) });
    holds.set(fence, hold);
    return hold;
  };

  return {
    drop,
    expire,

    /** Another handle of a lock. @param {Held} hold */
    share: ({ row }) => {
      const hold = /** @type {Lock} */ (holds.get(/** @type {number} */ (row.fence)));
      return /** @type {Held} */ (/** @type {unknown} */ (Object.assign(hold.join(new Lock(shared, row)), { mode: "shared" })));
    },

    /**
     * The hold of a grant, if there is one already or one is wanted; else it is given back. What is being given up is
     * no grant: it is asked for anew, behind that.
     * @param {HoldRow} row @param {unknown} wanted
     */
    take(row, wanted) {
      const known = holds.get(row.fence);
      const ends = [...pending.values()].some(({ message }) => message.fence === row.fence && givesUp(message));
      if (known || (wanted && !ends)) return /** @type {Held} */ (known ?? add(row));
      drop(row, true);
    },

    /**
     * @param {string} resource @param {string} ticket @param {unknown} data
     * @param {Partial<Request> | null} [options]
     */
    async issue(resource, ticket, data, options) {
      const { new: only, delay, ...terms } = options ?? {};
      const key = named(resource, ticket);
      check(resource);
      check(ticket);
      const mine = /** @type {Issued} */ (holds.get(key) ?? new Issued(shared, { resource, ticket }));
      mine.update = async (data, more) =>
        mine.call({ ...terms, ...more, op: "issue", ...pack(data) }, () => {
          // Of two that were under way together, there is one handle.
          if (!mine.ended && !holds.has(key)) holds.set(key, mine);
          return /** @type {Issued} */ (holds.get(key) ?? mine);
        });
      return mine.update(data, { new: only, delay });
    },
  };
};
