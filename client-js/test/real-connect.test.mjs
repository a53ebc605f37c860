// The helper and the real server: connecting, and how it ends.

import assert from "node:assert/strict";
import { once } from "node:events";

import WebSocket from "ws";

import { TicketdError, connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { raw } from "./support/raw.mjs";
import { closedPort, fresh, join, queued, server } from "./support/real.mjs";
import { serve } from "./support/server.mjs";
import { heard, sleep, soon, test, until } from "./support/until.mjs";

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
