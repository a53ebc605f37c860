// The messages of docs/protocol.md, section 3, as the helper writes and reads them.

import type { ResourceState, TicketdError } from "./index.d.ts";

/** The data of a ticket: text when it is UTF-8, else base64. */
export interface Data {
  data?: string;
  data64?: string;
}

/** What a session holds: a lock, or a ticket that it has claimed. */
export interface HoldRow extends Data {
  resource: string;
  ticket?: string;
  fence: number;
  issuer?: string;
  /** Of a lock. */
  mode?: "shared";
  /** How many wait behind it. */
  waiting?: number;
  /** Of a ticket: the how manieth it is. */
  attempt?: number;
  /** How long it lasts when it is touched, and how long now, in ms. */
  hold?: number;
  left?: number;
}

/** A place in a queue. */
export interface WaitRow {
  wait: number;
  resource?: string;
  /** Of a claim of the first that has one. */
  resources?: string[];
  kind: "lock" | "ticket";
  ticket?: string;
  position?: number;
}

/** Who holds a lock. */
export interface Holder extends Data {
  session: string | null;
  ref?: string;
  fence: number;
  mode?: "shared";
}

export interface WatchRow extends ResourceState {
  resource: string;
  changes?: true;
  event?: string;
  /** Of a lock, in the order of their fences. */
  holders?: Holder[];
  /** There are more. */
  more?: true;
}

export interface IssuedRow {
  resource: string;
  ticket: string;
}

/** All that a session has: the lists of the answer to `hello`. */
export interface Lists {
  holds: HoldRow[];
  waits: WaitRow[];
  watches: WatchRow[];
  issued: IssuedRow[];
}

/** What a `hello`, and its answer, tell of a session beside its lists. */
export interface Identity {
  /** Its id. */
  session: string;
  /** What it is called where that must not be told. */
  ref: string;
  name: string;
  /** In ms. */
  ttl: number;
  /** The server's run. */
  epoch: string;
  /** How often the server asks for a sign of life, in ms. */
  ping: number;
}

/** What is asked; the `id` comes with it. */
export interface Request extends Data {
  op: "lock" | "unlock" | "claim" | "touch" | "release" | "issue" | "revoke" | "cancel" | "watch" | "unwatch";
  resource?: string;
  resources?: string[];
  ticket?: string;
  fence?: number;
  /** For how long: `true` is as long as the session lives. Of `cancel`: which. */
  wait?: true | number;
  /** Whether it is told how the wait moves on. */
  progress?: true;
  mode?: "shared";
  steal?: true;
  /** In ms. */
  hold?: number;
  /** How a ticket is issued. */
  notify?: boolean;
  stay?: boolean;
  new?: boolean;
  priority?: number;
  attempts?: number;
  /** … or given back. */
  delay?: number;
  note?: string;
  dead?: boolean;
  untried?: boolean;
  changes?: true;
}

/** The members of all `ok`s. */
export interface Ok extends Partial<Lists>, Partial<Identity>, Partial<ResourceState> {
  granted?: boolean;
  fence?: number;
  ticket?: HoldRow;
  wait?: number;
  position?: number;
  left?: number;
}

/** The members of all events, but for `event`. */
export interface Detail extends Partial<HoldRow>, Partial<ResourceState> {
  wait?: number;
  reason?: string;
}

/** A frame of the server's, once it is parsed: an answer if it has no `event`. */
export interface Message extends Detail {
  id?: number;
  ok?: Ok;
  part?: Partial<Lists>;
  error?: TicketdError;
  event?: string;
}
