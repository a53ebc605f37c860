// Those of one session who share a lock, or take it from each other: what is asked of the server, and who has it when.

import assert from "node:assert/strict";
import { after } from "node:test";

import { begun, fate, settled } from "./support/fake.mjs";
import { LOCK, lockHold, UNLOCK } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

const SHARE = (resource) => ({ ...LOCK(resource), mode: "shared" });
const shared = (fence, waiting = 0) => ({ granted: true, fence, mode: "shared", waiting });

/** One request, whose lock is held until it is let go. */
const request = (world, name, options = {}) => {
  const one = {};
  one.held = new Promise((resolve) => {
    one.over = world.session.locks.request(name, options, (lock) => {
      resolve(lock);
      return new Promise((finish) => (one.release = finish));
    });
  });
  one.over.catch(() => {});
  return one;
};

const reader = (world, options) => request(world, "db", { mode: "shared", ...options });

/** A session with one reader inside. */
const reading = async (t) => {
  const world = await begun(t);
  const one = reader(world);
  world.line.ok(world.line.takes(SHARE("db")), shared(5));
  assert.equal((await one.held).mode, "shared");
  return Object.assign(world, { one });
};

test("a further reader asks again, and shares the hold when nobody waits", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  const frame = world.line.takes(SHARE("db"));
  assert.equal(await fate(two.held), "pending");
  world.line.ok(frame, shared(5));
  const lock = await two.held;
  assert.deepEqual([lock.fence, lock.name, lock.mode], [5, "db", "shared"]);
  assert.notEqual(lock, await world.one.held, "each has a handle of its own");
});

test("the hold ends with the last who shares it, each handle with its own release", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  world.line.ok(world.line.takes(SHARE("db")), shared(5));
  const [first, second] = [await world.one.held, await two.held];
  world.one.release();
  await world.one.over;
  world.line.quiet("the other reads on");
  assert.ok(first.signal.aborted && !second.signal.aborted);
  two.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  await two.over;
});

test("readers who come together ask beside each other, and none after a writer", async (t) => {
  const world = await begun(t);
  const [one, two] = [reader(world), reader(world)];
  const writer = request(world, "db");
  const late = reader(world);
  const frames = [world.line.takes(SHARE("db")), world.line.takes(SHARE("db"))];
  world.line.quiet();
  for (const frame of frames) world.line.ok(frame, shared(5));
  await Promise.all([one.held, two.held]);
  world.line.quiet("the writer stands in line here, and who came after it behind it");
  one.release();
  two.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  assert.equal((await writer.held).mode, "exclusive");
  writer.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 6)));
  world.line.ok(world.line.takes(SHARE("db")), shared(7));
  assert.equal((await late.held).fence, 7);
});

// Busy readers would have kept a writer of another session out for ever.
test("somebody waits elsewhere: a further reader stands in line, and the lock is asked for anew after the last", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  world.line.ok(world.line.takes(SHARE("db")), shared(5, 1));
  assert.equal(await fate(two.held), "pending");
  const three = reader(world);
  world.line.quiet("nor is it asked for again meanwhile");
  world.one.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  const frames = [world.line.takes(SHARE("db")), world.line.takes(SHARE("db"))];
  for (const frame of frames) world.line.ok(frame, { granted: false, wait: 7, position: 2 });
  world.line.quiet();
  world.line.say({ event: "lock-granted", resource: "db", fence: 9, wait: 7, waiting: 0, mode: "shared" });
  assert.equal((await two.held).fence, 9);
  world.line.ok(world.line.takes(SHARE("db")), shared(9));
  assert.equal((await three.held).fence, 9);
  world.line.quiet();
});

test("one who does not wait: shares, or is told null", async (t) => {
  const world = await reading(t);
  const [writer, two] = [request(world, "db", { ifAvailable: true }), reader(world, { ifAvailable: true })];
  assert.equal(await writer.held, null, "at once");
  world.line.ok(world.line.takes({ op: "lock", resource: "db", mode: "shared" }), shared(5));
  assert.equal((await two.held).fence, 5);
  const three = reader(world, { ifAvailable: true });
  world.line.ok(world.line.takes({ op: "lock", resource: "db", mode: "shared" }), shared(5, 1));
  assert.equal(await three.held, null);
  const four = reader(world, { ifAvailable: true });
  assert.equal(await four.held, null, "somebody waits");
  world.line.quiet();
});

// Readers who came together were let in one after the other: the first was gone before the second knew that it shared.
test("the last reader goes while another asks: nothing is given up before it is known whether that one shares it", async (t) => {
  for (const waiting of [0, 1]) {
    await t.test(`${waiting} wait`, async (t) => {
      const world = await reading(t);
      const two = reader(world);
      const frame = world.line.takes(SHARE("db"));
      world.one.release();
      await world.one.over;
      world.line.quiet();
      world.line.ok(frame, shared(5, waiting));
      if (waiting) {
        world.line.ok(world.line.takes(UNLOCK("db", 5)));
        world.line.ok(world.line.takes(SHARE("db")), shared(6));
      }
      assert.equal((await two.held).fence, waiting ? 6 : 5);
      two.release();
      await settled();
      world.line.ok(world.line.takes(UNLOCK("db", waiting ? 6 : 5)));
      await two.over;
      world.line.quiet();
    });
  }
});

test("… and gives up asking: then the hold goes", async (t) => {
  const world = await reading(t);
  const stop = new AbortController();
  const two = reader(world, { signal: stop.signal });
  const frame = world.line.takes(SHARE("db"));
  world.one.release();
  stop.abort();
  await world.one.over;
  world.line.ok(frame, shared(5));
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.quiet();
});

test("… and the line is cut: it asks anew, behind what is given up", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  world.line.takes(SHARE("db"));
  world.one.release();
  await world.one.over;
  await world.resumed({ holds: [{ ...lockHold("db", 5), mode: "shared" }] });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(SHARE("db")), shared(6));
  assert.equal((await two.held).fence, 6);
});

test("a reader gives up while it asks: the others go on sharing, and nothing is given back", async (t) => {
  const world = await reading(t);
  const stop = new AbortController();
  const two = reader(world, { signal: stop.signal });
  const frame = world.line.takes(SHARE("db"));
  stop.abort();
  await assert.rejects(two.over, { name: "AbortError" });
  world.line.ok(frame, shared(5));
  world.line.quiet();
  assert.ok(!(await world.one.held).signal.aborted);
});

test("a reader's place, and a writer is who is left: the grant is of no use to it, and it asks anew", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  const one = reader(world, { signal: stop.signal });
  world.line.ok(world.line.takes(SHARE("db")), { granted: false, wait: 7, position: 1 });
  const writer = request(world, "db");
  stop.abort();
  await assert.rejects(one.over, { name: "AbortError" });
  world.line.quiet();
  world.line.say({ event: "lock-granted", resource: "db", fence: 5, wait: 7, waiting: 0, mode: "shared" });
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  assert.equal((await writer.held).mode, "exclusive");
});

test("readers and a cut: all who share go on, and who asked asks again", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  world.line.takes(SHARE("db"));
  await world.resumed({ holds: [{ ...lockHold("db", 5), mode: "shared" }] });
  assert.ok(!(await world.one.held).signal.aborted);
  world.line.ok(world.line.takes(SHARE("db")), shared(5));
  assert.equal((await two.held).fence, 5);
  world.line.quiet();
});

test("the hold is lost: all who share it are told at once", async (t) => {
  const world = await reading(t);
  const two = reader(world);
  world.line.ok(world.line.takes(SHARE("db")), shared(5));
  await two.held;
  world.line.say({ event: "lock-lost", resource: "db", fence: 5, reason: "forced", by: "a writer" });
  for (const { over } of [world.one, two]) {
    await assert.rejects(over, (error) => error instanceof DOMException && error.name === "AbortError");
  }
  world.line.quiet();
});

// Taking it.

test("steal: at once, past all who stand in line here; who held it here loses it", async (t) => {
  const world = await begun(t);
  const one = request(world, "db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  const held = await one.held;
  const behind = request(world, "db");
  const thief = request(world, "db", { steal: true });
  world.line.ok(world.line.takes({ op: "lock", resource: "db", steal: true }), { granted: true, fence: 6, waiting: 0 });
  await assert.rejects(one.over, { name: "AbortError" });
  assert.equal(held.signal.reason.code, "lock-lost");
  assert.deepEqual([(await thief.held).fence, (await thief.held).mode], [6, "exclusive"]);
  world.line.quiet("the former has nothing to give back");
  thief.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 6)));
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 7, waiting: 0 });
  assert.equal((await behind.held).fence, 7);
});

test("stolen in the same tick in which it was granted: its request rejects all the same", async (t) => {
  const world = await begun(t);
  const [one, thief] = [request(world, "db"), request(world, "db", { steal: true })];
  const frames = [world.line.take(), world.line.take()];
  frames.forEach((frame, n) => world.line.ok(frame, { granted: true, fence: 5 + n, waiting: 0 }));
  await assert.rejects(one.over, { name: "AbortError" });
  assert.equal((await thief.held).fence, 6);
});

test("stolen by another session: AbortError at once; gone at a resume: likewise; the session lost: the signal's own error", async (t) => {
  for (const end of ["stolen", "gone", "lost"]) {
    await t.test(end, async (t) => {
      const world = await begun(t);
      const one = request(world, "db");
      world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
      const { signal } = await one.held;
      if (end === "stolen") world.line.say({ event: "lock-lost", resource: "db", fence: 5, reason: "forced" });
      if (end === "gone") await world.resumed();
      if (end === "lost") world.line.close(4502, "closed");
      const error = await one.over.then(assert.fail, (error) => error);
      if (end === "lost") assert.equal(error, signal.reason);
      else assert.deepEqual([error instanceof DOMException, error.name], [true, "AbortError"]);
    });
  }
});

test("steal, and another here gets the lock before that is answered: it is robbed, too", async (t) => {
  const world = await begun(t);
  const one = request(world, "db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  await one.held;
  const thief = request(world, "db", { steal: true });
  const theft = world.line.take();
  one.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)));
  await one.over;
  const two = request(world, "db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 6, waiting: 0 });
  await two.held;
  world.line.ok(theft, { granted: true, fence: 7, waiting: 0 });
  await assert.rejects(two.over, { name: "AbortError" });
  assert.equal((await thief.held).fence, 7);
});

test("steal while nothing is granted there, or refused: told so, and nobody here loses anything", async (t) => {
  const world = await begun(t);
  const one = request(world, "db");
  world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  const { signal } = await one.held;
  const thieves = [request(world, "db", { steal: true }), request(world, "db", { steal: true })];
  const frames = [world.line.take(), world.line.take()];
  world.line.ok(frames[0], { granted: false }).refuse(frames[1], "limit");
  await assert.rejects(thieves[0].over, { code: "unavailable" });
  await assert.rejects(thieves[1].over, { code: "limit" });
  assert.ok(!signal.aborted);
});

test("query() tells how it is when what was asked before is answered", async (t) => {
  const world = await begun(t);
  const [one, two] = [reader(world), reader(world)];
  const frames = [world.line.take(), world.line.take()];
  request(world, "db");
  const now = world.session.locks.query();
  const last = world.line.takes({ op: "cancel", wait: 0 });
  for (const frame of frames) world.line.ok(frame, shared(5));
  world.line.ok(last, { cancelled: false });
  await Promise.all([one.held, two.held]);
  const row = (mode) => ({ name: "db", mode, clientId: "" });
  assert.deepEqual(await now, { held: [row("shared"), row("shared")], pending: [row("exclusive")] });
});

// A thief whose line was cut asked again on the next one, and robbed whoever had taken the lock in between.
test("steal, cut: it is never asked for twice; what the state shows is its, else it is told that it may have been", async (t) => {
  const STEAL = { op: "lock", resource: "db", steal: true };
  for (const [about, holds, fence] of [
    ["carried out", [lockHold("db", 9)], 9],
    ["not carried out, or robbed since", []],
    ["not carried out, and REST has had the lock for this session", [lockHold("db", 3)]],
    ["not carried out, and another in this session shares it", [{ ...lockHold("db", 9), mode: "shared" }]],
  ]) {
    await t.test(about, async (t) => {
      const world = await begun(t);
      await world.resumed({ holds: [lockHold("db", 3)] });
      const thief = request(world, "db", { steal: true });
      world.line.takes(STEAL);
      await world.resumed({ holds });
      world.line.quiet();
      if (fence) assert.equal((await thief.held).fence, fence);
      else await assert.rejects(thief.over, { code: "unavailable", retryable: true });
    });
  }
  await t.test("asked while the line is down, it is sent once", async (t) => {
    const world = await begun(t);
    world.cut();
    const thief = request(world, "db", { steal: true });
    await world.resume();
    world.line.takes(STEAL);
    await world.resumed();
    world.line.quiet();
    await assert.rejects(thief.over, { code: "unavailable" });
  });
  await t.test("who held it here holds it still when nothing was stolen", async (t) => {
    const world = await begun(t);
    const one = request(world, "db");
    world.line.ok(world.line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
    const { signal } = await one.held;
    const thief = request(world, "db", { steal: true });
    world.line.takes(STEAL);
    await world.resumed({ holds: [lockHold("db", 5)] });
    world.line.quiet();
    await assert.rejects(thief.over, { code: "unavailable" });
    assert.ok(!signal.aborted);
  });
});
