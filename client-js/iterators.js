// Iterators over what comes by itself: tickets to work on, and how a resource changes.

import { never, onAbort } from "./abort.js";
import { unpack } from "./bytes.js";
import { TicketdError, traced } from "./error.js";
import { check } from "./names.js";

/** @import { ResourceState } from "./index.d.ts" */
/** @import { Held, Watched } from "./known.js" */
/** @import { Options } from "./waitqueue.js" */
/** @import { Tables } from "./tables.js" */

/** Touches it so often that an answer may be late. @param {Held & { hold?: number }} ticket */
const touching = (ticket) => {
  if (!ticket.hold || ticket.ended) return;
  const timer = setTimeout(() => {
    ticket.touch().catch(never);
    touching(ticket);
  }, ticket.hold / 3);
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

/** @param {Tables} tables */
export const watching = (tables) => {
  const { watched } = tables;

  /** @param {string} resource @param {{ signal?: AbortSignal } | null} [options] */
  const watch = (resource, options) =>
    iterate(options?.signal, async function* (stop, wake, sleep) {
      check(resource);
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
        if (of.state !== seen) yield (seen = /** @type {ResourceState} */ (of.state));
        else await sleep();
      }
    });

  /** @param {string} resource @param {{ signal?: AbortSignal } | null} [options] */
  const observe = (resource, options) =>
    iterate(options?.signal, async function* (signal) {
      let /** @type {string | null | undefined} */ seen = null;
      for await (const { holders: [row] = [] } of watch(resource, { signal })) {
        const now = JSON.stringify(row);
        if (now !== seen) yield { leader: row ? { session: row.session, ref: row.ref, fence: row.fence, data: unpack(row) } : null };
        seen = now;
      }
    });

  return { watch, observe };
};
