// A bad line between the helper and the real server: cuts, refusals, silence. What is held stays held or is known to be
// lost in time, who waits keeps the place, and nothing hangs.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { TicketdError, connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { aborted, heard, nothingUnheeded, random, sleep, soon, test, until } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

const QUICK = { backoff: { min: 1, max: 20 } };

/** Through a line of its own, which ends with the test, as the sessions do. */
const lineTo = async (t) => {
  const line = await proxy(server);
  const sessions = [];
  t.after(async () => {
    line.mend();
    await Promise.all(sessions.map((session) => session.close()));
    await line.close();
  });
  return Object.assign(line, {
    sessions,
    async join(options) {
      const session = await connect(line.url, { ...QUICK, ttl: 30_000, ...options });
      sessions.push(session);
      return session;
    },
    allOpen: () =>
      until("all are back", () => sessions.every(({ state }) => state === "open" || state === "closed")),
  });
};

const queued = (watcher, resource, count) =>
  until(`${count} wait for ${resource}`, async () => {
    for await (const { waiting } of watcher.watch(resource)) return waiting === count;
  });

/** One trouble with a line, small enough for every session to survive it. */
const trouble = async (rng, line) => {
  const kind = rng.of(["cut", "cut", "cut", "twice", "refuse", "stall", "deaf", "mute", "slow"]);
  if (kind === "refuse") line.set({ refuse: true });
  if (kind === "stall") line.set({ deaf: true, mute: true });
  if (kind === "deaf" || kind === "mute") line.set({ [kind]: true });
  if (kind === "slow") line.set({ delay: 1 + rng.below(5) });
  if (kind === "twice") {
    line.cut();
    await sleep(rng() * 8);
  }
  if (["refuse", "stall", "deaf", "mute", "slow"].includes(kind)) await sleep(rng() * 10);
  line.mend();
  line.cut();
};

/** Sessions that are at work all the time: at jobs, at a counter, and one that watches. */
const working = (rng, sessions) => {
  const done = new Map();
  const stop = new AbortController();
  const workers = sessions.map(async (session) => {
    for await (const ticket of session.claims("jobs", { concurrency: 2, signal: stop.signal })) {
      if (rng() < 0.2) await ticket.release();
      else {
        await ticket.done();
        assert.equal(ticket.signal.reason.code, "done");
        done.set(ticket.name, (done.get(ticket.name) ?? 0) + 1);
      }
    }
  });
  const seen = [];
  const work = { count: 0, seen, done };
  const counters = sessions.map(async (session) => {
    while (!stop.signal.aborted) {
      await session.withLock("counter", async () => {
        const was = work.count;
        await sleep(1);
        work.count = was + 1;
      });
    }
  });
  const watcher = (async () => {
    for await (const { waiting } of sessions[2].watch("db", { signal: stop.signal })) seen.push(waiting);
  })();
  const end = () => {
    stop.abort();
    return soon("the workers", Promise.all([...workers, ...counters, watcher]));
  };
  return Object.assign(work, { end });
};

test("200 cuts: the same sessions, everything held is still held, the places are kept, nobody is forgotten", async (t) => {
  const rng = random(t);
  const line = await lineTo(t);
  const boss = await connect(server.url, { name: "boss" });
  t.after(() => boss.close());

  const sessions = [];
  for (let n = 0; n < 6; n++) sessions.push(await line.join({ name: `s${n}` }));
  const ids = sessions.map(({ id }) => id);
  const lost = [];
  sessions.forEach((session) => session.addEventListener("lost", ({ detail }) => lost.push(detail.reason)));

  // Held all the time.
  await boss.issue("kept", "t");
  const held = [await sessions[0].lock("db"), await sessions[1].lock("other"), await sessions[1].claim("kept")];
  const signals = held.map(({ signal }) => signal);

  // Waiting all the time, in an order that is known.
  const order = [];
  const waiting = [];
  for (let n = 1; n < 6; n++) {
    waiting.push(
      sessions[n].lock("db").then((lock) => {
        order.push(n);
        return lock;
      }),
    );
    await queued(boss, "db", n);
  }

  const total = 60;
  const work = working(rng, sessions);

  for (let cut = 0, tickets = 0; cut < 200; cut++) {
    await trouble(rng, line);
    if (tickets < total && cut % 3 === 0) await boss.issue("jobs", `job ${tickets++}`);
    // Often a cut comes into the middle of the resume after the last one.
    if (rng() < 0.7) await line.allOpen();
  }
  await line.allOpen();
  assert.deepEqual(sessions.map(({ id }) => id), ids);
  assert.deepEqual(lost, []);
  assert.ok(!signals.some(({ aborted }) => aborted), "nothing held was lost");
  assert.deepEqual(order, []);

  // They are granted in their order, with more cuts.
  let next = held[0];
  for (const wait of waiting) {
    const [released] = [next.release(), trouble(rng, line)];
    await soon("a release", released);
    next = await soon("the next", wait);
  }
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
  await next.release();

  await until("all jobs are done", () => work.done.size === total);
  await work.end();
  const { count, seen, done } = work;
  assert.ok([...done.values()].every((n) => n === 1), "each once");
  t.diagnostic(`${count} turns at the counter; ${seen.length} figures seen`);
  assert.ok(count > 50);
  assert.equal(seen[0], 5);
  for (const hold of held.slice(1)) await hold.release();
  for (const resource of ["db", "other", "counter"]) {
    assert.ok(await boss.lock(resource, { ifAvailable: true }), `${resource} was left behind`);
  }
}, 120_000);

test("a server that refuses for a while, and one that accepts and says nothing", async (t) => {
  const line = await lineTo(t);
  const session = await line.join({ ttl: 5000 });
  const lock = await session.lock("patience");
  for (const bad of [{ refuse: true }, { deaf: true, mute: true }, { mute: true }]) {
    const recovered = heard(session, "recovered");
    line.cut();
    line.set(bad);
    await sleep(150);
    line.mend();
    await recovered;
  }
  assert.ok(!lock.signal.aborted);
});

for (const [name, silence] of [
  ["both ways", { deaf: true, mute: true }],
  ["only what the client says is lost", { deaf: true }],
  ["only what the server says is lost", { mute: true }],
]) {
  const RUNS = name === "both ways" ? 100 : 30;
  test(`half open, ${name}: in ${RUNS} of ${RUNS} runs the holder knows before the next one has it`, async (t) => {
    const rng = random(t);
    const PER_LINE = 5;
    const leads = [];
    const next = [];
    for (let n = 0; n < 4; n++) next.push(await connect(server.url));
    t.after(() => Promise.all(next.map((session) => session.close())));

    await Promise.all(
      Array.from({ length: RUNS / PER_LINE }, async (_, l) => {
        const line = await lineTo(t);
        const runs = [];
        for (let n = 0; n < PER_LINE; n++) {
          const resource = `half ${name} ${l} ${n}`;
          const session = await line.join({ ttl: 1000 + rng.below(200) });
          const lock = await session.lock(resource);
          let lost = 0;
          session.addEventListener("lost", () => lost++);
          let end;
          lock.signal.addEventListener("abort", () => (end = performance.now()));
          const ends = aborted(lock.signal).then(() => end);
          // A process that is late itself has both to read at once: the look at the signal is what counts then.
          const taken = rng.of(next).lock(resource).then((after) => {
            const known = lock.signal.aborted;
            return [known, performance.now(), after];
          });
          taken.catch(() => {});
          runs.push({ session, lock, ends, taken, lost: () => lost });
        }
        await sleep(rng() * 800);
        line.set(silence);
        await Promise.all(runs.map(({ ends }) => ends));
        for (const { session, lock, ends, taken, lost } of runs) {
          const [known, start, after] = await soon("the next one", taken);
          assert.ok(known);
          leads.push(start - (await ends));
          assert.ok(after.fence > lock.fence);
          assert.equal(lost(), 0, "that the session is lost only the server can say");
          assert.equal(session.state, "recovering");
          await after.release();
        }
        line.mend();
        await until("each knows what became of it", () =>
          runs.every(({ session, lost }) => session.state === "closed" && lost() === 1),
        );
        for (const { lock } of runs) {
          assert.ok(lock.signal.reason instanceof TicketdError, "what was lost stays lost");
          await lock.release();
        }
      }),
    );
    t.diagnostic(`the smallest lead was ${Math.min(...leads).toFixed(1)} ms of ${leads.length}`);
    assert.equal(leads.length, RUNS);
    assert.ok(leads.every((lead) => lead >= 0), `${leads.filter((lead) => lead < 0)}`);
  });
}

test("expired while away: lost once, everything pending rejects, nothing hangs", async (t) => {
  const line = await lineTo(t);
  const other = await connect(server.url);
  t.after(() => other.close());
  await other.lock("taken");
  const session = await line.join({ ttl: 300 });
  const lost = [];
  session.addEventListener("lost", ({ detail }) => lost.push(detail.reason));
  const lock = await session.lock("mine");
  const issued = await session.issue("things", "a");
  const watch = session.watch("mine");
  await watch.next();
  const pending = () => [
    session.lock("taken"),
    session.claim("nothing"),
    session.claim("nothing", { ticket: "t" }),
    session.claims("nothing", { concurrency: 3 }).next(),
    session.withLock("taken", () => assert.fail("never")),
    session.lock("mine"),
  ];
  const outcomes = [...pending(), watch.next()];
  await until("it waits", async () => (await other.watch("taken").next()).value.waiting === 1);
  line.set({ refuse: true });
  line.cut();
  outcomes.push(...pending(), session.issue("things", "b"), issued.update("2"));
  const settled = Promise.allSettled(outcomes);
  await aborted(lock.signal);
  assert.equal(session.state, "recovering");
  assert.deepEqual(lost, []);
  await until("the server has ended it", async () => !(await server.sessions()).includes(session.id));
  line.mend();
  for (const { status, reason } of await soon("all to settle", settled)) {
    assert.equal(status, "rejected");
    assert.ok(reason instanceof TicketdError, `${reason?.stack}`);
  }
  await soon("the end", session.closed);
  assert.equal(lost.length, 1);
  assert.equal(lost[0].code, "session-lost");
  assert.ok(issued.signal.aborted);
});

test("a cut in every phase of a claim loop: no ticket stays behind", async (t) => {
  const rng = random(t);
  const line = await lineTo(t);
  const boss = await connect(server.url);
  t.after(() => boss.close());
  for (let n = 0; n < 20; n++) await boss.issue("phases", `t${n}`);
  const session = await line.join();
  for (let round = 0; round < 30; round++) {
    const stop = new AbortController();
    const loop = (async () => {
      for await (const ticket of session.claims("phases", { concurrency: 5, signal: stop.signal })) {
        await ticket.release();
      }
    })();
    if (rng() < 0.5) await sleep(rng() * 3);
    line.cut();
    if (rng() < 0.5) await sleep(rng() * 3);
    stop.abort();
    await soon("the loop's end", loop);
  }
  await until("all are back", async () => (await server.claimed("phases")) === 0);
});

test("a hung event loop: at the first look the signal has aborted, and the session turns out to be lost", async (t) => {
  for (let n = 0; n < 5; n++) {
    const session = await connect(server.url, { ttl: 400, ...QUICK });
    const lock = await session.lock("hung");
    const { signal } = lock;
    const end = performance.now() + 900;
    while (performance.now() < end);
    assert.ok(lock.signal.aborted);
    assert.ok(signal.aborted);
    const either = new Promise((resolve) =>
      ["lost", "recovered"].forEach((type) => session.addEventListener(type, resolve)),
    );
    const what = await soon("what became of it", either);
    await session.close();
    if (what.type === "lost") return assert.equal(what.detail.reason.code, "session-lost");
    // A server that was late itself gives everybody that much more time: then it goes on, without the lock.
    t.diagnostic("the server was late itself");
  }
  assert.fail("the session outlives every hang");
});

test("close through a line that nobody answers on: two seconds at most, and the process is free", async (t) => {
  const line = await lineTo(t);
  const session = await line.join();
  await session.lock("leaving");
  line.set({ deaf: true, mute: true });
  const start = performance.now();
  await soon("the close", session.close());
  assert.ok(performance.now() - start < 10_000);
});
