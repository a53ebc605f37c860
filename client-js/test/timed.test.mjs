// Claims that last for a time: the signal aborts before the server may give the ticket to another, whatever came when.

import assert from "node:assert/strict";
import { after } from "node:test";

import { begun, fate, settled } from "./support/fake.mjs";
import { CLAIM, RELEASE, ticketHold, ticketWait } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

const HOLD = 3000;
const timed = (name, fence, more = {}) => ({ ...ticketHold("jobs", name, fence), attempt: 1, hold: HOLD, left: HOLD, ...more });
const TOUCH = (name, fence) => ({ op: "touch", resource: "jobs", ticket: name, fence });
const BACK = (name, fence) => ({ ...RELEASE("jobs", name, fence), untried: true });

/** Time goes by on a line that lives. */
const pass = async (world, ms) => {
  for (let left = ms; left > 0; left -= 1000) {
    await world.time.pass(Math.min(left, 1000));
    world.line.beat();
    world.line.quiet();
  }
};

/** A ticket, claimed for a time; the answer took so many ms. */
const claimed = async (t, { took = 0, via = "claim" } = {}) => {
  const world = await begun(t);
  const tickets = via === "claims" && world.session.claims("jobs", { hold: HOLD });
  const wanted = tickets ? tickets.next() : world.session.claim("jobs", { hold: HOLD });
  await settled();
  const frame = world.line.takes({ ...CLAIM("jobs"), hold: HOLD });
  await world.time.pass(took);
  world.line.ok(frame, { granted: true, ticket: timed("t1", 5) });
  const ticket = tickets ? (await wanted).value : await wanted;
  return Object.assign(world, { tickets, ticket });
};

test("it is counted from when the claim was sent, and ends before the server's time is over", async (t) => {
  const world = await claimed(t, { took: 1000 });
  assert.deepEqual([world.ticket.hold, world.ticket.attempt], [HOLD, 1]);
  await world.time.pass(HOLD * 0.9 - 1000 - 5);
  assert.ok(!world.ticket.signal.aborted);
  await world.time.pass(10);
  assert.ok(world.ticket.signal.aborted);
  assert.equal(world.ticket.signal.reason.code, "ticket-revoked");
  // It is not taken up again: what one was told is gone stays gone.
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  await assert.rejects(world.ticket.done(), { code: "ticket-revoked" });
});

test("a timer may be late; the first look at the signal is not", async (t) => {
  const world = await claimed(t);
  world.time.freeze(HOLD);
  assert.ok(world.ticket.signal.aborted);
});

test("touch() begins it anew, from when that was sent; another hold may be given", async (t) => {
  const world = await claimed(t);
  await pass(world, 2000);
  const touched = world.ticket.touch();
  const frame = world.line.takes(TOUCH("t1", 5));
  await world.time.pass(500);
  world.line.ok(frame, { left: HOLD });
  await touched;
  await pass(world, HOLD * 0.9 - 500 - 5);
  assert.ok(!world.ticket.signal.aborted);
  const longer = world.ticket.touch(60_000);
  world.line.ok(world.line.takes({ ...TOUCH("t1", 5), hold: 60_000 }), { left: 60_000 });
  await longer;
  await pass(world, 50_000);
  assert.ok(!world.ticket.signal.aborted);
  const forever = world.ticket.touch();
  world.line.ok(world.line.takes(TOUCH("t1", 5)), { left: null });
  await forever;
  await pass(world, 100_000);
  assert.ok(!world.ticket.signal.aborted, "without an end");
});

test("touch() of what is not held any more: it is lost at once", async (t) => {
  const world = await claimed(t);
  const touched = world.ticket.touch();
  touched.catch(() => {});
  world.line.refuse(world.line.takes(TOUCH("t1", 5)), "not-holder");
  await assert.rejects(touched, { code: "not-holder" });
  assert.equal(world.ticket.signal.reason.code, "ticket-revoked");
  world.line.quiet();
  await assert.rejects(world.ticket.touch(), { code: "ticket-revoked" });
});

test("touch(), refused for now, is tried again; at last the clock ends it", async (t) => {
  const world = await claimed(t);
  const touched = world.ticket.touch();
  touched.catch(() => {});
  world.line.refuse(world.line.takes(TOUCH("t1", 5)), "unavailable");
  await world.time.pass(1000);
  world.line.refuse(world.line.takes(TOUCH("t1", 5)), "unavailable");
  await world.time.pass(1800);
  await assert.rejects(touched, { code: "ticket-revoked" });
  assert.ok(world.ticket.signal.aborted);
});

test("a ticket that came by itself is touched first, and nobody has it before that is answered", async (t) => {
  const world = await begun(t);
  const wanted = world.session.claim("jobs", { hold: HOLD });
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: false, wait: 7, position: 1 });
  world.line.say({ event: "ticket-granted", ...timed("t1", 5), wait: 7 });
  const touch = world.line.takes(TOUCH("t1", 5));
  await world.time.pass(1000);
  assert.equal(await fate(wanted), "pending");
  world.line.ok(touch, { left: HOLD });
  const ticket = await wanted;
  await world.time.pass(HOLD * 0.9 - 1000 - 5);
  assert.ok(!ticket.signal.aborted);
  await world.time.pass(10);
  assert.ok(ticket.signal.aborted, "counted from the touch");
});

test("… too late: it waits on, and has the next", async (t) => {
  const world = await begun(t);
  const wanted = world.session.claim("jobs", { hold: HOLD });
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: false, wait: 7, position: 1 });
  world.line.say({ event: "ticket-granted", ...timed("t1", 5), wait: 7 });
  world.line.refuse(world.line.takes(TOUCH("t1", 5)), "not-holder");
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: true, ticket: timed("t2", 6) });
  assert.equal((await wanted).name, "t2");
  world.line.quiet();
});

test("… and is not wanted any more by then: given back as not tried", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.claim("jobs", { hold: HOLD, signal: stop.signal });
  wanted.catch(() => {});
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: false, wait: 7, position: 1 });
  world.line.say({ event: "ticket-granted", ...timed("t1", 5), wait: 7 });
  const touch = world.line.takes(TOUCH("t1", 5));
  stop.abort();
  world.line.ok(touch, { left: HOLD });
  await settled();
  world.line.ok(world.line.takes(BACK("t1", 5)), { released: true });
  world.line.quiet();
});

test("granted while the line was cut: touched first, too", async (t) => {
  const world = await begun(t);
  const wanted = world.session.claim("jobs", { hold: HOLD });
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: false, wait: 7, position: 1 });
  await world.resumed({ holds: [timed("t1", 5, { left: 1000 })] });
  const touch = world.line.takes(TOUCH("t1", 5));
  assert.equal(await fate(wanted), "pending");
  world.line.ok(touch, { left: HOLD });
  assert.equal((await wanted).name, "t1");
});

test("a grant that nobody here wants any more is given back as not tried, where tries are counted", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.claim("jobs", { signal: stop.signal });
  wanted.catch(() => {});
  const frame = world.line.takes(CLAIM("jobs"));
  stop.abort();
  world.line.ok(frame, { granted: true, ticket: timed("t1", 5) });
  world.line.ok(world.line.takes(BACK("t1", 5)), { released: true });
  world.line.quiet();
});

// The loop.

test("claims() touches while the body runs, and stops when the ticket has ended", async (t) => {
  const world = await claimed(t, { via: "claims" });
  for (let n = 0; n < 10; n++) {
    world.line.quiet();
    await world.time.pass(HOLD / 3 + 5);
    world.line.ok(world.line.takes(TOUCH("t1", 5), `touch ${n}`), { left: HOLD });
    world.line.beat();
  }
  assert.ok(!world.ticket.signal.aborted);
  const done = world.ticket.done();
  world.line.ok(world.line.takes({ op: "revoke", resource: "jobs", ticket: "t1", fence: 5 }));
  await done;
  const next = world.tickets.next();
  await settled();
  world.line.takes({ ...CLAIM("jobs"), hold: HOLD }, "there is room for the next");
  await pass(world, 4000);
  await world.tickets.return();
  await next;
});

// Of a page that nobody looks at, timers may be a minute late: it lives by what the server sends.
test("claims() touches when the server says that it ends, too, and claim() does not", async (t) => {
  const world = await claimed(t, { via: "claims" });
  const EXPIRING = { event: "claim-expiring", resource: "jobs", ticket: "t1", fence: 5, left: 750 };
  world.time.freeze(HOLD * 0.75);
  world.line.say(EXPIRING);
  world.line.ok(world.line.takes(TOUCH("t1", 5)), { left: HOLD });
  world.line.quiet();
  const other = world.session.claim("jobs", { hold: HOLD });
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), hold: HOLD }), { granted: true, ticket: timed("t2", 6) });
  await other;
  world.line.say({ ...EXPIRING, ticket: "t2", fence: 6 });
  world.line.quiet("that is up to who claimed it");
  await world.tickets.return();
});

test("touched, and given back before that is answered: no timer is left", async (t) => {
  const world = await claimed(t);
  const touched = world.ticket.touch();
  const touch = world.line.takes(TOUCH("t1", 5));
  const released = world.ticket.release();
  world.line.ok(touch, { left: HOLD }).ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  await Promise.all([touched, released]);
  world.session.close();
  await world.time.pass(3500);
  assert.equal(world.time.timers.size, 0);
});

test("claims(): the hold that the issuer gave counts, too", async (t) => {
  const world = await begun(t);
  const tickets = world.session.claims("jobs");
  const wanted = tickets.next();
  await settled();
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: timed("t1", 5) });
  const { value: ticket } = await wanted;
  await world.time.pass(HOLD / 3 + 5);
  world.line.ok(world.line.takes(TOUCH("t1", 5)), { left: HOLD });
  await world.time.pass(HOLD / 3 + 5);
  // The line is dead: nobody answers, and the clock ends it in time.
  world.line.takes(TOUCH("t1", 5));
  await world.time.pass(HOLD * 0.9);
  assert.ok(ticket.signal.aborted);
  await tickets.return();
});

test("claims(): what was fetched ahead and not shown goes back as not tried", async (t) => {
  const world = await begun(t);
  const tickets = world.session.claims("jobs", { concurrency: 3 });
  const wanted = tickets.next();
  await settled();
  for (const n of [1, 2, 3]) world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", `t${n}`, n) });
  const { value: shown } = await wanted;
  await settled();
  await tickets.return();
  for (const n of [2, 3]) world.line.ok(world.line.takes(BACK(`t${n}`, n)), { released: true });
  world.line.quiet("what was shown is its body's");
  assert.ok(!shown.signal.aborted);
});

test("claims(): what is lost while it is fetched ahead makes room, and is not shown", async (t) => {
  const world = await begun(t);
  const tickets = world.session.claims("jobs", { concurrency: 2 });
  const wanted = tickets.next();
  await settled();
  for (const n of [1, 2]) world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", `t${n}`, n) });
  await wanted;
  const next = tickets.next();
  next.catch(() => {});
  world.line.say({ event: "ticket-revoked", resource: "jobs", ticket: "t2", fence: 2, reason: "revoked" });
  await settled();
  if ((await fate(next)) === "pending") {
    world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t3", 3) });
    assert.equal((await next).value.name, "t3");
  } else assert.equal((await next).value.name, "t2", "it was on its way already");
  await tickets.return();
});

test("claims() of several: the first that has one, in one wait", async (t) => {
  const world = await begun(t);
  const tickets = world.session.claims(["urgent", "jobs"], { hold: HOLD });
  const wanted = tickets.next();
  await settled();
  const CLAIMS = { op: "claim", resources: ["urgent", "jobs"], hold: HOLD, wait: true };
  world.line.ok(world.line.takes(CLAIMS), { granted: false, wait: 7, position: 1 });
  await world.resumed({ waits: [{ wait: 7, resources: ["urgent", "jobs"], kind: "ticket", position: 1 }] });
  world.line.quiet("it has its place still");
  world.line.say({ event: "ticket-granted", ...timed("t1", 5), wait: 7 });
  world.line.ok(world.line.takes(TOUCH("t1", 5)), { left: HOLD });
  const { value: ticket } = await wanted;
  assert.deepEqual([ticket.resource, ticket.name], ["jobs", "t1"]);
  const next = tickets.next();
  next.catch(() => {});
  const failed = ticket.fail("no paper", { delay: 5000 });
  world.line.ok(world.line.takes({ ...RELEASE("jobs", "t1", 5), note: "no paper", delay: 5000 }), { released: true });
  await failed;
  await settled();
  world.line.takes(CLAIMS);
  await tickets.return();
  await next;
});

test("a former page's wait for the first of several is given up", async (t) => {
  const waits = [{ wait: 8, resources: ["urgent", "jobs"], kind: "ticket", position: 1 }, ticketWait("jobs", 9)];
  const world = await begun(t, { options: { session: "S".repeat(27) }, state: { waits } });
  for (const wait of [8, 9]) world.line.ok(world.line.takes({ op: "cancel", wait }), { cancelled: true });
  world.line.quiet();
});

test("no timer is left when all have ended", async (t) => {
  const world = await claimed(t, { via: "claims" });
  const released = world.ticket.release();
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  await released;
  world.session.close();
  await world.time.pass(3000);
  assert.equal(world.time.timers.size, 0);
});
