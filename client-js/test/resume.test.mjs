// What becomes of locks and claims that are under way when the line is cut and the session taken up again. The test is
// the server: it says whether what was asked had been carried out before the cut, and sees what is asked after.

import assert from "node:assert/strict";
import { after } from "node:test";

import { begun, fate } from "./support/fake.mjs";
import { CLAIM, holding, LOCK, lockHold, lockWait, ticketHold, ticketWait, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

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
