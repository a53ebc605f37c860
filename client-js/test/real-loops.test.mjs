// The helper and the real server: a worker's loop, and watching.

import assert from "node:assert/strict";

import { connect } from "../index.js";
import { fresh, join, queued, server } from "./support/real.mjs";
import { aborted, heard, sleep, soon, test, until } from "./support/until.mjs";

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
