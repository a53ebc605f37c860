// Names of resources and tickets, and what is known by them.

import { TicketdError } from "./error.js";

/** A key: those of locks and of tickets are never the same. @param {(string | string[] | undefined)[]} names */
export const named = (...names) => JSON.stringify(names);

/**
 * Under what something is known: holds by their fence, what is issued by its name.
 * @param {{ resource?: string, ticket?: string, fence?: number }} what @returns {number | string}
 */
export const keyOf = ({ resource, ticket, fence }) => fence ?? named(resource, ticket);

/** Whether it is one to the server too. @param {unknown} name */
export const isName = (name) =>
  typeof name === "string" && /^[^\p{Cc}\p{Cs}]+$/u.test(name) && new TextEncoder().encode(name).length < 256;

/** What is no name, the server would refuse, or close the connection for. @param {unknown} name */
export const check = (name) => {
  if (!isName(name)) throw new TicketdError("bad-request", "a name is 1 to 255 bytes, no controls");
};
