// Much at once, for what must work with much: tickets and locks by sockets whose frames do not wait for each other.

import WebSocket from "ws";

import { raw } from "./raw.mjs";
import { soon } from "./until.mjs";

/** How long it may take, in ms. */
const PATIENCE = 60_000;

/**
 * So many resources with a free ticket each.
 * @param {string} url @param {number} count @param {(n: number) => string} name
 */
export const fill = async (url, count, name) => {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/ws`, "ticketd.v1");
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const filled = new Promise((resolve, reject) =>
    socket.on("message", (data) => {
      const { id, error } = JSON.parse(String(data));
      if (error) reject(new Error(error.message));
      if (id === count) resolve(undefined);
    }),
  );
  socket.send(JSON.stringify({ id: 0, op: "hello", name: "issuer", ttl: 600_000 }));
  for (let n = 0; n < count; n++) {
    socket.send(JSON.stringify({ id: n + 1, op: "issue", resource: name(n), ticket: "t" }));
  }
  await soon(`${count} resources`, filled, PATIENCE);
};

/**
 * A lock that the first of these holds and for which the others wait, each by a session of its own.
 * @param {string} url @param {string} resource @param {string[]} names
 */
export const queue = async (url, resource, names) => {
  const all = [];
  for (const name of names) {
    const one = await raw(url);
    await one.say({ op: "hello", name, ttl: PATIENCE });
    all.push(Object.assign(one, { answer: (await one.say({ op: "lock", resource, wait: true })).ok }));
  }
  return all;
};
