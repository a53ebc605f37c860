// The heart: how a session's connection behaves. Pure: it opens no socket, sets no timer, reads no
// clock and draws no lots. step(link, input, now) says what the link is next, and what to do.
//
// The promise about loss stands or falls here. `safe` is the moment up to which the server cannot
// have ended the session: the TTL, counted from when the last heartbeat that it acknowledged was
// *sent*, less a margin.

import { TicketdError } from "./error.js";

/**
 * @typedef {object} Link
 * @property {"down" | "dialing" | "open" | "closed"} phase
 * @property {number} next When to dial again (down), to end the attempt (dialing), or to take the
 *   line for dead (open).
 * @property {number} safe Up to when what is held is certainly still held.
 * @property {number} end When to give up altogether.
 * @property {string} [name] @property {string} [session] Its id, once there is one.
 * @property {number} ttl @property {any} [ping] Both in ms.
 * @property {number} min @property {number} max Of the reconnect delay, in ms.
 * @property {number} attempt Grows with every attach. @property {number} tries Failed ones since the last success.
 * @property {string} [epoch] The server's run. @property {any} [parts] Of the state that is coming in.
 * @property {boolean} [leaving] The session is to be closed.
 * @property {TicketdError} [failure] Why the last attempt failed.
 *
 * @typedef {{ type: "up" | "message" | "fault" | "down" | "time" | "wake" | "hide" | "leave", message?: any,
 *   code?: number, reason?: string, random: number, cause?: any }} Input Of a `fault`, like a peer that talks
 *   nonsense, the `cause` tells; of `down` it may.
 *
 * @typedef {["dial"] | ["drop"] | ["send", object] | ["pass", any] | ["open", any[], boolean]
 *   | ["recover"] | ["unsafe"] | ["lost", TicketdError]} Effect
 */

/** How long `connect()` tries, in ms. */
export const CONNECT_MS = 30_000;
/** How long one who closes a session waits for the server, and for a line that is probed, in ms. */
const PATIENCE_MS = 2000;

/** What the close codes from 4500 on mean, if not that the session is lost. */
const CODES = ["forbidden", , , "protocol"];
/** Of what speaks otherwise, or not at all. */
export const NONE = "no ticketd there";
const BYE = { id: 0, op: "bye" };
/** Added to an attempt that was too low: above every wall clock's ms until 2033. */
const LEAP = 2e12;

/**
 * @param {{ name?: string, ttl: number, session?: string, attempt: number, min: number, max: number }} options
 * @param {number} now @returns {Link}
 */
export const link = (options, now) => ({
  phase: "down",
  next: now,
  safe: Infinity,
  end: now + CONNECT_MS,
  tries: 0,
  ...options,
});

/**
 * @param {Link} was @param {Input} input @param {number} now In ms, of a clock that goes on in sleep.
 * @returns {[Link, Effect[]]}
 */
export const step = (was, { type, message, code = 0, reason, random, cause }, now) => {
  const is = { ...was };
  const /** @type {Effect[]} */ effects = [];
  const emit = (/** @type {Effect} */ ...effect) => effects.push(effect);

  const down = (/** @type {number} */ retry) => {
    emit("drop");
    if (is.phase === "open") emit("recover");
    is.phase = "down";
    is.next = retry;
  };
  // While the session can still be saved, time is left for some attempts more.
  const failed = (/** @type {TicketdError} */ failure) => {
    is.failure = failure;
    down(now + random * Math.min(is.max, is.min * 2 ** is.tries++ || 0, Math.max(is.min, (is.safe - now) / 4)));
  };
  const lose = (/** @type {TicketdError} */ error) => {
    emit("drop");
    is.phase = "closed";
    is.safe = is.end = is.next = Infinity;
    emit("lost", error);
  };

  // The id of a heartbeat is odd and tells when it was sent; those of requests are even.
  const beat = (/** @type {object} */ frame) => emit("send", { id: Math.floor(now) * 2 + 1, ...frame });
  const hello = () =>
    beat({
      op: "hello",
      liveness: "beat",
      ...(is.session ? { session: is.session, attempt: ++is.attempt } : { name: is.name, ttl: is.ttl }),
    });
  const probe = () => beat({ op: "beat" });

  if (is.phase === "closed") return [is, effects];
  if (now >= is.safe) {
    is.safe = Infinity;
    // What an open line still has to say was said before: only the whole state can be trusted.
    if (is.phase === "open") {
      down(now);
      if (type === "message" || type === "down") type = "wake";
    }
    emit("unsafe");
  }
  if (type === "up") {
    is.parts = [];
    hello();
  } else if (type === "message") {
    const { id, part, ok, error, event } = message;
    const until = (id - 1) / 2 + ok?.ttl * 0.9;
    if (is.phase === "dialing") {
      // A large state comes in parts.
      is.parts = [...is.parts, ok ?? part];
      // Said too long ago, or no state, it is no answer: the attempt ends by its patience.
      if (until > now && ok.session && ok.epoch && ok.ping > 0) {
        is.phase = "open";
        emit("open", is.parts, !!is.epoch && ok.epoch !== is.epoch);
        const { session, ttl, ping, epoch } = ok;
        Object.assign(is, { session, ttl, ping, epoch, tries: 0 });
        if (is.leaving) emit("send", BYE);
        else is.end = Infinity;
      } else if (error) {
        const gone = error.code === "session-not-found" && is.session;
        if (gone && !is.epoch) {
          is.session = undefined;
          hello();
        } else if (error.code === "unavailable") failed(error);
        else lose(gone ? new TicketdError("session-lost", error.message) : error);
      }
    } else if (event === "beat") probe();
    else if (id === BYE.id) lose(new TicketdError("closed"));
    else if (!(id % 2)) emit("pass", message);
    if (is.phase === "open") is.next = now + is.ping * 1.5 + 100;
    if (until) is.safe = until;
  } else if (type === "down") {
    // Another page had this session, and counted by a clock that was ahead of ours. It is outdone,
    // for we come later; but once we were in, who outdoes us is the later one.
    if (code === 4501 && is.session && !is.epoch && is.attempt < 2 ** 51) {
      is.attempt = is.attempt * 2 + LEAP;
      down(now);
    } else if (code >= 4500 && code !== 4505) lose(new TicketdError(CODES[code - 4500] ?? "session-lost", reason));
    else failed(cause ?? new TicketdError(code === 4505 ? "limit" : "unavailable", reason || `closed with ${code}`));
  } else if (type === "fault") {
    // Who has had the session tries on: what answered may have been something in between.
    if (is.epoch && is.phase === "dialing") failed(cause);
    else lose(cause);
  } else if (type === "hide") {
    down(Infinity);
  } else if (type === "wake") {
    if (is.phase === "down") is.next = now;
    if (is.phase === "open") {
      is.next = Math.min(is.next, now + PATIENCE_MS);
      probe();
    }
  } else if (type === "leave") {
    is.leaving = true;
    is.end = now + PATIENCE_MS;
    if (!is.session) lose(new TicketdError("closed"));
    else if (is.phase === "open") emit("send", BYE);
    else if (is.phase === "down") is.next = now;
  } else if (now >= is.next && is.phase !== "down") {
    failed(new TicketdError("unavailable", "no answer in time"));
  }
  const { failure } = is;
  if (now >= is.end) lose(new TicketdError("unavailable", failure?.message, failure));
  if (now >= is.next && is.phase === "down") {
    is.phase = "dialing";
    is.next = now + Math.min(is.ttl, 30_000) / 3 + 250;
    emit("dial");
  }
  return [is, effects];
};
