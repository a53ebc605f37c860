// Iterators over what comes by itself: tickets to work on, and how a resource changes.

import { never, onAbort } from "./abort.js";
import { unpack } from "./bytes.js";
import { TicketdError, traced } from "./error.js";
import { check } from "./names.js";

/** @import { Held, Watched } from "./known.js" */
/** @import { Options } from "./waitqueue.js" */
/** @import { Tables } from "./tables.js" */
/** @import { WatchRow } from "./wire.d.ts" */

/**
 * Touches it so often that an answer may be late; and when the server says so, for timers of hidden pages may be later.
 * @param {Held} ticket
 */
const touching = (ticket) => {
  let /** @type {ReturnType<typeof setTimeout>} */ timer;
  const again = () => {
    timer = setTimeout(renew, /** @type {number} */ (ticket.hold) / 3);
  };
  const renew = () => {
    clearTimeout(timer);
    again();
    ticket.touch().catch(never);
  };
  if (!ticket.hold || ticket.ended) return;
  again();
  ticket.renew = renew;
  ticket.onEnd(() => clearTimeout(timer));
};

/**
 * It ends by its signal, and when one closes the session; it throws when the session is lost.
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
    } catch (error) {
      if (!stop.signal.aborted && /** @type {TicketdError} */ (error).code !== "closed") throw error;
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

/** @param {Tables} tables */
export const claiming = (tables) => {
  /** @param {string | string[]} resource @param {Options & { ticket?: string, hold?: number } | null} [options] */
  const claim = async (resource, options) => {
    const { ticket, hold, ...rest } = options ?? {};
    return tables.enter("claim", Array.isArray(resource) ? { resources: resource } : { resource, ticket }, rest, { hold });
  };

  /**
   * Claims tickets, so many at a time, and touches them until they end.
   * @param {string | string[]} resource
   * @param {{ concurrency?: number, signal?: AbortSignal, hold?: number } | null} [options]
   */
  const claims = (resource, options) => {
    let { concurrency = 1, signal, hold } = options ?? {};
    return iterate(signal, async function* (stop, wake, sleep) {
      if (!Number.isInteger(concurrency) || concurrency < 1) throw new TypeError("concurrency is 1 or more");
      const /** @type {Set<Held>} */ ahead = new Set();
      let /** @type {unknown} */ failure;
      const giveBack = (/** @type {Held} */ ticket) => ticket.leave("released", { untried: true }).catch(never);
      stop.addEventListener("abort", () => ahead.forEach(giveBack));
      while (!stop.aborted) {
        for (; concurrency; concurrency--) {
          claim(resource, { signal: stop, hold }).then(
            (got) => {
              // One who waits gets something.
              const ticket = /** @type {Held} */ (got);
              ahead.add(ticket);
              touching(ticket);
              ticket.onEnd(() => {
                // It may be lost before it comes to be shown.
                ahead.delete(ticket);
                concurrency++;
                wake();
              });
              if (stop.aborted) giveBack(ticket);
              wake();
            },
            (error) => {
              failure = error;
              wake();
            },
          );
        }
        const [ticket] = ahead;
        if (ticket) {
          ahead.delete(ticket);
          if (!ticket.signal.aborted) yield ticket;
        } else {
          if (failure) throw failure;
          await sleep();
        }
      }
    });
  };
  return { claim, claims };
};

/**
 * Each change of what is made of a resource's state.
 * @template T @param {Tables} tables @param {(state: WatchRow) => T} make
 * @returns {(resource: string, options?: { signal?: AbortSignal } | null) => AsyncIterableIterator<T>}
 */
const following = (tables, make) => (resource, options) =>
  iterate(options?.signal, async function* (stop, wake, sleep) {
    check(resource);
    const { watched } = tables;
    const /** @type {Watched} */ of = watched.get(resource) ?? { waits: new Set() };
    let seen;
    of.waits.add(wake);
    stop.addEventListener("abort", () => {
      of.waits.delete(wake);
      if (!of.waits.size && watched.delete(resource)) tables.ask({ op: "unwatch", resource });
    });
    if (!watched.has(resource)) {
      watched.set(resource, of);
      tables.subscribe(resource);
    }
    while (!stop.aborted) {
      if (of.state instanceof TicketdError) throw of.state;
      const item = of.state && make(of.state);
      const text = JSON.stringify(item);
      if (text === seen) await sleep();
      else {
        seen = text;
        yield /** @type {T} */ (item);
      }
    }
  });

/** @param {Tables} tables */
export const watching = (tables) => ({
  // Who holds it is told to those who observe.
  watch: following(tables, ({ resource: _, event: __, changes: ___, holders: ____, more: _____, ...figures }) => figures),

  observe: following(tables, ({ holders: [row] = [] }) => ({
    leader: row ? { session: row.session, ref: row.ref, fence: row.fence, data: unpack(row) } : null,
  })),
});
