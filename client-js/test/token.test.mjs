// Where the server asks who one is: tokens that are given, asked for, refused and renewed, and what becomes of what one may
// not do.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError, connect } from "../index.js";
import { begun, End, fate, HELLO, NOTHING, settled, sockets, virtualTime } from "./support/fake.mjs";
import { CLAIM, holding, LOCK, lockHold, ticketHold, UNLOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

/** What gives tokens a1, a2, …, at once or when the test says so; `why` is with what it was called. */
const giver = () => {
  const calls = [];
  const token = (why) => new Promise((resolve, reject) => calls.push({ ...why, give: resolve, fail: reject }));
  return { calls, token };
};

/** A world in which somebody connects; the test says what the server says. */
const connecting = async (t, options) => {
  const time = virtualTime(t);
  const { all, FakeSocket } = sockets();
  const wanted = connect("http://test.invalid", { WebSocket: FakeSocket, name: "me", ...options });
  const outcome = wanted.then((session) => session, (error) => error);
  await settled();
  return {
    time,
    all,
    wanted,
    outcome,
    /** Accepts the newest line; its end, and the hello that came. */
    async hello() {
      await settled();
      const line = new End(all.at(-1)).accept();
      return { line, hello: line.take() };
    },
  };
};

const welcome = (line, hello) => line.ok(hello, { ...HELLO, ...NOTHING, resumed: false });

test("a string goes out with each hello; without one there is none", async (t) => {
  const world = await begun(t, { options: { token: "tkd_x" } });
  world.cut();
  assert.equal((await world.resume()).token, "tkd_x");
});

test("… also when the variable that it came from is empty", async (t) => {
  const world = await connecting(t, { token: "" });
  const { line, hello } = await world.hello();
  assert.ok(!("token" in hello));
  welcome(line, hello);
  (await world.outcome).close();
});

test("what is neither a string nor a function is told at once", async () => {
  for (const token of [17, null, {}, Promise.resolve("x")]) {
    await assert.rejects(connect("http://test.invalid", { token, WebSocket: class {} }), TypeError);
  }
});

test("a function is asked before each dial, with why, and is not hurried", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  assert.deepEqual([calls.length, calls[0].reason, world.all.length], [1, "connect", 0], "nothing is dialled before");
  await world.time.pass(8000);
  calls[0].give("a");
  const { line, hello } = await world.hello();
  assert.equal(hello.token, "a");
  welcome(line, hello);
  const session = await world.outcome;
  line.close();
  await world.time.pass(1000);
  assert.deepEqual([calls.length, calls[1].reason, world.all.length], [2, "connect", 1]);
  calls[1].give("b");
  const next = await world.hello();
  assert.deepEqual([next.hello.token, next.hello.session], ["b", HELLO.session]);
  welcome(next.line, next.hello);
  session.close();
});

test("one that answers at once, or that is no promise, will do", async (t) => {
  const world = await begun(t, { options: { token: ({ reason }) => `tkd_${reason}` } });
  world.cut();
  assert.equal((await world.resume()).token, "tkd_connect");
});

test("about to end: another takes its place, and what is held is not touched", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  calls[0].give("a");
  const { line, hello } = await world.hello();
  welcome(line, hello);
  const session = await world.outcome;
  const wanted = session.lock("db");
  await settled();
  line.ok(line.takes(LOCK("db")), { granted: true, fence: 5, waiting: 0 });
  const lock = await wanted;
  const left = [];
  session.addEventListener("token-expiring", ({ detail }) => left.push(detail.left));
  line.say({ event: "token-expiring", left: 60_000 });
  line.say({ event: "token-expiring", left: 55_000 });
  await settled();
  assert.deepEqual(left, [60_000, 55_000]);
  assert.deepEqual(calls.map(({ reason }) => reason), ["connect", "expiring"], "one call at a time");
  calls[1].give("b");
  await settled();
  const auth = line.takes({ op: "auth", token: "b" });
  line.ok(auth);
  await settled();
  line.quiet();
  assert.ok(!lock.signal.aborted && session.state === "open" && world.all.length === 1);
  session.close();
});

test("about to end, and nobody gives another: the server closes the line, and it is asked for again", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  calls[0].give("a");
  const { line, hello } = await world.hello();
  welcome(line, hello);
  const session = await world.outcome;
  line.say({ event: "token-expiring", left: 60_000 });
  await settled();
  calls[1].fail(new Error("login is away"));
  await settled();
  line.quiet();
  assert.equal(session.state, "open");
  line.close(4401, "unauthorized");
  assert.equal(session.state, "recovering");
  await world.time.pass(200);
  assert.equal(calls[2].reason, "connect");
  calls[2].give("c");
  const next = await world.hello();
  assert.equal(next.hello.token, "c");
  welcome(next.line, next.hello);
  assert.equal(session.state, "open");
  session.close();
});

test("a call under way when the line is cut serves the next dial: never two at a time", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  calls[0].give("a");
  const { line, hello } = await world.hello();
  welcome(line, hello);
  const session = await world.outcome;
  line.say({ event: "token-expiring", left: 60_000 });
  await settled();
  line.close();
  await world.time.pass(1000);
  assert.equal(calls.length, 2);
  calls[1].give("b");
  assert.equal((await world.hello()).hello.token, "b");
  session.close();
});

test("a refused string ends it: unauthorized, in the server's words, and it is of no use to try again", async (t) => {
  const world = await connecting(t, { token: "tkd_old" });
  const { line, hello } = await world.hello();
  line.refuse(hello, "unauthorized", "the token is not good");
  const error = await world.outcome;
  assert.ok(error instanceof TicketdError);
  assert.deepEqual([error.code, error.message, error.retryable], ["unauthorized", "the token is not good", false]);
  assert.match(error.stack, /token\.test/, "the caller's stack");
  await world.time.pass(60_000);
  assert.equal(world.all.length, 1);
});

test("a function is asked once more when its token was refused; twice is the end", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  calls[0].give("a");
  const first = await world.hello();
  first.line.refuse(first.hello, "unauthorized");
  await settled();
  assert.deepEqual([calls.length, calls[1].reason], [2, "refused"]);
  // However long it takes: no line waits for it.
  await world.time.pass(10_000);
  calls[1].give("b");
  const second = await world.hello();
  assert.equal(second.hello.token, "b");
  second.line.refuse(second.hello, "unauthorized");
  assert.equal((await world.outcome).code, "unauthorized");
  assert.equal(calls.length, 2);
});

test("… a session that there was is lost by that, and says why", async (t) => {
  const world = await begun(t, { options: { token: () => "a" } });
  const { session } = world;
  for (let n = 0; n < 2; n++) {
    if (n === 0) world.cut(4401);
    for (const before = world.all.length; world.all.length === before; ) await world.time.pass(20);
    const line = new End(world.all.at(-1)).accept();
    line.refuse(line.take(), "unauthorized");
    await settled();
  }
  assert.equal(session.signal.reason.code, "unauthorized");
  await session.closed;
});

for (const [what, fail, message] of [
  ["throws", () => { throw new Error("log in first"); }, "no token: log in first"],
  ["rejects", async () => { throw new Error("log in first"); }, "no token: log in first"],
  ["gives no string", () => undefined, "no token: it is no string"],
]) {
  test(`a function that ${what}: said at once, with its error as the cause`, async (t) => {
    const world = await connecting(t, { token: fail });
    const error = await world.outcome;
    assert.deepEqual([error.code, error.message, error.retryable], ["unavailable", message, true]);
    assert.ok(error.cause instanceof Error);
    assert.deepEqual([world.all.length, world.time.timers.size], [0, 0]);
  });
}

test("15 s are enough: its signal aborts, and what comes later is passed over", async (t) => {
  const { calls, token } = giver();
  const world = await connecting(t, { token });
  await world.time.pass(14_900);
  assert.ok(!calls[0].signal.aborted);
  await world.time.pass(200);
  assert.ok(calls[0].signal.aborted);
  assert.match((await world.outcome).message, /no token: no answer in time/);
  calls[0].give("late");
  await settled();
  assert.equal(world.all.length, 0);
});

test("a session goes on asking, with growing pauses, as for a server that is away", async (t) => {
  let away = false;
  let asked = 0;
  const token = () => {
    asked++;
    if (away) throw new Error("login is away");
    return "a";
  };
  const world = await begun(t, { options: { token } });
  away = true;
  world.cut();
  await world.time.pass(60_000);
  assert.ok(asked > 5 && asked < 60, `${asked}`);
  assert.equal(world.session.state, "recovering");
  away = false;
  await world.resume();
  assert.equal(world.session.state, "open");
});

test("who gives up connecting, or closes, gives up the call", async (t) => {
  const { calls, token } = giver();
  const stop = new AbortController();
  const world = await connecting(t, { token, signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  assert.equal(await world.outcome, reason);
  await settled();
  assert.ok(calls[0].signal.aborted);
  assert.equal(world.time.timers.size, 0, "nothing keeps the program up");
});

// What one may not do.

test("what is forbidden rejects the one promise: the session lives, and what it holds", async (t) => {
  const world = await holding(t);
  const { session, line, lock } = world;
  const forbidden = (code = "forbidden") => ({ code, retryable: false });
  for (const [ask, op] of [
    [() => session.lock("other"), "lock"],
    [() => session.lock("other", { ifAvailable: true }), "lock"],
    [() => session.withLock("other", assert.fail), "lock"],
    [() => session.claim("jobs"), "claim"],
    [() => session.claim("jobs", { ticket: "t", ifAvailable: true }), "claim"],
    [() => session.issue("jobs", "t"), "issue"],
    [() => session.watch("jobs").next(), "watch"],
    [() => session.claims("jobs").next(), "claim"],
  ]) {
    const wanted = ask();
    wanted.catch(() => {});
    await settled();
    const frame = line.take();
    assert.equal(frame.op, op);
    line.refuse(frame, "forbidden", "this takes the right");
    await assert.rejects(wanted, forbidden());
    await settled();
    if (op === "watch") line.takes({ op: "unwatch", resource: "jobs" });
    line.quiet();
  }
  assert.ok(session.state === "open" && !lock.signal.aborted);
});

test("a right that is taken while one waits: the wait rejects, for each who waits", async (t) => {
  const world = await waiting(t);
  const { session, line, wanted } = world;
  const behind = session.lock("db");
  behind.catch(() => {});
  line.say({ event: "wait-ended", wait: 7, resource: "db", reason: "forbidden" });
  for (const promise of [wanted, behind]) {
    await settled();
    line.refuse(line.takes(LOCK("db")), "forbidden");
    await assert.rejects(promise, { code: "forbidden" });
  }
  line.quiet();
  assert.equal(session.state, "open");
});

test("… while one watches: that iterator ends, and no other", async (t) => {
  const world = await begun(t);
  const { session, line } = world;
  const [one, two, other] = [session.watch("a"), session.watch("a"), session.watch("b")];
  const first = [one, two, other].map((each) => each.next());
  await settled();
  const state = { kind: "lock", free: 0, held: 1, waiting: 0 };
  for (const resource of ["a", "b"]) line.ok(line.takes({ op: "watch", resource, changes: true }), state);
  await Promise.all(first);
  const next = [one, two].map((each) => each.next());
  next.forEach((each) => each.catch(() => {}));
  const last = other.next();
  await settled();
  const heard = [];
  session.addEventListener("watch-ended", ({ detail }) => heard.push(detail));
  line.say({ event: "watch-ended", resource: "a", reason: "forbidden" });
  for (const each of next) await assert.rejects(each, { code: "forbidden" });
  assert.deepEqual(heard, [{ resource: "a", reason: "forbidden" }]);
  assert.deepEqual([await one.next(), await fate(last)], [{ value: undefined, done: true }, "pending"]);
  line.takes({ op: "unwatch", resource: "a" });
  // Who tries again asks again.
  const again = session.watch("a").next();
  await settled();
  line.ok(line.takes({ op: "watch", resource: "a", changes: true }), state);
  assert.deepEqual((await again).value, state);
});

test("work that one may not finish any more is kept, and can be given back", async (t) => {
  const world = await begun(t);
  const { session, line } = world;
  const wanted = session.claim("jobs");
  await settled();
  line.ok(line.takes(CLAIM("jobs")), { granted: true, ticket: ticketHold("jobs", "t1", 5, "1") });
  const ticket = await wanted;
  const done = ticket.done();
  done.catch(() => {});
  await settled();
  line.refuse(line.takes({ op: "revoke", resource: "jobs", ticket: "t1", fence: 5 }), "forbidden");
  await assert.rejects(done, { code: "forbidden" });
  const released = ticket.release();
  await settled();
  line.ok(line.takes({ op: "release", resource: "jobs", ticket: "t1", fence: 5 }), { released: true });
  await released;
});

test("who comes back and may not watch any more is told so; what it holds goes on", async (t) => {
  const world = await holding(t);
  const { session, lock } = world;
  const watch = session.watch("jobs");
  const first = watch.next();
  await settled();
  world.line.ok(world.line.takes({ op: "watch", resource: "jobs", changes: true }), { kind: null, free: 0, held: 0, waiting: 0 });
  await first;
  const next = watch.next();
  next.catch(() => {});
  await world.resumed({ holds: [lockHold("db", 5)] });
  world.line.refuse(world.line.takes({ op: "watch", resource: "jobs", changes: true }), "forbidden");
  await assert.rejects(next, { code: "forbidden" });
  world.line.takes({ op: "unwatch", resource: "jobs" });
  assert.ok(!lock.signal.aborted);
  const released = lock.release();
  await settled();
  world.line.ok(world.line.takes(UNLOCK("db", 5)), { released: true });
  await released;
});
