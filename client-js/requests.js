// Requests: what is asked, until it is answered, over as many connections as that takes.

import { GIVES_UP } from "./codes.js";

/** @import { TicketdError } from "./error.js" */
/** @import { Hold, Known, Pending, Then } from "./known.js" */
/** @import { Ok, Request } from "./wire.d.ts" */

/** How long one waits until what was refused for now is tried again, in ms. */
const RETRY_MS = 1000;

/**
 * Whether a hold is given up by it: that one, if it is named.
 * @param {{ op: string, fence?: number }} message
 */
export const givesUp = ({ op, fence }) => fence && GIVES_UP.test(op);

/**
 * @param {Known} known
 * @param {(message: object) => boolean} send Whether it could be sent.
 * @param {() => number} now
 */
export const requests = (known, send, now) => {
  const { pending } = known;
  let last = 0;
  const post = (/** @type {Pending} */ request) => {
    if (request.sent) return;
    request.at = now();
    request.sent = send(request.message);
  };
  return {
    /** @param {Request} members @param {Then} [then] @param {Hold} [of] Whose it is: of no use when that has ended. */
    ask(members, then = () => {}, of) {
      const { over } = known;
      const /** @type {Pending} */ request = { message: { id: (last += 2), ...members }, then, of, at: 0 };
      if (over) queueMicrotask(() => then(undefined, over, 0));
      else {
        pending.set(last, request);
        post(request);
      }
      return request;
    },

    /** @param {number | undefined} id @param {Ok | undefined} ok @param {TicketdError} [error] */
    settle(id, ok, error) {
      const request = pending.get(id);
      // What is given up must not stay: it is tried again.
      if (request?.message.fence && error?.retryable && !known.over) {
        request.sent = false;
        setTimeout(() => pending.has(id) && post(request), RETRY_MS).unref?.();
      } else if (pending.delete(id)) request?.then(ok, /** @type {TicketdError} */ (error), request.at);
    },

    /** Sends what could not be sent. What is given up goes first, lest it be granted again. */
    flush() {
      for (const request of pending.values()) if (givesUp(request.message)) post(request);
      pending.forEach(post);
    },
  };
};

/** @typedef {ReturnType<typeof requests>["ask"]} Ask */
