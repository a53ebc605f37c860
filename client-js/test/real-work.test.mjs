// The helper and the real server: queues of work, claims that last for a time, leaders, readers and a writer.

import assert from "node:assert/strict";

import { TicketdError, connect } from "../index.js";
import { fresh, join, queued, server } from "./support/real.mjs";
import { aborted, heard, sleep, soon, test, until } from "./support/until.mjs";

/** How a resource stands. */
const look = async (resource, what = "") => (await server.rest("GET", `resources/${resource}${what}`)).body;
const text = (data) => new TextDecoder().decode(data);

// Queues of work.

test("tickets that stay: who fills the queue goes, who works comes, and done is done", async (t) => {
  const jobs = fresh("jobs");
  const filler = await connect(server.url, { name: "filler" });
  for (const n of [1, 2, 3]) await filler.issue(jobs, `job ${n}`, `${n}`, { stay: true, new: true, priority: n === 3 ? 9 : 0 });
  await filler.close();
  const worker = await join(t);
  const done = [];
  for await (const ticket of worker.claims(jobs)) {
    done.push(`${ticket.name} ${ticket.text()} ${ticket.issuer} ${ticket.attempt}`);
    await ticket.done();
    if (done.length === 3) break;
  }
  assert.deepEqual(done, ["job 3 3 filler 1", "job 1 1 filler 1", "job 2 2 filler 1"]);
  await until("nothing is left", async () => (await look(jobs)).kind === null);
});

test("new: only the first issues it", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const jobs = fresh("jobs");
  await one.issue(jobs, "job", "1", { new: true });
  await assert.rejects(two.issue(jobs, "job", "2", { new: true }), { code: "ticket-exists", name: "TicketdError" });
  assert.equal((await two.claim(jobs)).text(), "1");
});

test("a job that fails is put off, dead after its attempts, and revived", async (t) => {
  const jobs = fresh("jobs");
  const [boss, worker] = [await join(t), await join(t)];
  const told = [];
  boss.addEventListener("ticket-released", ({ detail }) => told.push(detail));
  await boss.issue(jobs, "job", "x", { stay: true, attempts: 2, notify: true });
  const started = performance.now();
  await (await worker.claim(jobs)).fail("no paper", { delay: 200 });
  assert.equal((await look(jobs)).delayed, 1);
  const second = await soon("it is free again", worker.claim(jobs));
  assert.ok(performance.now() - started > 190);
  assert.equal(second.attempt, 2);
  await second.fail("still no paper");
  assert.equal((await look(jobs)).dead, 1);
  assert.equal(await worker.claim(jobs, { ifAvailable: true }), null);
  assert.equal((await look(jobs, "/tickets?state=dead")).tickets[0].note, "still no paper");
  await until("the issuer is told", () => told.length === 2);
  assert.deepEqual(told.map(({ reason, attempt, note, dead }) => [reason, attempt, note, dead]), [
    ["released", 1, "no paper", undefined],
    ["released", 2, "still no paper", true],
  ]);
  assert.deepEqual((await server.rest("POST", `resources/${jobs}/revive`)).body, { revived: 1 });
  const third = await soon("it is alive", worker.claim(jobs));
  assert.equal(third.attempt, 1);
  await third.fail("never", { dead: true });
  assert.equal((await look(jobs)).dead, 1);
});

test("what claims() fetched ahead and did not show counts as no attempt", async (t) => {
  const jobs = fresh("jobs");
  const [boss, worker] = [await join(t), await join(t)];
  for (const n of [1, 2, 3]) await boss.issue(jobs, `job ${n}`, "", { stay: true, attempts: 5 });
  for await (const ticket of worker.claims(jobs, { concurrency: 3 })) {
    await until("the others are fetched", async () => (await look(jobs)).held === 3);
    await ticket.release();
    break;
  }
  await until("all are back", async () => (await look(jobs)).free === 3);
  const { tickets } = await look(jobs, "/tickets");
  const [one, two, three] = tickets.map(({ attempt }) => attempt);
  assert.deepEqual([one - two, two - three], [1, 0]);
});

test("claims of several resources: the first that has one, in one wait; a single claim, too", async (t) => {
  const [boss, worker] = [await join(t), await join(t)];
  const [urgent, jobs] = [fresh("urgent"), fresh("jobs")];
  await boss.issue(jobs, "a");
  await boss.issue(urgent, "b");
  const got = [];
  const stop = new AbortController();
  const loop = (async () => {
    for await (const ticket of worker.claims([urgent, jobs], { signal: stop.signal })) {
      got.push(ticket.name);
      await ticket.done();
    }
  })();
  await until("both are done", () => got.length === 2);
  assert.deepEqual(got, ["b", "a"]);
  await queued(boss, urgent, 1);
  await queued(boss, jobs, 1);
  await boss.issue(jobs, "c");
  await until("the third is done", () => got.length === 3);
  stop.abort();
  await loop;
  await queued(boss, urgent, 0);
  const one = worker.claim([urgent, jobs]);
  await queued(boss, urgent, 1);
  await boss.issue(urgent, "d");
  assert.equal((await one).resource, urgent);
  assert.equal(await worker.claim([urgent, jobs], { ifAvailable: true }), null);
  const lock = fresh("lock");
  await boss.lock(lock);
  await assert.rejects(worker.claim([urgent, lock]), { code: "wrong-kind" });
});

// Claims that last for a time.

test("a worker that hangs: its signal aborts before another has the job", async (t) => {
  const jobs = fresh("jobs");
  const [boss, slow, other] = [await join(t), await join(t), await join(t)];
  await boss.issue(jobs, "job", "", { stay: true, hold: 1000 });
  const ticket = await slow.claim(jobs);
  assert.equal(ticket.hold, 1000);
  const lost = aborted(ticket.signal).then((reason) => [reason.code, performance.now()]);
  const next = other.claim(jobs);
  const [[code, at], again] = [await lost, await soon("the next has it", next)];
  const taken = performance.now();
  assert.equal(code, "ticket-revoked");
  assert.ok(at <= taken);
  assert.ok(again.fence > ticket.fence);
  assert.equal(again.attempt, 2);
  await assert.rejects(ticket.done(), { code: "ticket-revoked" });
  await again.done();
});

test("claims() keeps a job for longer than its hold, and the one that waited has it when it ends", async (t) => {
  const jobs = fresh("jobs");
  const [boss, worker, other] = [await join(t), await join(t), await join(t)];
  await boss.issue(jobs, "job", "", { stay: true });
  const waiting = other.claim(jobs, { hold: 1000 });
  const first = await soon("it came by itself or at once", waiting);
  await first.release();
  for await (const ticket of worker.claims(jobs, { hold: 400 })) {
    const next = other.claim(jobs, { hold: 400 });
    await sleep(1500);
    assert.ok(!ticket.signal.aborted, "touched meanwhile");
    await ticket.release();
    const theirs = await soon("its turn", next);
    assert.ok(!theirs.signal.aborted);
    await theirs.touch(60_000);
    await sleep(600);
    assert.ok(!theirs.signal.aborted);
    await theirs.done();
    break;
  }
});

test("claim-expiring is heard, and touch() answers it", async (t) => {
  const jobs = fresh("jobs");
  const [boss, worker] = [await join(t), await join(t)];
  await boss.issue(jobs, "job");
  const ticket = await worker.claim(jobs, { hold: 800 });
  const { detail } = await heard(worker, "claim-expiring");
  assert.deepEqual([detail.resource, detail.ticket, detail.fence], [jobs, "job", ticket.fence]);
  assert.ok(!ticket.signal.aborted);
  await ticket.touch();
  await sleep(400);
  assert.ok(!ticket.signal.aborted);
});

// Leaders.

test("elect and observe: who leads, where, and the next when it goes", async (t) => {
  const boss = fresh("boss");
  const [one, two, three] = [await join(t, { name: "one" }), await join(t, { name: "two" }), await join(t)];
  const seen = [];
  (async () => {
    for await (const { leader } of three.observe(boss)) seen.push(leader && `${leader.session} ${text(leader.data)} ${leader.fence}`);
  })().catch(() => {});
  await until("nobody leads", () => seen.length === 1);
  const first = await one.elect(boss, "at one");
  const next = two.elect(boss, "at two");
  await queued(three, boss, 1);
  await first.update("at one, moved");
  await until("it is seen", () => seen.includes(`one at one, moved ${first.fence}`));
  await first.release();
  const second = await next;
  await until("the next is seen", () => seen.at(-1) === `two at two ${second.fence}`);
  await second.release();
  await until("nobody leads again", () => seen.at(-1) === null);
  assert.deepEqual(seen, [null, `one at one ${first.fence}`, `one at one, moved ${first.fence}`, `two at two ${second.fence}`, null]);
  await assert.rejects(first.update("late"), TicketdError);
});

test("observe: oneself is known by the ref", async (t) => {
  const boss = fresh("boss");
  const session = await join(t);
  await session.elect(boss, new Uint8Array([0, 255]));
  for await (const { leader } of session.observe(boss)) {
    assert.equal(leader.ref, session.ref);
    assert.deepEqual([...leader.data], [0, 255]);
    break;
  }
});

// Readers and a writer, of several sessions.

test("readers who come and go in one busy session do not keep a writer of another out", async (t) => {
  const db = fresh("db");
  const [busy, other] = [await join(t), await join(t)];
  let reads = 0;
  let stop = false;
  const readers = Array.from({ length: 5 }, async (_, n) => {
    await sleep(n * 3);
    while (!stop) {
      await busy.locks.request(db, { mode: "shared" }, () => sleep(15));
      reads++;
    }
  });
  await until("they read", () => reads > 5);
  await soon("the writer is let in", other.locks.request(db, () => sleep(5)), 5000);
  const before = reads;
  await until("they go on", () => reads > before + 5);
  stop = true;
  await Promise.all(readers);
});

test("steal from another session: told at once, and what it then does is told by its signal", async (t) => {
  const db = fresh("db");
  const [one, two] = [await join(t), await join(t)];
  const robbed = { held: null };
  const over = one.locks.request(db, (lock) => {
    robbed.held = lock;
    return new Promise(() => {});
  });
  over.catch(() => {});
  await until("it is held", () => robbed.held);
  const waiting = one.lock(db);
  await two.locks.request(db, { steal: true }, async (lock) => {
    assert.ok(lock.fence > robbed.held.fence);
    await assert.rejects(soon("the robbed is told", over), { name: "AbortError" });
    assert.equal(robbed.held.signal.reason.code, "lock-lost");
  });
  await (await soon("who waited has it", waiting)).release();
});

test("lockAll: sessions that want the same in any order never wait in a circle", async (t) => {
  const names = [fresh("c"), fresh("a"), fresh("b")];
  const sessions = await Promise.all(Array.from({ length: 4 }, () => join(t)));
  let inside = 0;
  await soon("all to finish", Promise.all(
    sessions.map(async (session, n) => {
      for (let round = 0; round < 10; round++) {
        const order = [...names.slice(n % 3), ...names.slice(0, n % 3)];
        const locks = await session.lockAll(order);
        assert.deepEqual(locks.map(({ resource }) => resource), order);
        assert.equal(++inside, 1);
        await sleep(1);
        inside--;
        await Promise.all(locks.map((lock) => lock.release()));
      }
    }),
  ));
  assert.ok(await sessions[0].lock(names[1]));
  assert.equal(await sessions[1].lockAll(names, { ifAvailable: true }), null);
  for (const name of [names[0], names[2]]) assert.ok(await sessions[2].lock(name, { ifAvailable: true }), "it was given back");
});

test("onPosition: from third to first", async (t) => {
  const db = fresh("db");
  const sessions = await Promise.all(Array.from({ length: 4 }, () => join(t)));
  const held = await sessions[0].lock(db);
  const [one, two] = [sessions[1].lock(db), sessions[2].lock(db)];
  await queued(sessions[0], db, 2);
  const places = [];
  const mine = sessions[3].lock(db, { onPosition: (position) => places.push(position) });
  await until("it is third", () => places[0] === 3);
  await held.release();
  await (await one).release();
  await (await two).release();
  await (await mine).release();
  assert.deepEqual([...places].sort((a, b) => b - a), places, "never back");
});
