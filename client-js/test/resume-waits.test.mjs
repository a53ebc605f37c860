// What becomes of waits, issued tickets and watches when the line is cut, and of what a former page left.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate, settled } from "./support/fake.mjs";
import { CLAIM, FORMER, issuing, LOCK, lockHold, lockWait, RELEASE, ticketHold, ticketWait, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// Waits and cuts.

test("a wait keeps its place over many cuts", async (t) => {
  const world = await waiting(t);
  for (let n = 0; n < 10; n++) {
    await world.resumed({ waits: [lockWait("db", 7)] });
    world.line.quiet();
  }
  world.line.say({ event: "lock-granted", resource: "db", fence: 9, wait: 7, waiting: 0 });
  assert.equal((await world.wanted).fence, 9);
});

test("a wait that was granted while away", async (t) => {
  const world = await waiting(t);
  await world.resumed({ holds: [lockHold("db", 9)] });
  world.line.quiet();
  const lock = await world.wanted;
  assert.equal(lock.fence, 9);
  assert.ok(!lock.signal.aborted);
});

test("a claim that was granted while away, beside one that still waits", async (t) => {
  const world = await waiting(t, "claim", "jobs", 7);
  const other = world.session.claim("jobs");
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: false, wait: 8, position: 2 });
  await world.resumed({ holds: [ticketHold("jobs", "t1", 9)], waits: [ticketWait("jobs", 8)] });
  assert.equal((await world.wanted).fence, 9);
  assert.equal(await fate(other), "pending");
  world.line.quiet();
  world.line.say({ event: "ticket-granted", ...ticketHold("jobs", "t2", 10), wait: 8 });
  assert.equal((await other).fence, 10);
});

test("a wait that is gone without a grant (a server that forgot it) is asked for again", async (t) => {
  const world = await waiting(t);
  await world.resumed({}, { epoch: "E2" });
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 11, waiting: 0 });
  assert.equal((await world.wanted).fence, 11);
});

test("a wait given up while away: its place is given up after the resume, and nothing else happens", async (t) => {
  const world = await waiting(t);
  world.cut();
  world.stop.abort(new Error("enough"));
  await assert.rejects(world.wanted, /enough/);
  await world.resume({ waits: [lockWait("db", 7)] });
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  world.line.quiet();
});

test("a wait given up while away that was granted: given back by its fence", async (t) => {
  const world = await waiting(t, "claim", "jobs");
  world.cut();
  world.stop.abort();
  await world.resume({ holds: [ticketHold("jobs", "t1", 9)] });
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 9)), { released: true });
  world.line.quiet();
});

test("asked while the line is down: carried out after, in order", async (t) => {
  const world = await begun(t);
  world.cut();
  const lock = world.session.lock("db");
  const ticket = world.session.claim("jobs", { ifAvailable: true });
  const issued = world.session.issue("jobs", "t2");
  await world.resume();
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  world.line.ok(world.line.takes({ op: "claim", resource: "jobs" }), { granted: false });
  world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t2" }));
  world.line.quiet();
  assert.equal((await lock).fence, 5);
  assert.equal(await ticket, null);
  assert.equal((await issued).name, "t2");
});

test("asked while the line is down, and not wanted any more before it is up: never asked", async (t) => {
  const world = await begun(t);
  world.cut();
  const stop = new AbortController();
  const lock = world.session.lock("db", { signal: stop.signal });
  stop.abort();
  await assert.rejects(lock, { name: "AbortError" });
  await world.resume();
  world.line.quiet();
});

// What a former page left of its session.

test("a former page's holds: its tickets go back, its locks are kept", async (t) => {
  const world = await begun(t, { ...FORMER, state: { holds: [lockHold("db", 3), ticketHold("jobs", "t1", 4)] } });
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 4)), { released: true });
  world.line.quiet();
});

test("a former page's places: those for tickets are given up, those for locks kept for who locks them", async (t) => {
  const waits = [lockWait("db", 7), ticketWait("jobs", 8), ticketWait("jobs", 9, "t1")];
  const world = await begun(t, { ...FORMER, state: { waits } });
  for (const wait of [8, 9]) world.line.ok(world.line.takes({ op: "cancel", wait }), { cancelled: true });
  const wanted = world.session.lock("db");
  world.line.quiet("it has a place already");
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  assert.equal((await wanted).fence, 5);
  world.line.quiet();
});

test("… a place that nobody here asks for is given back when it is granted", async (t) => {
  const world = await begun(t, { ...FORMER, state: { waits: [lockWait("db", 7)] } });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
});

// The grant came while the line was cut: it looked like what was taken by REST, and stayed held until the session's end.
test("… also when it was granted during a cut", async (t) => {
  const world = await begun(t, { ...FORMER, state: { waits: [lockWait("db", 7), ticketWait("jobs", 8)] } });
  world.line.takes({ op: "cancel", wait: 8 });
  await world.resumed({ holds: [lockHold("db", 5), ticketHold("jobs", "t1", 6), lockHold("rest", 2)] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 6)), { released: true });
  world.line.quiet();
});

test("… and given up at a resume", async (t) => {
  const world = await begun(t, { ...FORMER, state: { waits: [lockWait("db", 7)] } });
  await world.resumed({ waits: [lockWait("db", 7)] });
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  world.line.quiet();
});

// Tickets that one issued, and a resume.

test("an issued ticket that was taken while away is lost", async (t) => {
  const world = await issuing(t);
  await world.resumed();
  assert.ok(world.issued.signal.aborted);
  world.line.quiet();
  await assert.rejects(world.issued.update("3"), TicketdError);
  world.line.quiet("it would be taken back");
});

test("update(), asked while down for a ticket that was taken meanwhile: rejected, not sent", async (t) => {
  const world = await issuing(t);
  world.cut();
  const updated = world.issued.update("2");
  updated.catch(() => {});
  await world.resume();
  world.line.quiet();
  await assert.rejects(updated, TicketdError);
});

test("update(), asked while down for a ticket that is one's own still: sent", async (t) => {
  const world = await issuing(t);
  world.cut();
  const updated = world.issued.update("2");
  await world.resume({ issued: [{ resource: "jobs", ticket: "t1", claimed: false }] });
  world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "2" }));
  await updated;
});

test("revoke(), asked while down for a ticket that was taken meanwhile: settled, not sent", async (t) => {
  const world = await issuing(t);
  world.cut();
  const revoked = world.issued.revoke();
  await world.resume();
  world.line.quiet("it would revoke the other's");
  await revoked;
});

test("the clock does not take what one has issued: it is the server's word that does", async (t) => {
  const world = await issuing(t);
  world.cut();
  await world.time.pass(9500);
  assert.ok(!world.issued.signal.aborted);
  await world.resume({ issued: [{ resource: "jobs", ticket: "t1", claimed: false }] });
  assert.ok(!world.issued.signal.aborted);
  world.line.quiet();
});

// Watches.

test("figures that changed while away: one item, however many changes; none when they did not", async (t) => {
  const world = await begun(t);
  const watch = world.session.watch("db");
  const first = watch.next();
  const figures = (waiting) => ({ kind: "lock", free: 0, held: 1, waiting });
  world.line.ok(world.line.takes({ op: "watch", resource: "db", changes: true }), figures(1));
  assert.equal((await first).value.waiting, 1);
  const second = watch.next();
  await world.resumed({ watches: [{ resource: "db", changes: true, ...figures(1) }] });
  assert.equal(await fate(second), "pending");
  await world.resumed({ watches: [{ resource: "db", changes: true, ...figures(5) }] });
  assert.equal((await second).value.waiting, 5);
  const third = watch.next();
  assert.equal(await fate(third), "pending");
  world.line.quiet();
  await watch.return();
});

test("a watch that the server does not have any more is asked for again", async (t) => {
  const world = await begun(t);
  const watch = world.session.watch("db");
  const first = watch.next();
  world.line.ok(world.line.take(), { kind: "lock", free: 0, held: 1, waiting: 0 });
  await first;
  const second = watch.next();
  await world.resumed({}, { epoch: "E2" });
  world.line.ok(world.line.takes({ op: "watch", resource: "db", changes: true }), { kind: null, free: 0, held: 0, waiting: 0 });
  assert.equal((await second).value.kind, null);
  await watch.return();
});
