// Names of the wire, by what they mean to the helper; docs/protocol.md has them all.

/** Requests that give up a hold, if they name a fence. */
export const GIVES_UP = /^(unlock|release|revoke)$/;

/** Errors of the helper's own: what is to be given up is lost already. */
export const LOST = /^(session-lost|ticket-revoked)$/;
/** Errors of the server: what is named is not there, or not one's own. */
export const MISSING = /not-(found|locked|holder)$/;
/** Errors after which the same may succeed later. */
export const RETRYABLE = /^(unavailable|limit|ticket-held)$/;

/** Close codes. Those below this one say "come back". */
export const FINAL = 4500;
/** Another socket has the session. */
export const REPLACED = 4501;
/** Too many connections from one address: it may pass. */
export const CROWDED = 4505;
/** What those from 4500 on mean, if not that the session is lost. */
export const CLOSED = ["forbidden", , , "protocol"];
