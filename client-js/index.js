// ticketd-client: locks and tickets that span machines, in the shape of the browser's Web Locks.

import { TicketdError } from "./error.js";
import { begin } from "./session.js";

export { TicketdError };

/** @type {typeof import("./index.js").connect} */
export const connect = async (url, { ttl = 10_000, signal, backoff, ...options } = {}) => {
  const to = new URL(url, globalThis.location?.href);
  to.protocol = to.protocol.replace("http", "ws");
  if (to.pathname === "/") to.pathname = "/api/v1/ws";
  const WebSocket =
    options.WebSocket ??
    globalThis.WebSocket ??
    (await import("#websocket").then((ws) => ws.default, () => {}));
  if (!WebSocket) throw new TypeError("no WebSocket: install ws");
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const leave = () => {
      reject(signal?.reason);
      session.close();
    };
    const done = (/** @type {(value: any) => void} */ how) => (/** @type {any} */ value) => {
      signal?.removeEventListener("abort", leave);
      how(value);
    };
    signal?.addEventListener("abort", leave);
    const session = begin(
      { min: 100, max: 10_000, ...backoff, ...options, url: to.href, WebSocket, ttl, attempt: Date.now() },
      done(resolve),
      done(reject),
    );
  });
};
