// ticketd-client: locks and tickets that span machines, in the shape of the browser's Web Locks.

import { onAbort } from "./abort.js";
import { TicketdError, traced } from "./error.js";
import { begin } from "./session.js";

/** @import { Session } from "./index.d.ts" */

export { TicketdError };

/** In Node it is `ws`, by the package's imports. Bundlers do not look into a variable. */
const WS = "#websocket";

/** @type {typeof import("./index.d.ts").connect} */
const dial = async (url, given) => {
  const { ttl = 10_000, signal, backoff, ...options } = given ?? {};
  const to = new URL(url, /** @type {URL & Location} */ (globalThis.location));
  to.protocol = to.protocol.replace("http", "ws");
  if (to.pathname === "/") to.pathname = "/api/v1/ws";
  const WebSocket =
    options.WebSocket ??
    globalThis.WebSocket ??
    (
      await import(/* webpackIgnore: true */ /* @vite-ignore */ WS).catch((cause) => {
        throw new TicketdError("no-websocket", "no WebSocket: npm install ws", cause);
      })
    ).default;
  signal?.throwIfAborted();
  let /** @type {Session} */ session;
  let /** @type {(reason: unknown) => void} */ fail;
  const forget = onAbort(signal, () => {
    fail(/** @type {AbortSignal} */ (signal).reason);
    session.close();
  });
  return new Promise((resolve, reject) => {
    fail = reject;
    session = begin(
      { min: 100, max: 10_000, ...backoff, ...options, url: to.href, WebSocket, ttl, attempt: Date.now() },
      resolve,
      reject,
    );
  }).finally(forget);
};

/** @type {typeof import("./index.d.ts").connect} */
export const connect = (url, given) => traced(dial(url, given), given?.signal);
