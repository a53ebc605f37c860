// What becomes of all else that was asked when the line is cut and the session taken up again. The test is the server.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate } from "./support/fake.mjs";
import { claiming, issuing, lockHold, lockWait, RELEASE, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

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
