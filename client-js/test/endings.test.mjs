// How a session ends, and what ends while the server is away.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate, settled } from "./support/fake.mjs";
import { holding, LOCK, lockHold, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// The end.

test("the session is gone when it comes back: lost once, and all that was under way rejects", async (t) => {
  const world = await holding(t);
  const { session } = world;
  const lost = [];
  const states = [];
  session.addEventListener("lost", ({ detail }) => lost.push(detail.reason));
  session.addEventListener("statechange", ({ detail }) => states.push(`${detail.from}>${detail.to}`));
  const pending = [
    session.lock("db"),
    session.lock("other"),
    session.claim("jobs"),
    session.claim("jobs", { ticket: "t" }),
    session.issue("jobs", "x"),
    session.watch("db").next(),
    session.claims("jobs").next(),
    session.withLock("third", () => {}),
  ];
  const states2 = pending.map((promise) => fate(promise));
  await Promise.all(states2);
  world.cut();
  const before = world.all.length;
  for (let n = 0; world.all.length === before; n++) await world.time.pass(20);
  const socket = world.all.at(-1);
  socket.readyState = 1;
  socket.onopen({});
  const hello = socket.said.shift();
  assert.equal(hello.session, session.id);
  socket.onmessage({ data: JSON.stringify({ id: hello.id, error: { code: "session-not-found", message: "gone" } }) });
  for (const promise of pending) await assert.rejects(promise, TicketdError);
  assert.deepEqual(lost.map(({ code }) => code), ["session-lost"]);
  assert.deepEqual(states, ["open>recovering", "recovering>closed"]);
  assert.ok(world.lock.signal.aborted && session.signal.aborted);
  assert.equal(session.signal.reason, lost[0]);
  await session.closed;
  for (const late of [session.lock("db"), session.claim("jobs"), session.issue("jobs", "y")]) {
    await assert.rejects(late, { code: "session-lost" });
  }
  await world.lock.release();
  await world.time.pass(60_000);
  assert.equal(world.all.length, before + 1, "nobody dials any more");
  assert.equal(world.time.timers.size, 0, "and no timer is left");
});

test("thousands in line for one lock, and the session is lost: all are told", async (t) => {
  const world = await holding(t);
  const waiting = Array.from({ length: 20_000 }, () => fate(world.session.lock("db")));
  world.line.close(4502, "closed");
  const codes = await Promise.all(waiting);
  assert.ok(codes.every((code) => code === "session-lost"), `${new Set(codes)}`);
});

test("closed while down: the session is taken up in order to end it, and nothing else is asked", async (t) => {
  const world = await holding(t);
  world.cut();
  const lock = world.session.lock("other");
  lock.catch(() => {});
  const closed = world.session.close();
  await assert.rejects(lock, { code: "closed" });
  assert.ok(world.lock.signal.aborted);
  await world.answer({ holds: [lockHold("db", 5)] });
  const bye = world.line.takes({ op: "bye" });
  world.line.quiet();
  world.line.ok(bye);
  await closed;
});

test("closed and the server does not answer: two seconds are enough", async (t) => {
  const world = await holding(t);
  const closed = world.session.close();
  assert.equal(await fate(closed), "pending");
  await world.time.pass(1900);
  assert.equal(await fate(closed), "pending");
  await world.time.pass(200);
  assert.equal(await fate(closed), undefined);
  assert.equal(world.all.at(-1).readyState, 3, "the socket is closed");
});

test("asked from within an event of the resume: sent once", async (t) => {
  const world = await begun(t);
  const wanted = [];
  world.session.addEventListener("statechange", ({ detail }) => {
    if (detail.to === "open") wanted.push(world.session.claim("jobs"));
  });
  world.session.addEventListener("recovered", () => wanted.push(world.session.claim("jobs")));
  const lost = world.session.lock("db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 3, waiting: 0 });
  await lost;
  world.cut();
  await world.time.pass(9500);
  await world.resume({ holds: [lockHold("db", 3)] });
  const frames = [];
  for (let frame; (frame = world.line.take()); ) frames.push(frame);
  assert.deepEqual(frames.map(({ op }) => op), ["unlock", "claim", "claim"], "what is given up goes first, and each thing once");
  assert.equal(new Set(frames.map(({ id }) => id)).size, 3);
  for (const { id } of frames) world.line.ok({ id }, { granted: true, ticket: ticketHold("jobs", `t${id}`, id) });
  await Promise.all(wanted);
});

test("a listener that throws harms nobody else", async (t) => {
  const world = await waiting(t);
  const caught = [];
  const mine = (error) => caught.push(error.message);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", mine);
  t.after(() => {
    process.removeListener("uncaughtException", mine);
    others.forEach((other) => process.on("uncaughtException", other));
  });
  world.session.addEventListener("lock-granted", () => {
    throw new Error("mine");
  });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  assert.equal((await world.wanted).fence, 5);
  await settled();
  assert.deepEqual(caught, ["mine"]);
  await world.resumed({ holds: [lockHold("db", 5)] });
  assert.ok(!world.lock?.signal.aborted);
});

test("a busy machine: after a pause longer than the ttl the first look at the signal tells", async (t) => {
  const world = await holding(t);
  world.time.freeze(9500);
  assert.ok(world.lock.signal.aborted);
  assert.equal(world.session.state, "recovering");
});

test("a machine that slept: the monotonic clock stood, the first look at the signal tells all the same", async (t) => {
  const world = await holding(t);
  world.time.sleep(60_000);
  assert.ok(world.lock.signal.aborted);
});

test("a machine that woke: what comes in first finds the hold lost already", async (t) => {
  const world = await holding(t);
  const { signal } = world.lock;
  world.time.sleep(60_000);
  world.line.beat();
  assert.ok(signal.aborted);
});

// What ends while the server is away.

// A program whose server had gone hung for ever in its last release().
test("release() and withLock() settle when the session's own deadline has passed, with the server still away", async (t) => {
  const world = await holding(t);
  let finish;
  const value = world.session.withLock("other", () => new Promise((resolve) => (finish = resolve)));
  world.line.ok(world.line.takes(LOCK("other")), { granted: true, fence: 6, waiting: 0 });
  await settled();
  world.cut();
  const released = world.lock.release();
  finish("value");
  await world.time.pass(8000);
  assert.deepEqual([await fate(released), await fate(value)], ["pending", "pending"]);
  await world.time.pass(1500);
  assert.deepEqual([await fate(released), await fate(value)], [undefined, "value"], "the holds are gone");
  await world.resume({ holds: [lockHold("db", 5), lockHold("other", 6)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5))).ok(world.line.takes(UNLOCK("other", 6)));
  world.line.quiet();
});

test("release(), refused after the deadline: tried again after the next resume", async (t) => {
  const world = await holding(t);
  world.cut();
  const released = world.lock.release();
  await world.time.pass(9500);
  await released;
  await world.resume({ holds: [lockHold("db", 5)] });
  world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
  await world.resumed({ holds: [lockHold("db", 5)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
});
