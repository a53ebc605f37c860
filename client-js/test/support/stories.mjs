// Stories of the connection's core: no socket, no timer, no clock. Each is a table: the time in ms, what comes in, what is
// done about it; after a `;` what the link then looks like.

import assert from "node:assert/strict";
import test from "node:test";

import { TicketdError } from "../../error.js";
import { link as begin, step } from "../../core.js";

/** When it must be stepped next, if nothing comes in. */
export const due = ({ safe, end, next }) => Math.min(safe, end, next);

export const freeze = (value) => {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze);
  return value;
};

/** What the server says in a story, in few words. */
const says = (word, rest, link) => {
  const [what, id] = word.split("#");
  const more = rest ? JSON.parse(rest) : {};
  const lists = { holds: [], waits: [], watches: [], issued: [] };
  const state = { session: "S1", name: "n", ttl: link.ttl, ping: 3000, epoch: "E1", ...lists, ...more };
  return {
    welcome: { id: +id, ok: state },
    part: { id: +id, part: more },
    refused: { id: +id, error: Object.assign(new TicketdError(rest?.slice(1, -1)), { message: "" }) },
    beat: { event: "beat" },
    beaten: { id: +id, ok: { ttl: link.ttl } },
    answer: { id: +id, ok: more },
    event: { event: rest?.slice(1, -1) },
  }[what];
};

const members = (value) => Object.entries(value).map(([key, value]) => ` ${key}=${value}`).join("");

const shown = ([what, ...args]) => {
  if (what === "send") {
    const { id, op, ...rest } = args[0];
    return `send ${op}#${id}${members(JSON.parse(JSON.stringify(rest)))}`;
  }
  if (what === "open") {
    const [{ session }] = args[0].slice(-1);
    const holds = args[0].flatMap((part) => part?.holds ?? []);
    return `open ${session}${holds.length ? ` holds=${holds}` : ""}${args[1] ? " restarted" : ""}`;
  }
  if (what === "ask") return `ask ${args[0]}`;
  if (what === "pass") return `pass ${args[0].event ?? `#${args[0].id}`}`;
  if (what === "lost") {
    const [{ code, message }] = args;
    return `lost ${code}${["", code].includes(message) ? "" : ` ${message}`}`;
  }
  return what;
};

/** Plays a story; gives back the link at its end. */
const play = (text, options = {}) => {
  let link = freeze(begin({ ttl: 10_000, min: 100, max: 1000, attempt: 40, ...options }, 0));
  const told = [];
  for (const line of text.trim().split("\n").map((line) => line.trim())) {
    if (!line || line.startsWith("#")) continue;
    const [, at, word, rest, chance] = /^(\d+)\s+(\S+)(?:\s+(?!~|->)(.*?))?(?:\s+~([\d.]+))?\s*->/.exec(line);
    const input = { type: word, random: Number(chance ?? 1) };
    if (word === "fault") input.cause = new TicketdError("protocol", rest);
    else if (word === "token") Object.assign(input, { token: rest });
    else if (word === "tokenless") Object.assign(input, { type: "token", cause: new TicketdError("unavailable", rest) });
    else if (!["up", "down", "time", "wake", "hide", "leave"].includes(word)) {
      input.type = "message";
      input.message = freeze(says(word, rest, link));
      assert.ok(input.message, line);
    } else if (word === "down") {
      const [code, ...reason] = (rest ?? "1006").split(" ");
      Object.assign(input, { code: +code, reason: reason.join(" ") });
    }
    const [after, effects] = step(link, freeze(input), +at);
    link = freeze(after);
    const state = /;(.*)/.exec(line)?.[1].trim().split(/\s+/) ?? [];
    const is = state.map((part) => `${part.split("=")[0]}=${link[part.split("=")[0]]}`).join(" ");
    told.push(`${line.split("->")[0]}->${[effects.map(shown).join(", "), is].map((s, n) => (s ? `${n ? " ; " : " "}${s}` : "")).join("")}`);
  }
  const meant = text.trim().split("\n").map((line) => line.trim().replace(/\s*;\s*/, " ; ")).filter((line) => line && !line.startsWith("#"));
  assert.deepEqual(told.map((l) => l.trimEnd()), meant.map((l) => l.trimEnd()));
  return link;
};

export const story = (name, text, options) => test(name, () => void play(text, options));

/** Every story with an open line begins so. It was sent at 10, so all is safe until 10 + 9000. */
export const OPEN = `
  0 time -> dial
  10 up -> send hello#21 liveness=beat ttl=10000
  20 welcome#21 -> open S1 ; phase=open safe=9010 next=4620`;
