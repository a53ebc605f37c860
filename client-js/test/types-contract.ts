// What the package must at least offer, written out by hand: other programs are written against it. Nothing of this
// runs; `tsc` reads it.

import { TicketdError, connect } from "../index.js";
import type {
  Bytes,
  ConnectOptions,
  Issued,
  Lock,
  ResourceState,
  Session,
  SessionEventMap,
  SessionState,
  Ticket,
  WaitOptions,
  WebSocketLike,
} from "../index.js";

export namespace contract {
  export interface ConnectOptions {
    name?: string;
    ttl?: number;
    signal?: AbortSignal;
    backoff?: { min?: number; max?: number };
    WebSocket?: new (url: string, protocols?: string | string[]) => WebSocket;
  }
  export interface WaitOptions {
    signal?: AbortSignal;
    ifAvailable?: boolean;
  }
  export interface Held extends AsyncDisposable {
    readonly resource: string;
    readonly fence: number;
    readonly signal: AbortSignal;
    release(): Promise<void>;
  }
  export interface Lock extends Held {}
  export interface Ticket extends Held {
    readonly name: string;
    readonly issuer: string;
    readonly data: Uint8Array;
    text(): string;
    json<T = unknown>(): T;
    done(): Promise<void>;
  }
  export interface Issued extends AsyncDisposable {
    readonly resource: string;
    readonly name: string;
    readonly signal: AbortSignal;
    update(data: string | Uint8Array): Promise<void>;
    revoke(): Promise<void>;
  }
  export interface ResourceState {
    kind: "tickets" | "lock" | null;
    free: number;
    held: number;
    waiting: number;
  }
  export interface SessionEventMap {
    statechange: CustomEvent<{ from: SessionState; to: SessionState }>;
    recovered: CustomEvent<{ restarted: boolean }>;
    lost: CustomEvent<{ reason: TicketdError }>;
    "ticket-available": CustomEvent<{ resource: string; free: number }>;
    "lock-granted": CustomEvent<{ resource: string; fence: number }>;
    "lock-wanted": CustomEvent<{ resource: string; waiting: number }>;
    "ticket-updated": CustomEvent<{ resource: string; ticket: string }>;
    "ticket-claimed": CustomEvent<{ resource: string; ticket: string; session: string }>;
    "ticket-released": CustomEvent<{ resource: string; ticket: string; session: string }>;
    "ticket-taken": CustomEvent<{ resource: string; ticket: string; session: string }>;
  }
  export interface Session extends EventTarget, AsyncDisposable {
    readonly id: string;
    readonly name: string;
    readonly state: "connecting" | "open" | "recovering" | "closed";
    readonly signal: AbortSignal;
    readonly closed: Promise<void>;
    lock(resource: string, options?: WaitOptions & { ifAvailable?: false }): Promise<Lock>;
    lock(resource: string, options: WaitOptions & { ifAvailable: true }): Promise<Lock | null>;
    withLock<R>(resource: string, run: (lock: Lock) => R | PromiseLike<R>): Promise<Awaited<R>>;
    withLock<R>(
      resource: string,
      options: WaitOptions & { ifAvailable?: false },
      run: (lock: Lock) => R | PromiseLike<R>,
    ): Promise<Awaited<R>>;
    withLock<R>(
      resource: string,
      options: WaitOptions & { ifAvailable: true },
      run: (lock: Lock | null) => R | PromiseLike<R>,
    ): Promise<Awaited<R>>;
    readonly locks: {
      request: Session["withLock"];
      query(): Promise<{ held: { name: string }[]; pending: { name: string }[] }>;
    };
    claim(resource: string, options?: WaitOptions & { ticket?: string; ifAvailable?: false }): Promise<Ticket>;
    claim(resource: string, options: WaitOptions & { ticket?: string; ifAvailable: true }): Promise<Ticket | null>;
    claims(resource: string, options?: { concurrency?: number; signal?: AbortSignal }): AsyncIterableIterator<Ticket>;
    issue(resource: string, name: string, data?: string | Uint8Array, options?: { notify?: boolean }): Promise<Issued>;
    watch(resource: string, options?: { signal?: AbortSignal }): AsyncIterableIterator<ResourceState>;
    close(): Promise<void>;
    addEventListener<K extends keyof SessionEventMap>(
      type: K,
      listener: (this: Session, event: SessionEventMap[K]) => void,
      options?: AddEventListenerOptions | boolean,
    ): void;
    addEventListener(
      type: string,
      listener: EventListenerOrEventListenerObject | null,
      options?: AddEventListenerOptions | boolean,
    ): void;
  }
  export type connect = (url: string | URL, options?: ConnectOptions) => Promise<Session>;
}

/** Each of ours serves where the contract's is asked for, and takes what the contract's takes. */
export const kept: [
  contract.connect,
  (ours: Session) => contract.Session,
  (ours: Lock) => contract.Lock,
  (ours: Ticket) => contract.Ticket,
  (ours: Issued) => contract.Issued,
  (ours: ResourceState) => contract.ResourceState,
  (ours: SessionEventMap) => contract.SessionEventMap,
  (theirs: contract.ConnectOptions) => ConnectOptions,
  (theirs: contract.WaitOptions) => WaitOptions,
  (theirs: WebSocket) => WebSocketLike,
] = [
  connect,
  (ours) => ours,
  (ours) => ours,
  (ours) => ours,
  (ours) => ours,
  (ours) => ours,
  (ours) => ours,
  (theirs) => theirs,
  (theirs) => theirs,
  (theirs) => theirs,
];
