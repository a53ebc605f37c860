// The types: right use compiles, wrong use does not. Nothing of this runs; `tsc` reads it. A line behind
// `@ts-expect-error` that would compile is an error.

import { TicketdError, connect } from "../index.js";
import type {
  Bytes,
  ConnectOptions,
  Held,
  Issued,
  Leader,
  Lock,
  LockInfo,
  LockMode,
  LockOptions,
  Locks,
  ResourceState,
  Session,
  SessionEventMap,
  SessionState,
  Ticket,
  WaitOptions,
  WebSocketLike,
} from "../index.js";
import WS from "ws";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Just this type, no wider and no narrower. */
const just = <Expected>() => ({ is: <Actual>(_: Actual, ..._same: Same<Expected, Actual> extends true ? [] : [never]) => {} });

export const connecting = async () => {
  just<Session>().is(await connect("http://localhost:8001"));
  await connect(new URL("ws://localhost"), {});
  await connect("x", { name: "n", ttl: 5000, signal: AbortSignal.timeout(5), backoff: { min: 1 }, session: "id", bye: true });
  await connect("x", { WebSocket: WS });
  await connect("x", { WebSocket: globalThis.WebSocket });
  await connect("x", { token: "tkd_x" });
  await connect("x", { token: async ({ reason, signal }) => (await fetch(`/token?${reason}`, { signal })).text() });
  await connect("x", { token: ({ reason }) => (just<"connect" | "expiring" | "refused">().is(reason), "tkd_x") });
  const options: ConnectOptions = { backoff: { max: 5 } };
  await connect("x", options);
  await connect("x", null);

  // @ts-expect-error a url is needed
  connect();
  // @ts-expect-error a number is no url
  connect(8001);
  // @ts-expect-error a token is text
  connect("x", { token: () => 5 });
  // @ts-expect-error misspelt
  connect("x", { timeToLive: 5 });
  // @ts-expect-error ms, not text
  connect("x", { ttl: "5s" });
  // @ts-expect-error its signal, not the controller
  connect("x", { signal: new AbortController() });
  // @ts-expect-error the class, not an instance
  connect("x", { WebSocket: new globalThis.WebSocket("ws://x") });
  // @ts-expect-error misspelt
  connect("x", { backoff: { minimum: 1 } });
  // @ts-expect-error a socket has more to do
  connect("x", { WebSocket: class { constructor(_url: string) {} } });
  // @ts-expect-error it is a promise first
  connect("x").lock("y");
};

export const sessions = (session: Session) => {
  just<string>().is(session.id);
  just<string>().is(session.name);
  just<"connecting" | "open" | "recovering" | "closed">().is(session.state);
  just<SessionState>().is(session.state);
  just<AbortSignal>().is(session.signal);
  just<Promise<void>>().is(session.closed);
  just<Promise<void>>().is(session.close());
  const target: EventTarget = session;
  const disposable: AsyncDisposable = session;

  // @ts-expect-error read only
  session.id = "x";
  // @ts-expect-error read only
  session.state = "closed";
  // @ts-expect-error read only
  session.signal = AbortSignal.abort();
  // @ts-expect-error there is no such state
  session.state === "lost";
  // @ts-expect-error a promise, not a method
  session.closed();
  // @ts-expect-error disposed of asynchronously
  session[Symbol.dispose]();
  return [target, disposable];
};

export const locks = async (session: Session, signal: AbortSignal, options: WaitOptions) => {
  just<Lock>().is(await session.lock("r"));
  just<Lock>().is(await session.lock("r", {}));
  just<Lock>().is(await session.lock("r", { signal }));
  just<Lock>().is(await session.lock("r", { ifAvailable: false }));
  just<Lock | null>().is(await session.lock("r", { ifAvailable: true }));
  just<Lock | null>().is(await session.lock("r", { ifAvailable: true, signal }));
  just<Lock | null>().is(await session.lock("r", options));
  just<Lock | null>().is(await session.lock("r", { ifAvailable: Math.random() < 0.5 }));
  just<Lock>().is(await session.lock("r", null));

  const lock = await session.lock("r");
  just<number>().is(lock.fence);
  just<AbortSignal>().is(lock.signal);
  just<Promise<void>>().is(lock.release());
  const held: Held = lock;
  await lock[Symbol.asyncDispose]();

  // @ts-expect-error a name is needed
  session.lock();
  // @ts-expect-error it may be null
  (await session.lock("r", { ifAvailable: true })).release();
  // @ts-expect-error it may be null
  const sure: Lock = await session.lock("r", { ifAvailable: true });
  // @ts-expect-error misspelt
  session.lock("r", { ifAvailible: true });
  // @ts-expect-error there is no such option: signal: AbortSignal.timeout(ms)
  session.lock("r", { timeout: 5 });
  // @ts-expect-error that is for claims
  session.lock("r", { ticket: "t" });
  // @ts-expect-error that is for withLock
  session.lock("r", { mode: "exclusive" });
  // @ts-expect-error read only
  lock.fence = 5;
  // @ts-expect-error read only
  lock.signal = signal;
  // @ts-expect-error a lock has no data
  lock.data;
  // @ts-expect-error a lock is released, not done
  lock.done();
  // @ts-expect-error released asynchronously
  lock[Symbol.dispose]();
  return [held, sure];
};

export const withLocks = async (session: Session, signal: AbortSignal) => {
  just<number>().is(await session.withLock("r", () => 1));
  just<string>().is(await session.withLock("r", async (lock) => (just<Lock>().is(lock), "x")));
  just<void>().is(await session.withLock("r", {}, (lock) => just<Lock>().is(lock)));
  just<void>().is(await session.withLock("r", { signal }, (lock) => just<Lock>().is(lock)));
  just<void>().is(await session.withLock("r", { ifAvailable: true }, (lock) => just<Lock | null>().is(lock)));
  just<void>().is(await session.withLock("r", { mode: "exclusive", signal }, (lock) => just<Lock>().is(lock)));
  just<void>().is(await session.withLock("r", null, (lock) => just<Lock>().is(lock)));
  just<void>().is(await session.withLock("r", undefined, (lock) => just<Lock>().is(lock)));
  // Whether it may be null is known at run time only.
  const ifAvailable: boolean = Math.random() < 0.5;
  just<void>().is(await session.withLock("r", { ifAvailable }, (lock) => just<Lock | null>().is(lock)));
  const options: LockOptions = { ifAvailable, mode: "exclusive" };
  just<void>().is(await session.locks.request("r", options, (lock) => just<Lock | null>().is(lock)));
  const { request, query } = session.locks;
  just<Locks["request"]>().is(request);
  just<number>().is(await session.locks.request("r", { ifAvailable: true }, (lock) => (lock ? 1 : 2)));
  just<{ held: LockInfo[]; pending: LockInfo[] }>().is(await query());
  just<number>().is(await session.locks.request("r", { mode: "shared" }, (lock) => (just<Lock>().is(lock), 1)));
  just<LockMode>().is(await session.locks.request("r", { steal: true }, (lock) => lock.mode));

  // @ts-expect-error the callback comes last
  session.withLock("r", () => 1, {});
  // @ts-expect-error and must come
  session.withLock("r");
  // @ts-expect-error and must come
  session.withLock("r", { signal });
  // @ts-expect-error it may be null
  session.withLock("r", { ifAvailable: true }, (lock) => lock.fence);
  // @ts-expect-error it may be null
  session.withLock("r", options, (lock) => lock.fence);
  // @ts-expect-error locks are exclusive
  session.withLock("r", { mode: "shared" }, () => {});
  // @ts-expect-error nobody steals
  session.withLock("r", { steal: true }, () => {});
  // @ts-expect-error there is no such mode
  session.locks.request("r", { mode: "upgradable" }, () => {});
  // @ts-expect-error a ticket is no lock
  session.withLock("r", (lock: Ticket) => lock.name);
};

export const tickets = async (session: Session, signal: AbortSignal) => {
  just<Ticket>().is(await session.claim("r"));
  just<Ticket>().is(await session.claim("r", { ticket: "t", signal }));
  just<Ticket | null>().is(await session.claim("r", { ifAvailable: true }));
  just<Ticket | null>().is(await session.claim("r", { ticket: "t", ifAvailable: true }));
  just<Ticket | null>().is(await session.claim("r", { ifAvailable: Math.random() < 0.5 }));
  just<Ticket>().is(await session.claim("r", null));

  const ticket = await session.claim("r");
  const held: Held = ticket;
  just<string>().is(ticket.name);
  just<string>().is(ticket.issuer);
  just<string>().is(ticket.text());
  just<unknown>().is(ticket.json());
  just<{ a: number }>().is(ticket.json<{ a: number }>());
  just<Promise<void>>().is(ticket.done());
  const data: Uint8Array = ticket.data;

  // @ts-expect-error it may be null
  (await session.claim("r", { ifAvailable: true })).done();
  // @ts-expect-error by its name, not the ticket
  session.claim("r", { ticket });
  // @ts-expect-error one at a time; claims() has that
  session.claim("r", { concurrency: 4 });
  // @ts-expect-error it is unknown until it is looked at
  ticket.json().a;
  // @ts-expect-error read only
  ticket.data = new Uint8Array();
  // @ts-expect-error read only
  ticket.name = "x";
  // @ts-expect-error its issuer updates it
  ticket.update("x");
  return [held, data];
};

export const loops = async (session: Session, signal: AbortSignal) => {
  just<AsyncIterableIterator<Ticket>>().is(session.claims("r"));
  just<AsyncIterableIterator<Ticket>>().is(session.claims("r", null));
  just<AsyncIterableIterator<ResourceState>>().is(session.watch("r", null));
  for await (const ticket of session.claims("r", { concurrency: 4, signal })) just<Ticket>().is(ticket);
  for await (const state of session.watch("r", { signal })) {
    just<ResourceState>().is(state);
    just<"tickets" | "lock" | null>().is(state.kind);
    just<number>().is(state.free + state.held + state.waiting);
  }
  // @ts-expect-error no array
  for (const ticket of session.claims("r")) ticket;
  // @ts-expect-error always waits
  session.claims("r", { ifAvailable: true });
  // @ts-expect-error misspelt
  session.claims("r", { parallel: 4 });
  // @ts-expect-error of a resource, not of one ticket
  session.claims("r", { ticket: "t" });
  // @ts-expect-error always all changes
  session.watch("r", { changes: true });
  // @ts-expect-error it is no promise
  session.watch("r").then(() => {});
};

export const issuing = async (session: Session) => {
  just<Issued>().is(await session.issue("r", "t"));
  await session.issue("r", "t", "text", { notify: true });
  await session.issue("r", "t", new Uint8Array(3));
  await session.issue("r", "t", undefined, { notify: true });
  await session.issue("r", "t", "x", null);
  const issued = await session.issue("r", "t");
  just<Promise<void>>().is(issued.update("x"));
  just<Promise<void>>().is(issued.update(new Uint8Array()));
  just<Promise<void>>().is(issued.revoke());
  just<AbortSignal>().is(issued.signal);
  const bytes: Bytes = "x";
  await issued[Symbol.asyncDispose]();

  // @ts-expect-error a ticket has a name
  session.issue("r");
  // @ts-expect-error text or bytes: JSON.stringify it
  session.issue("r", "t", { a: 1 });
  // @ts-expect-error numbers are no bytes
  session.issue("r", "t", [1, 2]);
  // @ts-expect-error options come after the data
  session.issue("r", "t", { notify: true });
  // @ts-expect-error misspelt
  session.issue("r", "t", "", { notfy: true });
  // @ts-expect-error with what?
  issued.update();
  // @ts-expect-error it is revoked, not released
  issued.release();
  // @ts-expect-error it guards nothing
  issued.fence;
  return bytes;
};

export const events = (session: Session) => {
  session.addEventListener("statechange", ({ detail }) => just<{ from: SessionState; to: SessionState }>().is(detail));
  session.addEventListener("recovered", ({ detail }) => just<boolean>().is(detail.restarted));
  session.addEventListener("lost", ({ detail }) => just<TicketdError>().is(detail.reason), { once: true });
  session.addEventListener("ticket-available", ({ detail }) => just<{ resource: string; free: number }>().is(detail));
  session.addEventListener("lock-available", ({ detail }) => just<{ resource: string }>().is(detail));
  session.addEventListener("lock-granted", ({ detail }) => just<{ resource: string; fence: number }>().is(detail));
  session.addEventListener("lock-wanted", ({ detail }) => just<{ resource: string; waiting: number }>().is(detail));
  session.addEventListener("ticket-updated", ({ detail }) => just<{ resource: string; ticket: string }>().is(detail));
  type Told = { resource: string; ticket: string; session: string };
  type Reason = "released" | "timeout" | "gone" | "forced" | undefined;
  session.addEventListener("ticket-claimed", ({ detail }) => just<Told>().is(detail));
  session.addEventListener("ticket-released", ({ detail }) => just<Reason>().is(detail.reason));
  session.addEventListener("claim-expiring", ({ detail }) => just<number>().is(detail.left));
  session.addEventListener("ticket-taken", ({ detail }) => just<Told>().is(detail));
  session.addEventListener("lost", function () {
    just<Session>().is(this);
  });
  const heard = ({ detail }: SessionEventMap["lost"]) => detail.reason.code;
  session.addEventListener("lost", heard);
  session.removeEventListener("lost", heard);
  // One that the server may have some day.
  session.addEventListener("something-new", (event) => just<Event>().is(event));

  // @ts-expect-error there is no such member
  session.addEventListener("lost", ({ detail }) => detail.code);
  // @ts-expect-error not of that event
  session.addEventListener("recovered", ({ detail }) => detail.from);
  // @ts-expect-error not of that event
  session.addEventListener("lock-granted", ({ detail }) => detail.ticket);
};

export const errors = (error: unknown) => {
  if (error instanceof TicketdError) {
    just<string>().is(error.code);
    just<boolean>().is(error.retryable);
    just<"TicketdError">().is(error.name);
    just<unknown>().is(error.result);
    just<unknown>().is(error.cause);
    const plain: Error = error;
    // @ts-expect-error read only
    error.code = "x";
    return plain;
  }
  // @ts-expect-error a code is needed
  return new TicketdError();
};
