// What becomes of everything under way when the line is cut and the session taken up again. The test is the server: it
// says whether what was asked had been carried out before the cut, and sees what is asked after.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate, settled } from "./support/fake.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

const lockHold = (resource, fence) => ({ resource, fence, waiting: 0 });
const ticketHold = (resource, ticket, fence, data = "") => ({ resource, ticket, fence, data, issuer: "boss" });
const lockWait = (resource, wait) => ({ wait, resource, kind: "lock", position: 1 });
const ticketWait = (resource, wait, ticket) => ({ wait, resource, kind: "ticket", ticket, position: 1 });
const LOCK = (resource) => ({ op: "lock", resource, wait: true });
const UNLOCK = (resource, fence) => ({ op: "unlock", resource, fence });
const CLAIM = (resource, ticket) => ({ op: "claim", resource, ...(ticket && { ticket }), wait: true });
const RELEASE = (resource, ticket, fence) => ({ op: "release", resource, ticket, fence });

/** A session that holds that lock. */
const holding = async (t, resource = "db", fence = 5) => {
  const world = await begun(t);
  const wanted = world.session.lock(resource);
  world.line.ok(world.line.takes(LOCK(resource)), { granted: true, fence, waiting: 0 });
  return Object.assign(world, { lock: await wanted });
};

/** … that ticket. */
const claiming = async (t, resource = "jobs", ticket = "t1", fence = 5) => {
  const world = await begun(t);
  const wanted = world.session.claim(resource);
  world.line.ok(world.line.takes(CLAIM(resource)), { granted: true, ticket: ticketHold(resource, ticket, fence, "1") });
  return Object.assign(world, { ticket: await wanted });
};

/** … has issued that ticket. */
const issuing = async (t, resource = "jobs", ticket = "t1") => {
  const world = await begun(t);
  const wanted = world.session.issue(resource, ticket, "1");
  world.line.ok(world.line.takes({ op: "issue", resource, ticket, data: "1" }));
  return Object.assign(world, { issued: await wanted });
};

// A cut between a request and its answer.

test("lock, cut: it had been granted; the state says so, and nothing is asked again", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db");
  world.line.takes(LOCK("db"));
  await world.resumed({ holds: [lockHold("db", 5)] });
  assert.equal((await wanted).fence, 5);
  world.line.quiet();
});

test("lock, cut: it had joined the queue; it keeps its place", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db");
  world.line.takes(LOCK("db"));
  await world.resumed({ waits: [lockWait("db", 7)] });
  world.line.quiet();
  assert.equal(await fate(wanted), "pending");
  world.line.say({ event: "lock-granted", resource: "db", fence: 6, wait: 7, waiting: 0 });
  assert.equal((await wanted).fence, 6);
});

test("lock, cut: it had not been carried out; it is asked again, once", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db");
  const first = world.line.takes(LOCK("db"));
  await world.resumed();
  const again = world.line.takes(LOCK("db"));
  world.line.quiet();
  world.line.ok(again, { granted: true, fence: 5, waiting: 0 });
  assert.equal((await wanted).fence, 5);
  // An answer to the first one, from a server gone mad, is nobody's.
  if (first.id !== again.id) world.line.ok(first, { granted: true, fence: 5, waiting: 0 });
  world.line.quiet();
});

test("lock ifAvailable, cut: it had been granted", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db", { ifAvailable: true });
  world.line.takes({ op: "lock", resource: "db" });
  await world.resumed({ holds: [lockHold("db", 5)] });
  world.line.quiet();
  assert.equal((await wanted).fence, 5);
});

test("lock ifAvailable, cut: it had not been granted, or not carried out; it is tried again", async (t) => {
  const world = await begun(t);
  const wanted = world.session.lock("db", { ifAvailable: true });
  world.line.takes({ op: "lock", resource: "db" });
  await world.resumed();
  world.line.ok(world.line.takes({ op: "lock", resource: "db" }), { granted: false });
  assert.equal(await wanted, null);
});

test("unlock, cut: it had been carried out", async (t) => {
  const world = await holding(t);
  const released = world.lock.release();
  world.line.takes(UNLOCK("db", 5));
  await world.resumed();
  world.line.quiet();
  await released;
});

test("unlock, cut: it had not been carried out", async (t) => {
  const world = await holding(t);
  const released = world.lock.release();
  world.line.takes(UNLOCK("db", 5));
  await world.resumed({ holds: [lockHold("db", 5)] });
  const again = world.line.takes(UNLOCK("db", 5));
  world.line.quiet("given up once");
  assert.equal(await fate(released), "pending");
  world.line.ok(again);
  await released;
  assert.equal(world.lock.signal.reason.code, "released", "what one gave up oneself one has not lost");
});

test("unlock, cut: carried out, and then locked by the next of this session, which is what the state shows", async (t) => {
  const world = await holding(t);
  const next = world.session.lock("db");
  world.line.quiet("calls of one session wait for one another here");
  const released = world.lock.release();
  world.line.takes(UNLOCK("db", 5));
  world.line.takes(LOCK("db"));
  await world.resumed({ holds: [lockHold("db", 6)] });
  world.line.quiet();
  await released;
  assert.equal((await next).fence, 6);
});

test("unlock and lock, cut: neither had been carried out; both are asked again, in that order", async (t) => {
  const world = await holding(t);
  const next = world.session.lock("db");
  const released = world.lock.release();
  world.line.takes(UNLOCK("db", 5));
  world.line.takes(LOCK("db"));
  await world.resumed({ holds: [lockHold("db", 5)] });
  const unlock = world.line.takes(UNLOCK("db", 5));
  const lock = world.line.takes(LOCK("db"));
  world.line.ok(unlock);
  world.line.ok(lock, { granted: true, fence: 6, waiting: 0 });
  await released;
  assert.equal((await next).fence, 6);
});

for (const [name, ticket] of [["claim of any ticket", undefined], ["claim of a named ticket", "t1"]]) {
  const options = ticket && { ticket };

  test(`${name}, cut: it had been granted`, async (t) => {
    const world = await begun(t);
    const wanted = world.session.claim("jobs", options);
    world.line.takes(CLAIM("jobs", ticket));
    await world.resumed({ holds: [ticketHold("jobs", "t1", 5, "x")] });
    world.line.quiet();
    const got = await wanted;
    assert.deepEqual([got.name, got.fence, got.text(), got.issuer], ["t1", 5, "x", "boss"]);
  });

  test(`${name}, cut: it had joined the queue`, async (t) => {
    const world = await begun(t);
    const wanted = world.session.claim("jobs", options);
    world.line.takes(CLAIM("jobs", ticket));
    await world.resumed({ waits: [ticketWait("jobs", 7, ticket)] });
    world.line.quiet();
    world.line.say({ event: "ticket-granted", ...ticketHold("jobs", "t1", 6), wait: 7 });
    assert.equal((await wanted).fence, 6);
  });

  test(`${name}, cut: it had not been carried out`, async (t) => {
    const world = await begun(t);
    const wanted = world.session.claim("jobs", options);
    world.line.takes(CLAIM("jobs", ticket));
    await world.resumed();
    const again = world.line.takes(CLAIM("jobs", ticket));
    world.line.quiet();
    world.line.ok(again, { granted: true, ticket: ticketHold("jobs", "t1", 5) });
    assert.equal((await wanted).name, "t1");
  });
}

test("two claims, cut: one had been granted, one had joined the queue; each gets one of them", async (t) => {
  const world = await begun(t);
  const wanted = [world.session.claim("jobs"), world.session.claim("jobs")];
  world.line.takes(CLAIM("jobs"));
  world.line.takes(CLAIM("jobs"));
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5)], waits: [ticketWait("jobs", 7)] });
  world.line.quiet("both are accounted for");
  const first = await Promise.race(wanted);
  assert.equal(first.name, "t1");
  world.line.say({ event: "ticket-granted", ...ticketHold("jobs", "t2", 6), wait: 7 });
  assert.deepEqual((await Promise.all(wanted)).map(({ name }) => name).sort(), ["t1", "t2"]);
});

test("two claims, cut: the first had been granted, the second had not arrived", async (t) => {
  const world = await begun(t);
  const wanted = [world.session.claim("jobs"), world.session.claim("jobs")];
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5)] });
  world.line.ok(world.line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t2", 6) });
  world.line.quiet();
  assert.deepEqual((await Promise.all(wanted)).map(({ name }) => name).sort(), ["t1", "t2"]);
});

test("a hundred claims, cut anywhere: each ticket goes to one of them, each wait stands for one", async (t) => {
  for (const arrived of [0, 1, 37, 99, 100]) {
    for (const granted of new Set([0, 1, Math.floor(arrived / 2), arrived])) {
      if (granted > arrived) continue;
      await t.test(`${arrived} arrived, ${granted} granted`, async (t) => {
        const world = await begun(t);
        const wanted = Array.from({ length: 100 }, () => world.session.claim("jobs"));
        const state = { holds: [], waits: [] };
        for (let n = 0; n < arrived; n++) {
          if (n < granted) state.holds.push(ticketHold("jobs", `t${n}`, 100 + n));
          else state.waits.push(ticketWait("jobs", 500 + n));
        }
        await world.resumed(state);
        for (let n = arrived; n < 100; n++) {
          world.line.ok(world.line.takes(CLAIM("jobs")), { granted: false, wait: 500 + n, position: n });
        }
        world.line.quiet();
        for (let n = granted; n < 100; n++) {
          world.line.say({ event: "ticket-granted", ...ticketHold("jobs", `t${n}`, 100 + n), wait: 500 + n });
        }
        world.line.quiet();
        const names = (await Promise.all(wanted)).map(({ name }) => name);
        assert.equal(new Set(names).size, 100);
      });
    }
  }
});

test("release, cut: it had been carried out", async (t) => {
  const world = await claiming(t);
  const released = world.ticket.release();
  world.line.takes(RELEASE("jobs", "t1", 5));
  await world.resumed();
  world.line.quiet();
  await released;
});

test("release, cut: it had been carried out, and the ticket claimed by this session again", async (t) => {
  const world = await claiming(t);
  const released = world.ticket.release();
  const wanted = world.session.claim("jobs");
  await world.resumed({ holds: [ticketHold("jobs", "t1", 9)] });
  world.line.quiet();
  await released;
  assert.equal((await wanted).fence, 9);
});

test("release, cut: it had not been carried out", async (t) => {
  const world = await claiming(t);
  const released = world.ticket.release();
  world.line.takes(RELEASE("jobs", "t1", 5));
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5)] });
  world.line.ok(world.line.takes(RELEASE("jobs", "t1", 5)), { released: true });
  world.line.quiet();
  await released;
});

test("done, cut: it had been carried out", async (t) => {
  const world = await claiming(t);
  const done = world.ticket.done();
  assert.equal(world.line.take().op, "revoke");
  await world.resumed();
  world.line.quiet("revoking it again would revoke what another issued since");
  await done;
});

test("done, cut: it had not been carried out", async (t) => {
  const world = await claiming(t);
  const done = world.ticket.done();
  assert.equal(world.line.take().op, "revoke");
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5)] });
  const again = world.line.take();
  assert.deepEqual([again.op, again.resource, again.ticket], ["revoke", "jobs", "t1"]);
  world.line.quiet();
  world.line.ok(again);
  await done;
});

test("done, cut: it is another grant that the state shows: that one is not revoked", async (t) => {
  const world = await claiming(t);
  const done = world.ticket.done();
  done.catch(() => {});
  const wanted = world.session.claim("jobs", { ticket: "t1" });
  await world.resumed({ holds: [ticketHold("jobs", "t1", 9)] });
  world.line.quiet();
  await done;
  assert.equal((await wanted).fence, 9);
});

test("issue, cut: it had been carried out", async (t) => {
  const world = await begun(t);
  const wanted = world.session.issue("jobs", "t1", "1");
  world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "1" });
  await world.resumed({ issued: [{ resource: "jobs", ticket: "t1", claimed: false }] });
  // It is this session's still: issuing it again is harmless.
  const again = world.line.take();
  if (again) world.line.ok(again);
  world.line.quiet();
  const issued = await wanted;
  assert.ok(!issued.signal.aborted);
});

test("issue, cut: it had not been carried out", async (t) => {
  const world = await begun(t);
  const wanted = world.session.issue("jobs", "t1", new Uint8Array([255]), { notify: true });
  const ISSUE = { op: "issue", resource: "jobs", ticket: "t1", notify: true, data64: "/w==" };
  world.line.takes(ISSUE);
  await world.resumed();
  world.line.ok(world.line.takes(ISSUE));
  world.line.quiet();
  await wanted;
});

test("update, cut: the state cannot tell which data the ticket has; it is sent again, for the ticket is one's own still", async (t) => {
  const world = await issuing(t);
  const updated = world.issued.update("2");
  world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "2" });
  await world.resumed({ issued: [{ resource: "jobs", ticket: "t1", claimed: true }] });
  world.line.ok(world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "2" }));
  await updated;
});

test("update, cut: the ticket was taken meanwhile; it is not taken back", async (t) => {
  const world = await issuing(t);
  const updated = world.issued.update("2");
  updated.catch(() => {});
  world.line.takes({ op: "issue", resource: "jobs", ticket: "t1", data: "2" });
  await world.resumed();
  world.line.quiet();
  await assert.rejects(updated, TicketdError);
  assert.ok(world.issued.signal.aborted);
});

test("revoke, cut: it had been carried out", async (t) => {
  const world = await issuing(t);
  const revoked = world.issued.revoke();
  assert.equal(world.line.take().op, "revoke");
  await world.resumed();
  world.line.quiet();
  await revoked;
});

test("revoke, cut: it had not been carried out", async (t) => {
  const world = await issuing(t);
  const revoked = world.issued.revoke();
  assert.equal(world.line.take().op, "revoke");
  await world.resumed({ issued: [{ resource: "jobs", ticket: "t1", claimed: false }] });
  world.line.ok(world.line.takes({ op: "revoke", resource: "jobs", ticket: "t1" }));
  world.line.quiet();
  await revoked;
});

test("watch, cut: it had been carried out; its figures come with the state", async (t) => {
  const world = await begun(t);
  const watch = world.session.watch("db");
  const first = watch.next();
  const WATCH = { op: "watch", resource: "db", changes: true };
  world.line.takes(WATCH);
  const now = { kind: "lock", free: 0, held: 1, waiting: 2 };
  await world.resumed({ watches: [{ resource: "db", changes: true, ...now }] });
  assert.deepEqual(await first, { done: false, value: now });
  // Asking again is harmless, and brings no second item.
  const again = world.line.take();
  if (again) world.line.ok(again, now);
  const second = watch.next();
  assert.equal(await fate(second), "pending");
  await watch.return();
});

test("watch, cut: it had not been carried out", async (t) => {
  const world = await begun(t);
  const watch = world.session.watch("db");
  const first = watch.next();
  world.line.take();
  await world.resumed();
  world.line.ok(world.line.takes({ op: "watch", resource: "db", changes: true }), { kind: null, free: 0, held: 0, waiting: 0 });
  assert.equal((await first).value.kind, null);
  await watch.return();
});

test("unwatch, cut: whether it had been carried out or not, it is asked again, and nobody minds", async (t) => {
  for (const watches of [[], [{ resource: "db", changes: true, kind: "lock", free: 0, held: 1, waiting: 0 }]]) {
    await t.test(`${watches.length} watches left`, async (t) => {
      const world = await begun(t);
      const watch = world.session.watch("db");
      const first = watch.next();
      world.line.ok(world.line.take(), { kind: "lock", free: 0, held: 1, waiting: 0 });
      await first;
      await watch.return();
      world.line.takes({ op: "unwatch", resource: "db" });
      await world.resumed({ watches });
      const again = world.line.take();
      assert.equal(again?.op ?? "unwatch", "unwatch");
      assert.ok(again || !watches.length, "it would go on for ever");
      if (again) world.line.ok(again);
    });
  }
});

/** A session whose wait has a place in the queue. */
const waiting = async (t, op = "lock", resource = "db", wait = 7) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session[op](resource, { signal: stop.signal });
  wanted.catch(() => {});
  world.line.ok(world.line.takes((op === "lock" ? LOCK : CLAIM)(resource)), { granted: false, wait, position: 1 });
  await settled();
  return Object.assign(world, { wanted, stop });
};

test("cancel, cut: it had been carried out", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  world.line.takes({ op: "cancel", wait: 7 });
  await world.resumed();
  world.line.quiet();
  await assert.rejects(world.wanted, { name: "AbortError" });
});

test("cancel, cut: it had not been carried out; the place is given up", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  world.line.takes({ op: "cancel", wait: 7 });
  await world.resumed({ waits: [lockWait("db", 7)] });
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  world.line.quiet();
});

test("cancel, cut: it had been too late; what was granted is given back", async (t) => {
  const world = await waiting(t);
  world.stop.abort();
  world.line.takes({ op: "cancel", wait: 7 });
  await world.resumed({ holds: [lockHold("db", 8)] });
  world.line.ok(world.line.takes(UNLOCK("db", 8)));
  world.line.quiet();
});

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

// What a former page left of its session.

const FORMER = { options: { session: "S".repeat(27) } };

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
  for (const end of ["closed", "limit", "the clock"]) {
    await t.test(end, async (t) => {
      const world = await holding(t);
      const released = world.lock.release();
      world.line.refuse(world.line.takes(UNLOCK("db", 5)), "unavailable");
      assert.equal(await fate(released), "pending");
      if (end === "closed") world.session.close();
      if (end === "limit") {
        world.cut();
        for (let n = 0; world.all.length < 2 && n < 100; n++) await world.time.pass(100);
        const socket = world.all.at(-1);
        socket.readyState = 1;
        socket.onopen({});
        const { id } = socket.said.shift();
        socket.onmessage({ data: JSON.stringify({ id, error: { code: "limit", message: "limit" } }) });
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

// Names.

// lock("jobs\nj1") had the key of ticket j1 of jobs: it joined the claim of that, and gave a Ticket with its data.
test("a lock with the name of a ticket's key, and what is no name: refused before anything is sent", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const claim = session.claim("jobs", { ticket: "j1" });
  world.line.takes(CLAIM("jobs", "j1"));
  for (const name of ["jobs\nj1", "", "a\u0000", "\u007f", "\u0085", "\ud800", "x\udc00y", "x".repeat(256), "é".repeat(128), 17, null, undefined]) {
    for (const wrong of [
      () => session.lock(name),
      () => session.withLock(name, () => assert.fail("called")),
      () => session.claim(name),
      () => session.issue(name, "t"),
      () => session.issue("jobs", name),
      () => session.watch(name).next(),
      () => session.claims(name).next(),
      ...(name === undefined ? [] : [() => session.claim("jobs", { ticket: name })]),
    ]) {
      await assert.rejects(wrong(), { name: "TicketdError", code: "bad-request" }, `${wrong} ${name}`);
    }
  }
  world.line.quiet();
  assert.equal(await fate(claim), "pending");
  session.lock("é".repeat(127) + "x").catch(() => {});
  session.lock('["jobs","j1"]').catch(() => {});
  assert.deepEqual([world.line.take().op, world.line.take().op], ["lock", "lock"]);
});

// Wrong use.

test("wrong use rejects in words, before anything is sent", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const { locks } = session;
  for (const [wrong, words] of [
    [() => session.lock("db", { mode: "shared" }), /lock\(\) has no option "mode"/],
    [() => session.lock("db", { steal: true }), /"steal"/],
    [() => session.lock("db", { ticket: "t" }), /"ticket"/],
    [() => session.claim("jobs", { concurrency: 4 }), /claim\(\) has no option "concurrency"/],
    [() => session.withLock("db", { ifAvailible: true }, () => {}), /"ifAvailible"/],
    [() => session.lock("db", { signal: new AbortController() }), TypeError],
    [() => session.withLock("db"), /function/],
    [() => session.withLock("db", {}), /function/],
    [() => session.withLock("db", { signal: AbortSignal.timeout(60_000) }, "function"), /function/],
    [() => locks.request("db", undefined), /function/],
    [() => session.claims("jobs", { concurrency: 0 }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: NaN }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: "2" }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: Infinity }).next(), /concurrency/],
    [() => session.issue("jobs", "t", { a: 1 }), /data/],
    [() => session.issue("jobs", "t", [1, 2]), /data/],
    [() => session.issue("jobs", "t", null), /data/],
    [() => session.issue("jobs", "t", 17), /data/],
    [() => session.issue("jobs", "t", new ArrayBuffer(4)), /data/],
    [() => session.issue("jobs", "t", new Uint16Array(4)), /data/],
    [() => session.issue("jobs", "t", "\ud800"), /data/],
  ]) {
    const error = await wrong().then(() => assert.fail(`${wrong}`), (error) => error);
    assert.ok(error instanceof TypeError, `${wrong}: ${error}`);
    if (words instanceof RegExp) assert.match(error.message, words);
  }
  world.line.quiet();
});

test("options that are null or undefined are none", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const ran = [
    session.locks.request("a", undefined, () => 1),
    session.locks.request("b", null, () => 1),
    session.withLock("c", { mode: "exclusive", steal: false, ifAvailable: undefined }, () => 1),
  ];
  for (const resource of ["a", "b", "c"]) world.line.ok(world.line.takes(LOCK(resource)), { granted: true, fence: 5 + resource.charCodeAt(0), waiting: 0 });
  await settled();
  for (let frame; (frame = world.line.take()); ) world.line.ok(frame);
  assert.deepEqual(await Promise.all(ran), [1, 1, 1]);
  for (const promise of [session.lock("d", null), session.claim("e", null), session.claims("f", null).next(), session.watch("g", null).next(), session.issue("h", "t", "", null)]) promise.catch(() => {});
  const ops = [];
  for (let frame; (frame = world.line.take()); ) ops.push(frame.op);
  assert.deepEqual(ops, ["lock", "claim", "claim", "watch", "issue"]);
});

// An AbortSignal of another library's, whose first listener stopped the event, left the wait in the queue for ever.
test("stopImmediatePropagation() in somebody's listener stops no abort", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  stop.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
  const { signal } = stop;
  const wanted = world.session.lock("db", { signal });
  wanted.catch(() => {});
  const ends = [world.session.claims("jobs", { signal }).next(), world.session.watch("jobs", { signal }).next()];
  world.line.takes(LOCK("db"));
  stop.abort(new Error("enough"));
  await assert.rejects(wanted, /enough/);
  assert.deepEqual((await Promise.all(ends)).map(({ done }) => done), [true, true]);
});

test("a wait that ends by the signal of a hold ends by its reason itself", async (t) => {
  const world = await holding(t);
  const wanted = world.session.claim("jobs", { signal: world.lock.signal });
  wanted.catch(() => {});
  world.lock.release().catch(() => {});
  assert.equal(await wanted.catch((error) => error), world.lock.signal.reason);
});

test("errors have the stack of who called", async (t) => {
  const world = await begun(t);
  async function theCaller(call) {
    await call();
  }
  const { session } = world;
  const calls = [
    () => session.claim("db"),
    () => session.issue("db", "t"),
    () => session.lock("y"),
    () => session.withLock("x", () => {}),
    () => session.watch("x").next(),
  ].map((call) => theCaller(call).catch((error) => error));
  await settled();
  for (let frame; (frame = world.line.take()); ) world.line.refuse(frame, "limit", "too much");
  for (const { name, code, message, stack } of await Promise.all(calls)) {
    assert.deepEqual([name, code, message], ["TicketdError", "limit", "too much"]);
    assert.match(stack, /^TicketdError: too much\n/);
    assert.match(stack, /theCaller/);
  }
});

test("a loop on the signal ends by release() and by done()", async (t) => {
  const world = await claiming(t);
  let turns = 0;
  const loop = (async () => {
    while (!world.ticket.signal.aborted) {
      turns++;
      await settled();
    }
    return world.ticket.signal.reason;
  })();
  await settled();
  world.ticket.done().catch(() => {});
  assert.deepEqual([(await loop).name, (await loop).code, turns > 0], ["TicketdError", "done", true]);
});

// It counted as answered, and then there was nothing to say: who had asked waited for ever.
for (const answer of [{}, { error: null }, { ok: null, error: 0 }, { part: {} }]) {
  test(`an answer that is none, ${JSON.stringify(answer)}: all that was asked rejects, with the session`, async (t) => {
    const world = await issuing(t);
    const asked = [world.issued.revoke(), world.session.issue("jobs", "t2", "x"), world.session.lock("db"), world.session.watch("db").next()];
    const frames = asked.map(() => world.line.take());
    const codes = Promise.all(asked.map((promise) => promise.then(() => "fine", ({ code }) => code)));
    world.line.say({ id: frames[0].id, ...answer });
    assert.deepEqual(await codes, ["protocol", "protocol", "protocol", "protocol"]);
    assert.equal(world.session.signal.reason.code, "protocol");
  });
}
