// Two hundred who want the same lock, over lines that are cut: never two of them inside, and all come to their turn.

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { after, before } from "node:test";

import { connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { nothingUnheeded, random, sleep, soon, test } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

/** Lines that are in trouble until it is said to end. */
const troubled = async (t, rng, count, most) => {
  const lines = [];
  for (let n = 0; n < count; n++) lines.push(await proxy(server));
  let over = false;
  let cuts = 0;
  const troubles = Promise.all(
    lines.map(async (line) => {
      while (!over) {
        await sleep(10 + rng() * 60);
        const kind = rng.of(["cut", "cut", "refuse", "silence"]);
        if (kind === "refuse") line.set({ refuse: true });
        if (kind === "silence") line.set({ deaf: true, mute: rng() < 0.5 });
        if (kind !== "cut") await sleep(rng() * most);
        line.mend();
        line.cut();
        cuts += line.lines.size ? 1 : 0;
      }
    }),
  );
  t.after(async () => {
    over = true;
    await troubles;
    await Promise.all(lines.map((line) => line.close()));
  });
  return Object.assign(lines, {
    async end() {
      over = true;
      await troubles;
      return cuts;
    },
  });
};

const contend = async (t, { ttl, most, mayLose, each }) => {
  const rng = random(t);
  const lines = await troubled(t, rng, 20, most);
  const inside = new Set();
  const entered = [];
  let losses = 0;
  const join = (line) => connect(line.url, { ttl, backoff: { min: 1, max: 30 } });

  await soon(
    "all to finish",
    Promise.all(
      lines.map(async (line, l) => {
        let session = await join(line);
        await Promise.all(
          Array.from({ length: each }, async (_, n) => {
            for (;;) {
              const mine = session;
              try {
                return await mine.withLock("the one", async (lock) => {
                  for (const other of inside) {
                    assert.ok(mayLose && other.signal.aborted, `${other.fence} and ${lock.fence} are inside at once`);
                  }
                  entered.push(lock.fence);
                  inside.add(lock);
                  await sleep(rng() * 3);
                  inside.delete(lock);
                });
              } catch (error) {
                if (!mayLose || error.code !== "session-lost") throw error;
                losses++;
                // A hold may be lost and the session live. The first to notice that it is gone begins a new one for all.
                if (session === mine && mine.signal.aborted) session = join(line);
                session = await session;
              }
            }
          }),
        );
        await (await session).close();
      }),
    ),
    100_000,
  );
  t.diagnostic(`${await lines.end()} cuts, ${losses} losses`);
  assert.ok(entered.length >= 20 * each);
  assert.deepEqual(entered, [...entered].sort((a, b) => a - b), "they enter in the order of their fences");
  assert.equal(new Set(entered).size, entered.length, "each with a fence of its own");
  const last = await connect(server.url);
  assert.ok(await last.lock("the one", { ifAvailable: true }), "nobody left it behind");
  await last.close();
};

test("200 contenders, 20 connections, cuts: one at a time, all finish, no hold is lost", (t) =>
  contend(t, { ttl: 30_000, most: 30, mayLose: false, each: 10 }), 120_000);

test("… and with silences longer than a session lives: who is still inside knows that it has lost", (t) =>
  contend(t, { ttl: 300, most: 500, mayLose: true, each: 5 }), 120_000);

test("20 workers, cuts: each ticket is in one hand at a time, and done once", async (t) => {
  const rng = random(t);
  const lines = await troubled(t, rng, 20, 30);
  const boss = await connect(server.url);
  const total = 300;
  const hands = new Map();
  const done = new Map();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const workers = lines.map(async (line) => {
    const session = await connect(line.url, { ttl: 30_000, backoff: { min: 1, max: 30 } });
    const running = new Set();
    for await (const ticket of session.claims("heap", { concurrency: 3, signal: stop.signal })) {
      assert.ok(running.size < 3, "never more in hand");
      const work = (async () => {
        assert.ok(!hands.has(ticket.name), `${ticket.name} is in two hands`);
        hands.set(ticket.name, ticket.fence);
        await sleep(rng() * 5);
        assert.ok(!ticket.signal.aborted);
        hands.delete(ticket.name);
        if (rng() < 0.3) return ticket.release();
        done.set(ticket.name, (done.get(ticket.name) ?? 0) + 1);
        await ticket.done();
        if (done.size === total) stop.abort();
      })();
      running.add(work);
      work.finally(() => running.delete(work)).catch(() => {});
    }
    await Promise.all(running);
    await session.close();
  });
  for (let n = 0; n < total; n++) await boss.issue("heap", `t${n}`);
  await soon("all to be done", Promise.all(workers), 100_000);
  t.diagnostic(`${await lines.end()} cuts`);
  assert.equal(done.size, total);
  assert.ok([...done.values()].every((times) => times === 1));
  assert.equal(await boss.claim("heap", { ifAvailable: true }), null);
  await boss.close();
}, 120_000);
