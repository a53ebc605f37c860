// The one kind of error that the helper makes.

import { RETRYABLE } from "./codes.js";

export class TicketdError extends Error {
  /**
   * @param {string} code One of the contract's codes, or one of the helper's own.
   * @param {string} [message]
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message || code, cause ? { cause } : undefined);
    this.code = code;
    /** The same may succeed later. */
    this.retryable = RETRYABLE.test(code);
  }
  name = /** @type {const} */ ("TicketdError");
}

/**
 * The same error with the stack of who called: it came about in the handler of some message.
 * @param {unknown} error @param {Error} at Made where the call came in.
 */
export const called = (error, at) => {
  // What is none of the helper's is left as it is.
  if (!(error instanceof TicketdError)) return error;
  const copy = new TicketdError(error.code, error.message, error.cause);
  copy.stack = at.stack?.replace(/^Error/, () => `${copy}`);
  return copy;
};

/**
 * The promise, whose errors get the caller's stack; but the reason of a signal is passed on itself.
 * @template T @param {Promise<T>} promise @param {AbortSignal} [signal] @returns {Promise<T>}
 */
export const traced = (promise, signal, at = new Error()) =>
  promise.catch((error) => {
    throw error === signal?.reason ? error : called(error, at);
  });
