// The helper and the real server: every method, its options and its errors.

import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:net";
import { after, before } from "node:test";
import WebSocket from "ws";

import { TicketdError, connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { raw } from "./support/raw.mjs";
import { serve } from "./support/server.mjs";
import { aborted, heard, nothingUnheeded, sleep, soon, test, until } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

let names = 0;
/** A resource of the test's own. */
const fresh = (what = "r") => `${what}-${++names}`;

/** A session that ends with the test. */
const join = async (t, options = {}, to = server.url) => {
  const session = await connect(to, options);
  t.after(() => session.close());
  return session;
};

/** So many wait for it. */
const queued = (session, resource, count) =>
  until(`${count} wait for ${resource}`, async () => {
    for await (const { waiting } of session.watch(resource)) return waiting === count;
  });

const closedPort = async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
};

// Connecting.

test("connect: what a session tells of itself", async (t) => {
  const session = await join(t, { name: "worker 1", ttl: 7000 });
  assert.match(session.id, /^[0-9A-Za-z]{27}$/);
  assert.equal(session.name, "worker 1");
  assert.equal(session.state, "open");
  assert.ok(!session.signal.aborted);
  assert.ok(session instanceof EventTarget);
  const { body } = await server.rest("GET", `sessions/${session.id}`);
  assert.equal(body.Name, "worker 1");
  assert.equal(body.Ttl, 7000);
});

test("connect: urls of all kinds", async (t) => {
  const { port } = server;
  for (const url of [
    `http://127.0.0.1:${port}`,
    `http://127.0.0.1:${port}/`,
    `ws://127.0.0.1:${port}`,
    `ws://127.0.0.1:${port}/api/v1/ws`,
    new URL(`http://127.0.0.1:${port}`),
  ]) {
    const session = await join(t, {}, url);
    assert.equal(session.state, "open", `${url}`);
  }
});

test("connect: a name of many tongues", async (t) => {
  const session = await join(t, { name: "Bürö №7 ✓" });
  assert.equal(session.name, "Bürö №7 ✓");
});

test("connect: a WebSocket of one's own is used", async (t) => {
  let made = 0;
  class Mine extends WebSocket {
    constructor(...args) {
      super(...args);
      made++;
    }
  }
  await join(t, { WebSocket: Mine });
  assert.equal(made, 1);
});

test("connect: given up by its signal while nobody answers; later it has no effect", async (t) => {
  const port = await closedPort();
  const reason = new Error("enough");
  const stop = new AbortController();
  const wanted = connect(`http://127.0.0.1:${port}`, { signal: stop.signal, backoff: { min: 1, max: 5 } });
  setTimeout(() => stop.abort(reason), 30);
  await assert.rejects(soon("the abort", wanted), reason);
  await assert.rejects(connect(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(20) }), { name: "TimeoutError" });
  await assert.rejects(connect(server.url, { signal: AbortSignal.abort(reason) }), reason);

  const later = new AbortController();
  const session = await join(t, { signal: later.signal });
  later.abort();
  await session.lock(fresh());
  assert.equal(session.state, "open");
});

test("connect: given up on a server that accepts and says nothing", async (t) => {
  const line = await proxy(server);
  t.after(() => line.close());
  line.set({ deaf: true, mute: true });
  await assert.rejects(connect(line.url, { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
});

test("connect: a server that comes late is found", async (t) => {
  const line = await proxy(server);
  t.after(() => line.close());
  line.set({ refuse: true });
  const wanted = connect(line.url, { backoff: { min: 5, max: 20 } });
  await sleep(50);
  line.set({ refuse: false });
  const session = await soon("the session", wanted);
  await session.close();
});

test("connect: what can never be rejects at once", async () => {
  await assert.rejects(connect("no url"), TypeError);
  await assert.rejects(connect("ftp://127.0.0.1:1/x"));
  for (const [options, code] of [
    [{ ttl: 5 }, "bad-request"],
    [{ ttl: 86_400_001 }, "bad-request"],
    [{ ttl: NaN }, "bad-request"],
    [{ ttl: "5000" }, "bad-request"],
    [{ ttl: null }, "bad-request"],
    [{ backoff: { min: NaN } }, "bad-request"],
    [{ name: "x".repeat(256) }, "bad-request"],
    [{ name: "a\nb" }, "bad-request"],
  ]) {
    await assert.rejects(connect(server.url, options), (error) => {
      assert.ok(error instanceof TicketdError && error instanceof Error);
      assert.equal(error.name, "TicketdError");
      assert.equal(error.code, code);
      assert.equal(error.retryable, false);
      assert.ok(error.message);
      return true;
    });
  }
});

test("connect, session: after a reload it is the same, its locks are confirmed, its tickets go back", async (t) => {
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  const other = await join(t);
  await other.issue(jobs, "t1", "x");
  // A page that goes away without a word: its socket ends, its session does not.
  const line = await proxy(server);
  t.after(() => line.close());
  const page = await connect(line.url, { name: "page", ttl: 20_000, backoff: { min: 60_000, max: 60_000 } });
  t.after(() => void page.close());
  const [lock] = [await page.lock(db), await page.claim(jobs)];
  line.set({ refuse: true });
  line.cut();

  const again = await join(t, { session: page.id, ttl: 20_000 });
  assert.equal(again.id, page.id);
  assert.equal(again.name, "page");
  const confirmed = await again.lock(db);
  assert.equal(confirmed.fence, lock.fence, "the very same grant");
  assert.equal(await other.lock(db, { ifAvailable: true }), null);
  const ticket = await soon("the ticket", other.claim(jobs));
  assert.equal(ticket.name, "t1");
  await confirmed.release();
  assert.ok(await other.lock(db, { ifAvailable: true }));
});

// Attempts are counted from the wall clock: one behind the former page's was taken for an older attempt, and the session,
// which lived on, for lost.
test("connect, session: the wall clock is behind the former connection's: the later page has the session", async (t) => {
  const { id } = await join(t, { ttl: 60_000 });
  // Only who comes to a session that is there counts.
  const former = await join(t, { ttl: 60_000, session: id });
  const db = fresh("db");
  const { fence } = await former.lock(db);
  const lost = heard(former, "lost");
  const now = Date.now;
  t.after(() => (Date.now = now));
  for (const behind of [86_400_000, 2 * 86_400_000]) {
    Date.now = () => now() - behind;
    const later = await join(t, { ttl: 60_000, session: id });
    assert.equal(later.id, id);
    assert.equal((await later.lock(db)).fence, fence);
  }
  assert.equal((await lost).detail.reason.code, "session-lost");
});

test("connect, session: one that is not there any more is begun anew", async (t) => {
  const session = await join(t, { session: "0".repeat(27), name: "new" });
  assert.notEqual(session.id, "0".repeat(27));
  assert.equal(session.name, "new");
  await (await session.lock(fresh())).release();
});

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
  assert.deepEqual(held.now, { held: [{ name: db }], pending: [{ name: db }] });
  await held.more;
  assert.deepEqual(await locks.query(), { held: [], pending: [] });
  assert.equal(await locks.request(db, { mode: "exclusive" }, () => 1), 1);
  assert.equal(await locks.request(db, { ifAvailable: true }, (lock) => lock?.resource), db);
  let called = false;
  const never = () => (called = true);
  await assert.rejects(locks.request(db, { mode: "shared" }, never), TicketdError);
  await assert.rejects(locks.request(db, { steal: true }, never), TicketdError);
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

// Tickets.

test("issue and claim: data is what it was", async (t) => {
  const [boss, worker] = [await join(t, { name: "boss" }), await join(t)];
  const jobs = fresh("jobs");
  const all = Uint8Array.from({ length: 256 }, (_, n) => n);
  for (const [name, data, bytes] of [
    ["none", undefined, []],
    ["empty", "", []],
    ["text", "grüße ✓", [...new TextEncoder().encode("grüße ✓")]],
    ["json", JSON.stringify({ a: [1, null] }), [...Buffer.from('{"a":[1,null]}')]],
    ["bytes", all, [...all]],
    ["broken", new Uint8Array([0xc3, 0x28]), [0xc3, 0x28]],
    ["buffer", Buffer.from("abc"), [97, 98, 99]],
    ["zero", "\u0000", [0]],
    ["mark", "\ufeffx", [0xef, 0xbb, 0xbf, 120]],
    ["full", new Uint8Array(1024).fill(255), Array(1024).fill(255)],
  ]) {
    const issued = await boss.issue(jobs, name, data);
    assert.deepEqual([issued.resource, issued.name], [jobs, name]);
    const ticket = await worker.claim(jobs, { ticket: name });
    assert.ok(ticket.data instanceof Uint8Array);
    assert.deepEqual([...ticket.data], bytes, name);
    assert.deepEqual([ticket.resource, ticket.name, ticket.issuer], [jobs, name, "boss"]);
    if (name === "json") assert.deepEqual(ticket.json(), { a: [1, null] });
    if (name === "text") assert.equal(ticket.text(), "grüße ✓");
    if (name === "text") assert.throws(() => ticket.json(), SyntaxError);
    await ticket.done();
  }
});

test("claim: always one more, in the order of issue; named ones by name", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  for (const name of ["a", "b", "c", "d"]) await boss.issue(jobs, name);
  const c = await worker.claim(jobs, { ticket: "c" });
  const got = [await worker.claim(jobs), await worker.claim(jobs), await worker.claim(jobs)];
  assert.deepEqual([c, ...got].map(({ name }) => name), ["c", "a", "b", "d"]);
  assert.equal(await worker.claim(jobs, { ifAvailable: true }), null);
  assert.equal(await boss.claim(jobs, { ticket: "c", ifAvailable: true }), null, "another holds it");
  assert.equal(await boss.claim(jobs, { ticket: "nosuch", ifAvailable: true }), null, "there is none");
  assert.equal(await boss.claim(fresh(), { ifAvailable: true }), null, "there is nothing");
});

test("claim: waits for a ticket, and for one of that name, which may come later", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const named = worker.claim(jobs, { ticket: "b" });
  const any = worker.claim(jobs);
  await queued(boss, jobs, 2);
  await boss.issue(jobs, "a", "1");
  assert.equal((await any).text(), "1");
  await boss.issue(jobs, "b");
  assert.equal((await named).name, "b");
});

test("claim, named, and a release under way while another session waits: never two holders", async (t) => {
  const [boss, one, other] = [await join(t), await join(t), await join(t)];
  const jobs = fresh("jobs");
  await boss.issue(jobs, "t1", "1");
  const first = await one.claim(jobs);
  const others = other.claim(jobs, { ticket: "t1" });
  await queued(boss, jobs, 1);
  const again = one.claim(jobs, { ticket: "t1" });
  first.release();
  const theirs = await soon("their turn", others);
  assert.equal(await Promise.race([again, sleep(200)]), undefined, "granted while another has it");
  assert.ok(!theirs.signal.aborted);
  await theirs.release();
  const mine = await soon("its turn", again);
  assert.ok(mine.fence > theirs.fence);
  await mine.done();
});

test("claim, named: calls of one session exclude one another", async (t) => {
  const session = await join(t);
  const jobs = fresh("jobs");
  await session.issue(jobs, "a");
  const first = await session.claim(jobs, { ticket: "a" });
  const second = session.claim(jobs, { ticket: "a" });
  assert.equal(await session.claim(jobs, { ticket: "a", ifAvailable: true }), null);
  await first.release();
  const got = await soon("the second", second);
  assert.ok(got.fence > first.fence);
});

test("release gives back, done makes an end", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  await boss.issue(jobs, "a");
  const first = await worker.claim(jobs);
  await first.release();
  await first.release();
  const second = await boss.claim(jobs, { ifAvailable: true });
  assert.ok(second.fence > first.fence);
  await second.done();
  await second.done();
  assert.equal(second.signal.reason.code, "done", "which is not to lose it");
  assert.equal(await worker.claim(jobs, { ifAvailable: true }), null);
});

test("update: the claimant has the new data, and hears of it; nobody else does", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const issued = await boss.issue(jobs, "a", "1");
  const ticket = await worker.claim(jobs);
  const updated = heard(worker, "ticket-updated");
  await issued.update("2");
  const { detail } = await updated;
  assert.deepEqual([detail.resource, detail.ticket], [jobs, "a"]);
  assert.equal(ticket.text(), "2", "it is there when one hears of it");
  await issued.update(new Uint8Array([255]));
  await until("the bytes are there", () => ticket.data[0] === 255);
  assert.ok(!ticket.signal.aborted);
});

test("revoke: the claimant's signal aborts, done() rejects, release() is nothing", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const issued = await boss.issue(jobs, "a");
  const ticket = await worker.claim(jobs);
  await Promise.all([issued.revoke(), issued.revoke()]);
  const reason = await aborted(ticket.signal);
  assert.ok(reason instanceof TicketdError);
  assert.equal(reason.code, "ticket-revoked");
  await assert.rejects(ticket.done(), { code: "ticket-revoked" });
  await ticket.release();
  await issued.revoke();
});

test("the issuer goes: its tickets go with it", async (t) => {
  const [boss, worker] = [await connect(server.url), await join(t)];
  const jobs = fresh("jobs");
  const issued = await boss.issue(jobs, "a");
  const ticket = await worker.claim(jobs);
  await boss.close();
  assert.equal((await aborted(ticket.signal)).code, "ticket-revoked");
  assert.ok(issued.signal.aborted);
});

test("notify: the issuer hears of claims and releases; without it, nothing", async (t) => {
  const [boss, worker] = [await join(t), await join(t, { name: "w" })];
  const jobs = fresh("jobs");
  const told = [];
  for (const type of ["ticket-claimed", "ticket-released"]) {
    boss.addEventListener(type, ({ detail }) => told.push(`${type} ${detail.ticket} ${detail.session}`));
  }
  await boss.issue(jobs, "quiet");
  await boss.issue(jobs, "loud", "", { notify: true });
  const [quiet, loud] = [await worker.claim(jobs), await worker.claim(jobs)];
  await quiet.release();
  await loud.release();
  await until("both are told", () => told.length >= 2);
  assert.deepEqual(told, ["ticket-claimed loud w", "ticket-released loud w"]);
});

test("ticket-taken: the former issuer's handle aborts, and its update does not take it back", async (t) => {
  const [one, two] = [await join(t), await join(t, { name: "two" })];
  const jobs = fresh("jobs");
  const mine = await one.issue(jobs, "a", "1");
  const taken = heard(one, "ticket-taken");
  const theirs = await two.issue(jobs, "a", "2");
  assert.deepEqual((await taken).detail, { resource: jobs, ticket: "a", session: "two" });
  assert.ok(mine.signal.aborted);
  assert.ok(mine.signal.reason instanceof TicketdError);
  await assert.rejects(mine.update("3"), TicketdError);
  await mine.revoke();
  assert.equal((await two.claim(jobs)).text(), "2");
  assert.ok(!theirs.signal.aborted);
});

test("ticket-taken: revoked by another", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const mine = await one.issue(jobs, "a", "1");
  await (await two.claim(jobs)).done();
  await aborted(mine.signal);
});

test("issued again by the same session: it is the same ticket", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const first = await boss.issue(jobs, "a", "1");
  const second = await boss.issue(jobs, "a", "2");
  assert.ok(!first.signal.aborted && !second.signal.aborted);
  assert.equal((await worker.claim(jobs)).text(), "2");
  await second.revoke();
  const third = await boss.issue(jobs, "a", "3");
  assert.equal((await worker.claim(jobs)).text(), "3");
  assert.ok(!third.signal.aborted);
});

// A worker's loop.

test("claims: one after another by default, in order, until it is closed", async (t) => {
  const [boss, worker] = [await join(t), await connect(server.url)];
  const jobs = fresh("jobs");
  for (let n = 0; n < 10; n++) await boss.issue(jobs, `t${n}`, `${n}`);
  const done = [];
  for await (const ticket of worker.claims(jobs)) {
    assert.equal(await server.claimed(jobs), 1);
    done.push(ticket.json());
    await ticket.done();
    if (done.length === 10) worker.close();
  }
  assert.deepEqual(done, [...Array(10).keys()]);
  await worker.closed;
});

test("claims, concurrency: never more in hand than that, fetched ahead included; at last all", async (t) => {
  const [boss, worker] = [await join(t), await join(t, { name: "w" })];
  const jobs = fresh("jobs");
  let [held, most] = [0, 0];
  boss.addEventListener("ticket-claimed", () => (most = Math.max(most, ++held)));
  boss.addEventListener("ticket-released", () => held--);
  const issued = await Promise.all(
    Array.from({ length: 40 }, (_, n) => boss.issue(jobs, `t${n}`, "", { notify: true })),
  );
  let running = 0;
  let peak = 0;
  const stop = new AbortController();
  const seen = new Set();
  const work = [];
  for await (const ticket of worker.claims(jobs, { concurrency: 4, signal: stop.signal })) {
    peak = Math.max(peak, ++running);
    const one = async () => {
      await sleep(1);
      running--;
      if (seen.has(ticket.name)) return ticket.release();
      seen.add(ticket.name);
      // Revoking is not told by "ticket-released".
      held--;
      await ticket.done();
      if (seen.size === 40) stop.abort();
    };
    work.push(one());
  }
  await Promise.all(work);
  assert.equal(seen.size, 40);
  assert.ok(peak > 1 && peak <= 4, `${peak} in hand`);
  assert.equal(issued.length, 40);
});

test("claims: tickets fetched ahead go back on break, return and abort; the one in hand stays", async (t) => {
  for (const way of ["break", "return", "abort"]) {
    const [boss, worker] = [await join(t), await join(t)];
    const jobs = fresh(way);
    for (let n = 0; n < 5; n++) await boss.issue(jobs, `t${n}`);
    const stop = new AbortController();
    const claims = worker.claims(jobs, { concurrency: 5, signal: stop.signal });
    let mine;
    const claimed = () => server.claimed(jobs);
    if (way === "break") {
      for await (const ticket of claims) {
        mine = ticket;
        await until("all are fetched", async () => (await claimed()) === 5);
        break;
      }
    } else {
      mine = (await claims.next()).value;
      await until("all are fetched", async () => (await claimed()) === 5);
      if (way === "return") await claims.return();
      else stop.abort();
    }
    await until(`all but one are back after ${way}`, async () => (await claimed()) === 1);
    assert.ok(!mine.signal.aborted);
    assert.deepEqual(await claims.next(), { done: true, value: undefined });
    await mine.release();
    await queued(boss, jobs, 0);
  }
});

test("claims: a loop that waits ends by its signal and by return(), and leaves the queue", async (t) => {
  const session = await join(t);
  const jobs = fresh("jobs");
  const stop = new AbortController();
  const claims = session.claims(jobs, { concurrency: 3, signal: stop.signal });
  const next = claims.next();
  await queued(session, jobs, 3);
  stop.abort();
  assert.deepEqual(await soon("the end", next), { done: true, value: undefined });
  await queued(session, jobs, 0);

  const others = session.claims(jobs);
  const waiting = others.next();
  await queued(session, jobs, 1);
  assert.equal((await soon("the return", others.return())).done, true);
  assert.equal((await waiting).done, true);
  await queued(session, jobs, 0);
  for await (const _ of session.claims(jobs, { signal: AbortSignal.abort() })) assert.fail("never begun");
});

test("claims: a ticket that is lost makes room for the next", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const a = await boss.issue(jobs, "a");
  const claims = worker.claims(jobs);
  const first = (await claims.next()).value;
  await a.revoke();
  await aborted(first.signal);
  await boss.issue(jobs, "b");
  assert.equal((await soon("the next", claims.next())).value.name, "b");
  await claims.return();
});

test("claims: it throws when the session is lost, and when the resource is none of tickets", async (t) => {
  const session = await connect(server.url);
  const jobs = fresh("jobs");
  const loop = (async () => {
    for await (const _ of session.claims(jobs)) assert.fail("there is none");
  })();
  const next = session.watch(jobs);
  await next.next();
  const second = next.next();
  await server.rest("DELETE", `sessions/${session.id}`);
  await assert.rejects(soon("the end", loop), { code: "session-lost" });
  await assert.rejects(soon("the end", second), { code: "session-lost" });
  await session.closed;
});

// Watching.

test("watch: the state now, then what changes", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const db = fresh("db");
  const watch = one.watch(db);
  assert.deepEqual((await watch.next()).value, { kind: null, free: 0, held: 0, waiting: 0 });
  const lock = await two.lock(db);
  assert.deepEqual((await soon("a change", watch.next())).value, { kind: "lock", free: 0, held: 1, waiting: 0 });
  const next = one.lock(db);
  assert.deepEqual((await soon("a change", watch.next())).value, { kind: "lock", free: 0, held: 1, waiting: 1 });
  await lock.release();
  await (await next).release();
  let last;
  do last = (await soon("a change", watch.next())).value;
  while (last.held);
  assert.deepEqual(last.waiting, 0);
  assert.equal((await watch.return()).done, true);
  assert.equal((await watch.next()).done, true);
});

test("watch: a slow reader has the latest, not all", async (t) => {
  const [reader, boss] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const watch = reader.watch(jobs);
  await watch.next();
  for (let n = 0; n < 50; n++) await boss.issue(jobs, `t${n}`);
  // What the server sent before this answer has come in with it.
  await reader.lock(fresh());
  const seen = [];
  while (seen.at(-1) !== 50) seen.push((await soon("the latest", watch.next())).value.free);
  assert.ok(seen.length <= 3, `${seen}`);
  await watch.return();
});

test("watch: two of one resource, and one of them ends", async (t) => {
  const [session, boss] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  const [one, two] = [session.watch(jobs), session.watch(jobs)];
  await one.next();
  await two.next();
  await one.return();
  await boss.issue(jobs, "a");
  assert.equal((await soon("a change", two.next())).value.free, 1);
  await two.return();
  const three = session.watch(jobs);
  assert.equal((await soon("a first item", three.next())).value.free, 1);
  await three.return();
});

test("watch: ends by its signal and by close", async (t) => {
  const session = await connect(server.url);
  const stop = new AbortController();
  const [one, two] = [session.watch(fresh(), { signal: stop.signal }), session.watch(fresh())];
  await one.next();
  await two.next();
  const ends = [one.next(), two.next()];
  stop.abort();
  assert.equal((await soon("the end", ends[0])).done, true);
  await session.close();
  assert.equal((await soon("the end", ends[1])).done, true);
  assert.equal((await session.watch("x").next()).done, true);
});

test("ticket-available and lock-available: watchers hear of what nobody waits for", async (t) => {
  const [session, boss] = [await join(t), await join(t)];
  const [jobs, db] = [fresh("jobs"), fresh("db")];
  const lock = await boss.lock(db);
  const watches = [session.watch(jobs), session.watch(db)];
  for (const watch of watches) await watch.next();
  const [ticket, free] = [heard(session, "ticket-available"), heard(session, "lock-available")];
  await boss.issue(jobs, "a");
  assert.deepEqual((await ticket).detail, { resource: jobs, free: 1 });
  await lock.release();
  assert.deepEqual((await free).detail, { resource: db });
  for (const watch of watches) await watch.return();
});

// The end.

test("close: all passes on at once, everything ends, and again is nothing", async (t) => {
  const other = await join(t);
  const session = await connect(server.url);
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  const states = [];
  const lost = [];
  session.addEventListener("statechange", ({ detail }) => states.push(detail));
  session.addEventListener("lost", (event) => lost.push(event));
  const lock = await session.lock(db);
  const issued = await session.issue(jobs, "a");
  const pending = [session.lock(db), session.claim(jobs, { ticket: "b" })];
  const waiting = other.lock(db);
  await queued(other, db, 1);
  const outcomes = Promise.allSettled(pending);
  const first = session.close();
  await Promise.all([first, session.close(), session.closed]);
  await soon("the lock", waiting);
  for (const { reason } of await outcomes) assert.equal(reason.code, "closed");
  for (const { signal } of [lock, issued, session]) assert.equal(signal.reason.code, "closed");
  assert.equal(session.state, "closed");
  assert.deepEqual(states, [{ from: "open", to: "closed" }]);
  assert.deepEqual(lost, [], "who closes has not lost it");
  await assert.rejects(session.lock(db), { code: "closed" });
  await assert.rejects(session.issue(jobs, "c"), { code: "closed" });
  for await (const _ of session.claims(jobs)) assert.fail("closed");
  await lock.release();
  await issued.revoke();
  await session.close();
  assert.ok(!(await server.sessions()).includes(session.id));
});

test("disposal: sessions, locks, tickets and issued tickets", async (t) => {
  const other = await join(t);
  const session = await connect(server.url);
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  const lock = await session.lock(db);
  await lock[Symbol.asyncDispose]();
  assert.ok(await other.lock(db, { ifAvailable: true }));
  const issued = await session.issue(jobs, "a");
  const ticket = await session.claim(jobs);
  await ticket[Symbol.asyncDispose]();
  assert.ok(await until("the ticket is back", () => other.claim(jobs, { ifAvailable: true })));
  await issued[Symbol.asyncDispose]();
  assert.equal(await other.claim(jobs, { ticket: "a", ifAvailable: true }), null);
  await session[Symbol.asyncDispose]();
  assert.equal(session.state, "closed");
});

test("closed by somebody else, through REST: lost, once", async (t) => {
  const session = await connect(server.url);
  const lost = [];
  session.addEventListener("lost", ({ detail }) => lost.push(detail.reason));
  const [lock, held] = [await session.lock(fresh()), fresh()];
  await (await join(t)).lock(held);
  const pending = session.lock(held);
  pending.catch(() => {});
  await server.rest("DELETE", `sessions/${session.id}`);
  await soon("the end", session.closed);
  assert.equal(lost.length, 1);
  assert.equal(lost[0].code, "session-lost");
  assert.equal(lock.signal.reason, lost[0]);
  assert.equal(session.signal.reason, lost[0]);
  await assert.rejects(pending, lost[0]);
  await session.close();
});

test("taken over by another connection: lost", async (t) => {
  const session = await connect(server.url);
  const lock = await session.lock(fresh());
  const lost = heard(session, "lost");
  const other = await raw(server.url);
  t.after(() => other.close());
  const { ok } = await other.say({ op: "hello", session: session.id, attempt: Date.now() + 1e9 });
  assert.equal(ok.resumed, true);
  assert.equal((await lost).detail.reason.code, "session-lost");
  assert.ok(lock.signal.aborted);
  assert.equal(ok.holds.length, 1, "on the server it is held still");
  await session.closed;
  assert.deepEqual((await other.say({ op: "beat" })).ok, { ttl: 10_000 }, "and the other is not bothered");
  await other.say({ op: "bye" });
});

test("the server is killed, and another starts at its place that knows nothing: lost once, all that was under way rejects", async (t) => {
  const own = await serve();
  t.after(() => own.kill());
  const session = await connect(own.url, { backoff: { min: 5, max: 20 } });
  const lost = [];
  session.addEventListener("lost", ({ detail }) => lost.push(detail.reason));
  const other = await connect(own.url, { backoff: { min: 5, max: 20 } });
  await other.lock("taken");
  const lock = await session.lock("db");
  const issued = await session.issue("jobs", "a");
  const pending = [
    session.lock("taken"),
    session.claim("nothing"),
    session.claims("nothing").next(),
    session.withLock("taken", () => assert.fail()),
  ];
  const watch = session.watch("db");
  await watch.next();
  pending.push(watch.next());
  const outcomes = Promise.allSettled(pending);
  const recovering = heard(session, "statechange");
  await own.kill();
  assert.deepEqual((await recovering).detail, { from: "open", to: "recovering" });
  pending.push(session.lock("later"));
  const later = assert.rejects(pending.at(-1), TicketdError);
  assert.ok(!lock.signal.aborted, "so far nothing is lost");
  await own.start();
  await soon("the end", session.closed);
  for (const { status, reason } of await soon("all to settle", outcomes)) {
    assert.equal(status, "rejected");
    assert.ok(reason instanceof TicketdError);
    assert.equal(reason.code, "session-lost");
  }
  await later;
  assert.equal(lost.length, 1);
  assert.ok(lock.signal.aborted && issued.signal.aborted);
  await soon("the other's end", other.closed);
});

test("the server says good-bye before it stops", async (t) => {
  const own = await serve();
  t.after(() => own.kill());
  const session = await connect(own.url, { backoff: { min: 5, max: 20 } });
  const away = heard(session, "going-away");
  const gone = own.kill("SIGTERM");
  assert.equal(typeof (await away).detail.after, "number");
  await gone;
  await until("it is heard", () => session.state === "recovering");
  await own.start();
  await soon("the end", session.closed);
});

test("many things at once, in frames that follow each other without waiting", async (t) => {
  const [session, other] = [await join(t), await join(t)];
  const [db, jobs] = [fresh("db"), fresh("jobs")];
  const work = Array.from({ length: 300 }, async (_, n) => {
    const issued = await session.issue(jobs, `t${n}`, `${n}`);
    const lock = await session.lock(`${db}-${n}`);
    const ticket = await other.claim(jobs, { ticket: `t${n}` });
    assert.equal(ticket.json(), n);
    await Promise.all([ticket.done(), lock.release()]);
    return issued;
  });
  await soon("all of it", Promise.all(work));
  assert.deepEqual(await session.locks.query(), { held: [], pending: [] });
});

test("a state larger than a frame comes in parts: three thousand issued tickets and a thousand holds", async (t) => {
  const line = await proxy(server);
  t.after(() => line.close());
  const session = await join(t, { ttl: 30_000, backoff: { min: 1, max: 5 } }, line.url);
  const jobs = fresh("jobs");
  await Promise.all(Array.from({ length: 3000 }, (_, n) => session.issue(jobs, `ticket number ${n}`, "x".repeat(20))));
  const held = await Promise.all(Array.from({ length: 1000 }, () => session.claim(jobs)));
  const recovered = heard(session, "recovered");
  line.cut();
  await recovered;
  assert.ok(!held.some(({ signal }) => signal.aborted));
  assert.equal(new Set(held.map(({ name }) => name)).size, 1000);
  await held[999].done();
});
