// A bare socket that speaks the protocol, for what the helper itself would never do.

import WebSocket from "ws";

import { soon } from "./until.mjs";

/** @returns `say(frame)`, which gives the answer; `events`; `closed`, with the code; `close()`. */
export const raw = async (url) => {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/ws`, "ticketd.v1");
  const answers = new Map();
  const events = [];
  let last = 0;
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.event) events.push(message);
    else if (!message.part) answers.get(message.id)?.(message);
  });
  const closed = new Promise((resolve) => socket.on("close", (code) => resolve(code)));
  await soon("a socket", new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject)));
  return {
    events,
    closed,
    say(frame) {
      const id = ++last;
      socket.send(JSON.stringify({ id, ...frame }));
      return soon(`the answer to ${frame.op}`, new Promise((resolve) => answers.set(id, resolve)));
    },
    close: () => socket.terminate(),
  };
};
