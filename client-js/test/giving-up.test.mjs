// Answers and events that come in one breath, and waits that are given up in every moment.

import assert from "node:assert/strict";
import { after } from "node:test";

import { begun, fate } from "./support/fake.mjs";
import { CLAIM, holding, LOCK, RELEASE, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// Answers and events that come in one breath.

test("an answer and the event behind it in the same tick: the wait is known when its grant comes", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db");
  const frame = world.line.takes(LOCK("db"));
  world.line.ok(frame, { granted: false, wait: 7, position: 1 }).say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  world.line.quiet("it would be given back if its wait were unknown");
  assert.equal((await wanted).fence, 5);
});

test("a grant and its loss in the same tick: the signal has aborted at first look", async (t) => {
  const world = await begun(t);
  const wanted = world.session.claim("jobs");
  const frame = world.line.takes(CLAIM("jobs"));
  world.line
    .ok(frame, { granted: true, ticket: ticketHold("jobs", "t1", 5) })
    .say({ event: "ticket-revoked", resource: "jobs", ticket: "t1", fence: 5, reason: "revoked" });
  const ticket = await wanted;
  assert.ok(ticket.signal.aborted);
  assert.equal(ticket.signal.reason.code, "ticket-revoked");
});

test("an issue, its answer and its taking in the same tick", async (t) => {
  const world = await begun(t);
  const wanted = world.session.issue("jobs", "t1");
  const frame = world.line.take();
  world.line.ok(frame).say({ event: "ticket-taken", resource: "jobs", ticket: "t1", session: "other" });
  assert.ok((await wanted).signal.aborted);
});

test("a watch, its answer and a change in the same tick: the latest only", async (t) => {
  const world = await begun(t);
  const watch = world.session.watch("db");
  const first = watch.next();
  const frame = world.line.take();
  world.line
    .ok(frame, { kind: "lock", free: 0, held: 1, waiting: 0 })
    .say({ event: "resource-changed", resource: "db", kind: "lock", free: 0, held: 1, waiting: 3 });
  const { value } = await first;
  if (value.waiting !== 3) assert.equal((await watch.next()).value.waiting, 3);
  assert.equal(await fate(watch.next()), "pending");
  await watch.return();
});

// Giving up a wait, in every moment.

test("given up before it could be sent: never sent", async (t) => {
  const world = await begun(t);
  await assert.rejects(world.session.lock("db", { signal: AbortSignal.abort(new Error("no")) }), /no/);
  world.line.quiet();
});

test("given up while the answer is under way: granted, so given back by fence; the next in line need not wait for that", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.lock("db", { signal: stop.signal });
  const frame = world.line.takes(LOCK("db"));
  stop.abort(new Error("no"));
  await assert.rejects(wanted, /no/);
  world.line.quiet();
  world.line.ok(frame, { granted: true, fence: 5, waiting: 0 });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
  const again = world.session.lock("db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  assert.equal((await again).fence, 6);
});

test("given up while the answer is under way: queued, so the place is given up", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.claim("jobs", { signal: stop.signal });
  wanted.catch(() => {});
  const frame = world.line.takes(CLAIM("jobs"));
  stop.abort();
  world.line.ok(frame, { granted: false, wait: 7, position: 1 });
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  world.line.quiet();
});

test("given up while in the queue", async (t) => {
  const world = await waiting(t);
  world.stop.abort(new Error("enough"));
  await assert.rejects(world.wanted, /enough/);
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  world.line.quiet();
});

test("given up in the moment of the grant: given back by fence", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 }).ok(cancel, { cancelled: false });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
});

test("… a ticket likewise", async (t) => {
  const world = await waiting(t, "claim", "jobs");
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  world.line.say({ event: "ticket-granted", ...ticketHold("jobs", "t1", 5), wait: 7 }).ok(cancel, { cancelled: false });
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  world.line.quiet();
});

test("given up, and wanted again before the place was given up: no grant goes astray", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  const again = world.session.lock("db");
  world.line.quiet();
  world.line.ok(cancel, { cancelled: true });
  world.line.ok(world.line.takes(LOCK("db")), { granted: false, wait: 8, position: 1 });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 8, waiting: 0 });
  assert.equal((await again).fence, 5);
  world.line.quiet();
});

test("given up, wanted again, and the first place is granted after all: it is taken", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  const again = world.session.lock("db");
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 }).ok(cancel, { cancelled: false });
  const lock = await again;
  assert.equal(lock.fence, 5);
  world.line.quiet();
  const released = lock.release();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  await released;
});

test("one who does not wait, behind one who gave up waiting: null, not a wait", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.lock("db", { signal: stop.signal });
  wanted.catch(() => {});
  const frame = world.line.takes(LOCK("db"));
  stop.abort();
  const tried = world.session.lock("db", { ifAvailable: true });
  world.line.ok(frame, { granted: false, wait: 7, position: 1 });
  // The place that nobody wants is given up, and whatever it tries, it is told.
  for (let frame; (frame = world.line.take()); ) {
    world.line.ok(frame, frame.op === "cancel" ? { cancelled: true } : { granted: false });
  }
  assert.equal(await fate(tried), null);
});

test("one of three in line gives up: the others do not notice", async (t) => {
  const world = await holding(t);
  const stop = new AbortController();
  const second = world.session.lock("db", { signal: stop.signal });
  second.catch(() => {});
  const third = world.session.lock("db");
  stop.abort();
  const released = world.lock.release();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  await released;
  assert.equal((await third).fence, 6);
  world.line.quiet();
});

test("a wait that the server ended is asked for again", async (t) => {
  const world = await waiting(t);
  world.line.say({ event: "wait-ended", wait: 7, resource: "db", reason: "timeout" });
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  assert.equal((await world.wanted).fence, 5);
});

test("a wait that ended while it was being cancelled is gone", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  world.line.say({ event: "wait-ended", wait: 7, resource: "db", reason: "timeout" }).ok(cancel, { cancelled: false });
  world.line.quiet();
});

test("a grant that nobody here waits for is given back", async (t) => {
  const world = await begun(t);
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 99, waiting: 0 });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
});
