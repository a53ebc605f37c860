// The one kind of error that the helper makes.

export class TicketdError extends Error {
  /**
   * @param {string} code One of the contract's codes, or one of the helper's own.
   * @param {string} [message]
   */
  constructor(code, message) {
    super(message || code);
    this.code = code;
    /** The same may succeed later. */
    this.retryable = /unavailable|limit|held/.test(code);
  }
  name = /** @type {const} */ ("TicketdError");
}
