// Names of the wire, by what they mean to the helper. Each is meant exactly; docs/protocol.md has them all.

/** Requests that give up a hold, and leave the ticket. */
export const RELEASES = ["unlock", "release"];

/**
 * What events change, beside that they are dispatched.
 * @type {Map<string | undefined, "granted" | "unplaced" | "taken" | "updated" | "changed" | "blinded">}
 */
export const EVENTS = new Map([
  ["lock-granted", "granted"],
  ["ticket-granted", "granted"],
  ["wait-ended", "unplaced"],
  ["lock-lost", "taken"],
  ["ticket-revoked", "taken"],
  ["ticket-taken", "taken"],
  ["ticket-updated", "updated"],
  ["resource-changed", "changed"],
  ["watch-ended", "blinded"],
]);

/** Errors of the helper's own: what is to be given up is lost already. */
export const LOST = ["session-lost", "ticket-revoked"];
/** Errors of the server: what is named is not there, or not one's own. */
export const MISSING = ["session-not-found", "resource-not-found", "ticket-not-found", "not-locked", "not-holder"];
/** Errors after which the same may succeed later. */
export const RETRYABLE = ["unavailable", "limit", "ticket-held"];

/** Close codes. Those below this one say "come back". */
export const FINAL = 4500;
/** Another socket has the session. */
export const REPLACED = 4501;
/** Too many connections from one address: it may pass. */
export const CROWDED = 4505;
/** What those from 4500 on mean, if not that the session is lost. */
export const CLOSED = ["forbidden", , , "protocol"];
