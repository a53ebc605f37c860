// Calls of one session among themselves, withLock, and handles that have ended.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate, settled } from "./support/fake.mjs";
import { CLAIM, claiming, holding, issuing, LOCK, lockHold, RELEASE, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// Calls of one session among themselves.

test("a named ticket that this session holds already: the second call waits for the first to give it up", async (t) => {
  const world = await claiming(t);
  const wanted = world.session.claim("jobs", { ticket: "t1" });
  const tried = world.session.claim("jobs", { ticket: "t1", ifAvailable: true });
  const first = world.line.takes(CLAIM("jobs", "t1"));
  world.line.ok(first, { granted: true, ticket: ticketHold("jobs", "t1", 5) });
  for (let frame; (frame = world.line.take()); ) world.line.ok(frame, { granted: true, ticket: ticketHold("jobs", "t1", 5) });
  assert.equal(await tried, null);
  assert.equal(await fate(wanted), "pending");
  const released = world.ticket.release();
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  world.line.ok(world.line.takes(CLAIM("jobs", "t1")), { granted: true, ticket: ticketHold("jobs", "t1", 6) });
  await released;
  assert.equal((await wanted).fence, 6);
});

// The lock stayed held for the session's life, and this session's own lock() hung for ever.
test("a release that is refused for now is tried again until it is acknowledged; so is withLock's", async (t) => {
  for (const code of ["unavailable", "limit"]) {
    await t.test(code, async (t) => {
      const world = await begun(t);
      const ran = world.session.withLock("db", () => "value");
      world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
      await settled();
      for (let n = 0; n < 3; n++) {
        world.line.refuse(world.line.takes(UNLOCK("db", 5)), code);
        assert.equal(await fate(ran), "pending");
        world.line.quiet();
        await world.time.pass(1000);
      }
      world.line.ok(world.line.takes(UNLOCK("db", 5)));
      assert.equal(await ran, "value");
      await world.time.pass(2000);
      world.line.quiet();
    });
  }
});

test("a release that is refused for now, and then the line is cut: it is told once, by the resume", async (t) => {
  const world = await holding(t);
  const released = world.lock.release();
  world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
  await world.resumed({ holds: [lockHold("db", 5)] });
  const unlock = world.line.takes(UNLOCK("db", 5));
  await world.time.pass(2000);
  world.line.quiet();
  world.line.ok(unlock);
  await released;
});

test("a release that is refused for now settles when the session ends, whatever for", async (t) => {
  for (const end of ["closed", "unauthorized", "the clock"]) {
    await t.test(end, async (t) => {
      const world = await holding(t);
      const released = world.lock.release();
      world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
      assert.equal(await fate(released), "pending");
      if (end === "closed") world.session.close();
      if (end === "unauthorized") {
        world.cut();
        for (let n = 0; world.all.length < 2 && n < 100; n++) await world.time.pass(100);
        const socket = world.all.at(-1);
        socket.readyState = 1;
        socket.onopen({});
        const { id } = socket.said.shift();
        socket.onmessage({ data: JSON.stringify({ id, error: { code: end, message: end } }) });
        assert.equal(world.session.state, "closed");
      }
      if (end === "the clock") {
        world.cut();
        await world.time.pass(9500);
      }
      assert.equal(await fate(released), undefined);
    });
  }
});

test("a revoke() of what one issued, refused: told, and can be tried again", async (t) => {
  const world = await issuing(t);
  const revoked = world.issued.revoke();
  revoked.catch(() => {});
  world.line.refuse(world.line.takes({ op: "revoke", resource: "jobs", ticket: "t1" }), "limit");
  await assert.rejects(revoked, { code: "limit" });
  const again = world.issued.revoke();
  world.line.ok(world.line.takes({ op: "revoke", resource: "jobs", ticket: "t1" }));
  await again;
});

// The confirmation was taken for a grant, whose release was under way: another got the lock beside this one.
test("what is being given up is no grant: a confirmation of it is asked for anew, behind that", async (t) => {
  const world = await claiming(t);
  const wanted = world.session.claim("jobs", { ticket: "t1" });
  const claim = world.line.takes(CLAIM("jobs", "t1"));
  const released = world.ticket.release();
  const release = world.line.takes(RELEASE("jobs", "t1", 5));
  world.line.ok(claim, { granted: true, ticket: ticketHold("jobs", "t1", 5) });
  assert.equal(await fate(wanted), "pending");
  world.line.ok(release, { released: true });
  await released;
  world.line.refuse(world.line.takes(RELEASE("jobs", "t1", 5)), "not-holder");
  world.line.ok(world.line.takes(CLAIM("jobs", "t1")), { granted: true, ticket: ticketHold("jobs", "t1", 6) });
  assert.equal((await wanted).fence, 6);
});

test("a give-back that was refused gives away nothing that is in use later", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  const cancel = world.line.takes({ op: "cancel", wait: 7 });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable").refuse(cancel, "not-found");
  const wanted = world.session.lock("db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  assert.equal(await fate(wanted), "pending");
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  assert.equal((await wanted).fence, 6);
  await world.resumed({ holds: [lockHold("db", 6)] });
  await world.time.pass(2000);
  world.line.quiet();
});

// withLock.

test("withLock: an error of the callback's own comes out, whatever becomes of the lock", async (t) => {
  for (const end of ["unlocked", "refused", "lost", "lost before"]) {
    await t.test(end, async (t) => {
      const world = await begun(t);
      let fail;
      const oops = new Error("oops");
      const ran = world.session.withLock("db", () => new Promise((_, reject) => (fail = reject)));
      ran.catch(() => {});
      world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
      await settled();
      if (end === "lost before") world.line.say({ event: "lock-lost", resource: "db", fence: 5, reason: "forced" });
      fail(oops);
      await settled();
      if (end === "unlocked") world.line.ok(world.line.takes(UNLOCK("db", 5)));
      if (end === "refused") {
        world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
        await world.time.pass(1000);
        world.line.ok(world.line.takes(UNLOCK("db", 5)));
      }
      if (end === "lost") world.line.close(4502, "closed");
      assert.equal(await ran.catch((error) => error), oops);
    });
  }
});

// The payment was made and the lock good; that the session was lost before the unlock was acknowledged made it fail.
test("withLock: a callback that settled while the hold was good: its value, though the hold is lost before its unlock is acknowledged", async (t) => {
  for (const end of ["closed", "lost", "there no more"]) {
    await t.test(end, async (t) => {
      const world = await begun(t);
      const ran = world.session.withLock("db", () => "paid");
      world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
      await settled();
      world.line.takes(UNLOCK("db", 5));
      if (end === "closed") world.session.close();
      if (end === "lost") world.line.close(4502, "closed");
      if (end === "there no more") await world.resumed();
      assert.equal(await fate(ran), "paid");
    });
  }
});

test("withLock: a callback that went on after the loss: the loss, and its value in it", async (t) => {
  for (const end of ["the clock", "lost", "taken"]) {
    await t.test(end, async (t) => {
      const world = await begun(t);
      let finish;
      const ran = world.session.withLock("db", () => new Promise((resolve) => (finish = resolve)));
      ran.catch(() => {});
      world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
      await settled();
      if (end === "the clock") world.time.freeze(9500);
      if (end === "lost") world.line.close(4502, "closed");
      if (end === "taken") world.line.say({ event: "lock-lost", resource: "db", fence: 5, reason: "forced" });
      finish("paid");
      await assert.rejects(ran, {
        name: "TicketdError",
        code: end === "taken" ? "lock-lost" : "session-lost",
        result: "paid",
      });
      assert.equal(world.session.signal.reason?.result, undefined, "it is this call's own error");
    });
  }
});

test("withLock: a callback that releases the lock itself has not lost it", async (t) => {
  const world = await begun(t);
  const ran = world.session.withLock("db", (lock) => (lock.release(), "early"));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  assert.equal(await ran, "early");
});

// Handles that have ended.

test("release() and then done(): nothing is revoked, and the caller told", async (t) => {
  const world = await claiming(t);
  const released = world.ticket.release();
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  await released;
  await assert.rejects(world.ticket.done(), { code: "released" });
  await world.ticket.release();
  world.line.quiet("another may be at it");
});

// Told that the ticket was another's by now, the handle forgot it: the second done() revoked the other's.
test("done() again, after it was too late: nothing is sent", async (t) => {
  const world = await claiming(t);
  world.cut();
  const done = world.ticket.done();
  done.catch(() => {});
  await world.resume();
  await assert.rejects(done, { code: "ticket-revoked" });
  await assert.rejects(world.ticket.done(), TicketdError);
  await world.ticket.release();
  world.line.quiet("it would revoke what another works on");
});

// The finished job came back: the handle that had issued it knew nothing of done().
test("done(), and the handle that issued the ticket in the same session: it has ended, an update() brings nothing back", async (t) => {
  const world = await issuing(t);
  const wanted = world.session.claim("jobs");
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 5) });
  const done = (await wanted).done();
  const revoke = world.line.take();
  assert.deepEqual([revoke.op, revoke.ticket, revoke.fence], ["revoke", "t1", 5]);
  await assert.rejects(world.issued.update("2"), { code: "ticket-revoked" });
  // Issued anew, it is another.
  const again = world.session.issue("jobs", "t1", "3");
  const issue = world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "3" });
  world.line.say({ event: "ticket-revoked", resource: "jobs", ticket: "t1", fence: 5, reason: "revoked" });
  world.line.ok(revoke).ok(issue);
  await done;
  assert.ok(!(await again).signal.aborted);
  await world.issued.revoke();
  world.line.quiet();
});

// Each had a handle of its own, and the revoke() of the first did nothing.
test("issued twice at once: there is one handle, and it revokes", async (t) => {
  const world = await begun(t);
  const both = [world.session.issue("jobs", "t1", "1"), world.session.issue("jobs", "t1", "2")];
  for (const data of ["1", "2"]) world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data }));
  const [one, two] = await Promise.all(both);
  assert.equal(one, two);
  const revoked = one.revoke();
  world.line.ok(world.line.takes({ op: "revoke", resource: "jobs", ticket: "t1" }));
  await revoked;
  assert.ok(two.signal.aborted);
});

test("… and when it was revoked by REST under the session's id", async (t) => {
  const world = await issuing(t);
  const wanted = world.session.claim("jobs");
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 5) });
  const ticket = await wanted;
  world.line.say({ event: "ticket-revoked", resource: "jobs", ticket: "t1", fence: 5, reason: "revoked" });
  assert.ok(ticket.signal.aborted && world.issued.signal.aborted);
  await assert.rejects(world.issued.update("2"), { code: "ticket-revoked" });
  world.line.quiet();
});
