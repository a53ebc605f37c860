// Nothing is left behind: no listener, no memory, no timer that keeps a process up, no rejection that nobody caught.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { connect } from "../index.js";
import { serve } from "./support/server.mjs";
import { nothingUnheeded, soon, test } from "./support/until.mjs";

let server;
before(async () => {
  server = await serve();
});
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

const ROUNDS = 10_000;

/** How much memory is in use when all that can be forgotten is. */
const heap = async () => {
  for (let n = 0; n < 3; n++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
};

test("10 000 rounds of every kind: no listener and no memory is left", async (t) => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  globalThis.gc = runInNewContext("gc");
  t.after(() => delete globalThis.gc);

  const session = await connect(server.url);
  const { signal } = new AbortController();
  const listeners = () => [signal, session.signal].flatMap((of) => getEventListeners(of, "abort")).length;
  const before = listeners();
  let fence = 0;
  const round = async (n) => {
    const lock = await session.lock("round", { signal });
    assert.ok(lock.fence > fence);
    fence = lock.fence;
    await lock.release();
    if (n % 10) return;
    const issued = await session.issue("rounds", `t${n % 7}`, "x");
    await (await session.claim("rounds", { signal })).release();
    await (await session.claim("rounds", { signal, ticket: issued.name, ifAvailable: true })).done();
    await session.withLock("round", { signal }, () => {});
    const stop = new AbortController();
    const given = session.claim("none", { signal: stop.signal });
    stop.abort();
    await given.catch(() => {});
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
    for await (const _ of session.watch("round", { signal })) break;
    const claims = session.claims("none", { signal, concurrency: 2 });
    const next = claims.next();
    await claims.return();
    await next;
  };
  // Eight at a time on one lock: they wait for one another.
  const rounds = async (from, to) => {
    for (let n = from; n < to; n += 8) {
      await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((k) => (k ? session.withLock("many", { signal }, () => {}) : round(n))));
    }
  };
  await rounds(0, 2000);
  const start = await heap();
  await rounds(2000, 2000 + ROUNDS);
  const grown = (await heap()) - start;
  t.diagnostic(`${(grown / 1024).toFixed(0)} KiB grown`);
  assert.equal(listeners(), before);
  assert.ok(grown < 500_000, `${grown} bytes for ${ROUNDS} rounds`);
  assert.deepEqual(await session.locks.query(), { held: [], pending: [] });
  const { body } = await server.rest("GET", `sessions/${session.id}`);
  assert.deepEqual([body.Tickets, body.Issuances], [[], []]);
  await session.close();
  assert.equal(listeners(), before);
}, 120_000);

// Each job that one session issued, claimed and finished left what it had issued behind: 2.2 KB, for ever. The rounds
// above did not see it, as they use seven names.
test("10 000 jobs, each with a name of its own, issued, claimed and done by one session: no memory is left", async (t) => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  globalThis.gc = runInNewContext("gc");
  t.after(() => delete globalThis.gc);

  const session = await connect(server.url);
  t.after(() => session.close());
  let names = 0;
  const jobs = async (count) => {
    for (let n = 0; n < count; n += 8) {
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          await session.issue("unique", `job ${names++}`, "x");
          await (await session.claim("unique")).done();
        }),
      );
    }
  };
  await jobs(2000);
  const start = await heap();
  await jobs(ROUNDS);
  const grown = (await heap()) - start;
  t.diagnostic(`${(grown / 1024).toFixed(0)} KiB grown`);
  assert.ok(grown < 500_000, `${grown} bytes for ${ROUNDS} jobs`);
}, 120_000);

test("many waits that one signal ends: no warning, and no listener is left", async (t) => {
  const session = await connect(server.url);
  t.after(() => session.close());
  const stop = new AbortController();
  const waits = Array.from({ length: 100 }, () => session.claim("many waits", { signal: stop.signal }).catch(({ name }) => name));
  await session.lock("many waits 2", { signal: stop.signal });
  stop.abort();
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(["AbortError"]));
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  await session.lock("many waits 3");
});

test("sessions come and go: no listener is left on a signal that connected them", async () => {
  const { signal } = new AbortController();
  for (let n = 0; n < 30; n++) {
    const session = await connect(server.url, { signal });
    if (n % 2) await session.lock(`lock ${n}`, { signal });
    await session.close();
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

/** A process of its own that runs that; how long it stayed after it said "done". */
const alone = async (script, act = () => {}) => {
  const index = fileURLToPath(new URL("../index.js", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", `import { connect } from ${JSON.stringify(index)};\n${script}`, server.url],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  try {
    const said = [];
    let at;
    child.stdout.on("data", (data) => {
      said.push(String(data));
      if (said.join("").includes("done")) at ??= performance.now();
      act(String(data), child);
    });
    const [code] = await soon("the process to end", once(child, "exit"));
    assert.equal(code, 0);
    assert.ok(at, `it said ${said.join("")}`);
    return performance.now() - at;
  } finally {
    child.kill("SIGKILL");
  }
};

// Shorter than any timer of the helper; longer than a busy machine needs to end a process.
const PROMPTLY = 1500;

test("a process that closes its session ends by itself, promptly", async () => {
  const stayed = await alone(`
    const session = await connect(process.argv[1]);
    const lock = await session.lock("process");
    session.lock("process").catch(() => {});
    session.watch("process").next();
    session.claims("process 2").next();
    await session.issue("process 3", "t");
    await session.close();
    console.log("done");
  `);
  assert.ok(stayed < PROMPTLY, `${stayed} ms`);
});

test("a process whose session is lost ends by itself, promptly", async () => {
  const stayed = await alone(`
    const session = await connect(process.argv[1]);
    await session.lock("process");
    await fetch(process.argv[1] + "/api/v1/sessions/" + session.id, { method: "DELETE", headers: { connection: "close" } });
    await session.closed;
    console.log("done");
  `);
  assert.ok(stayed < PROMPTLY, `${stayed} ms`);
});

test("a process whose connect() is given up ends by itself, promptly", async () => {
  const stayed = await alone(`
    await connect("http://127.0.0.1:9", { signal: AbortSignal.timeout(100) }).catch(({ name }) => console.log(name));
    console.log("done");
  `);
  assert.ok(stayed < PROMPTLY, `${stayed} ms`);
});

test("a process whose server vanished closes in two seconds, and ends", async (t) => {
  const own = await serve();
  t.after(() => own.kill());
  const stayed = await alone(
    `
    const session = await connect(${JSON.stringify(own.url)});
    await session.lock("process");
    console.log("ready");
    await new Promise((resolve) => session.addEventListener("statechange", resolve, { once: true }));
    const start = performance.now();
    await session.close();
    if (performance.now() - start > 5000) process.exit(1);
    console.log("done");
  `,
    (said) => said.includes("ready") && own.kill(),
  );
  assert.ok(stayed < PROMPTLY, `${stayed} ms`);
});

test("a process whose server stopped answering (it is stopped, not gone) ends all the same", async (t) => {
  const own = await serve();
  t.after(() => own.kill());
  const stayed = await alone(
    `
    const session = await connect(${JSON.stringify(own.url)});
    console.log("ready");
    process.stdin.once("data", async () => {
      process.stdin.destroy();
      await session.close();
      console.log("done");
    });
  `,
    async (said, child) => {
      if (!said.includes("ready")) return;
      own.signal("SIGSTOP");
      child.stdin.write("go\n");
    },
  );
  own.signal("SIGCONT");
  // The socket is given another second to end well.
  assert.ok(stayed < PROMPTLY + 1000, `${stayed} ms`);
});

test("an open session keeps the process up: a worker that only waits is at work", async () => {
  const stayed = await alone(
    `
    const session = await connect(process.argv[1]);
    console.log("done");
    session.lock("waits").then(() => session.lock("waits")).catch(() => {});
    process.stdin.once("data", async () => {
      process.stdin.destroy();
      await session.close();
    }).unref();
  `,
    (said, child) => setTimeout(() => child.stdin.write("go\n"), 400),
  );
  assert.ok(stayed >= 400);
});

test("a process whose server has gone for good ends its work at the session's own deadline", async (t) => {
  const own = await serve();
  t.after(() => own.kill());
  const stayed = await alone(
    `
    const session = await connect(${JSON.stringify(own.url)}, { ttl: 500 });
    await session.withLock("process", async () => {
      console.log("ready");
      await new Promise((resolve) => session.addEventListener("statechange", resolve, { once: true }));
    });
    session.close();
    await session.closed;
    console.log("done");
  `,
    (said) => said.includes("ready") && own.kill(),
  );
  assert.ok(stayed < PROMPTLY, `${stayed} ms`);
});
