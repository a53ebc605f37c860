// Readers and writers of many sessions over lines that are cut, and workers whose claims last for a time: never a writer
// beside anybody, never a ticket in two hands, and all come to their turn.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { connect } from "../index.js";
import { proxy } from "./support/proxy.mjs";
import { serve } from "./support/server.mjs";
import { nothingUnheeded, random, sleep, soon, test, until } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

/** Lines that are cut again and again, until `end()`. */
const cutting = async (t, rng, count, often) => {
  const lines = [];
  for (let n = 0; n < count; n++) lines.push(await proxy(server));
  let over = false;
  const cuts = Promise.all(
    lines.map(async (line) => {
      while (!over) {
        await sleep(often / 2 + rng() * often);
        line.cut();
      }
    }),
  );
  const end = async () => {
    over = true;
    await cuts;
  };
  t.after(async () => {
    await end();
    await Promise.all(lines.map((line) => line.close()));
  });
  return { lines, end };
};

for (const [how, cuts] of [["quiet lines", 0], ["cuts", 8]]) {
  test(`readers and writers, ${how}: a writer is alone, all finish, and nothing is left`, async (t) => {
    const rng = random(t);
    const { lines, end } = await cutting(t, rng, cuts, 100);
    const inside = new Set();
    let together = 0;
    const join = ({ url }) => connect(url, { ttl: 30_000, backoff: { min: 1, max: 30 } });
    const sessions = await Promise.all((cuts ? lines : Array(8).fill(server)).map(join));
    const one = async (session) => {
      const mode = rng() < 0.75 ? "shared" : "exclusive";
      const stop = new AbortController();
      if (rng() < 0.1) setTimeout(() => stop.abort(), rng() * 20);
      const options = rng() < 0.15 ? { mode, ifAvailable: true } : { mode, signal: stop.signal };
      await session.locks
        .request("shelf", options, async (lock) => {
          if (!lock) return;
          assert.equal(lock.mode, mode);
          for (const other of inside) {
            assert.ok(mode === "shared" && other.mode === "shared", `${mode} ${lock.fence} beside ${other.mode} ${other.fence}`);
            together++;
          }
          inside.add(lock);
          await sleep(rng() * 4);
          assert.ok(!lock.signal.aborted);
          inside.delete(lock);
        })
        .catch((error) => assert.equal(error.name, "AbortError", error.stack));
    };
    const all = sessions.map((session) =>
      Promise.all(
        Array.from({ length: 5 }, async () => {
          for (let n = 0; n < 6; n++) await one(session);
        }),
      ),
    );
    await soon("all to finish", Promise.all(all), 60_000);
    await end();
    t.diagnostic(`${together} times beside another`);
    assert.ok(together > 0);
    for (const session of sessions) {
      const mine = await soon("an answer", session.locks.query());
      assert.deepEqual(mine, { held: [], pending: [] });
    }
    const { body } = await server.rest("GET", "resources/shelf");
    assert.deepEqual([body.held, body.waiting], [0, 0], JSON.stringify(body));
    await Promise.all(sessions.map((session) => session.close()));
  }, 90_000);
}

test("workers with holds, cuts: a ticket is in one hand at a time, and none is left", async (t) => {
  const rng = random(t);
  const { lines, end } = await cutting(t, rng, 8, 100);
  const total = 120;
  const boss = await connect(server.url);
  for (let n = 0; n < total; n++) await boss.issue(n % 2 ? "left" : "right", `t${n}`, "", { stay: true, hold: 500 });
  await boss.close();
  const hands = new Map();
  const stop = new AbortController();
  const workers = lines.map(async (line) => {
    const session = await connect(line.url, { ttl: 30_000, backoff: { min: 1, max: 30 } });
    const under = new Set();
    for await (const ticket of session.claims(["left", "right"], { concurrency: 3, signal: stop.signal })) {
      const work = (async () => {
        const other = hands.get(ticket.name);
        assert.ok(!other || other.signal.aborted, `${ticket.name} is in two hands`);
        hands.set(ticket.name, ticket);
        // Some hang for longer than their hold, as if the process stood still.
        await sleep(rng() * 8);
        if (ticket.signal.aborted) return;
        hands.delete(ticket.name);
        if (rng() < 0.2) return ticket.fail("on purpose", { delay: 20 });
        // When it cannot be said in time, another does it again.
        await ticket.done();
      })().catch(({ code }) => assert.match(code ?? "", /^(ticket-revoked|session-lost|released|closed)$/));
      under.add(work);
      work.finally(() => under.delete(work));
    }
    await Promise.all(under);
    await session.close();
  });
  const figures = async (resource) => (await server.rest("GET", `resources/${resource}`)).body;
  for (const resource of ["left", "right"]) {
    await until("nothing is left", async () => {
      const { free, held, delayed } = await figures(resource);
      return !(free || held || delayed);
    }, 60_000);
  }
  stop.abort();
  await end();
  await soon("the workers to end", Promise.all(workers));
  for (const resource of ["left", "right"]) await until("nobody waits", async () => !(await figures(resource)).waiting);
}, 90_000);
