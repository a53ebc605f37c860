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
 * @property {number} ttl @property {number} ping Both in ms.
 * @property {number} min @property {number} max Of the reconnect delay, in ms.
 * @property {number} attempt Grows with every attach. @property {number} tries Failed ones since the last success.
 * @property {string} [epoch] The server's run. @property {any[]} parts Of the state that is coming in.
 * @property {boolean} [leaving] The session is to be closed.
 * @property {TicketdError} [failure] Why the last attempt failed.
 *
 * @typedef {{ type: "up" | "message" | "fault" | "down" | "time" | "wake" | "hide" | "leave", message?: any,
 *   code?: number, reason?: string, random: number, cause?: any, final?: boolean }} Input `fault`: what the peer
 *   says is nonsense, which is the `cause`. `down` may have a cause, too, and be `final` for who was never connected.
 *
 * @typedef {["dial"] | ["drop"] | ["send", object] | ["pass", any] | ["open", any[], boolean]
 *   | ["recover"] | ["unsafe"] | ["lost", string, string, any?]} Effect
 */

/** How long `connect()` tries, in ms. */
export const CONNECT_MS = 30_000;
/** How long one who closes a session waits for the server, and for a line that is probed, in ms. */
const PATIENCE_MS = 2000;

/** What the close codes from 4500 on mean, if not that the session is lost. */
const CODES = ["forbidden", , , "protocol"];
const NONE = "no ticketd speaks so";
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
  ping: 0,
  tries: 0,
  parts: [],
  ...options,
});

/**
 * @param {Link} was @param {Input} input @param {number} now In ms, of a clock that goes on in sleep.
 * @returns {[Link, Effect[]]}
 */
export const step = (was, { type, message, code = 0, reason, random, cause, final }, now) => {
  let { phase, next, safe, end, session, ttl, ping, attempt, tries, epoch, parts, leaving, failure } = was;
  const /** @type {Effect[]} */ effects = [];
  const emit = (/** @type {Effect} */ ...effect) => effects.push(effect);

  const down = (/** @type {number} */ retry) => {
    emit("drop");
    if (phase === "open") emit("recover");
    phase = "down";
    next = retry;
  };
  // While the session can still be saved, time is left for some attempts more.
  const failed = (/** @type {string} */ code, why = "", error = new TicketdError(code, why)) => {
    failure = error;
    down(now + random * Math.min(was.max, was.min * 2 ** tries++, Math.max(was.min, (safe - now) / 4)));
  };
  const lose = (/** @type {string} */ code, why = "", /** @type {any} */ cause = undefined) => {
    emit("drop");
    phase = "closed";
    safe = end = next = Infinity;
    emit("lost", code, why, cause);
  };

  // The id of a heartbeat is odd and tells when it was sent; those of requests are even.
  const beat = (/** @type {object} */ frame) => emit("send", { id: Math.floor(now) * 2 + 1, ...frame });
  const hello = () =>
    beat({
      op: "hello",
      liveness: "beat",
      ...(session ? { session, attempt: ++attempt } : { name: was.name, ttl }),
    });
  const probe = () => beat({ op: "beat" });

  if (phase === "closed") return [was, effects];
  if (now >= safe) {
    safe = Infinity;
    // What an open line still has to say was said before: only the whole state can be trusted.
    if (phase === "open") {
      down(now);
      if (type === "message" || type === "down") type = "wake";
    }
    emit("unsafe");
  }
  if (type === "up") {
    parts = [];
    hello();
  } else if (type === "message") {
    const { id, part, ok, error, event } = message;
    const until = (id - 1) / 2 + ok?.ttl * 0.9;
    if (phase === "dialing") {
      // A large state comes in parts.
      parts = [...parts, ok ?? part];
      if (ok && !(ok.session && ok.epoch && ok.ttl > 0 && ok.ping > 0)) lose("protocol", NONE);
      // Said too long ago, it is no answer any more: the attempt ends by its patience.
      else if (until > now) {
        phase = "open";
        emit("open", parts, !!epoch && ok.epoch !== epoch);
        ({ session, ttl, ping, epoch } = ok);
        tries = 0;
        if (leaving) emit("send", BYE);
        else end = Infinity;
      } else if (error) {
        const gone = error.code === "session-not-found" && session;
        if (gone && !epoch) {
          session = undefined;
          hello();
        } else if (error.code === "unavailable") failed(error.code, error.message);
        else lose(gone ? "session-lost" : error.code, error.message);
      }
    } else if (event === "beat") probe();
    else if (id === BYE.id) lose("closed");
    else if (part) lose("protocol", NONE);
    // The session's own events are not the peer's to tell.
    else if (!(id % 2) && !/^(lost|recovered|statechange)$/.test(event)) emit("pass", message);
    if (phase === "open") next = now + ping * 1.5 + 100;
    if (until) safe = until;
  } else if (type === "down") {
    if (final && !epoch) lose(cause.code, cause.message, cause.cause);
    // Another page had this session, and counted by a clock that was ahead of ours. It is outdone,
    // for we come later; but once we were in, who outdoes us is the later one.
    else if (code === 4501 && session && !epoch && attempt < 2 ** 51) {
      attempt = attempt * 2 + LEAP;
      down(now);
    } else if (code >= 4500 && code !== 4505) lose(CODES[code - 4500] ?? "session-lost", reason);
    else failed(code === 4505 ? "limit" : "unavailable", reason || `closed with ${code}`, cause);
  } else if (type === "fault") {
    lose("protocol", `${NONE}: ${cause.message}`, cause);
  } else if (type === "hide") {
    down(Infinity);
  } else if (type === "wake") {
    if (phase === "down") next = now;
    if (phase === "open") {
      next = Math.min(next, now + PATIENCE_MS);
      probe();
    }
  } else if (type === "leave") {
    leaving = true;
    end = now + PATIENCE_MS;
    if (!session) lose("closed");
    else if (phase === "open") emit("send", BYE);
    else if (phase === "down") next = now;
  } else if (now >= next && phase !== "down") {
    failed("unavailable", "no answer in time");
  }
  if (now >= end) lose("unavailable", failure && `given up: ${failure.message}`, failure);
  if (now >= next && phase === "down") {
    phase = "dialing";
    next = now + Math.min(ttl, 30_000) / 3 + 250;
    emit("dial");
  }
  return [
    { ...was, phase, next, safe, end, session, ttl, ping, attempt, tries, epoch, parts, leaving, failure },
    effects,
  ];
};
