// What the test says as the server, and sessions that have something already.

import { begun, settled } from "./fake.mjs";

export const lockHold = (resource, fence) => ({ resource, fence, waiting: 0 });
export const ticketHold = (resource, ticket, fence, data = "") => ({ resource, ticket, fence, data, issuer: "boss" });
export const lockWait = (resource, wait) => ({ wait, resource, kind: "lock", position: 1 });
export const ticketWait = (resource, wait, ticket) => ({ wait, resource, kind: "ticket", ticket, position: 1 });
export const LOCK = (resource) => ({ op: "lock", resource, wait: true });
export const UNLOCK = (resource, fence) => ({ op: "unlock", resource, fence });
export const CLAIM = (resource, ticket) => ({ op: "claim", resource, ...(ticket && { ticket }), wait: true });
export const RELEASE = (resource, ticket, fence) => ({ op: "release", resource, ticket, fence });

/** A session that holds that lock. */
export const holding = async (t, resource = "db", fence = 5) => {
  const world = await begun(t);
  const wanted = world.session.lock(resource);
  world.line.ok(world.line.takes(LOCK(resource)), { granted: true, fence, waiting: 0 });
  return Object.assign(world, { lock: await wanted });
};

/** … that ticket. */
export const claiming = async (t, resource = "jobs", ticket = "t1", fence = 5) => {
  const world = await begun(t);
  const wanted = world.session.claim(resource);
  world.line.ok(world.line.takes(CLAIM(resource)), { granted: true, ticket: ticketHold(resource, ticket, fence, "1") });
  return Object.assign(world, { ticket: await wanted });
};

/** … has issued that ticket. */
export const issuing = async (t, resource = "jobs", ticket = "t1") => {
  const world = await begun(t);
  const wanted = world.session.issue(resource, ticket, "1");
  world.line.ok(world.line.takes({ op: "issue", resource, ticket, data: "1" }));
  return Object.assign(world, { issued: await wanted });
};

/** A session whose wait has a place in the queue. */
export const waiting = async (t, op = "lock", resource = "db", wait = 7) => {
  const world = await begun(t);
  const stop = new AbortController();
  const wanted = world.session[op](resource, { signal: stop.signal });
  wanted.catch(() => {});
  world.line.ok(world.line.takes((op === "lock" ? LOCK : CLAIM)(resource)), { granted: false, wait, position: 1 });
  await settled();
  return Object.assign(world, { wanted, stop });
};

/** It takes up the session of a former page. */
export const FORMER = { options: { session: "S".repeat(27) } };
