// A session, as it is shown: what one may ask of it, and what becomes of its connection.

import { never } from "./abort.js";
import { clock } from "./clock.js";
import { TicketdError } from "./error.js";
import { issuing } from "./hold.js";
import { claiming, watching } from "./iterators.js";
import { locks, webLocks } from "./locks.js";
import { Tables } from "./tables.js";
import { open } from "./transport.js";

/** @import { Session } from "./index.d.ts" */
/** @import { Ok } from "./wire.d.ts" */

/**
 * A session as it is shown, before it is open.
 * @param {Tables} tables @param {AbortSignal} signal @param {Promise<void>} closed
 * @param {() => Promise<void>} close
 */
const show = (tables, signal, closed, close) => {
  const face = {
    id: "",
    ref: "",
    name: "",
    state: "connecting",
    signal,
    closed,
    ...locks(tables),
    locks: webLocks(tables),
    ...issuing(tables),
    ...claiming(tables),
    ...watching(tables),
    close,
    [Symbol.asyncDispose]: close,
  };
  // The types of index.d.ts say more: who does not try gets what it asks for.
  return /** @type {{ -readonly [K in keyof Session]: Session[K] }} */ (
    Object.assign(new EventTarget(), /** @type {object} */ (face))
  );
};

/**
 * @param {Parameters<typeof open>[0]} options
 * @param {(session: Session) => void} resolve @param {(error: TicketdError) => void} reject
 * @returns {Session}
 */
export const begin = (options, resolve, reject) => {
  const { ttl, min, max, token = "" } = options;
  // What is a number and too small, or too large, the server refuses.
  if (!(Number.isInteger(ttl) && min >= 0 && max >= 0)) {
    throw new TicketdError("bad-request", "ttl and backoff are in ms");
  }
  if (!["string", "function"].includes(typeof token)) throw new TypeError("token is a string or a function");
  let settle = never;
  const closed = new Promise((/** @type {(value: void) => void} */ resolve) => (settle = resolve));
  const end = new AbortController();
  const now = clock();
  const known = new Tables(
    (message) => session.state === "open" && send(message),
    () => expired(),
    now,
  );

  const dispatch = (/** @type {string} */ type, /** @type {object} */ detail) =>
    session.dispatchEvent(new CustomEvent(type, { detail }));
  const become = (/** @type {Session["state"]} */ to, from = session.state) => {
    session.state = to;
    known.flush();
    dispatch("statechange", { from, to });
  };
  const finish = (/** @type {TicketdError} */ error) => {
    known.end(error);
    become("closed");
    end.abort(error);
  };

  const { run, send, expired } = open({ ...options, now }, end.signal, {
    pass(message) {
      known.hear(message);
      const { event, ...detail } = message;
      if (event) dispatch(event, detail);
    },
    recover() {
      if (!known.over) become("recovering");
    },
    unsafe: () => known.expire(),
    open(parts, restarted) {
      if (known.over) return;
      const { first } = known;
      known.resume(parts);
      ({ session: session.id = "", ref: known.ref = "", name: session.name = "" } = /** @type {Ok} */ (parts.at(-1)));
      session.ref = known.ref;
      become("open");
      if (!first) dispatch("recovered", { restarted });
      resolve(session);
    },
    lost(reason) {
      if (!known.over) {
        finish(reason);
        dispatch("lost", { reason });
        reject(reason);
      }
      settle();
    },
  });

  const session = show(known, end.signal, closed, () => {
    if (!known.over) {
      finish(new TicketdError("closed"));
      run("leave");
    }
    return closed;
  });
  run("time");
  return session;
};
