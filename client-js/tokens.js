// Tokens that say who one is, where they are asked for each time.

import { TicketdError } from "./error.js";

/** @import { ConnectOptions } from "./index.d.ts" */

/** How long one waits for a token, in ms. */
const TOKEN_MS = 15_000;

/**
 * @param {ConnectOptions["token"]} give What gives them, if it is that.
 * @param {(got: { token?: string, cause?: TicketdError }) => void} run Called with what each call came to.
 */
export const tokens = (give, run) => {
  let /** @type {AbortController | undefined} */ call;
  /** @param {Error} [why] */
  const stop = (why) => call?.abort(why);
  return {
    stop,

    /** One call at a time: when one is under way, what comes of it will do. @param {"connect" | "expiring" | "refused"} reason */
    async ask(reason) {
      if (call) return;
      const { signal } = (call = new AbortController());
      const timer = setTimeout(stop, TOKEN_MS, new Error("no answer in time"));
      let got;
      try {
        const late = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        const token = await Promise.race([/** @type {Function} */ (give)({ reason, signal }), late]);
        if (typeof token !== "string") throw new TypeError("it is no string");
        got = { token };
      } catch (cause) {
        got = { cause: new TicketdError("unavailable", `no token: ${/** @type {Error} */ (cause)?.message ?? cause}`, cause) };
      }
      clearTimeout(timer);
      call = undefined;
      run(got);
    },
  };
};
