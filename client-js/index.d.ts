// The types of ticketd-client, and what each thing promises; written by hand, held against the code by tsc.
/// <reference lib="esnext.disposable" />

/** Text, or bytes; at most 1024 of them. */
export type Bytes = string | Uint8Array;

/** recovering: the connection is lost, the session's TTL still runs on the server. */
export type SessionState = "connecting" | "open" | "recovering" | "closed";

/** The part of the platform's WebSocket that is used. `ws` has it, too. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** Why a token is asked for. */
export interface TokenReason {
  reason: "connect" | "expiring" | "refused";
  /** Aborts when it comes too late, or is not wanted any more. */
  signal: AbortSignal;
}

export interface ConnectOptions {
  /** What others are shown; need not be unique. */
  name?: string;
  /** The session's time to live, in ms, 50 to 86 400 000; default 10 000. */
  ttl?: number;
  /** When the session is lost, its holds stay for so long, in ms, up to 60 000, as nobody's; default 0. */
  delay?: number;
  /**
   * It does nothing else while it waits. A wait that would close a circle of such sessions is refused with "deadlock". (Not
   * for a session that several callers share.)
   */
  blocking?: boolean;
  /** Aborts connecting (rejects with its reason); no effect once connected. */
  signal?: AbortSignal;
  /** Reconnect delay in ms: random() * min(max, min * 2^n); default 100 to 10 000. */
  backoff?: { min?: number; max?: number };
  /** Where the platform has none (Node < 22): pass `ws`'s; found by itself when `ws` is installed. */
  WebSocket?: new (url: string, protocols?: string | string[]) => WebSocketLike;
  /**
   * Goes on with this session, by its id (from sessionStorage, after a reload of the page), if it still lives; otherwise
   * a new one begins, with another id. Locks that it holds, and its places in their queues, are had again by locking
   * them again; tickets that it had claimed are given back, and its waits for them given up.
   */
  session?: string;
  /**
   * Who one is, where the server asks: a token, or what gives one. That is asked before each time it dials, when the
   * token is about to end (what it gives takes its place, and nothing held is touched), and once when one was refused;
   * one call at a time, of 15 s at most. A second refusal, or the first of a string, is "unauthorized". When it fails,
   * `connect` rejects with "unavailable" and that as its `cause`; a session that there is tries on.
   */
  token?: string | ((why: TokenReason) => string | Promise<string>);
  /** Ends the session when the page is left for good, so that nobody has to wait for its TTL. Default: false. */
  bye?: boolean;
}

export interface WaitOptions {
  /** Ends the wait (the place in the queue is given up) and rejects with signal.reason; AbortSignal.timeout(ms) bounds it. */
  signal?: AbortSignal;
  /** Do not wait: null when it is not free. */
  ifAvailable?: boolean;
  /**
   * Told its position in the queue, from 1, when it has one and when that has changed, once a second at most: the latest
   * only. Of those in this session who wait for the same, the first.
   */
  onPosition?: (position: number) => void;
}

/** As the browser's own: `mode` may be named, and is "exclusive". */
export interface LockOptions extends WaitOptions {
  mode?: "exclusive";
}

export type LockMode = "exclusive" | "shared";

/** As the browser's own. */
export interface RequestOptions {
  /** Default: "exclusive". Sharers hold it beside each other. */
  mode?: LockMode;
  /** Do not wait: the callback is given null when it is not free. */
  ifAvailable?: boolean;
  /**
   * Takes it from whoever holds it, at once and before all who wait. It is sent once: when the line is cut before the
   * answer, and the lock is not held by it after, it rejects with "unavailable". It may have been taken, and lost again.
   */
  steal?: boolean;
  /** Ends the wait. */
  signal?: AbortSignal;
}

/**
 * Something held until it is given up, or taken away: then `signal` aborts with a {@link TicketdError}.
 * Calls of one session exclude one another too.
 */
export interface Held extends AsyncDisposable {
  readonly resource: string;
  /** Strictly growing over the whole server: hand it to the store that the hold guards, which refuses lower ones. */
  readonly fence: number;
  /**
   * Aborts when the hold ends: with the code "released" or "done" by one's own doing, else it is lost. When it is lost
   * by expiry (a dead line, a frozen or sleeping machine) it aborts by the client's own clock BEFORE the server may give
   * it to another; when it is taken away (revoked, closed from elsewhere, a server without persistence restarted) as
   * soon as the client is told.
   */
  readonly signal: AbortSignal;
  /**
   * Settles when the server has acknowledged it, at the latest when the session's own deadline has passed: the hold is
   * gone then. Idempotent; nothing happens when the hold is lost, or done, already.
   */
  release(): Promise<void>;
}

export interface ClaimOptions extends WaitOptions {
  ticket?: string;
  hold?: number;
}

export interface Lock extends Held {
  /** The resource, as browsers call it. */
  readonly name: string;
  readonly mode: LockMode;
  /** What its holder makes known to those who observe it; "" is nothing. Rejects when the lock is lost. */
  update(value: Bytes): Promise<void>;
}

export interface Ticket extends Held {
  readonly name: string;
  /** The issuer's name. */
  readonly issuer: string;
  /** The latest: follows "ticket-updated". */
  readonly data: Uint8Array;
  /** The data as UTF-8. */
  text(): string;
  /** The data, parsed as JSON. */
  json<T = unknown>(): T;
  /**
   * The work is finished: revokes the ticket, so that nobody gets it again. release() gives it back. Rejects when the
   * ticket was lost or released before: another may be at it; also when the session's own deadline passes before the
   * server has acknowledged it.
   */
  done(): Promise<void>;
  /** The how manieth attempt it is, where attempts are counted. */
  readonly attempt?: number;
  /** For how long it is held unless it is touched, in ms, if it is. Then `signal` aborts before that is over. */
  readonly hold?: number;
  /** Holds it for so long, in ms, from now; else for as long as before. `claims()` does that by itself. */
  touch(hold?: number): Promise<void>;
  /**
   * Gives it back, and says why (some 250 bytes; the rest is cut): for others only in `delay` ms, or, `dead`, for nobody before it is
   * revived.
   */
  fail(note: string, options?: { delay?: number; dead?: boolean } | null): Promise<void>;
}

/** How a ticket is issued. */
export interface IssueOptions {
  /** Hear "ticket-claimed" and "ticket-released" of it. */
  notify?: boolean;
  /** It outlives this session. Then it is nobody's, and workers have it all the same. */
  stay?: boolean;
  /** Only if there is none of that name, else it rejects with "ticket-exists". */
  new?: boolean;
  /** 0 (default) to 9; of free tickets the greatest goes first. */
  priority?: number;
  /** Free only in so many ms, at most 30 days. */
  delay?: number;
  /** After so many attempts, 1 to 1000, it is dead: it goes to nobody before it is revived. */
  attempts?: number;
  /** For how long claims that do not say so hold it, in ms, 100 to 24 h. */
  hold?: number;
}

/** A ticket that this session issued. */
export interface Issued extends AsyncDisposable {
  readonly resource: string;
  readonly name: string;
  /** Aborts when the ticket is no longer this session's: done, taken over, revoked, session lost. */
  readonly signal: AbortSignal;
  /**
   * New data; its claimant is told. Rejects when the ticket is no longer this session's. One that is delayed is free at
   * once unless another `delay` is given; all else that it was issued with stays.
   */
  update(data: Bytes, options?: { delay?: number } | null): Promise<void>;
  /** Idempotent. */
  revoke(): Promise<void>;
}

export interface ResourceState {
  /** What stands in it now; null when nothing does. */
  kind: "tickets" | "lock" | null;
  free: number;
  held: number;
  waiting: number;
  /** Tickets that are free only later; if there are some. */
  delayed?: number;
  /** Tickets that go to nobody any more; if there are some. */
  dead?: number;
  /** Nothing of it is granted at the moment. */
  paused?: boolean;
}

/** Who leads, and where. */
export interface Leader {
  /** The session's name; null: it is gone, and the lock stays for a while. */
  session: string | null;
  /** What the session is called where its id must not be told: of one's own it is `session.ref`. */
  ref?: string;
  fence: number;
  /** What it makes known. */
  data: Uint8Array;
}

export interface SessionEventMap {
  statechange: CustomEvent<{ from: SessionState; to: SessionState }>;
  /** The same session goes on: everything held is still held. */
  recovered: CustomEvent<{ restarted: boolean }>;
  /** The session is gone, and all that it held, waited for and issued with it. */
  lost: CustomEvent<{ reason: TicketdError }>;
  "ticket-available": CustomEvent<{ resource: string; free: number }>;
  "lock-available": CustomEvent<{ resource: string }>;
  "lock-granted": CustomEvent<{ resource: string; fence: number }>;
  "lock-wanted": CustomEvent<{ resource: string; waiting: number }>;
  "ticket-updated": CustomEvent<{ resource: string; ticket: string }>;
  "ticket-claimed": CustomEvent<{ resource: string; ticket: string; session: string }>;
  "ticket-released": CustomEvent<{
    resource: string;
    ticket: string;
    session: string;
    reason?: "released" | "timeout" | "gone" | "forced";
    attempt?: number;
    note?: string;
    dead?: boolean;
  }>;
  /** A ticket that one holds ends in so many ms, unless it is touched. */
  "claim-expiring": CustomEvent<{ resource: string; ticket: string; fence: number; left: number }>;
  "ticket-taken": CustomEvent<{ resource: string; ticket: string; session: string }>;
  /** The token ends in so many ms. One that is a function is asked for another. */
  "token-expiring": CustomEvent<{ left: number }>;
  /** The server is about to stop, in so many ms. */
  "going-away": CustomEvent<{ after: number }>;
}

export interface LockInfo {
  name: string;
  mode: LockMode;
  /** The session's `ref`. */
  clientId: string;
}

/** The shape of `navigator.locks`, and what it does; one session is one client. */
export interface Locks {
  /**
   * Rejects with a DOMException: "NotSupportedError" for options that exclude one another and for names that cannot be,
   * at once with "AbortError" when the lock was stolen. When the session was lost, with the TicketdError of its signal.
   */
  request<R>(name: string, run: (lock: Lock) => R | PromiseLike<R>): Promise<Awaited<R>>;
  request<R>(
    name: string,
    options: (RequestOptions & { ifAvailable?: false }) | null | undefined,
    run: (lock: Lock) => R | PromiseLike<R>,
  ): Promise<Awaited<R>>;
  request<R>(
    name: string,
    options: RequestOptions | null | undefined,
    run: (lock: Lock | null) => R | PromiseLike<R>,
  ): Promise<Awaited<R>>;
  /** What this session holds, and who in it waits. */
  query(): Promise<{ held: LockInfo[]; pending: LockInfo[] }>;
}

export interface Session extends EventTarget, AsyncDisposable {
  /** 27 characters. Who knows it can act for the session. */
  readonly id: string;
  /** What it is called where its id must not be told. */
  readonly ref: string;
  readonly name: string;
  readonly state: SessionState;
  /** Aborts when the session is lost or closed. */
  readonly signal: AbortSignal;
  /** Settles when the session is closed or lost. */
  readonly closed: Promise<void>;

  lock(resource: string, options?: (WaitOptions & { ifAvailable?: false }) | null): Promise<Lock>;
  lock(resource: string, options: WaitOptions & { ifAvailable: true }): Promise<Lock | null>;
  lock(resource: string, options?: WaitOptions | null): Promise<Lock | null>;

  /**
   * Locks, runs, releases; settles when the release is acknowledged, as the callback did. When the lock was lost before
   * the callback settled, it rejects with the loss, as a stolen request of Web Locks does; what the callback gave is
   * the error's `result`. An error of the callback's own always comes out.
   */
  withLock<R>(resource: string, run: (lock: Lock) => R | PromiseLike<R>): Promise<Awaited<R>>;
  withLock<R>(
    resource: string,
    options: (LockOptions & { ifAvailable?: false }) | null | undefined,
    run: (lock: Lock) => R | PromiseLike<R>,
  ): Promise<Awaited<R>>;
  withLock<R>(
    resource: string,
    options: LockOptions | null | undefined,
    run: (lock: Lock | null) => R | PromiseLike<R>,
  ): Promise<Awaited<R>>;

  /** The browser's own signature: navigator.locks.request(name, options?, callback). */
  readonly locks: Locks;

  /** All of them, each in the order of its name's bytes; gives all back when one cannot be had. In the order of `names`. */
  lockAll(names: string[], options?: (WaitOptions & { ifAvailable?: false }) | null): Promise<Lock[]>;
  lockAll(names: string[], options?: WaitOptions | null): Promise<Lock[] | null>;

  /** Leads once that is its turn, and makes `value` known meanwhile: a lock with a value. */
  elect(name: string, value: Bytes, options?: { signal?: AbortSignal; onPosition?: WaitOptions["onPosition"] } | null): Promise<Lock>;

  /** Who leads now, and then each change of that; only the latest is kept for a slow reader. */
  observe(name: string, options?: { signal?: AbortSignal } | null): AsyncIterableIterator<{ leader: Leader | null }>;

  /**
   * Any ticket of the resource (one more, however many are held), or the one of that name; of several resources, one of
   * the first that has some. `hold`: for how long, in ms, unless it is touched.
   */
  claim(resource: string | string[], options?: (ClaimOptions & { ifAvailable?: false }) | null): Promise<Ticket>;
  claim(resource: string | string[], options: ClaimOptions & { ifAvailable: true }): Promise<Ticket | null>;
  claim(resource: string | string[], options?: ClaimOptions | null): Promise<Ticket | null>;

  /**
   * A worker's loop: `for await (const ticket of session.claims("jobs", { concurrency: 4 }))`. At most `concurrency`
   * (default 1) tickets are in hand at a time, those fetched ahead included: release() or done() of one makes room for
   * the next. Those with a `hold`, given here or by their issuer, are touched until they end. Ends on close and abort;
   * tickets fetched ahead are then given back, untried. Throws when the session is lost.
   */
  claims(
    resource: string | string[],
    options?: { concurrency?: number; signal?: AbortSignal; hold?: number } | null,
  ): AsyncIterableIterator<Ticket>;

  /** One that is there already gets the data, the terms and the issuer. */
  issue(resource: string, name: string, data?: Bytes, options?: IssueOptions | null): Promise<Issued>;

  /** The state now, then one item per change; level-triggered: only the latest state is kept for a slow reader. */
  watch(resource: string, options?: { signal?: AbortSignal } | null): AsyncIterableIterator<ResourceState>;

  /** Ends the session: all that it holds passes on at once. Settles when the server knows, or after 2 s. */
  close(): Promise<void>;

  addEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (this: Session, event: SessionEventMap[K]) => void,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  addEventListener(
    type: string,
    listener: Parameters<EventTarget["addEventListener"]>[1],
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  removeEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (this: Session, event: SessionEventMap[K]) => void,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  removeEventListener(
    type: string,
    listener: Parameters<EventTarget["addEventListener"]>[1],
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
}

/**
 * url: ws(s):// or http(s):// of the server; the path /api/v1/ws is added when there is none. Rejects at once when it is
 * certain that this cannot work: "protocol" (no ticketd there), "forbidden" (origin or host not allowed), "unauthorized",
 * "no-websocket", an unknown host. What may pass is tried on for 30 s, and then it is "unavailable", with the last reason
 * as the message and the `cause`.
 */
export function connect(url: string | URL, options?: ConnectOptions | null): Promise<Session>;

/**
 * code: one of the contract's error codes, or "session-lost", "lock-lost", "ticket-revoked", "closed", "protocol",
 * "no-websocket"; of the signals of holds that one gave up, "released" and "done".
 */
export class TicketdError extends Error {
  constructor(code: string, message?: string, cause?: unknown);
  readonly name: "TicketdError";
  readonly code: string;
  /** What is behind it, as the platform, `ws` or the server told it. */
  readonly cause?: unknown;
  /** What the callback of withLock() gave, though the lock was lost. */
  readonly result?: unknown;
  /** The same may succeed later. */
  readonly retryable: boolean;
}
