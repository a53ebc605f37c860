// A peer that agrees to ticketd.v1 and then talks nonsense. What is no JSON was an uncaught exception, which ends a
// process: whatever a peer says ends the session at most, and that is told where one hears of ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after } from "node:test";
import { WebSocketServer } from "ws";

import { TicketdError, connect } from "../index.js";
import { settled } from "./support/fake.mjs";
import { nothingUnheeded, random, soon, test } from "./support/until.mjs";

const uncaught = [];
process.on("uncaughtException", (error) => uncaught.push(error));
after(async () => {
  assert.deepEqual(uncaught, []);
  await nothingUnheeded();
});

/** Members that frames have, that they never have, and that objects have by themselves. */
const MEMBERS = [
  "id ok part error event code message resource ticket name fence wait reason data data64 issuer granted position kind",
  "free held waiting holds waits watches issued session epoch ttl ping resumed released cancelled changes claimed",
  "__proto__ constructor toString valueOf hasOwnProperty then length lock x",
].flatMap((names) => names.split(" "));
const EVENTS = [
  "beat lock-granted ticket-granted wait-ended lock-wanted lock-lost ticket-revoked ticket-updated ticket-claimed",
  "ticket-released ticket-taken ticket-available lock-available resource-changed going-away lost recovered statechange",
  "error abort __proto__ nonsense granted revoked",
].flatMap((names) => names.split(" "));
const TEXTS = [
  "", " ", "{", "}", "[", "hello", "nul", "undefined", "NaN", "\u0000", "\ud800", "1", '"x"', "null", "true", "[]", "{}",
  "[[]]", "[null]", '{"__proto__":{"event":"beat"}}', '{"__proto__":null}', '{"event":{"toString":1}}', '{"id":{"valueOf":1}}',
  '{"event":"lock-lost","reason":{"toString":1,"valueOf":1},"fence":5}', '{"event":"beat","event":5}', '{"id":2,"ok":null}',
  '{"id":2,"error":null}', '{"id":2,"error":{}}', '{"id":2,"ok":{"granted":true}}', '{"id":2,"part":{}}', '{"id":0,"ok":{}} ',
  "[".repeat(5000), `${"[".repeat(5000)}${"]".repeat(5000)}`, `{"event":"${"x".repeat(70_000)}"}`,
];

/** What it says, by the dice. */
const speaker = (rng, ids) => {
  const value = (depth) =>
    rng.of([
      () => rng.of([null, true, false, 0, -1, 1, 2, 5, 7, 1.5, 1e308, -1e308, 2 ** 53]),
      () => rng.of(["", "x", "db", "jobs", "t1", "\ud800", "\u0000", "5", "/w==", "not base64!", "__proto__"]),
      () => rng.of(["lock", "ticket", "tickets", "revoked", "limit", "unavailable", "session-not-found", "not-holder"]),
      () => (depth ? members(depth - 1) : {}),
      () => Array.from({ length: rng.below(4) }, () => (depth ? value(depth - 1) : null)),
    ])();
  const members = (depth, wanted = []) => {
    const entries = [...wanted, ...Array.from({ length: rng.below(8) }, () => rng.of(MEMBERS))].map((name) => [name, value(depth)]);
    // So that __proto__ is a member like any other.
    return JSON.parse(`{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`);
  };
  const list = (...names) => Array.from({ length: rng.below(3) }, () => (rng() < 0.2 ? value(1) : members(1, names)));
  const state = () => ({
    session: "S".repeat(27), name: "n", ttl: 10_000, epoch: "E1", ping: 3000,
    holds: list("resource", "fence", "ticket"), waits: list("resource", "wait", "kind"), watches: list("resource", "kind"),
    issued: list("resource", "ticket"),
    ...(rng() < 0.5 ? members(1) : {}),
  });
  const id = () => (rng() < 0.8 ? rng.of([...ids]) : value(1));
  return () =>
    rng.of([
      () => rng.of(TEXTS),
      () => JSON.stringify(value(3)),
      () => rng.of([Buffer.from([255, 0]), Buffer.from('{"event":"beat"}'), Buffer.alloc(0), new ArrayBuffer(3), [Buffer.from("x")]]),
      () => JSON.stringify({ event: rng.of(EVENTS), ...members(2, rng.of([[], ["resource", "fence"], ["wait", "fence", "ticket"]])) }),
      () => JSON.stringify({ id: id() ?? 2, ok: rng() < 0.5 ? members(2, ["granted", "ticket", "fence", "wait"]) : value(2) }),
      () => JSON.stringify({ id: id() ?? 2, error: rng() < 0.5 ? members(1, ["code", "message"]) : value(2) }),
      () => JSON.stringify({ id: id() ?? 1, ...(rng() < 0.5 ? { ok: state() } : { part: state() }) }),
      () => JSON.stringify(members(2)),
    ])();
};

/** Everything that one may ask for, under way at once. What comes back is used. */
const askAll = (session, stop) => {
  const use = (what) => what?.release?.();
  const { signal } = stop;
  const iterate = async (iterable) => {
    for await (const item of iterable) await use(item);
  };
  return [
    session.lock("db", { signal }).then(use),
    session.lock("db", { ifAvailable: true }).then(use),
    session.withLock("x", async (lock) => void (await lock.signal.aborted)),
    session.claim("jobs").then((ticket) => [ticket.text(), ticket.done()][1]),
    session.claim("jobs", { ticket: "t1", signal }).then(use),
    session.issue("jobs", "t1", "x").then((issued) => issued.update("y")),
    session.issue("db", "t1", new Uint8Array([1])).then((issued) => issued.revoke()),
    iterate(session.claims("jobs", { concurrency: 2, signal })),
    iterate(session.watch("db", { signal })),
    iterate(session.watch("jobs")),
  ];
};

/** One session with a peer that talks nonsense; how it ended. */
const meet = async (rng, { greets, frames }) => {
  let line;
  const ids = new Set([0, 1, 2]);
  class Peer {
    readyState = 0;
    constructor() {
      line = this;
      queueMicrotask(() => {
        this.readyState = 1;
        this.onopen?.({});
      });
    }
    send(text) {
      const { id, op } = JSON.parse(text);
      ids.add(id);
      if (op === "hello" && greets) {
        const ok = { session: "S".repeat(27), name: "n", ttl: 10_000, epoch: "E1", ping: 3000, holds: [], waits: [], watches: [], issued: [] };
        queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ id, ok }) }));
      }
      if (op === "bye") queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ id, ok: {} }) }));
    }
    close() {
      this.readyState = 3;
    }
  }
  const stop = new AbortController();
  const connecting = connect("http://test.invalid", { WebSocket: Peer, signal: stop.signal, backoff: { min: 0, max: 0 } });
  const failed = connecting.then(() => undefined, (error) => error);
  await settled();
  const session = greets ? await connecting : undefined;
  const asked = session ? askAll(session, stop).map((promise) => promise.then(() => {}, () => {})) : [];
  const say = speaker(rng, ids);
  for (let n = 0; n < frames; n++) {
    line.onmessage?.({ data: say() });
    if (rng() < 0.1) line.onmessage?.({ data: '{"event":"beat"}' });
    if (rng() < 0.1) await settled();
    if (session && rng() < 0.01) line.onclose?.({ code: 1006, reason: "" });
    if (session?.state === "closed") break;
  }
  stop.abort();
  const opened = session ?? (await connecting.catch(() => undefined));
  if (!opened) return (await failed)?.code ?? "given up";
  const { signal } = opened;
  const code = signal.aborted ? signal.reason.code : "alive";
  await soon("the end", opened.close());
  await soon("an end of all that was asked", Promise.all(asked));
  return code;
};

for (const [when, greets, meetings, frames] of [["instead of an answer to hello", false, 1500, 8], ["on an open session", true, 1500, 20]]) {
  test(`nonsense ${when}: an error at most`, async (t) => {
    const rng = random(t);
    const codes = new Map();
    for (let n = 0; n < meetings; n += 50) {
      const met = Array.from({ length: 50 }, () => meet(random({ diagnostic() {} }, rng.below(2 ** 32)), { greets, frames }));
      for (const code of await Promise.all(met)) codes.set(code, (codes.get(code) ?? 0) + 1);
      assert.deepEqual(uncaught, []);
    }
    t.diagnostic(JSON.stringify([...codes]));
    assert.ok(codes.get("protocol") > meetings / 10, "what is no JSON ends it");
  }, 240_000);
}

test("what is no JSON, from a real socket: told as the code protocol, with what was said", async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "ticketd.v1" });
  t.after(() => {
    server.clients.forEach((client) => client.terminate());
    server.close();
  });
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  for (const nonsense of ["hello", "", "null", Buffer.from([1, 2, 3]), "{"]) {
    server.removeAllListeners("connection");
    server.on("connection", (socket) => socket.on("message", () => socket.send(nonsense)));
    await assert.rejects(soon("the rejection", connect(url)), (error) => {
      assert.ok(error instanceof TicketdError);
      assert.equal(error.code, "protocol");
      assert.match(error.message, /no ticketd there/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
  }
});
