// The data of a ticket, from and to the wire: text when it is UTF-8, else base64.

import { TicketdError } from "./error.js";

/** @import { Data } from "./wire.d.ts" */

/** @param {unknown} data @returns {Data} */
export const pack = (data) => {
  // Also when it is of another realm.
  const bytes = /** @type {Partial<Uint8Array>} */ (data)?.[Symbol.toStringTag] === "Uint8Array";
  // Half a surrogate is no text.
  if (!bytes && data !== undefined && (typeof data !== "string" || /\p{Cs}/u.test(data))) {
    throw new TypeError("data is text or a Uint8Array");
  }
  // Text may be too long all the same; a frame of the server's limit it is not.
  if (Object(data).length > 1024) throw new TicketdError("too-large");
  return bytes
    ? { data64: btoa(String.fromCharCode(.../** @type {Uint8Array} */ (data))) }
    : { data: /** @type {string | undefined} */ (data) };
};

/** @param {Data} wire @returns {Uint8Array} */
export const unpack = ({ data, data64 }) =>
  data64 === undefined
    ? new TextEncoder().encode(data)
    : Uint8Array.from(atob(data64), (c) => c.charCodeAt(0));
