// The core: how a session's connection behaves. Pure: it opens no socket, sets no timer, reads no
// clock and draws no lots. step(link, input, now) says what the link is next, and what to do.
//
// The promise about loss stands or falls here. `safe` is the moment up to which the server cannot
// have ended the session: the TTL, counted from when the last heartbeat that it acknowledged was
// *sent*, less a margin.

import { CLOSED, CROWDED, FINAL, REPLACED } from "./codes.js";
import { TicketdError } from "./error.js";

/** @import { Message, Ok } from "./wire.d.ts" */

/**
 * @typedef {object} Link
 * @property {"down" | "asking" | "dialing" | "open" | "closed"} phase Asking: for a token, before it dials.
 * @property {number} next When to dial again (down), to end the attempt (dialing), or to take the
 *   connection for dead (open). Whoever gives tokens sees to the end of asking.
 * @property {number} safe Up to when what is held is certainly still held.
 * @property {number} end When to give up altogether.
 * @property {string} [name] @property {string} [session] Its id, once there is one.
 * @property {number} ttl @property {number} ping Both in ms.
 * @property {number} min @property {number} max Of the reconnect delay, in ms.
 * @property {number} attempt Grows with every attach.
 * @property {number} tries Failed attempts since the last success.
 * @property {string} [epoch] The server's run. @property {(Ok | undefined)[]} parts Of the state that is coming in.
 * @property {boolean} [leaving] The session is to be closed.
 * @property {string} [token] Who one is. @property {boolean} [asks] It is asked for each time.
 * @property {boolean} [refused] It was not good, and another was asked for.
 * @property {TicketdError} [failure] Why the last attempt failed.
 *
 * @typedef {object} Input
 * @property {"up" | "message" | "token" | "fault" | "down" | "time" | "wake" | "hide" | "leave"} type
 * @property {Message} [message] @property {number} [code] @property {string} [reason] @property {number} random
 * @property {TicketdError} [cause] Of a `fault`, such as a peer that does not speak this protocol; of `down` at times; of
 *   a `token` that there is not.
 * @property {string} [token]
 *
 * @typedef {["dial", boolean] | ["ask", "connect" | "expiring" | "refused"] | ["drop"] | ["send", object] | ["pass", Message] | ["open", (Ok | undefined)[], boolean]
 *   | ["recover"] | ["unsafe"] | ["lost", TicketdError]} Effect
 *
 * @typedef {Link & { now: number, random: number, effects: Effect[] }} Step What the link becomes, when and by which lot,
 *   and what is done.
 */

/** How long `connect()` tries, in ms. */
export const CONNECT_MS = 30_000;
/** How long one who closes a session waits for the server, and for a connection that is probed, in ms. */
const PATIENCE_MS = 2000;

/** Of what speaks otherwise, or not at all. */
export const NONE = "no ticketd there";
const BYE = { id: 0, op: "bye" };
/** Added to an attempt that was too low: above every wall clock's ms until 2033. */
const LEAP = 2e12;

/**
 * @param {{ name?: string, ttl: number, session?: string, attempt: number, min: number, max: number, token?: string,
 *   asks?: boolean }} options
 * @param {number} now @returns {Link}
 */
export const link = (options, now) => ({
  phase: "down",
  next: now,
  safe: Infinity,
  end: now + CONNECT_MS,
  tries: 0,
  ping: 0,
  parts: [],
  ...options,
});

/** @param {Step} is @param {Effect} effect */
const emit = (is, ...effect) => is.effects.push(effect);

/** @param {Step} is @param {number} retry When to dial again. */
const disconnect = (is, retry) => {
  emit(is, "drop");
  if (is.phase === "open") emit(is, "recover");
  is.phase = "down";
  is.next = retry;
};

/**
 * While the session can still be saved, time is left for some attempts more.
 * @param {Step} is @param {TicketdError} failure
 */
const fail = (is, failure) => {
  const { now, random, max, min, safe } = is;
  is.failure = failure;
  disconnect(is, now + random * Math.min(max, min * 2 ** is.tries++ || 0, Math.max(min, (safe - now) / 4)));
};

/** @param {Step} is @param {TicketdError} failure Final, but to who has had the session. */
const failAtFirst = (is, failure) => (is.epoch ? fail : lose)(is, failure);

/** @param {Step} is @param {TicketdError} error */
const lose = (is, error) => {
  emit(is, "drop");
  is.phase = "closed";
  is.safe = is.end = is.next = Infinity;
  emit(is, "lost", error);
};

/** @param {Step} is */
const dial = (is) => {
  is.phase = "dialing";
  is.next = is.now + Math.min(is.ttl, 30_000) / 3 + 250;
  emit(is, "dial", !!is.epoch);
};

/** @param {Step} is @param {"connect" | "refused"} why */
const ask = (is, why) => {
  is.phase = "asking";
  is.next = Infinity;
  emit(is, "ask", why);
};

/** The id of a heartbeat is odd and tells when it was sent; those of requests are even. @param {Step} is */
const beat = (is, /** @type {object} */ frame = { op: "beat" }) =>
  emit(is, "send", { id: Math.floor(is.now) * 2 + 1, ...frame });

/** @param {Step} is */
const hello = (is) =>
  beat(is, {
    op: "hello",
    liveness: "beat",
    token: is.token || undefined,
    ...(is.session ? { session: is.session, attempt: ++is.attempt } : { name: is.name, ttl: is.ttl }),
  });

/**
 * While the hello is not answered.
 * @param {Step} is @param {Message} message @param {number} until When that is acknowledged, one is safe until then.
 */
const greeted = (is, { part, ok, error }, until) => {
  // A large state comes in parts.
  is.parts = [...is.parts, ok ?? part];
  // Said too long ago, or no state, it is no answer: the attempt ends by its patience.
  if (until > is.now && ok?.session && ok.epoch && (ok.ping ?? 0) > 0) {
    is.phase = "open";
    emit(is, "open", is.parts, !!is.epoch && ok.epoch !== is.epoch);
    const { session, ttl, ping, epoch } = ok;
    Object.assign(is, { session, ttl, ping, epoch, tries: 0, refused: false });
    if (is.leaving) emit(is, "send", BYE);
    else is.end = Infinity;
  } else if (error) {
    const gone = error.code === "session-not-found" && is.session;
    if (gone && !is.epoch) {
      is.session = undefined;
      hello(is);
    } else if (error.code === "unauthorized" && is.asks && !is.refused) {
      // The line would not wait for long.
      disconnect(is, is.now);
      is.refused = true;
      ask(is, "refused");
    } else if (error.code === "unavailable" || (error.retryable && is.epoch)) fail(is, error);
    else lose(is, gone ? new TicketdError("session-lost", error.message) : error);
  }
};

/** What is done about an input, by its type. @type {Record<Input["type"], (is: Step, input: Input) => void>} */
const inputs = {
  up(is) {
    is.parts = [];
    hello(is);
  },
  message(is, { message = {} }) {
    const { id = NaN, ok, event } = message;
    const until = (id - 1) / 2 + (ok?.ttl ?? NaN) * 0.9;
    if (is.phase === "dialing") greeted(is, message, until);
    else if (event === "beat") beat(is);
    else if (id === BYE.id) lose(is, new TicketdError("closed"));
    else if (!(id % 2)) emit(is, "pass", message);
    if (event === "token-expiring" && is.asks) emit(is, "ask", "expiring");
    if (is.phase === "open") is.next = is.now + is.ping * 1.5 + 100;
    if (until) is.safe = until;
  },
  down(is, { code = 0, reason, cause }) {
    // Another page had this session, and counted by a clock that was ahead of ours. It is outdone,
    // for we come later; but once we were in, who outdoes us is the later one.
    if (code === REPLACED && is.session && !is.epoch && is.attempt < 2 ** 51) {
      is.attempt = is.attempt * 2 + LEAP;
      disconnect(is, is.now);
    } else if (code >= FINAL && code !== CROWDED) {
      lose(is, new TicketdError(CLOSED[code - FINAL] ?? "session-lost", reason));
    } else {
      fail(is, cause ?? new TicketdError(code === CROWDED ? "limit" : "unavailable", reason || `closed with ${code}`));
    }
  },
  token(is, { token, cause }) {
    // Nothing that one has depends on it.
    if (is.phase === "open" && token) beat(is, { op: "auth", token });
    if (is.phase !== "asking") return;
    is.token = token;
    if (cause) failAtFirst(is, cause);
    else dial(is);
  },
  fault(is, { cause }) {
    // Who has had the session tries on: what answered may have been something in between.
    (is.phase === "dialing" ? failAtFirst : lose)(is, /** @type {TicketdError} */ (cause));
  },
  hide(is) {
    disconnect(is, Infinity);
  },
  wake(is) {
    if (is.phase === "down") is.next = is.now;
    if (is.phase === "open") {
      is.next = Math.min(is.next, is.now + PATIENCE_MS);
      beat(is);
    }
  },
  leave(is) {
    is.leaving = true;
    is.end = is.now + PATIENCE_MS;
    if (!is.session) lose(is, new TicketdError("closed"));
    else if (is.phase === "open") emit(is, "send", BYE);
    else if (is.phase === "down") is.next = is.now;
  },
  time(is) {
    if (is.now >= is.next && is.phase !== "down") fail(is, new TicketdError("unavailable", "no answer in time"));
  },
};

/**
 * @param {Link} was @param {Input} input @param {number} now In ms, of a clock that goes on in sleep.
 * @returns {[Link, Effect[]]}
 */
export const step = (was, input, now) => {
  if (was.phase === "closed") return [was, []];
  const /** @type {Step} */ is = { ...was, now, random: input.random, effects: [] };
  let { type } = input;
  if (now >= is.safe) {
    is.safe = Infinity;
    // What an open connection still has to say was said before: only the whole state can be trusted.
    if (is.phase === "open") {
      disconnect(is, now);
      if (type === "message" || type === "down") type = "wake";
    }
    emit(is, "unsafe");
  }
  inputs[type](is, input);
  const { failure } = is;
  if (now >= is.end) lose(is, new TicketdError("unavailable", failure?.message, failure));
  if (now >= is.next && is.phase === "down") {
    if (is.asks) ask(is, "connect");
    else dial(is);
  }
  return [is, is.effects];
};
