// What a resume means: reconcile(known, state), with plain tables and nothing else.

import assert from "node:assert/strict";
import test from "node:test";

import { TicketdError } from "../error.js";
import { Known } from "../known.js";
import { join, reconcile } from "../resume.js";

const freeze = (value) => {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze);
  return value;
};

/** What is known of a session that has been open; tables are given as their entries. */
const known = (tables = {}) => {
  const all = { ...new Known(), first: false };
  for (const [name, value] of Object.entries(tables)) all[name] = Array.isArray(value) ? new Map(value) : value;
  return all;
};

const lock = (resource, fence) => ({ resource, fence });
const ticket = (resource, name, fence, data = "") => ({ resource, ticket: name, fence, data, issuer: "" });

/** A request that is not answered. */
const asked = (message, more = {}) => [message.id, { message, sent: true, then() {}, ...more }];

const queue = (op, resource, { ticket, asked = [], ...more } = {}) => ({
  key: {}, frame: { op, resource, ticket }, callers: new Set(), asked: new Map(asked.map((request) => [request])), wait: 0,
  since: 0, ...more,
});
/** Queues, and which of them have a wait on the wire. */
const queues = (...all) => ({
  queues: all.map((queue) => [queue.key, queue]),
  waits: all.filter(({ wait }) => wait).map((queue) => [queue.wait, queue]),
});

/** The actions, once the state has come in one part. It changes nothing, so they are the same again. */
const actions = (tables, lists = {}) => {
  const state = freeze(join([{ holds: [], issued: [], waits: [], watches: [], ...lists }]));
  const before = known(tables);
  for (const one of [before, ...before.queues.values(), ...before.pending.values()]) Object.freeze(one);
  const done = reconcile(before, state).map(plain);
  assert.deepEqual(reconcile(before, state).map(plain), done);
  return done;
};

/** A queue by its resource, an error by its code. */
const plain = (action) =>
  action.slice(0, 3 + (action[0] === "settle")).map((value) => (value instanceof TicketdError ? value.code : (value?.callers && (value.frame.resource ?? value.frame.resources.join())) || value));

test("the parts of a state are joined, and what one has is found by its key", () => {
  const state = join([
    { holds: [lock("db", 1)], waits: [{ wait: 7, resource: "a", kind: "lock" }] },
    undefined,
    { holds: [ticket("jobs", "x", 2)], issued: [{ resource: "jobs", ticket: "x" }] },
    { session: "S" },
  ]);
  assert.deepEqual(state.holds.map(({ fence }) => fence), [1, 2]);
  assert.deepEqual(state.waits.map(({ wait }) => wait), [7]);
  assert.deepEqual(state.watches, []);
  assert.deepEqual([...state.rows.keys()], [1, 2, '["jobs","x"]']);
});

test("nothing known, nothing there: nothing to do", () => {
  assert.deepEqual(actions({}), []);
});

test("a ticket that is held still gets its data; a lock has none; what is not known here is left", () => {
  const [one, two, other] = [ticket("jobs", "a", 1, "new"), lock("db", 2), ticket("jobs", "b", 3)];
  const holds = [[1, { fence: 1 }], [2, { fence: 2 }]];
  assert.deepEqual(actions({ holds }, { holds: [one, two, other] }), [["updated", one]]);
});

const unlock = { op: "unlock", resource: "db", fence: 1 };
const release = { op: "release", resource: "j", ticket: "a", fence: 1 };
const done = { ...release, op: "revoke" };
const revoke = { op: "revoke", resource: "j", ticket: "a" };
const issue = { op: "issue", resource: "j", ticket: "a" };
const ISSUED = { resource: "j", ticket: "a" };
const touch = { ...release, op: "touch" };
const value = { ...unlock, op: "lock", data: "x" };
const steal = { op: "lock", resource: "db", steal: true };
const stolen = ["settle", 2, { granted: true, fence: 9 }, "unavailable"];
const ended = new TicketdError("ticket-revoked");
const unsent = { sent: false };
const SETTLED = ["settle", 2, {}, "ticket-revoked"];
const REFUSED = ["settle", 2, undefined, "ticket-revoked"];

for (const [about, message, more, lists, expected] of [
  ["unlock, carried out", unlock, {}, {}, SETTLED],
  ["unlock, not carried out", unlock, {}, { holds: [lock("db", 1)] }],
  ["unlock, and locked anew", unlock, {}, { holds: [lock("db", 9)] }, SETTLED],
  ["release, never sent, and gone", release, unsent, {}, SETTLED],
  ["done, carried out", done, {}, {}, SETTLED],
  ["done, never sent, and gone: it may be another's", done, unsent, {}, REFUSED],
  ["done, not carried out", done, {}, { holds: [ticket("j", "a", 1)] }],
  ["revoke of what was issued, carried out", revoke, {}, {}, SETTLED],
  ["revoke of what was issued, not carried out", revoke, {}, { issued: [{ resource: "j", ticket: "a" }] }],
  ["issue", issue, { of: {} }, {}],
  ["issue, only if it is the first, carried out", { ...issue, new: true }, { of: {} }, { issued: [ISSUED] }, ["settle", 2, {}, "ticket-exists"]],
  ["issue, only if it is the first, not carried out", { ...issue, new: true }, { of: {} }, {}],
  ["an update of what is no longer one's own", issue, { of: { ended } }, {}, REFUSED],
  ["a touch of what is still held", touch, { of: {} }, { holds: [ticket("j", "a", 1)] }],
  ["a touch of what is lost", touch, { of: { ended } }, {}, REFUSED],
  ["a new value of a lock that is still held", value, { of: {} }, { holds: [lock("db", 1)] }],
  ["watch", { op: "watch", resource: "j" }, {}, {}],
  ["steal, carried out", steal, { since: 8 }, { holds: [lock("db", 9)] }, stolen],
  ["steal, not carried out", steal, { since: 8 }, {}, ["settle", 2, undefined, "unavailable"]],
  ["steal, not carried out, of what REST has", steal, { since: 9 }, { holds: [lock("db", 9)] }, ["settle", 2, undefined, "unavailable"]],
  ["steal, never sent", steal, unsent, { holds: [lock("db", 9)] }],
]) {
  test(`asked and not answered: ${about}${expected ? "" : "; asked again"}`, () => {
    assert.deepEqual(actions({ pending: [asked({ id: 2, ...message }, more)] }, lists), expected ? [expected] : []);
  });
}

test("a wait that is there keeps its place; one that is gone has none", () => {
  const waits = [{ wait: 7, resource: "a", kind: "lock" }];
  const all = queues(queue("lock", "a", { wait: 7 }), queue("lock", "b", { wait: 8 }));
  assert.deepEqual(actions(all, { waits }), [["place", "a", 7], ["place", "b", undefined]]);
});

test("a wait that is gone, and a hold that is not known: it was granted", () => {
  const row = lock("a", 5);
  assert.deepEqual(actions(queues(queue("lock", "a", { wait: 7, since: 4 })), { holds: [row] }), [["granted", "a", row]]);
});

test("a hold that is older than the wait was taken some other way", () => {
  const all = queues(queue("lock", "a", { wait: 7, since: 5 }));
  assert.deepEqual(actions(all, { holds: [lock("a", 5)] }), [["place", "a", undefined]]);
});

test("a hold that is known, or is being given up, is no grant", () => {
  const all = queues(queue("claim", "j", { wait: 7 }));
  const row = ticket("j", "a", 5);
  const done = [["updated", row], ["place", "j", undefined]];
  assert.deepEqual(actions({ ...all, holds: [[5, {}]] }, { holds: [row] }), done);
  const pending = [asked({ id: 2, op: "release", resource: "j", ticket: "a", fence: 5 })];
  assert.deepEqual(actions({ ...all, pending }, { holds: [row] }), [["place", "j", undefined]]);
});

test("asked and sent: its wait is found by what it is for, and each stands for one", () => {
  const pending = (id) => asked({ id, op: "claim", resource: "j", wait: true })[1];
  const all = () => [2, 4, 6].map((id) => queue("claim", "j", { asked: [pending(id)] }));
  const waits = [8, 9].map((wait) => ({ wait, resource: "j", kind: "ticket" }));
  const places = [["place", "j", 8], ["place", "j", 9], ["place", "j", undefined]];
  assert.deepEqual(actions(queues(...all()), { waits }), places);
  // A wait that another queue has is not taken.
  const [one, two] = all();
  assert.deepEqual(
    actions(queues({ ...one, wait: 9, asked: new Map() }, { ...two, key: {} }), { waits: [waits[1]] }),
    [["place", "j", 9], ["place", "j", undefined]],
  );
});

test("stolen: it is the thief's, and no other's who waits for it", () => {
  const pending = [asked({ id: 2, ...steal }, { since: 8 })];
  const all = queues(queue("lock", "db", { wait: 7 }));
  const holds = [lock("db", 9)];
  assert.deepEqual(actions({ pending, ...all }, { holds }), [stolen, ["place", "db", undefined]]);
});

test("asked and not sent, or only held: nothing is done about a queue", () => {
  const asked = { message: { id: 2, op: "lock", resource: "a" }, sent: false };
  const all = queues(queue("lock", "a", { asked: [asked] }), queue("lock", "b", { held: new Set([{}]) }));
  assert.deepEqual(actions(all, { holds: [lock("a", 5)], waits: [{ wait: 7, resource: "a", kind: "lock" }] }), []);
});

test("one of any ticket and one by its name: each gets what it can", () => {
  const [a, b] = [ticket("j", "a", 5), ticket("j", "b", 6)];
  const all = queues(queue("claim", "j", { ticket: "b", wait: 7 }), queue("claim", "j", { wait: 8 }));
  assert.deepEqual(actions(all, { holds: [a, b] }), [["granted", "j", b], ["granted", "j", a]]);
});

test("a claim of the first that has one: its wait is found by all of them, its grant by any", () => {
  const frame = { op: "claim", resources: ["j", "k"] };
  const all = (more) => queues({ ...queue("claim", "", more), frame });
  const place = (...resources) => ({ wait: 7, resources, kind: "ticket" });
  const sent = { asked: [asked({ id: 2, ...frame })[1]] };
  assert.deepEqual(actions(all(sent), { waits: [place("k", "j"), place("j")] }), [["place", "j,k", undefined]]);
  assert.deepEqual(actions(all(sent), { waits: [place("j", "k")] }), [["place", "j,k", 7]]);
  const row = ticket("k", "a", 5);
  assert.deepEqual(actions(all({ wait: 7 }), { holds: [ticket("l", "a", 4), row] }), [["granted", "j,k", row]]);
});

test("what is watched gets its figures, or is asked for again", () => {
  const row = { resource: "j", kind: "tickets", free: 1, held: 0, waiting: 0 };
  const watched = [["j", {}], ["k", {}]];
  assert.deepEqual(actions({ watched }, { watches: [row] }), [["changed", row], ["subscribe", "k"]]);
});

test("of a session that another page began, tickets go back, and waits are taken over; locks are kept", () => {
  const [one, two] = [lock("db", 5), ticket("j", "a", 6)];
  const wait = { wait: 7, resource: "a", kind: "lock" };
  const lists = { holds: [one, two], waits: [wait] };
  assert.deepEqual(actions({ first: true }, lists), [["drop", two], ["inherit", wait]]);
  assert.deepEqual(actions({}, lists), [], "later they are not this page's");
});
