// The data of a ticket, from and to the wire: text when it is UTF-8, else base64. What is far too
// long is cut to what is still too long.

/** @param {string | Uint8Array | undefined} data */
export const pack = (data) =>
  typeof data === "object" ? { data64: btoa(String.fromCharCode(...data.slice(0, 20_000))) } : { data };

/** @param {{ data?: string, data64?: string }} wire @returns {Uint8Array} */
export const unpack = ({ data, data64 }) =>
  data64 === undefined
    ? new TextEncoder().encode(data)
    : Uint8Array.from(atob(data64), (c) => c.charCodeAt(0));
