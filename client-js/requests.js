// Requests: what is asked, until it is answered, over as many connections as that takes.

import { never } from "./abort.js";
import { GIVES_UP } from "./codes.js";
import { Known } from "./known.js";

/** @import { TicketdError } from "./error.js" */
/** @import { Hold, Pending, Then } from "./known.js" */
/** @import { Ok, Request } from "./wire.d.ts" */

/** How long one waits until what was refused for now is tried again, in ms. */
const RETRY_MS = 1000;

/**
 * Whether a hold is given up by it: that one, if it is named.
 * @param {{ op: string, fence?: number }} message
 */
export const givesUp = ({ op, fence }) => fence && GIVES_UP.test(op);

export class Requests extends Known {
  #last = 0;

  /**
   * @param {(message: object) => boolean} send Whether it could be sent.
   * @param {() => boolean} expired Whether it is too late, by one's own clock. @param {() => number} now
   */
  constructor(send, expired, now) {
    super();
    this.send = send;
    this.expired = expired;
    this.now = now;
  }

  /** @param {Pending} request */
  post(request) {
    if (request.sent) return;
    request.at = this.now();
    request.since = this.seen;
    request.sent = this.send(request.message);
  }

  /** @param {Request} members @param {Then} [then] @param {Hold} [of] Whose it is: of no use when that has ended. */
  ask(members, then = never, of) {
    const { over } = this;
    const id = (this.#last += 2);
    const /** @type {Pending} */ request = { message: { id, ...members }, then, of, at: 0, since: 0 };
    if (over) queueMicrotask(() => then(undefined, over, 0));
    else {
      this.pending.set(id, request);
      this.post(request);
    }
    return request;
  }

  /** @param {number | undefined} id @param {Ok | undefined} ok @param {TicketdError} [error] */
  settle(id, ok, error) {
    const request = this.pending.get(id);
    // What is given up must not stay: it is tried again.
    if (request?.message.fence && error?.retryable && !this.over) {
      request.sent = false;
      setTimeout(() => this.pending.has(id) && this.post(request), RETRY_MS).unref?.();
    } else if (this.pending.delete(id)) request?.then(ok, /** @type {TicketdError} */ (error), request.at);
  }

  /** Sends what could not be sent. What is given up goes first, lest it be granted again. */
  flush() {
    for (const request of this.pending.values()) if (givesUp(request.message)) this.post(request);
    for (const request of this.pending.values()) this.post(request);
  }
}
