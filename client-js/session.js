// A session: what is asked, what one has, and how that is set right after a resume.

import { pack, unpack } from "./bytes.js";
import { TicketdError, called, traced } from "./error.js";
import { check, gates, named, onAbort } from "./gate.js";
import { open } from "./line.js";

/**
 * @typedef {object} Request One that is not answered yet.
 * @property {any} message @property {boolean} [sent] @property {any} [thing] What it issues.
 * @property {(ok: any, error?: any) => void} then Called at once, so that the next frame finds what it changed.
 *
 * @typedef {{ state?: any, waits: Set<() => void> }} Watched
 */

const never = () => {};

/**
 * @param {Parameters<typeof open>[0]} options
 * @param {(session: any) => void} resolve @param {(error: any) => void} reject
 */
export const begin = (options, resolve, reject) => {
  const { ttl, min, max } = options;
  // What is a number and too small, or too large, the server refuses.
  if (!(Number.isInteger(ttl) && min >= 0 && max >= 0)) {
    throw new TicketdError("bad-request", "ttl and backoff are in ms");
  }
  let /** @type {TicketdError | undefined} Why nothing can be done any more. */ over;
  let last = 0;
  let /** The highest fence heard of. */ seen = 0;
  let closed = never;
  const end = new AbortController();
  const /** @type {Map<number, Request>} */ pending = new Map();
  const /** @type {Map<number | string, any>} What is held, by its fence, and what is issued, by its name. */ things = new Map();
  const /** @type {Map<string, Watched>} */ watched = new Map();

  const tell = (/** @type {string} */ type, /** @type {any} */ detail) =>
    session.dispatchEvent(new CustomEvent(type, { detail }));

  // Requests.

  const post = (/** @type {Request} */ request) => {
    if (session.state === "open" && !request.sent) request.sent = send(request.message);
  };

  const become = (/** @type {string} */ to, from = session.state) => {
    session.state = to;
    // What is given up goes first, lest it be granted again.
    for (const request of pending.values()) if (/^unl|^rel/.test(request.message.op)) post(request);
    pending.forEach(post);
    tell("statechange", { from, to });
  };

  /** @param {object} members @param {Request["then"]} [then] @param {any} [thing] @returns {Request | undefined} */
  const request = (members, then = never, thing) => {
    if (over) return /** @type {any} */ (queueMicrotask(() => then(0, over)));
    const request = { message: { id: (last += 2), ...members }, then, thing };
    pending.set(last, request);
    post(request);
    return request;
  };

  /** @param {number} id @param {any} ok @param {any} [error] */
  const settle = (id, ok, error) => {
    const request = pending.get(id);
    // What is given up must not stay: it is tried again.
    if (request?.message.fence && error?.retryable && !over) {
      request.sent = false;
      setTimeout(() => pending.has(id) && post(request), 1000).unref?.();
    } else if (pending.delete(id)) request?.then(ok, error);
  };

  // What one has.

  /** Something that one has until one gives it up or loses it. @param {number | string} key @param {any} members */
  const thing = (key, members) => {
    const { resource, name: ticket, fence } = members;
    const by = fence ? "release" : "revoke";
    const abort = new AbortController();
    let /** @type {any} */ ended;
    let /** @type {any} */ how;
    return {
      ...members,
      over: [],
      get signal() {
        if (look() && fence && things.get(key) === this) unsafe();
        return abort.signal;
      },
      lose(/** @type {any} */ why) {
        things.delete(key);
        abort.abort(why.code ? why : new TicketdError(ticket ? "ticket-revoked" : "lock-lost", why));
        for (const run of this.over.splice(0)) run();
      },
      /** Gives it up; that it is gone already is as good. Should it fail, it is kept, for another try. */
      leave(op = ticket ? by : "unlock") {
        // What is issued anew under the name is another's to give up.
        if (things.get(key) === this) {
          how = op;
          ended = traced(
            new Promise((/** @type {any} */ resolve, reject) =>
              request({ op, resource, ticket, fence }, (ok, error) => {
                const gone = over || /lost|revoked/.test(error?.code);
                if (ok || (gone && op !== "revoke") || /not-/.test(error.code)) return resolve();
                if (!gone) things.set(key, this);
                reject(error);
              }),
            ),
          );
          this.lose(new TicketdError(!fence ? "ticket-revoked" : op === "revoke" ? "done" : "released"));
          // What is done is not issued any more, also when it was issued here.
          if (fence && op === "revoke") things.get(named(resource, ticket))?.lose("done");
        }
        // How something else ended is told to who asked for that.
        if (how === op) return ended;
      },
      async [by]() {
        await this.leave();
      },
      [Symbol.asyncDispose]() {
        return this[by]();
      },
    };
  };

  /** What tickets have beside. @type {any} */
  const ticket = {
    text() {
      return new TextDecoder().decode(this.data);
    },
    json() {
      return JSON.parse(this.text());
    },
    async done() {
      // Work that is done after the ticket was lost, or given back, may be another's by now.
      const { reason } = this.signal;
      if (reason && reason.code !== "done") throw called(reason, new Error());
      await this.leave("revoke");
    },
  };

  /** Makes a hold of a grant. @param {any} grant */
  const held = ({ resource, ticket: name, fence, issuer, ...rest }) => {
    if (!fence) throw new TypeError("fence");
    const members = name && { name, issuer, data: unpack(rest), ...ticket };
    const hold = thing(fence, { resource, fence, ...members });
    things.set(fence, hold);
    return hold;
  };

  /** Gives back what nobody here wants. @param {any} hold */
  const drop = ({ resource, ticket, name = ticket, fence }) =>
    request({ op: name ? "release" : "unlock", resource, ticket: name, fence });

  /** The clock took all: the server may have it still, and it goes back before it is asked for anew. */
  const unsafe = () => {
    const why = new TicketdError("session-lost");
    // Who gives up a hold need not wait any longer: it is gone. Whether the work was done, nobody knows.
    for (const request of pending.values()) {
      if (!request.message.fence) continue;
      request.then(0, why);
      request.then = never;
    }
    for (const hold of things.values()) {
      if (!hold.fence) continue;
      drop(hold);
      hold.lose(why);
    }
  };

  const [enter, waits, query, all, gateOf] = gates(request, held, drop, things, pending, () => seen);

  /**
   * An iterator over what comes by itself. It ends by its signal, and when one closes the session; it
   * throws when the session is lost.
   *
   * @template T @param {AbortSignal | undefined} signal
   * @param {(stop: AbortSignal, wake: () => void, sleep: () => Promise<void>) => AsyncGenerator<T, void>} items Given
   *   what aborts at the end, however that comes, and what ends their sleep, as the end does.
   * @returns {AsyncIterableIterator<T>}
   */
  const iterate = (signal, items) => {
    const stop = new AbortController();
    let wake = never;
    const end = () => {
      stop.abort();
      wake();
    };
    const generator = (async function* () {
      const forget = onAbort(signal, end);
      try {
        if (!signal?.aborted) yield* items(stop.signal, () => wake(), () => new Promise((resolve) => (wake = resolve)));
      } catch (/** @type {any} */ error) {
        if (!stop.signal.aborted && error.code !== "closed") throw error;
      } finally {
        forget();
        end();
      }
    })();
    return {
      next: () => traced(generator.next()),
      // Ends the `next()` under way first: the generator itself would wait for it.
      return(value) {
        end();
        return generator.return(value);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };

  /** @param {string} resource @param {any} now Its figures, or an error. */
  const changed = (resource, now) => {
    const of = watched.get(resource);
    const { kind, free, held, waiting } = now;
    const state = now.code ? now : { kind, free, held, waiting };
    if (!of || JSON.stringify(state) === JSON.stringify(of.state)) return;
    of.state = state;
    of.waits.forEach((wake) => wake());
  };
  const subscribe = (/** @type {string} */ resource) =>
    request({ op: "watch", resource, changes: true }, (ok, error) => changed(resource, ok || error));

  const finish = (/** @type {TicketdError} */ error) => {
    over = error;
    for (const id of pending.keys()) settle(id, 0, error);
    for (const gate of all.values()) gate.wait();
    for (const thing of things.values()) thing.lose(error);
    for (const resource of watched.keys()) changed(resource, error);
    become("closed");
    end.abort(error);
  };

  const [run, send, look] = open(options, end.signal, {
    pass({ id, ok, error, event, ...detail }) {
      seen = Math.max(seen, detail.fence ?? ok?.fence ?? ok?.ticket?.fence ?? 0);
      // What is neither is no answer: it throws, and what was asked ends with all else.
      if (!event) return settle(id, ok || !error.name.length, error);
      const { resource, ticket, fence, wait, reason } = detail;
      if (reason === "revoked") things.get(named(resource, ticket))?.lose(reason);
      const thing = things.get(fence ?? named(resource, ticket));
      if (/granted/.test(event)) (waits.get(wait)?.grant ?? drop)(detail);
      if (event === "wait-ended") waits.get(wait)?.wait();
      if (event === "resource-changed") changed(resource, detail);
      if (event === "ticket-updated" && thing) thing.data = unpack(detail);
      if (/revoked|lost|taken/.test(event)) thing?.lose(reason ?? event);
      tell(event, detail);
    },

    recover() {
      if (!over) become("recovering");
    },

    unsafe,

    // The whole state, in parts: all that was asked, had and waited for is set right by it.
    open(parts, restarted) {
      if (over) return;
      const first = !session.id;
      const /** @type {any[][]} */ [holds, issued, places, watches] = ["holds", "issued", "waits", "watches"].map((key) =>
        parts.flatMap((/** @type {any} */ part) => part?.[key] ?? []),
      );
      const there = new Map([...holds, ...issued].map((t) => [t.fence ?? named(t.resource, t.ticket), t]));
      const known = new Set(things.keys());
      for (const [key, thing] of things) {
        if (!there.has(key)) thing.lose("gone");
        else if (thing.data) thing.data = unpack(there.get(key));
      }
      for (const [id, { message, sent, thing }] of pending) {
        const { op, resource, ticket, fence } = message;
        // An update would take it back.
        if (thing?.signal.aborted) settle(id, 0, thing.signal.reason);
        known.add(fence);
        // Locks, claims and their waits are the gates' to see to; watches may be asked for again, and so
        // may tickets be issued: it is this session's still, or was not there.
        if ((fence || op === "revoke") && !there.has(fence ?? named(resource, ticket))) {
          // Work that one could not say was done may be another's by now.
          settle(id, sent || !fence || op !== "revoke" ? {} : 0, new TicketdError("ticket-revoked"));
        }
      }
      for (const { fence } of holds) seen = Math.max(seen, fence);
      const unknown = holds.filter(({ fence }) => !known.has(fence));
      for (const gate of all.values()) gate.open(unknown, places);
      for (const resource of watched.keys()) {
        const now = watches.find((w) => w.resource === resource);
        now ? changed(resource, now) : subscribe(resource);
      }
      // Of a session that another page began, locks are kept: to lock them again confirms them. Later, what
      // nobody here asked for was taken by REST, and is its to give back.
      if (first) {
        unknown.forEach((hold) => hold.ticket && drop(hold));
        for (const { kind, resource, ticket, wait } of places) {
          gateOf(kind === "lock" ? kind : "claim", resource, ticket).wait(wait, true);
        }
      }
      ({ session: session.id, name: session.name } = parts.at(-1));
      for (const request of pending.values()) request.sent = false;
      become("open");
      if (!first) tell("recovered", { restarted });
      resolve(session);
    },

    lost(reason) {
      if (!over) {
        finish(reason);
        tell("lost", { reason });
        reject(reason);
      }
      closed();
    },
  });

  /** @param {string} resource @param {any[]} rest Options, if there are some, and what is to be run. */
  const withLock = async (resource, ...rest) => {
    const at = new Error();
    const run = rest.pop();
    const { mode = "exclusive", steal, ...options } = rest[0] ?? {};
    if (typeof run !== "function") throw new TypeError("no function");
    if (mode !== "exclusive" || steal) throw new TicketdError("bad-request", "locks are exclusive");
    const lock = await enter("lock", resource, options);
    let result;
    try {
      result = await run(lock);
    } catch (error) {
      await lock?.release().catch(never);
      throw error;
    }
    // What ran on after the loss ran beside whoever got the lock next.
    const why = lock?.signal.reason;
    const error =
      why && why.code !== "released"
        ? called(why, at)
        : await lock?.release().catch((/** @type {any} */ error) => error);
    if (error) throw Object.assign(error, { result });
    return result;
  };

  const session = Object.assign(new EventTarget(), {
    id: "",
    name: "",
    state: "connecting",
    signal: end.signal,
    closed: /** @type {Promise<void>} */ (new Promise((resolve) => (closed = resolve))),

    lock: (/** @type {string} */ resource, /** @type {any} */ options) => enter("lock", resource, options),
    claim(/** @type {string} */ resource, /** @type {any} */ options) {
      const { ticket, ...rest } = options ?? {};
      return enter("claim", resource, rest, ticket);
    },

    withLock,
    locks: { request: withLock, query },

    /** @param {string} resource @param {{ concurrency?: number, signal?: AbortSignal } | null} [options] */
    claims(resource, options) {
      let { concurrency = 1, signal } = options ?? {};
      return iterate(signal, async function* (stop, wake, sleep) {
        if (!Number.isInteger(concurrency) || concurrency < 1) throw new TypeError("concurrency is 1 or more");
        const /** @type {any[]} */ ahead = [];
        let /** @type {any} */ failure;
        stop.addEventListener("abort", () => ahead.forEach((ticket) => ticket.release().catch(never)));
        while (!stop.aborted) {
          for (; concurrency; concurrency--) {
            enter("claim", resource, { signal: stop }).then(
              (ticket) => {
                ahead.push(ticket);
                ticket.over.push(() => {
                  concurrency++;
                  wake();
                });
                if (stop.aborted) ticket.release().catch(never);
                wake();
              },
              (error) => {
                failure = error;
                wake();
              },
            );
          }
          const ticket = ahead.shift();
          if (!ticket) {
            if (failure) throw failure;
            await sleep();
          } else if (!ticket.signal.aborted) yield ticket;
          // It was lost before it came here.
          else ticket.over.pop()?.();
        }
      });
    },

    /**
     * @param {string} resource @param {string} name @param {any} data @param {{ notify?: boolean } | null} [options]
     */
    async issue(resource, name, data, options) {
      const notify = options?.notify && true;
      check(resource);
      check(name);
      const key = named(resource, name);
      const mine = things.get(key) ?? thing(key, { resource, name });
      mine.update = (/** @type {any} */ data) =>
        traced(
          new Promise((resolve, reject) => {
            mine.signal.throwIfAborted();
            request(
              { op: "issue", resource, ticket: name, notify, ...pack(data) },
              (ok, error) => {
                if (!ok) return reject(error);
                // Of two that were under way together, there is one handle.
                if (!mine.signal.aborted && !things.has(key)) things.set(key, mine);
                resolve(things.get(key) ?? mine);
              },
              mine,
            );
          }),
        );
      return mine.update(data);
    },

    /** @param {string} resource @param {{ signal?: AbortSignal } | null} [options] */
    watch: (resource, options) =>
      iterate(options?.signal, async function* (stop, wake, sleep) {
        check(resource);
        const of = watched.get(resource) ?? { waits: new Set() };
        let /** @type {any} */ seen;
        of.waits.add(wake);
        stop.addEventListener("abort", () => {
          of.waits.delete(wake);
          if (!of.waits.size && watched.delete(resource)) request({ op: "unwatch", resource });
        });
        if (!watched.has(resource)) {
          watched.set(resource, of);
          subscribe(resource);
        }
        while (!stop.aborted) {
          if (of.state?.code) throw of.state;
          if (of.state !== seen) yield (seen = of.state);
          else await sleep();
        }
      }),

    close() {
      if (!over) {
        finish(new TicketdError("closed"));
        run("leave");
      }
      return session.closed;
    },
    [Symbol.asyncDispose]: () => session.close(),
  });
  run("time");
  return session;
};
