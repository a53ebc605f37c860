// What becomes of what one has when the line is cut and the session taken up again.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun } from "./support/fake.mjs";
import { CLAIM, claiming, holding, LOCK, lockHold, RELEASE, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// What one has, and a resume.

test("holds that are there still go on, with the same signal", async (t) => {
  const world = await holding(t);
  const { signal } = world.lock;
  const heard = [];
  world.session.addEventListener("recovered", ({ detail }) => heard.push(detail));
  await world.resumed({ holds: [lockHold("db", 5)] });
  world.line.quiet();
  assert.ok(!signal.aborted && signal === world.lock.signal);
  assert.deepEqual(heard, [{ restarted: false }]);
  await world.resumed({ holds: [lockHold("db", 5)] }, { epoch: "E2" });
  assert.deepEqual(heard, [{ restarted: false }, { restarted: true }]);
});

test("a hold that is missing is lost at once", async (t) => {
  const world = await holding(t);
  await world.resumed({}, { epoch: "E2" });
  assert.ok(world.lock.signal.aborted);
  assert.ok(world.lock.signal.reason instanceof TicketdError);
  await world.lock.release();
  world.line.quiet("there is nothing to give up");
});

test("a hold of the same resource with another fence is another hold, and REST's", async (t) => {
  const world = await holding(t);
  await world.resumed({ holds: [lockHold("db", 6)] });
  assert.ok(world.lock.signal.aborted);
  world.line.quiet();
});

// A program locked by REST under its helper's session.id. At the helper's next reconnect that was given back, as a
// hold that nobody here knew, and nobody was told.
test("what was taken by REST under the session's id is not given away by a reconnect", async (t) => {
  const world = await holding(t);
  const rest = [lockHold("rest", 3), ticketHold("jobs", "t1", 40)];
  for (let n = 0; n < 3; n++) {
    await world.resumed({ holds: [lockHold("db", 5), ...rest] });
    world.line.quiet();
  }
  // Nor is it taken for what a call here was granted: that has a higher fence than any heard of before.
  const wanted = world.session.claim("jobs");
  world.line.takes(CLAIM("jobs"));
  await world.resumed({ holds: [lockHold("db", 5), ...rest] });
  const again = world.line.takes(CLAIM("jobs"));
  await world.resumed({ holds: [lockHold("db", 5), ...rest, ticketHold("jobs", "t2", 41)] });
  world.line.quiet();
  assert.equal((await wanted).name, "t2");
  assert.ok(again.id);
});

test("… also when a wait that nobody wants any more had not been granted", async (t) => {
  const world = await begun(t);
  await world.resumed({ holds: [ticketHold("jobs", "rest", 40)] });
  const stop = new AbortController();
  const wanted = world.session.claim("jobs", { signal: stop.signal });
  wanted.catch(() => {});
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: false, wait: 7, position: 1 });
  stop.abort();
  world.line.takes({ op: "cancel", wait: 7 });
  await world.resumed({ holds: [ticketHold("jobs", "rest", 40)] });
  world.line.quiet();
});

test("a hold that was given back in vain is given back after the next resume", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  world.line.takes({ op: "cancel", wait: 7 });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
  await world.resumed({ holds: [lockHold("db", 5)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  await world.resumed();
  world.line.quiet();
});

test("holds that the clock took are given up by their fences, before anything else is sent", async (t) => {
  const world = await begun(t);
  const taken = [world.session.lock("stray"), world.session.claim("jobs")];
  world.line.ok(world.line.takes(LOCK("stray")), { granted: true, fence: 3, waiting: 0 });
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 4) });
  await Promise.all(taken);
  world.cut();
  const wanted = world.session.claim("jobs");
  const issued = world.session.issue("jobs", "t9");
  await world.time.pass(9500);
  await world.resume({ holds: [lockHold("stray", 3), ticketHold("jobs", "t1", 4)] });
  const given = [world.line.take(), world.line.take()].map(({ id, ...frame }) => frame);
  assert.deepEqual(given, [UNLOCK("stray", 3), RELEASE("jobs", "t1", 4)]);
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 10) });
  world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t9" }));
  assert.equal((await wanted).fence, 10);
  await issued;
});

test("a ticket's data as the state has it, when it was updated while away", async (t) => {
  const world = await claiming(t);
  assert.equal(world.ticket.json(), 1);
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5, "2")] });
  assert.equal(world.ticket.json(), 2);
});

test("a hold that the clock took is given up by its fence after the resume, and never comes back", async (t) => {
  const world = await holding(t);
  const { signal } = world.lock;
  world.cut();
  await world.time.pass(8500);
  assert.ok(!signal.aborted);
  await world.time.pass(1000);
  assert.ok(signal.aborted, "nine tenths of the ttl are over");
  assert.equal(signal.reason.code, "session-lost");
  assert.equal(world.session.state, "recovering", "the session is lost on the server's word only");
  await world.resume({ holds: [lockHold("db", 5)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
  assert.ok(signal.aborted && world.lock.signal.aborted);
  await world.lock.release();
  world.line.quiet();
  // And is told once: nothing is left that a further resume would trip over.
  await world.resumed();
  world.line.quiet();
});

test("a hold that the clock took, and the next of this session in line: it gets a grant of its own", async (t) => {
  const world = await holding(t);
  const next = world.session.lock("db");
  world.cut();
  await world.time.pass(9500);
  assert.ok(world.lock.signal.aborted);
  await world.resume({ holds: [lockHold("db", 5)] });
  const unlock = world.line.takes(UNLOCK("db", 5), "first the old one is given up");
  const lock = world.line.takes(LOCK("db"));
  world.line.ok(unlock).ok(lock, { granted: true, fence: 6, waiting: 0 });
  assert.equal((await next).fence, 6, "with a fence of its own: the former holder may still be at it");
});

test("… and so when the line was half open: it looked alive until the clock took the hold", async (t) => {
  const world = await holding(t);
  const next = world.session.lock("db");
  const old = world.line;
  // The server's events still come, but what is said here is lost: nothing is acknowledged.
  for (let n = 0; n < 3; n++) {
    await world.time.pass(3100);
    old.beat();
  }
  assert.ok(world.lock.signal.aborted);
  assert.equal(world.session.state, "recovering");
  await world.resume({ holds: [lockHold("db", 5)] });
  const unlock = world.line.takes(UNLOCK("db", 5), "first the old one is given up");
  const lock = world.line.takes(LOCK("db"));
  world.line.ok(unlock).ok(lock, { granted: true, fence: 6, waiting: 0 });
  assert.equal((await next).fence, 6, "with a fence of its own: the former holder may still be at it");
});

test("… and so when one locks again as soon as one hears of the loss", async (t) => {
  const world = await holding(t);
  const again = new Promise((resolve) =>
    world.lock.signal.addEventListener("abort", () => resolve(world.session.lock("db"))),
  );
  for (let n = 0; n < 3; n++) {
    await world.time.pass(3100);
    world.line.beat();
  }
  await world.resume({ holds: [lockHold("db", 5)] });
  const unlock = world.line.takes(UNLOCK("db", 5), "first the old one is given up");
  const lock = world.line.takes(LOCK("db"));
  world.line.ok(unlock).ok(lock, { granted: true, fence: 6, waiting: 0 });
  assert.equal((await again).fence, 6);
});

test("a ticket that the clock took is given back before the next is claimed", async (t) => {
  const world = await claiming(t);
  world.cut();
  const wanted = world.session.claim("jobs");
  await world.time.pass(9500);
  assert.ok(world.ticket.signal.aborted);
  await assert.rejects(world.ticket.done(), { code: "session-lost" });
  await world.resume({ holds: [ticketHold("jobs", "t1", 5)] });
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 6) });
  assert.equal((await wanted).fence, 6);
});

test("done(), asked while down before the clock took the ticket: the caller is told, and the work is finished all the same if it is ours still", async (t) => {
  const world = await claiming(t);
  world.cut();
  const done = world.ticket.done();
  done.catch(() => {});
  await world.time.pass(9500);
  await assert.rejects(done, { code: "session-lost" });
  await world.resume({ holds: [ticketHold("jobs", "t1", 5)] });
  const revoke = world.line.take();
  assert.equal(revoke.op, "revoke");
  world.line.ok(revoke);
  world.line.quiet();
});

test("done(), asked while down, and the ticket is another's by now: it is left alone, and the caller told", async (t) => {
  const world = await claiming(t);
  world.cut();
  const done = world.ticket.done();
  done.catch(() => {});
  await world.resume();
  world.line.quiet("revoking it would take it from whoever has it now");
  await assert.rejects(done, TicketdError);
});

test("release(), asked while down, of what is gone already: as good", async (t) => {
  const world = await holding(t);
  world.cut();
  const released = world.lock.release();
  await world.resume();
  const frame = world.line.take();
  if (frame) world.line.refuse(frame, "not-holder");
  await released;
});

test("release(), asked while down, before the clock would have taken it: given up first of all", async (t) => {
  const world = await holding(t);
  world.cut();
  const issued = world.session.issue("jobs", "t2");
  const released = world.lock.release();
  await world.time.pass(9500);
  await world.resume({ holds: [lockHold("db", 5)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t2" }));
  world.line.quiet();
  await Promise.all([released, issued]);
});
