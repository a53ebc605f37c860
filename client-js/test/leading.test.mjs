// Leading and observing, several locks at once, and what one issues and gives back with more to say.

import assert from "node:assert/strict";
import { after } from "node:test";

import { begun, fate, settled } from "./support/fake.mjs";
import { CLAIM, claiming, LOCK, lockHold, RELEASE, ticketHold, UNLOCK } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// Leading.

const ELECT = { ...LOCK("boss"), data: "10.0.0.7" };

test("elect: a lock with a value, which can be renewed for as long as it is held", async (t) => {
  const world = await begun(t);
  const wanted = world.session.elect("boss", "10.0.0.7");
  world.line.ok(world.line.takes(ELECT), { granted: true, fence: 5, waiting: 0 });
  const lead = await wanted;
  const updated = lead.update(new Uint8Array([255]));
  world.line.ok(world.line.takes({ op: "lock", resource: "boss", fence: 5, data64: "/w==" }), { granted: true, fence: 5, waiting: 0 });
  await updated;
  const late = lead.update("late");
  late.catch(() => {});
  world.line.refuse(world.line.takes({ op: "lock", resource: "boss", fence: 5, data: "late" }), "not-holder");
  await assert.rejects(late, { code: "not-holder" });
  assert.equal(lead.signal.reason.code, "lock-lost", "what the server does not know any more is lost");
  await assert.rejects(lead.update("later"), { code: "lock-lost" });
  world.line.quiet("it is never taken anew by that");
});

test("elect: waits its turn, and stops waiting by its signal", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session.elect("boss", "10.0.0.7", { signal: stop.signal });
  world.line.ok(world.line.takes(ELECT), { granted: false, wait: 7, position: 1 });
  stop.abort(new Error("enough"));
  await assert.rejects(wanted, /enough/);
  world.line.ok(world.line.takes({ op: "cancel", wait: 7 }), { cancelled: true });
  await assert.rejects(world.session.elect("boss", 17), TypeError);
  await assert.rejects(world.session.elect("boss", "x".repeat(1025)), { code: "too-large" });
  world.line.quiet();
});

test("update() and a cut: sent again when the lock is still held, else rejected; it takes nothing", async (t) => {
  for (const holds of [[lockHold("boss", 5)], []]) {
    await t.test(`${holds.length} held`, async (t) => {
      const world = await begun(t);
      const wanted = world.session.elect("boss", "10.0.0.7");
      world.line.ok(world.line.takes(ELECT), { granted: true, fence: 5, waiting: 0 });
      const updated = (await wanted).update("x");
      updated.catch(() => {});
      world.line.take();
      await world.resumed({ holds });
      if (!holds.length) await assert.rejects(updated, { code: "lock-lost" });
      else {
        world.line.ok(world.line.takes({ op: "lock", resource: "boss", fence: 5, data: "x" }), { granted: true, fence: 5, waiting: 0 });
        await updated;
      }
      world.line.quiet();
    });
  }
});

const figures = (holders, waiting = 0) => ({ kind: holders.length ? "lock" : null, free: 0, held: holders.length, waiting, holders });
const holder = (session, fence, data) => ({ session, ref: `ref of ${session}`, fence, data });

test("observe: who leads now, and each change; nothing of who else waits", async (t) => {
  const world = await begun(t);
  const seen = world.session.observe("boss");
  const first = seen.next();
  await settled();
  world.line.ok(world.line.takes({ op: "watch", resource: "boss", changes: true }), figures([]));
  assert.deepEqual((await first).value, { leader: null });
  const changed = (...args) => world.line.say({ event: "resource-changed", resource: "boss", ...figures(...args) });
  const leads = async (expected) => {
    const { leader } = (await seen.next()).value;
    assert.deepEqual(leader && [leader.session, leader.ref, leader.fence, new TextDecoder().decode(leader.data)], expected);
  };
  changed([holder("a", 5, "here")]);
  await leads(["a", "ref of a", 5, "here"]);
  const next = seen.next();
  changed([holder("a", 5, "here")], 3);
  assert.equal(await fate(next), "pending", "it is the same leader");
  changed([holder("a", 5, "there")], 3);
  assert.equal(new TextDecoder().decode((await next).value.leader.data), "there");
  changed([holder("b", 6, "")]);
  await leads(["b", "ref of b", 6, ""]);
  changed([]);
  await leads(null);
  await seen.return();
  world.line.takes({ op: "unwatch", resource: "boss" });
});

test("watch: figures that not every resource has, as they come", async (t) => {
  const world = await begun(t);
  const seen = world.session.watch("jobs");
  const first = seen.next();
  await settled();
  const now = { kind: "tickets", free: 1, held: 0, waiting: 0, delayed: 2, dead: 1, paused: true };
  world.line.ok(world.line.takes({ op: "watch", resource: "jobs", changes: true }), now);
  assert.deepEqual((await first).value, now);
  await seen.return();
});

// Places.

test("onPosition: told its place and each change, from outside the helper's own course", async (t) => {
  const world = await begun(t);
  const places = [];
  const wanted = world.session.lock("db", { onPosition: (position) => places.push(position) });
  world.line.ok(world.line.takes({ ...LOCK("db"), progress: true }), { granted: false, wait: 7, position: 3 });
  await settled();
  world.line.say({ event: "wait-moved", wait: 7, resource: "db", position: 2 });
  world.line.say({ event: "wait-moved", wait: 99, resource: "db", position: 1 });
  await settled();
  world.line.say({ event: "wait-moved", wait: 7, resource: "db", position: 1 });
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0 });
  await wanted;
  world.line.say({ event: "wait-moved", wait: 7, resource: "db", position: 5 });
  await settled();
  assert.deepEqual(places, [3, 2, 1]);
  world.line.quiet();
});

test("onPosition, and a cut: told where it stands after", async (t) => {
  const world = await begun(t);
  const places = [];
  world.session.lock("db", { onPosition: (position) => places.push(position) }).catch(() => {});
  world.line.ok(world.line.takes({ ...LOCK("db"), progress: true }), { granted: false, wait: 7, position: 5 });
  await world.resumed({ waits: [{ wait: 7, resource: "db", kind: "lock", position: 2 }] });
  assert.deepEqual(places, [5, 2]);
});

test("onPosition for claims; none for who does not wait", async (t) => {
  const world = await begun(t);
  const places = [];
  const onPosition = (position) => places.push(position);
  world.session.claim("jobs", { onPosition }).catch(() => {});
  world.line.ok(world.line.takes({ ...CLAIM("jobs"), progress: true }), { granted: false, wait: 7, position: 2 });
  world.session.lock("db", { onPosition, ifAvailable: true }).catch(() => {});
  world.line.takes({ op: "lock", resource: "db" });
  await settled();
  assert.deepEqual(places, [2]);
});

// Several at once.

const granted = (world, resource, fence) => world.line.ok(world.line.takes(LOCK(resource)), { granted: true, fence, waiting: 0 });

test("lockAll: one after the other in the order of the names' bytes, whatever order they are given in", async (t) => {
  const world = await begun(t);
  // By UTF-16 units the last two would change places.
  const names = ["é", "\u{1f600}", "b", "\uff5e", "a", "b"];
  const wanted = world.session.lockAll(names);
  for (const [n, name] of ["a", "b", "é", "\uff5e", "\u{1f600}"].entries()) {
    granted(world, name, 10 + n);
    await settled();
  }
  assert.deepEqual((await wanted).map(({ resource }) => resource), names);
});

test("lockAll: one cannot be had, and all go back", async (t) => {
  for (const why of ["refused", "not free", "given up", "lost"]) {
    await t.test(why, async (t) => {
      const world = await begun(t);
      const stop = new AbortController();
      const options = why === "not free" ? { ifAvailable: true } : { signal: stop.signal };
      const wanted = world.session.lockAll(["b", "a"], options);
      wanted.catch(() => {});
      const ask = (resource) => (why === "not free" ? { op: "lock", resource } : LOCK(resource));
      world.line.ok(world.line.takes(ask("a")), { granted: true, fence: 5, waiting: 0 });
      await settled();
      const second = world.line.takes(ask("b"));
      if (why === "refused") world.line.refuse(second, "limit");
      if (why === "not free") world.line.ok(second, { granted: false });
      if (why === "given up") stop.abort();
      if (why === "lost") {
        world.line.say({ event: "lock-lost", resource: "a", fence: 5, reason: "forced" });
        world.line.ok(second, { granted: true, fence: 6, waiting: 0 });
      }
      await settled();
      world.line.ok(world.line.takes(why === "lost" ? UNLOCK("b", 6) : UNLOCK("a", 5)));
      if (why === "not free") assert.equal(await wanted, null);
      else await assert.rejects(wanted, { refused: { code: "limit" }, lost: { code: "lock-lost" } }[why] ?? { name: "AbortError" });
    });
  }
});

// Queues of work.

test("issue: how it is issued is said; an update says it again, but for what is once", async (t) => {
  const world = await begun(t);
  const terms = { stay: true, priority: 3, attempts: 5, hold: 30_000, notify: true };
  const wanted = world.session.issue("jobs", "t1", "1", { ...terms, new: true, delay: 1000 });
  const ISSUE = { op: "issue", resource: "jobs", ticket: "t1" };
  world.line.ok(world.line.takes({ ...ISSUE, ...terms, new: true, delay: 1000, data: "1" }));
  const issued = await wanted;
  for (const [more, sent] of [[undefined, {}], [{ delay: 500 }, { delay: 500 }]]) {
    const updated = issued.update("2", more);
    world.line.ok(world.line.takes({ ...ISSUE, ...terms, ...sent, data: "2" }));
    await updated;
  }
});

test("issue, only if it is the first: told when it is not; and a cut tells whether it was", async (t) => {
  const world = await begun(t);
  const second = world.session.issue("jobs", "t1", "1", { new: true });
  second.catch(() => {});
  world.line.refuse(world.line.take(), "ticket-exists");
  await assert.rejects(second, { code: "ticket-exists", retryable: false });
  const wanted = world.session.issue("jobs", "t2", "1", { new: true });
  world.line.take();
  await world.resumed({ issued: [{ resource: "jobs", ticket: "t2", claimed: false }] });
  world.line.quiet("asked again, it would be told that it is there already");
  assert.ok(!(await wanted).signal.aborted);
});

test("fail: given back with a note, and for later or for nobody", async (t) => {
  const world = await claiming(t);
  const failed = world.ticket.fail("no such file", { dead: true });
  world.line.ok(world.line.takes({ ...RELEASE("jobs", "t1", 5), note: "no such file", dead: true }), { released: true });
  await failed;
  assert.equal(world.ticket.signal.reason.code, "released");
  await assert.rejects(world.ticket.done(), { code: "released" });
  await world.ticket.fail("again");
  world.line.quiet();
});

test("fail: a note that is too long is cut, between characters; half a surrogate is none", async (t) => {
  for (const [note, sent] of [["x".repeat(300), "x".repeat(253)], ["\u{1f600}".repeat(64), `${"\u{1f600}".repeat(63)}\ufffd`], ["a\ud800", "a\ufffd"]]) {
    const world = await claiming(t);
    const failed = world.ticket.fail(note);
    world.line.ok(world.line.takes({ ...RELEASE("jobs", "t1", 5), note: sent }), { released: true });
    assert.ok(Buffer.byteLength(sent) <= 255);
    await failed;
  }
});

test("fail, and the line is cut: settled by the resume, as a release is", async (t) => {
  const world = await claiming(t);
  const failed = world.ticket.fail("no such file");
  world.line.take();
  await world.resumed({ holds: [ticketHold("jobs", "t1", 5)] });
  world.line.ok(world.line.takes({ ...RELEASE("jobs", "t1", 5), note: "no such file" }), { released: true });
  await failed;
});
