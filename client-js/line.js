// The thin part around the heart: one socket, one timer, and what the page tells of itself.

import { clock } from "./clock.js";
import { link as start, step } from "./link.js";

/** @import { Input, Link } from "./link.js" */

/**
 * @param {{ url: string, WebSocket: any, bye?: boolean } & Parameters<typeof start>[0]} options
 * @param {Record<string, (...what: any[]) => void>} on What is to be done beside the line's own: an
 *   effect's name and its arguments.
 */
export const open = ({ url, WebSocket, bye, ...options }, on) => {
  const now = clock();
  let /** @type {Link} */ link = start(options, now());
  let /** @type {any} */ socket;
  let /** @type {ReturnType<typeof setTimeout>} */ timer;
  let running = false;
  const /** @type {Input[]} */ inputs = [];

  const /** @type {Record<string, (...what: any[]) => any>} */ effects = {
    dial() {
      const mine = (socket = new WebSocket(url, "ticketd.v1"));
      listen("add");
      mine.onopen = () => run("up");
      mine.onclose = (/** @type {any} */ { code, reason }) => run("down", { code, reason });
      // The close that follows says it; without this `ws` would throw it.
      mine.onerror = () => {};
      // Who has agreed to the subprotocol speaks JSON.
      mine.onmessage = (/** @type {any} */ event) => run("message", { message: JSON.parse(event.data) });
    },
    drop() {
      const old = socket;
      socket = undefined;
      if (!old) return;
      // Errors are still heard, and passed over: `ws` would throw them.
      old.onopen = old.onmessage = old.onclose = null;
      old.close();
      // `ws` waits long for the other end of a dead line to close, and keeps the process up meanwhile.
      setTimeout(() => old.terminate?.(), 1000).unref?.();
    },
    send(/** @type {object} */ frame) {
      if (socket?.readyState !== 1) return;
      socket.send(JSON.stringify(frame));
      return true;
    },
    ...on,
  };

  const run = (/** @type {Input["type"]} */ type, /** @type {object} */ rest = {}) => {
    inputs.push({ type, random: Math.random(), ...rest });
    if (running) return;
    running = true;
    for (let input; (input = inputs.shift()); ) {
      const [after, todo] = step(link, input, now());
      for (const [what, ...args] of todo) effects[what](...args);
      // Only now: who looks meanwhile is told what the last of these will tell all.
      link = after;
    }
    running = false;
    clearTimeout(timer);
    if (link.phase === "closed") listen("remove");
    else timer = setTimeout(run, Math.min(Math.min(link.safe, link.end, link.next) - now(), 1e9), "time");
  };

  /** The page comes and goes. */
  const heard = (/** @type {any} */ { type, persisted }) => {
    if (type === "pagehide") run(bye && !persisted ? "leave" : "hide");
    else if (type !== "visibilitychange" || document.visibilityState === "visible") run("wake");
  };
  const listen = (/** @type {"add" | "remove"} */ how) =>
    ["online", "visibilitychange", "pageshow", "pagehide"].forEach((type) =>
      globalThis[`${how}EventListener`]?.(type, heard),
    );

  /** Whether it is too late. A timer may be late; asking is not. */
  const look = () => now() >= link.safe && (run("time"), true);

  return /** @type {const} */ ([run, effects.send, look]);
};
