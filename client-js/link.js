// The heart: how a session's connection behaves. Pure: it opens no socket, sets no timer, reads no
// clock and draws no lots. step(link, input, now) says what the link is next, and what to do.
//
// The promise about loss stands or falls here. `safe` is the moment up to which the server cannot
// have ended the session: the TTL, counted from when the last heartbeat that it acknowledged was
// *sent*, less a margin.

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
 *
 * @typedef {{ type: "up" | "message" | "down" | "time" | "wake" | "hide" | "leave", message?: any,
 *   code?: number, reason?: string, random: number }} Input
 *
 * @typedef {["dial"] | ["drop"] | ["send", object] | ["pass", any] | ["open", any[], boolean]
 *   | ["recover"] | ["unsafe"] | ["lost", string, string]} Effect
 */

/** How long `connect()` tries, in ms. */
export const CONNECT_MS = 30_000;
/** How long one who closes a session waits for the server, and for a line that is probed, in ms. */
const PATIENCE_MS = 2000;

/** What the close codes from 4500 on mean, if not that the session is lost. */
const CODES = ["forbidden", , , "protocol", , "limit"];
const BYE = { id: 0, op: "bye" };

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
export const step = (was, { type, message, code = 0, reason, random }, now) => {
  let { phase, next, safe, end, session, ttl, ping, attempt, tries, epoch, parts, leaving } = was;
  const /** @type {Effect[]} */ effects = [];
  const emit = (/** @type {Effect} */ ...effect) => effects.push(effect);

  const down = (/** @type {number} */ retry) => {
    emit("drop");
    if (phase === "open") emit("recover");
    phase = "down";
    next = retry;
  };
  // While the session can still be saved, time is left for some attempts more.
  const failed = () => down(now + random * Math.min(was.max, was.min * 2 ** tries++, Math.max(was.min, (safe - now) / 4)));
  const lose = (/** @type {string} */ code, why = "") => {
    emit("drop");
    phase = "closed";
    safe = end = next = Infinity;
    emit("lost", code, why);
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
      // Said too long ago, it is no answer any more: the attempt ends by its patience.
      if (until > now) {
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
        } else if (error.code === "unavailable") failed();
        else lose(gone ? "session-lost" : error.code, error.message);
      }
    } else if (event === "beat") probe();
    else if (id === BYE.id) lose("closed");
    else if (!(id % 2)) emit("pass", message);
    if (phase === "open") next = now + ping * 1.5 + 100;
    if (until) safe = until;
  } else if (type === "down") {
    if (code >= 4500) lose(CODES[code - 4500] ?? "session-lost", reason);
    else failed();
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
    failed();
  }
  if (now >= end) lose("unavailable");
  if (now >= next && phase === "down") {
    phase = "dialing";
    next = now + Math.min(ttl, 30_000) / 3 + 250;
    emit("dial");
  }
  return [
    { ...was, phase, next, safe, end, session, ttl, ping, attempt, tries, epoch, parts, leaving },
    effects,
  ];
};
