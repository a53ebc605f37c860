// The one kind of error that the helper makes.

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
    this.retryable = /unavailable|limit|held/.test(code);
  }
  name = /** @type {const} */ ("TicketdError");
}
