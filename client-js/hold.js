// What one has until one gives it up or loses it: locks, claimed tickets, and tickets that one issued.

import { pack } from "./bytes.js";
import { LOST, MISSING } from "./codes.js";
import { TicketdError, called, traced } from "./error.js";
import { check, keyOf, named } from "./names.js";

/** @import { Row } from "./known.js" */
/** @import { Requests } from "./requests.js" */
/** @import { Ok, Request } from "./wire.d.ts" */

/**
 * The tables that holds stand in.
 * @typedef {Requests & { expire(fence?: number): void }} Tables
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
  #in;
  /** Up to when it is certainly held, if it ends by itself. */
  #until = Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** With what code it was given up. @type {string | undefined} */
  #code;
  /** What came of that. @type {Promise<void> | undefined} */
  #left;

  /** @param {Tables} tables @param {Row} row */
  constructor(tables, { resource, ticket, fence }) {
    this.#in = tables;
    this.row = { resource, ticket, fence };
    this.resource = resource;
    this.name = ticket ?? resource;
    this.fence = fence;
  }

  /** Whether it has not ended, and no other stands in its place. */
  get #there() {
    const first = /** @type {Hold | undefined} */ (this.#in.holds.get(keyOf(this.row)));
    return first && first.#twins.has(this);
  }

  get signal() {
    const tables = this.#in;
    // A timer may be late; asking is not.
    if (tables.expired() && this.fence && this.#there) tables.expire();
    if (tables.now() >= this.#until && this.#there) tables.expire(this.fence);
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
    clearTimeout(this.#timer);
    if (this.ended) return;
    this.#until = left ? at + left * 0.9 : Infinity;
    // To look at it is to notice.
    if (left) this.#timer = setTimeout(() => this.signal, this.#until - this.#in.now() + 1);
  }

  /** The end of this handle. @param {TicketdError} why */
  end(why) {
    this.#twins.delete(this);
    if (!this.#twins.size) this.#in.holds.delete(keyOf(this.row));
    clearTimeout(this.#timer);
    this.ended = why;
    this.#abort.abort(why);
    for (const run of this.#over.splice(0)) run();
  }

  /** The end of all its handles. @param {string | TicketdError} why */
  lose(why) {
    const error = why instanceof TicketdError ? why : new TicketdError(this.row.ticket ? "ticket-revoked" : "lock-lost", why);
    // Nobody comes to share it any more.
    this.#in.holds.delete(keyOf(this.row));
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
        this.#in.ask(
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
    const tables = this.#in;
    const { holds } = tables;
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
          tables.ask({ ...more, op, ...this.row }, (ok, error) => {
            const gone = tables.over || LOST.test(error?.code);
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
export class Lock extends Hold {
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
export class Ticket extends Hold {
  /** Called when it is about to end by itself. @type {(() => void) | undefined} */
  renew;
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
  /** @param {string} note What is too long is cut. @param {{ delay?: number, dead?: boolean }} [more] */
  fail(note, more) {
    // A character that is cut in two becomes one of three bytes.
    const bytes = new TextEncoder().encode(note).subarray(0, 253);
    return this.leave("released", { ...more, note: new TextDecoder().decode(bytes) });
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

/** @param {Tables} tables */
export const issuing = (tables) => ({
  /**
   * @param {string} resource @param {string} ticket @param {unknown} data
   * @param {Partial<Request> | null} [options]
   */
  async issue(resource, ticket, data, options) {
    const { holds } = tables;
    const { new: only, delay, ...terms } = options ?? {};
    const key = named(resource, ticket);
    check(resource);
    check(ticket);
    const mine = /** @type {Issued} */ (holds.get(key) ?? new Issued(tables, { resource, ticket }));
    mine.update = async (data, more) =>
      mine.call({ ...terms, ...more, op: "issue", ...pack(data) }, () => {
        // Of two that were under way together, there is one handle.
        if (!mine.ended && !holds.has(key)) holds.set(key, mine);
        return /** @type {Issued} */ (holds.get(key) ?? mine);
      });
    return mine.update(data, { new: only, delay });
  },
});
