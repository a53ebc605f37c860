// Wrong use, and answers that are none.

import assert from "node:assert/strict";
import { after } from "node:test";

import { TicketdError } from "../index.js";
import { begun, fate, settled } from "./support/fake.mjs";
import { CLAIM, claiming, holding, issuing, LOCK, waiting } from "./support/sessions.mjs";
import { nothingUnheeded, test } from "./support/until.mjs";

after(nothingUnheeded);

// Names.

// lock("jobs\nj1") had the key of ticket j1 of jobs: it joined the claim of that, and gave a Ticket with its data.
test("a lock with the name of a ticket's key, and what is no name: refused before anything is sent", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const claim = session.claim("jobs", { ticket: "j1" });
  world.line.takes(CLAIM("jobs", "j1"));
  for (const name of ["jobs\nj1", "", "a\u0000", "\u007f", "\u0085", "\ud800", "x\udc00y", "x".repeat(256), "é".repeat(128), 17, null, undefined]) {
    for (const wrong of [
      () => session.lock(name),
      () => session.withLock(name, () => assert.fail("called")),
      () => session.claim(name),
      () => session.issue(name, "t"),
      () => session.issue("jobs", name),
      () => session.watch(name).next(),
      () => session.claims(name).next(),
      ...(name === undefined ? [] : [() => session.claim("jobs", { ticket: name })]),
    ]) {
      await assert.rejects(wrong(), { name: "TicketdError", code: "bad-request" }, `${wrong} ${name}`);
    }
  }
  world.line.quiet();
  assert.equal(await fate(claim), "pending");
  session.lock("é".repeat(127) + "x").catch(() => {});
  session.lock('["jobs","j1"]').catch(() => {});
  assert.deepEqual([world.line.take().op, world.line.take().op], ["lock", "lock"]);
});

// Wrong use.

test("wrong use rejects in words, before anything is sent", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const { locks } = session;
  for (const [wrong, words] of [
    [() => session.lock("db", { mode: "shared" }), /lock\(\) has no option "mode"/],
    [() => session.lock("db", { steal: true }), /"steal"/],
    [() => session.lock("db", { ticket: "t" }), /"ticket"/],
    [() => session.claim("jobs", { concurrency: 4 }), /claim\(\) has no option "concurrency"/],
    [() => session.withLock("db", { ifAvailible: true }, () => {}), /"ifAvailible"/],
    [() => session.lock("db", { signal: new AbortController() }), TypeError],
    [() => session.withLock("db"), /function/],
    [() => session.withLock("db", {}), /function/],
    [() => session.withLock("db", { signal: AbortSignal.timeout(60_000) }, "function"), /function/],
    [() => locks.request("db", undefined), /function/],
    [() => session.claims("jobs", { concurrency: 0 }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: NaN }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: "2" }).next(), /concurrency/],
    [() => session.claims("jobs", { concurrency: Infinity }).next(), /concurrency/],
    [() => session.issue("jobs", "t", { a: 1 }), /data/],
    [() => session.issue("jobs", "t", [1, 2]), /data/],
    [() => session.issue("jobs", "t", null), /data/],
    [() => session.issue("jobs", "t", 17), /data/],
    [() => session.issue("jobs", "t", new ArrayBuffer(4)), /data/],
    [() => session.issue("jobs", "t", new Uint16Array(4)), /data/],
    [() => session.issue("jobs", "t", "\ud800"), /data/],
  ]) {
    const error = await wrong().then(() => assert.fail(`${wrong}`), (error) => error);
    assert.ok(error instanceof TypeError, `${wrong}: ${error}`);
    if (words instanceof RegExp) assert.match(error.message, words);
  }
  world.line.quiet();
});

test("options that are null or undefined are none", async (t) => {
  const world = await begun(t);
  const { session } = world;
  const ran = [
    session.locks.request("a", undefined, () => 1),
    session.locks.request("b", null, () => 1),
    session.withLock("c", { mode: "exclusive", steal: false, ifAvailable: undefined }, () => 1),
  ];
  for (const resource of ["a", "b", "c"]) world.line.ok(world.line.takes(LOCK(resource)), { granted: true, fence: 5 + resource.charCodeAt(0), waiting: 0 });
  await settled();
  for (let frame; (frame = world.line.take()); ) world.line.ok(frame);
  assert.deepEqual(await Promise.all(ran), [1, 1, 1]);
  for (const promise of [session.lock("d", null), session.claim("e", null), session.claims("f", null).next(), session.watch("g", null).next(), session.issue("h", "t", "", null)]) promise.catch(() => {});
  const ops = [];
  for (let frame; (frame = world.line.take()); ) ops.push(frame.op);
  assert.deepEqual(ops, ["lock", "claim", "claim", "watch", "issue"]);
});

// An AbortSignal of another library's, whose first listener stopped the event, left the wait in the queue for ever.
test("stopImmediatePropagation() in somebody's listener stops no abort", async (t) => {
  const world = await begun(t);
  const stop = new AbortController();
  stop.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
  const { signal } = stop;
  const wanted = world.session.lock("db", { signal });
  wanted.catch(() => {});
  const ends = [world.session.claims("jobs", { signal }).next(), world.session.watch("jobs", { signal }).next()];
  world.line.takes(LOCK("db"));
  stop.abort(new Error("enough"));
  await assert.rejects(wanted, /enough/);
  assert.deepEqual((await Promise.all(ends)).map(({ done }) => done), [true, true]);
});

test("a wait that ends by the signal of a hold ends by its reason itself", async (t) => {
  const world = await holding(t);
  const wanted = world.session.claim("jobs", { signal: world.lock.signal });
  wanted.catch(() => {});
  world.lock.release().catch(() => {});
  assert.equal(await wanted.catch((error) => error), world.lock.signal.reason);
});

test("errors have the stack of who called", async (t) => {
  const world = await begun(t);
  async function theCaller(call) {
    await call();
  }
  const { session } = world;
  const calls = [
    () => session.claim("db"),
    () => session.issue("db", "t"),
    () => session.lock("y"),
    () => session.withLock("x", () => {}),
    () => session.watch("x").next(),
  ].map((call) => theCaller(call).catch((error) => error));
  await settled();
  for (let frame; (frame = world.line.take()); ) world.line.refuse(frame, "limit", "too much");
  for (const { name, code, message, stack } of await Promise.all(calls)) {
    assert.deepEqual([name, code, message], ["TicketdError", "limit", "too much"]);
    assert.match(stack, /^TicketdError: too much\n/);
    assert.match(stack, /theCaller/);
  }
});

test("a loop on the signal ends by release() and by done()", async (t) => {
  const world = await claiming(t);
  let turns = 0;
  const loop = (async () => {
    while (!world.ticket.signal.aborted) {
      turns++;
      await settled();
    }
    return world.ticket.signal.reason;
  })();
  await settled();
  world.ticket.done().catch(() => {});
  assert.deepEqual([(await loop).name, (await loop).code, turns > 0], ["TicketdError", "done", true]);
});

// It counted as answered, and then there was nothing to say: who had asked waited for ever.
for (const answer of [{}, { error: null }, { ok: null, error: 0 }, { part: {} }]) {
  test(`an answer that is none, ${JSON.stringify(answer)}: all that was asked rejects, with the session`, async (t) => {
    const world = await issuing(t);
    const asked = [world.issued.revoke(), world.session.issue("jobs", "t2", "x"), world.session.lock("db"), world.session.watch("db").next()];
    const frames = asked.map(() => world.line.take());
    const codes = Promise.all(asked.map((promise) => promise.then(() => "fine", ({ code }) => code)));
    world.line.say({ id: frames[0].id, ...answer });
    assert.deepEqual(await codes, ["protocol", "protocol", "protocol", "protocol"]);
    assert.equal(world.session.signal.reason.code, "protocol");
  });
}
