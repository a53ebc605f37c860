// The helper and the real server: tickets.

import assert from "node:assert/strict";

import { TicketdError, connect } from "../index.js";
import { fresh, join, queued, server } from "./support/real.mjs";
import { aborted, heard, sleep, soon, test, until } from "./support/until.mjs";

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
