// The data of a ticket, from and to the wire: text when it is UTF-8, else base64. What is far too
// long is cut to what is still too long.

/** @param {any} data */
export const pack = (data) => {
  // Also when it is of another realm. Half a surrogate is no text.
  if (data?.[Symbol.toStringTag] === "Uint8Array") return { data64: btoa(String.fromCharCode(...data.slice(0, 20_000))) };
  if (data !== undefined && (typeof data !== "string" || /\p{Cs}/u.test(data))) {
    throw new TypeError("data is text or a Uint8Array; JSON.stringify() anything else");
  }
  return { data };
};

/** @param {{ data?: string, data64?: string }} wire @returns {Uint8Array} */
export const unpack = ({ data, data64 }) =>
  data64 === undefined
    ? new TextEncoder().encode(data)
    : Uint8Array.from(atob(data64), (c) => c.charCodeAt(0));
