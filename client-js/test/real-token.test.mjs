// A real server that asks who one is, and the helper.

import assert from "node:assert/strict";
import { after } from "node:test";

import { connect } from "../index.js";
import { accessFile, allow, newToken, principal } from "./support/access.mjs";
import { serve } from "./support/server.mjs";
import { aborted, heard, nothingUnheeded, soon, test, until } from "./support/until.mjs";

const file = accessFile();
const [ops, one, two] = [newToken(), newToken(), newToken()];
const OPS = principal("ops", [ops.hash], allow([["admin"]]));
const builder = (hashes = [one.hash], more = allow([["lock", "watch"], ["build/*"]], [["work"], ["jobs"]])) =>
  principal("builder", hashes, more);
const LOGIN = file.signer(allow([["lock", "watch"], ["doc/*"]]));

file.write(OPS, builder(), LOGIN);
const server = await serve({ args: file.args });
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

/** The file is another, from now on. */
const change = (...parts) => {
  file.write(...parts);
  server.signal("SIGHUP");
};
const join = async (t, token, options = {}) => {
  const session = await soon("a session", connect(server.url, { token, ...options }));
  t.after(() => session.close());
  return session;
};

test("nothing shown, or a bad token: told at once, in words; a good one comes in", async (t) => {
  for (const [token, message] of [[undefined, "a token is needed"], [two.token, "the token is not good"], ["x", /not good/]]) {
    await assert.rejects(soon("a refusal", connect(server.url, { token })), { code: "unauthorized", message, retryable: false });
  }
  const session = await join(t, one.token);
  const lock = await session.lock("build/a");
  assert.ok(lock.fence > 0);
  await lock.release();
});

test("what one may not do is forbidden, in words that name the right, and the session lives", async (t) => {
  const session = await join(t, one.token);
  const lock = await session.lock("build/b");
  for (const [wanted, right] of [
    [() => session.lock("deploy"), "lock"],
    [() => session.claim("other", { ifAvailable: true }), "claim"],
    [() => session.issue("jobs", "t"), "issue"],
    [() => session.watch("jobs").next(), "watch"],
    [() => session.claims("other").next(), "claim"],
  ]) {
    await assert.rejects(soon(right, wanted()), { code: "forbidden", message: new RegExp(`\`${right}\``) });
  }
  assert.ok(session.state === "open" && !lock.signal.aborted);
});

test("a refused token is asked for again, and the next one will do", async (t) => {
  const reasons = [];
  const session = await join(t, ({ reason }) => {
    reasons.push(reason);
    return reason === "refused" ? one.token : two.token;
  });
  assert.deepEqual([session.state, reasons], ["open", ["connect", "refused"]]);
});

test("a token that ends soon is replaced, and what is held is held on", async (t) => {
  const reasons = [];
  const session = await join(t, async ({ reason }) => {
    reasons.push(reason);
    return file.jwt("anna", reason === "expiring" ? 3600 : 20);
  });
  const [lock, states] = [await session.lock("doc/1"), []];
  session.addEventListener("statechange", ({ detail }) => states.push(detail.to));
  if (reasons.length === 1) await heard(session, "token-expiring");
  await until("it has asked for another", () => reasons.length === 2);
  // Answered behind the `auth`.
  await (await session.lock("doc/2")).release();
  assert.deepEqual([reasons, states, lock.signal.aborted], [["connect", "expiring"], [], false]);
});

test("one whose proof has ended comes back with another, and keeps its lock and its place", async (t) => {
  // It was good until 29 s ago, which still counts; a look later it does not.
  const reasons = [];
  const session = await join(t, ({ reason }) => {
    reasons.push(reason);
    if (reason === "expiring") throw new Error("login is away");
    return file.jwt("berta", reasons.length === 1 ? -28 : 3600);
  });
  const lock = await session.lock("doc/b");
  const [recovering, recovered] = [heard(session, "statechange"), heard(session, "recovered")];
  assert.equal((await recovering).detail.to, "recovering");
  await recovered;
  assert.equal(reasons.at(-1), "connect");
  assert.ok(!lock.signal.aborted);
});

test("a right that is taken: the wait and the watch end, what is held stays", async (t) => {
  const session = await join(t, one.token);
  const other = await join(t, ops.token);
  const taken = await other.lock("build/taken");
  const held = await session.lock("build/held");
  const wait = session.lock("build/taken");
  wait.catch(() => {});
  const watch = session.watch("build/taken");
  await until("it waits", async () => (await watch.next()).value.waiting === 1);
  const next = watch.next();
  next.catch(() => {});
  t.after(() => change(OPS, builder(), LOGIN));
  change(OPS, builder([one.hash], allow([["lock"], ["build/held"]])), LOGIN);
  for (const [what, gone] of [["the wait", wait], ["the watch", next]]) {
    await assert.rejects(soon(`the end of ${what}`, gone), { code: "forbidden" });
  }
  assert.ok(session.state === "open" && !held.signal.aborted);
  await held.release();
  await taken.release();
});

test("a token is changed without a pause; who keeps the old one is out, and its lock with it in time", async (t) => {
  const TTL = 1500;
  change(OPS, builder([one.hash, two.hash]), LOGIN);
  t.after(() => change(OPS, builder(), LOGIN));
  // The file is read when somebody with the new one comes in.
  const old = await join(t, one.token, { ttl: TTL });
  const renewed = await until("the new token is good", () => join(t, two.token).catch(() => {}));
  const [lock, kept] = [await old.lock("build/old"), await renewed.lock("build/new")];
  const next = renewed.lock("build/old");
  change(OPS, builder([two.hash]), LOGIN);
  const order = [];
  const lost = aborted(old.signal).then(({ code }) => order.push(code));
  const passed = soon("the lock of who is out", next).then(() => order.push("granted"));
  await Promise.all([lost, passed]);
  assert.deepEqual(order, ["unauthorized", "granted"]);
  assert.ok(lock.signal.aborted && !kept.signal.aborted);
});

test("a session is its owner's: to all others there is none", async (t) => {
  const mine = await join(t, () => file.jwt("carla", 3600));
  const theirs = await join(t, () => file.jwt("doris", 3600), { session: mine.id });
  assert.notEqual(theirs.id, mine.id);
  assert.equal(mine.state, "open");
});
