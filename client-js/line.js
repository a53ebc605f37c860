// The thin part around the heart: one socket, one timer, and what the page tells of itself.

import { clock } from "./clock.js";
import { TicketdError } from "./error.js";
import { NONE, link as start, step } from "./link.js";

/** @import { Input, Link } from "./link.js" */

/** What is none of the messages that one knows is passed over, or ends in an error. @param {any} data */
const parse = (data) => {
  const { error, ...message } = JSON.parse(data);
  return { error: error && new TicketdError(`${error.code}` || "protocol", error.message), ...message };
};

/** What is final, by what is said of it; its code, and what that means. @type {[RegExp, string?, string?][]} */
const FINAL = [
  [/ 401/, "unauthorized"],
  [/ 403/, "forbidden", "(--allow-origin? --host?) "],
  [/NOTFOUND/],
  // Those pass that say "later", or (426) that no upgrade got through, as a ticketd says to `fetch`. What `ws` says of nonsense has no code.
  [/: [1-4](?!08|2[569])|^undefined (Inv|Ser)|PROTO|SSL|CERT|SIGN|HPE/, "protocol", `${NONE} (http or https?): `],
];

/**
 * Why a socket did not open.
 *
 * @param {string} url @param {any} error As `ws` tells it. Browsers, and Node's own WebSocket, do not.
 * @param {AbortSignal} signal
 * @returns {Promise<[Input["type"], TicketdError]>} What that is to the link.
 */
const refusal = async (url, error, signal) => {
  const to = new URL(url.replace("ws", "http"));
  if (!error || /non-101/.test(error)) {
    // Pages of other origins may ask for the first, too, though they do not see the answer.
    error = await fetch(new URL("../../healthz", to), { mode: "no-cors", signal })
      .then(() => fetch(to, { signal }).catch(() => ({ status: 403 })))
      .then(({ status }) => new Error(`response: ${status}`), ({ cause }) => cause ?? new Error("no server there"));
  }
  const said = error.message || error.code;
  const final = FINAL.find(([of]) => of.test(`${error.code} ${said}`));
  const [, code = "unavailable", why = ""] = final ?? [];
  return [final ? "fault" : "down", new TicketdError(code, `${to.host}${to.pathname}: ${why}${said}`, error)];
};

/**
 * @param {{ url: string, WebSocket: any, bye?: boolean } & Parameters<typeof start>[0]} options
 * @param {AbortSignal} signal Aborts at the end.
 * @param {Record<string, (...what: any[]) => void>} on What is to be done beside the line's own: an
 *   effect's name and its arguments.
 */
export const open = ({ url, WebSocket, bye, ...options }, signal, on) => {
  const now = clock();
  let /** @type {Link} */ link = start(options, now());
  let /** @type {any} */ socket;
  let /** @type {ReturnType<typeof setTimeout>} */ timer;
  let running = false;
  const /** @type {(Input & { data?: any })[]} */ inputs = [];

  const /** @type {Record<string, (...what: any[]) => any>} */ effects = {
    dial() {
      // It throws when the scheme is none, and at https to ws.
      const mine = (socket = new WebSocket(url, "ticketd.v1"));
      let /** @type {any} */ opened = link.epoch;
      let /** @type {any} */ error;
      mine.onopen = () => {
        opened = true;
        run("up");
      };
      mine.onclose = async (/** @type {any} */ { code, reason }) => {
        const /** @type {[Input["type"], any?]} */ [how, cause] = opened ? ["down"] : await refusal(url, error, signal);
        if (mine === socket) run(how, { code, reason, cause });
      };
      // The close that follows tells; without this `ws` would throw it.
      mine.onerror = (/** @type {any} */ event) => (error = event.error);
      mine.onmessage = (/** @type {any} */ { data }) => run("message", { data });
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
      let after = link;
      try {
        let todo;
        if (input.type === "message") input.message = parse(input.data);
        [after, todo] = step(link, input, now());
        for (const [what, ...args] of todo) effects[what](...args);
      } catch (cause) {
        // What does not hold together after it cannot be trusted any more: the session ends.
        run("fault", { cause: new TicketdError("protocol", `${NONE}: ${/** @type {any} */ (cause).message}`, cause) });
      }
      // Only now: who looks meanwhile is told what the last of these will tell all.
      link = after;
    }
    running = false;
    clearTimeout(timer);
    if (link.phase !== "closed") {
      timer = setTimeout(run, Math.min(link.safe, link.end, link.next, now() + 1e9) - now(), "time");
    }
  };

  // The page comes and goes.
  for (const type of ["online", "visibilitychange", "pageshow", "pagehide"]) {
    globalThis.addEventListener?.(
      type,
      (/** @type {any} */ { persisted }) => {
        if (type === "pagehide") run(bye && !persisted ? "leave" : "hide");
        else if (type !== "visibilitychange" || document.visibilityState === "visible") run("wake");
      },
      { signal },
    );
  }

  /** Whether it is too late. A timer may be late; asking is not. */
  const look = () => now() >= link.safe && (run("time"), true);

  return /** @type {const} */ ([run, effects.send, look]);
};
