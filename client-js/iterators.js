// Iterators over what comes by itself: tickets to work on, and how a resource changes.

import { onAbort } from "./abort.js";
import { TicketdError, traced } from "./error.js";
import { check } from "./names.js";

/** @import { ResourceState } from "./index.d.ts" */
/** @import { Held, Known, Watched } from "./known.js" */
/** @import { Ask } from "./requests.js" */
/** @import { Claim } from "./waitqueue.js" */
/** @import { WatchRow } from "./wire.d.ts" */

const never = () => {};

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

/**
 * Claims tickets, so many at a time.
 * @typedef {{ concurrency?: number, signal?: AbortSignal } | null} ClaimsOptions
 * @param {Claim} claim @returns {(resource: string, options?: ClaimsOptions) => AsyncIterableIterator<Held>}
 */
export const claims = (claim) => (resource, options) => {
  let { concurrency = 1, signal } = options ?? {};
  return iterate(signal, async function* (stop, wake, sleep) {
    if (!Number.isInteger(concurrency) || concurrency < 1) throw new TypeError("concurrency is 1 or more");
    const /** @type {Held[]} */ ahead = [];
    let /** @type {unknown} */ failure;
    stop.addEventListener("abort", () => ahead.forEach((ticket) => ticket.release().catch(never)));
    while (!stop.aborted) {
      for (; concurrency; concurrency--) {
        claim(resource, { signal: stop }).then(
          (got) => {
            // One who waits gets something.
            const ticket = /** @type {Held} */ (got);
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
};

/** The resources that are watched, each for all who watch it. @param {Known} known @param {Ask} ask */
export const watches = ({ watched }, ask) => {
  /** @param {ResourceState | TicketdError} now @param {string} resource */
  const changed = (now, resource = /** @type {WatchRow} */ (now).resource) => {
    const of = watched.get(resource);
    const { kind, free, held, waiting } = /** @type {ResourceState} */ (now);
    const state = now instanceof TicketdError ? now : { kind, free, held, waiting };
    if (!of || JSON.stringify(state) === JSON.stringify(of.state)) return;
    of.state = state;
    of.waits.forEach((wake) => wake());
  };

  const subscribe = (/** @type {string} */ resource) =>
    ask({ op: "watch", resource, changes: true }, (ok, error) =>
      changed(/** @type {ResourceState | undefined} */ (ok) ?? error, resource),
    );

  /** @param {string} resource @param {{ signal?: AbortSignal } | null} [options] */
  const watch = (resource, options) =>
    iterate(options?.signal, async function* (stop, wake, sleep) {
      check(resource);
      const /** @type {Watched} */ of = watched.get(resource) ?? { waits: new Set() };
      let seen;
      of.waits.add(wake);
      stop.addEventListener("abort", () => {
        of.waits.delete(wake);
        if (!of.waits.size && watched.delete(resource)) ask({ op: "unwatch", resource });
      });
      if (!watched.has(resource)) {
        watched.set(resource, of);
        subscribe(resource);
      }
      while (!stop.aborted) {
        if (of.state instanceof TicketdError) throw of.state;
        if (of.state !== seen) yield (seen = /** @type {ResourceState} */ (of.state));
        else await sleep();
      }
    });

  return { changed, subscribe, watch };
};
