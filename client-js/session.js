// A session, as it is shown: what one may ask of it, and what becomes of its connection.

import { TicketdError, called } from "./error.js";
import { claims } from "./iterators.js";
import { tables } from "./tables.js";
import { open } from "./transport.js";

/** @import { LockOptions, Session } from "./index.d.ts" */
/** @import { Lock } from "./waitqueue.js" */
/** @import { Ok } from "./wire.d.ts" */

const never = () => {};

/**
 * Locks, runs, releases.
 * @param {Lock} take
 * @returns {(resource: string, ...rest: unknown[]) => Promise<unknown>} Of options, if there are some, and what to run.
 */
const withLock = (take) => async (resource, ...rest) => {
  const at = new Error();
  const run = rest.pop();
  const { mode = "exclusive", steal, ...options } = /** @type {LockOptions & { steal?: boolean }} */ (rest[0] ?? {});
  if (typeof run !== "function") throw new TypeError("no function");
  if (mode !== "exclusive" || steal) throw new TicketdError("bad-request", "locks are exclusive");
  const lock = await take(resource, options);
  let result;
  try {
    result = await run(lock);
  } catch (error) {
    await lock?.release().catch(never);
    throw error;
  }
  // What ran on after the loss ran beside the one who got the lock next.
  const why = lock?.signal.reason;
  const error = why && why.code !== "released" ? called(why, at) : await lock?.release().catch((error) => error);
  if (error) throw Object.assign(error, { result });
  return result;
};

/**
 * A session as it is shown, before it is open.
 * @param {ReturnType<typeof tables>["does"]} does @param {AbortSignal} signal @param {Promise<void>} closed
 * @param {() => Promise<void>} close
 */
const show = ({ lock, claim, issue, watch, query }, signal, closed, close) => {
  const request = withLock(lock);
  const face = {
    id: "",
    name: "",
    state: "connecting",
    signal,
    closed,
    lock,
    withLock: request,
    locks: { request, query },
    claim,
    claims: claims(claim),
    issue,
    watch,
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
  const { known, does, ...all } = tables(
    (message) => session.state === "open" && send(message),
    () => expired(),
  );

  const dispatch = (/** @type {string} */ type, /** @type {object} */ detail) =>
    session.dispatchEvent(new CustomEvent(type, { detail }));
  const become = (/** @type {Session["state"]} */ to, from = session.state) => {
    session.state = to;
    does.flush();
    dispatch("statechange", { from, to });
  };
  const finish = (/** @type {TicketdError} */ error) => {
    all.end(error);
    become("closed");
    end.abort(error);
  };

  const { run, send, expired } = open(options, end.signal, {
    pass(message) {
      all.hear(message);
      const { event, ...detail } = message;
      if (event) dispatch(event, detail);
    },
    recover() {
      if (!known.over) become("recovering");
    },
    unsafe: does.expire,
    open(parts, restarted) {
      if (known.over) return;
      const { first } = known;
      all.resume(parts);
      ({ session: session.id = "", name: session.name = "" } = /** @type {Ok} */ (parts.at(-1)));
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

  const session = show(does, end.signal, closed, () => {
    if (!known.over) {
      finish(new TicketdError("closed"));
      run("leave");
    }
    return closed;
  });
  run("time");
  return session;
};
