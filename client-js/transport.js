// The thin part around the core: one socket, one timer, and what the page tells of itself.

import { NONE, link as start, step } from "./core.js";
import { TicketdError } from "./error.js";
import { tokens } from "./tokens.js";

/** @import { Input, Link } from "./core.js" */
/** @import { Message, Ok } from "./wire.d.ts" */
/** @import { ConnectOptions, WebSocketLike } from "./index.d.ts" */

/** @typedef {new (url: string, protocol: string) => WebSocketLike & { terminate?(): void }} Dialer */
/** @typedef {{ message?: string, code?: string }} Reason Why a socket did not open, as `ws` and Node tell it. */

/**
 * What is none of the messages that one knows is passed over, or ends in an error.
 * @param {string} data @returns {Message}
 */
const parse = (data) => {
  const { error, ...message } = JSON.parse(data);
  if (error) message.error = new TicketdError(`${error.code}` || "protocol", error.message);
  return message;
};

/** What is final, by what is said of it; its code, and what that means. @type {[RegExp, string?, string?][]} */
const REFUSALS = [
  [/ 401/, "unauthorized"],
  [/ 403/, "forbidden", "(--allow-origin? --host?) "],
  [/NOTFOUND/],
  // Those pass that say "later", or (426) that no upgrade got through, as a ticketd says to `fetch`. What `ws` says of
  // nonsense has no code.
  [/: [1-4](?!08|2[569])|^undefined (Inv|Ser)|PROTO|SSL|CERT|SIGN|HPE/, "protocol", `${NONE} (http or https?): `],
];

/**
 * Why a socket did not open.
 *
 * @param {string} url @param {Reason | undefined} error As `ws` tells it. Browsers, and Node's own WebSocket, do not.
 * @param {AbortSignal} signal
 * @returns {Promise<[Input["type"], TicketdError]>} What that is to the link.
 */
const refusal = async (url, error, signal) => {
  const to = new URL(url.replace("ws", "http"));
  let why = error;
  if (!why || /non-101/.test(`${why}`)) {
    // Pages of other origins may ask for the first, too, though they do not see the answer.
    why = await fetch(new URL("../../healthz", to), { mode: "no-cors", signal })
      .then(() => fetch(to, { signal }).catch(() => ({ status: 403 })))
      .then(({ status }) => new Error(`response: ${status}`), ({ cause }) => cause ?? new Error("no server there"));
  }
  const { code: errno, message } = /** @type {Reason} */ (why);
  const said = message || errno;
  const final = REFUSALS.find(([of]) => of.test(`${errno} ${said}`));
  const [, code = "unavailable", means = ""] = final ?? [];
  return [final ? "fault" : "down", new TicketdError(code, `${to.host}${to.pathname}: ${means}${said}`, why)];
};

/**
 * Tells what the page goes through, as inputs.
 * @param {(type: Input["type"]) => void} run @param {boolean | undefined} bye @param {AbortSignal} signal Ends it.
 */
const follow = (run, bye, signal) => {
  for (const type of ["online", "visibilitychange", "pageshow", "pagehide"]) {
    globalThis.addEventListener?.(
      type,
      (event) => {
        const { persisted } = /** @type {PageTransitionEvent} */ (event);
        if (type === "pagehide") run(bye && !persisted ? "leave" : "hide");
        // It is hidden right after a pagehide, too.
        else if (type !== "visibilitychange" || document.visibilityState === "visible") run("wake");
      },
      { signal },
    );
  }
};

/**
 * The socket: what the core says to do with it.
 * @param {{ url: string, WebSocket: Dialer }} options @param {AbortSignal} signal
 * @param {(type: Input["type"], rest?: object) => void} run
 */
const socketOf = ({ url, WebSocket }, signal, run) => {
  let /** @type {InstanceType<Dialer> | undefined} */ socket;
  return {
    /** @param {boolean} opened Whether one has been before, so that nothing is wrong with the url. */
    dial(opened) {
      // It throws when the scheme is none, and at https to ws.
      const mine = (socket = new WebSocket(url, "ticketd.v1"));
      let /** @type {Reason | undefined} */ error;
      mine.onopen = () => {
        opened = true;
        run("up");
      };
      mine.onclose = async ({ code, reason }) => {
        const /** @type {[Input["type"], TicketdError?]} */ [how, cause] = opened
          ? ["down"]
          : await refusal(url, error, signal);
        if (mine === socket) run(how, { code, reason, cause });
      };
      // The close that follows tells; without this `ws` would throw it.
      mine.onerror = (event) => (error = event.error);
      mine.onmessage = ({ data }) => run("message", { data });
    },
    drop() {
      const old = socket;
      socket = undefined;
      if (!old) return;
      // Errors are still heard, and passed over: `ws` would throw them.
      old.onopen = old.onmessage = old.onclose = null;
      old.close();
      // `ws` waits long for the other end of a dead connection to close, and keeps the process up meanwhile.
      setTimeout(() => old.terminate?.(), 1000).unref?.();
    },
    /** Whether it was sent. @param {object} frame */
    send(frame) {
      if (socket?.readyState !== 1) return false;
      socket.send(JSON.stringify(frame));
      return true;
    },
  };
};

/**
 * The effects that are not the transport's own.
 * @typedef {object} On
 * @property {(message: Message) => void} pass @property {() => void} recover @property {() => void} unsafe
 * @property {(parts: (Ok | undefined)[], restarted: boolean) => void} open
 * @property {(reason: TicketdError) => void} lost
 */

/**
 * @param {{ url: string, WebSocket: Dialer, bye?: boolean, token?: ConnectOptions["token"], now: () => number }
 *   & Omit<Parameters<typeof start>[0], "token">} options
 * @param {AbortSignal} signal Aborts at the end.
 * @param {On} on
 */
export const open = ({ url, WebSocket, bye, token, now, ...options }, signal, on) => {
  const asks = typeof token === "function";
  let link = start({ ...options, ...(asks ? { asks } : { token }) }, now());
  let /** @type {ReturnType<typeof setTimeout>} */ timer;
  let running = false;
  const /** @type {(Input & { data?: string })[]} */ inputs = [];

  const run = (/** @type {Input["type"]} */ type, /** @type {object} */ rest = {}) => {
    inputs.push({ type, random: Math.random(), ...rest });
    if (running) return;
    running = true;
    for (let input; (input = inputs.shift()); ) {
      let after = link;
      try {
        let todo;
        if (input.type === "message") input.message = parse(/** @type {string} */ (input.data));
        [after, todo] = step(link, input, now());
        for (const [what, ...args] of todo) effects[what](...args);
      } catch (cause) {
        // What does not hold together after it cannot be trusted any more: the session ends.
        run("fault", { cause: new TicketdError("protocol", `${NONE}: ${/** @type {Error} */ (cause).message}`, cause) });
      }
      // Only now: who looks meanwhile is told what the last of these will tell all.
      link = after;
    }
    running = false;
    clearTimeout(timer);
    if (link.phase === "closed") asking.stop();
    else {
      timer = setTimeout(run, Math.min(link.safe, link.end, link.next, now() + 1e9) - now(), "time");
    }
  };

  const socket = socketOf({ url, WebSocket }, signal, run);
  const asking = tokens(token, (rest) => run("token", rest));
  const effects = /** @type {Record<string, (...args: unknown[]) => void>} */ ({ ...socket, ...asking, ...on });
  follow(run, bye, signal);
  return {
    run,
    send: socket.send,
    /** Whether it is too late. A timer may be late; asking is not. */
    expired: () => now() >= link.safe && (run("time"), true),
  };
};
