// The helper and the real server: locks.

import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";

import { TicketdError, connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { closedPort, fresh, join, queued, server } from "./support/real.mjs";
import { aborted, heard, sleep, soon, test } from "./support/until.mjs";

// Locks.

test("lock: one holder, first come first served, fences grow", async (t) => {
  const sessions = await Promise.all([1, 2, 3].map(() => join(t)));
  const db = fresh("db");
  const first = await sessions[0].lock(db);
  assert.equal(first.resource, db);
  assert.ok(Number.isSafeInteger(first.fence));
  const order = [];
  const rest = [];
  for (const n of [1, 2]) {
    rest.push(
      sessions[n].lock(db).then((lock) => {
        order.push(n);
        return lock;
      }),
    );
    await queued(sessions[0], db, n);
  }
  assert.deepEqual(order, []);
  await first.release();
  const second = await rest[0];
  assert.ok(second.fence > first.fence);
  assert.deepEqual(order, [1]);
  await second.release();
  const third = await rest[1];
  assert.ok(third.fence > second.fence);
  await third.release();
  for (const { signal } of [first, second, third]) assert.equal(signal.reason.code, "released", "to release is not to lose");
});

test("lock: release is acknowledged when it settles, and idempotent", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  const lock = await one.lock(db);
  const twice = [lock.release(), lock.release()];
  await Promise.all(twice);
  assert.ok(await two.lock(db, { ifAvailable: true }));
  await lock.release();
  assert.equal(await one.lock(db, { ifAvailable: true }), null, "the other's is not touched");
});

test("lock, ifAvailable: null when another has it, or another call of this session", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  const lock = await one.lock(db, { ifAvailable: true });
  assert.equal(await two.lock(db, { ifAvailable: true }), null);
  assert.equal(await one.lock(db, { ifAvailable: true }), null);
  await lock.release();
  assert.ok(await two.lock(db, { ifAvailable: true }));
});

test("lock: calls of one session exclude one another, each with a grant of its own", async (t) => {
  const session = await join(t);
  const db = fresh("db");
  let inside = 0;
  let last = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      session.withLock(db, async ({ fence }) => {
        assert.equal(++inside, 1);
        assert.ok(fence > last);
        last = fence;
        await sleep(0);
        inside--;
      }),
    ),
  );
});

test("lock, signal: a wait that is given up leaves the queue", async (t) => {
  const [one, two, three] = [await join(t), await join(t), await join(t)];
  const db = fresh("db");
  const lock = await one.lock(db);
  const stop = new AbortController();
  const reason = new Error("enough");
  const given = two.lock(db, { signal: stop.signal });
  await queued(three, db, 1);
  const kept = three.lock(db);
  await queued(one, db, 2);
  stop.abort(reason);
  await assert.rejects(given, reason);
  await queued(one, db, 1);
  await lock.release();
  await (await soon("the next in line", kept)).release();
});

test("lock, signal: a timeout bounds it", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  await one.lock(db);
  await assert.rejects(two.lock(db, { signal: AbortSignal.timeout(20) }), { name: "TimeoutError" });
  await queued(one, db, 0);
});

test("lock, signal: given up in the moment of the grant: whatever comes of it, nobody is left with the lock", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  for (let n = 0; n < 30; n++) {
    const lock = await one.lock(db);
    const stop = new AbortController();
    const wanted = two.lock(db, { signal: stop.signal });
    const released = lock.release();
    for (let spin = 0; spin < n % 6; spin++) await sleep(0);
    stop.abort();
    await wanted.then((lock) => lock.release(), ({ name }) => assert.equal(name, "AbortError"));
    await released;
  }
  assert.ok(await soon("the lock", one.lock(db)));
});

// A listener of the application's own, there before: what it stops, the wait never heard of, and stood for ever.
test("lock and connect, signal: also when somebody's listener stops the event", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  await one.lock(db);
  const stopping = () => {
    const stop = new AbortController();
    stop.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    return stop;
  };
  const reason = new Error("enough");
  const stop = stopping();
  const waits = two.lock(db, { signal: stop.signal });
  await queued(two, db, 1);
  stop.abort(reason);
  await assert.rejects(soon("the end of the wait", waits), reason);
  await queued(two, db, 0);

  const connecting = stopping();
  const wanted = connect(`http://127.0.0.1:${await closedPort()}`, { signal: connecting.signal });
  await sleep(20);
  connecting.abort(reason);
  await assert.rejects(soon("the end of connecting", wanted), reason);
});

test("connect, signal: no listener is left on it once it is connected, or failed", async (t) => {
  const { signal } = new AbortController();
  const session = await join(t, { signal });
  assert.equal(getEventListeners(signal, "abort").length, 0);
  await assert.rejects(connect(`${server.url}/x`, { signal }), { code: "protocol" });
  await assert.rejects(connect(server.url, { signal, ttl: NaN }), { code: "bad-request" });
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(session.state, "open");
});

test("lock-wanted: the holder hears that others wait", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  const lock = await one.lock(db);
  const wanted = heard(one, "lock-wanted");
  const next = two.lock(db);
  assert.deepEqual((await wanted).detail, { resource: db, waiting: 1 });
  const granted = heard(two, "lock-granted");
  await lock.release();
  const { detail } = await granted;
  assert.equal(detail.resource, db);
  assert.equal(detail.fence, (await next).fence);
});

test("a lock released through REST by the same session is lost", async (t) => {
  const session = await join(t);
  const db = fresh("db");
  const lock = await session.lock(db);
  assert.equal((await server.rest("DELETE", `locks/${db}?sessid=${session.id}`)).status, 200);
  const reason = await aborted(lock.signal);
  assert.ok(reason instanceof TicketdError);
  assert.equal(reason.code, "lock-lost");
  await lock.release();
  assert.ok(await session.lock(db, { ifAvailable: true }), "and can be had again");
});

test("what was taken through REST under the session's id outlives the helper's reconnect", async (t) => {
  const line = await proxy(server);
  t.after(() => line.close());
  const [session, boss] = [await join(t, { backoff: { min: 1, max: 5 } }, line.url), await join(t)];
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  await boss.issue(jobs, "t1");
  await boss.issue(jobs, "t2");
  const { fence } = await server.rest("POST", `locks/${db}?sessid=${session.id}`);
  await server.rest("POST", `claims/${jobs}?name=t1&sessid=${session.id}`);
  const mine = await session.claim(jobs);
  const waits = session.claim(jobs);
  await queued(boss, jobs, 1);
  for (let n = 0; n < 3; n++) {
    const recovered = heard(session, "recovered");
    line.cut();
    await recovered;
    await session.lock(fresh());
  }
  assert.equal(await boss.lock(db, { ifAvailable: true }), null);
  assert.equal((await server.rest("POST", `locks/${db}?sessid=${session.id}`)).fence, fence);
  assert.equal(await boss.claim(jobs, { ticket: "t1", ifAvailable: true }), null);
  assert.equal(mine.name, "t2");
  assert.ok(!mine.signal.aborted);
  await boss.issue(jobs, "t3");
  assert.equal((await soon("the wait", waits)).name, "t3");
});

test("release() and then done() of the same ticket: what another works on is not revoked", async (t) => {
  const [boss, one, two] = [await join(t), await join(t), await join(t)];
  const jobs = fresh("jobs");
  await boss.issue(jobs, "a");
  const first = await one.claim(jobs);
  await first.release();
  const second = await two.claim(jobs);
  await assert.rejects(first.done(), { code: "released" });
  await first.release();
  await one.lock(fresh());
  assert.ok(!second.signal.aborted);
  assert.equal(await server.claimed(jobs), 1);
});

test("update() after done() does not bring the finished ticket back", async (t) => {
  const session = await join(t);
  const jobs = fresh("jobs");
  const issued = await session.issue(jobs, "a");
  const done = (await session.claim(jobs)).done();
  await assert.rejects(issued.update("again"), { code: "ticket-revoked" });
  await done;
  await assert.rejects(issued.update("again"), { code: "ticket-revoked" });
  assert.equal(await session.claim(jobs, { ifAvailable: true }), null);
});

test("REST waiters and the helper stand in the same queue", async (t) => {
  const one = await join(t);
  const db = fresh("db");
  const lock = await one.lock(db);
  const { body: id } = await server.rest("POST", "sessions?name=curl&ttl=20000");
  const curl = server.rest("POST", `locks/${db}?sessid=${id}&wait=20000`);
  await queued(one, db, 1);
  const after = one.lock(db);
  await lock.release();
  const { body, fence } = await curl;
  assert.equal(body, true);
  await server.rest("DELETE", `locks/${db}?sessid=${id}`);
  assert.ok((await after).fence > fence);
});

test("withLock: the callback's value, or its error, and the lock is free after", async (t) => {
  const [session, other] = [await join(t), await join(t)];
  const db = fresh("db");
  const value = await session.withLock(db, async (lock) => {
    assert.equal(lock.resource, db);
    assert.equal(await other.lock(db, { ifAvailable: true }), null);
    return 42;
  });
  assert.equal(value, 42);
  const oops = new Error("oops");
  await assert.rejects(session.withLock(db, () => { throw oops; }), oops);
  await assert.rejects(session.withLock(db, {}, () => Promise.reject(oops)), oops);
  const held = await other.lock(db, { ifAvailable: true });
  assert.ok(held);
  assert.equal(await session.withLock(db, { ifAvailable: true }, (lock) => lock), null);
  const [stop, called] = [AbortSignal.timeout(20), []];
  await assert.rejects(session.withLock(db, { signal: stop }, () => called.push(1)), { name: "TimeoutError" });
  assert.deepEqual(called, []);
});

// As a stolen request of Web Locks does. It resolved, as if nothing had happened.
test("withLock: the lock was lost meanwhile: the callback is told by the signal, the caller by an error that has its value", async (t) => {
  const session = await join(t);
  const db = fresh("db");
  const ran = session.withLock(db, async (lock) => {
    await server.rest("DELETE", `locks/${db}?sessid=${session.id}`);
    await aborted(lock.signal);
    return "went home";
  });
  await assert.rejects(ran, { name: "TicketdError", code: "lock-lost", result: "went home" });
});

test("locks.request and locks.query: the shape of navigator.locks", async (t) => {
  const session = await join(t);
  const { locks } = session;
  const db = fresh("db");
  const held = await locks.request(db, async (lock) => {
    const more = locks.request(db, () => {});
    const now = await locks.query();
    setImmediate(() => {});
    return { now, more, lock };
  });
  const row = { name: db, mode: "exclusive", clientId: session.ref };
  assert.deepEqual(held.now, { held: [row], pending: [row] });
  await held.more;
  assert.deepEqual(await locks.query(), { held: [], pending: [] });
  assert.equal(await locks.request(db, { mode: "exclusive" }, () => 1), 1);
  assert.equal(await locks.request(db, { ifAvailable: true }, (lock) => lock?.resource), db);
  let called = false;
  const never = () => (called = true);
  await assert.rejects(session.withLock(db, { mode: "shared" }, never), TicketdError);
  await assert.rejects(session.withLock(db, { steal: true }, never), TicketdError);
  assert.ok(!called);
});

test("errors: wrong kinds and bad names", async (t) => {
  const session = await join(t);
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  await session.lock(db);
  await session.issue(jobs, "t1");
  for (const [what, code] of [
    [session.claim(db), "wrong-kind"],
    [session.claim(db, { ifAvailable: true }), "wrong-kind"],
    [session.lock(jobs), "wrong-kind"],
    [session.issue(db, "t"), "wrong-kind"],
    [session.claims(db).next(), "wrong-kind"],
    [session.lock(""), "bad-request"],
    [session.lock("x".repeat(256)), "bad-request"],
    [session.lock("a\u0000b"), "bad-request"],
    [session.claim(jobs, { ticket: "x".repeat(256) }), "bad-request"],
    [session.issue(jobs, ""), "bad-request"],
    [session.watch("").next(), "bad-request"],
    [session.issue(jobs, "big", "x".repeat(1025)), "too-large"],
    [session.issue(jobs, "big", new Uint8Array(1025)), "too-large"],
  ].map(([what, code]) => (what.catch(() => {}), [what, code]))) {
    await assert.rejects(soon(code, what), (error) => {
      assert.ok(error instanceof TicketdError, `${error.stack}`);
      assert.deepEqual([error.code, error.retryable], [code, false]);
      return true;
    });
  }
  assert.equal(session.state, "open", "nobody is thrown out for that");
  await session.issue(jobs, "just", "x".repeat(1024));
});

test("errors: what is far too large for a frame is too large, and does no harm to the session", async (t) => {
  const session = await join(t, { backoff: { min: 1, max: 5 } });
  const jobs = fresh("jobs");
  const lost = [];
  session.addEventListener("statechange", ({ detail }) => lost.push(detail.to));
  await assert.rejects(soon("an answer", session.issue(jobs, "big", "x".repeat(100_000)), 3000), { code: "too-large" });
  await assert.rejects(soon("an answer", session.issue(jobs, "big", new Uint8Array(200_000)), 3000), { code: "too-large" });
  await assert.rejects(soon("an answer", session.lock("x".repeat(100_000)), 3000), TicketdError);
  assert.deepEqual(lost, []);
});

test("errors: half a surrogate is no text; it does no harm to the session", async (t) => {
  const session = await join(t);
  const held = await session.lock(fresh());
  const outcome = await soon("an answer", session.lock("\ud800").then(() => "locked", (error) => error));
  assert.ok(outcome === "locked" || outcome instanceof TypeError || outcome.code === "bad-request", `${outcome}`);
  assert.equal(session.state, "open");
  assert.ok(!held.signal.aborted);
});
