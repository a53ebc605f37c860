// Wait queues: those of one session who want the same thing have one wait on the wire at a time.

import { never, onAbort } from "./abort.js";
import { MISSING } from "./codes.js";
import { traced } from "./error.js";
import { Grants } from "./grants.js";
import { check } from "./names.js";

/** @import { Caller, Held, Queue, Want } from "./known.js" */
/** @import { HoldRow, Request } from "./wire.d.ts" */

/** @typedef {{ signal?: AbortSignal, ifAvailable?: boolean, onPosition?: (position: number) => void }} Options */

export class Queues extends Grants {
  /** Asks for what one wants. @param {Queue} queue @param {Caller} caller */
  askFor(queue, caller) {
    const { frame, callers, asked } = queue;
    queue.since = this.seen;
    queue.mode = caller.terms.mode;
    // What is shared is not given up before it is known whether this one shares it.
    caller.twin = queue.mode && this.share(queue.fence);
    const request = (caller.asked = this.ask(/** @type {Request} */ ({ ...frame, ...caller.terms }), (ok, error, at) => {
      asked.delete(request);
      caller.asked = undefined;
      if (ok?.granted) this.grant(queue, ok.ticket ?? /** @type {HoldRow} */ ({ ...ok, ...frame }), at, caller);
      else if (!ok?.wait && callers.has(caller)) {
        if (!caller.terms.wait && (ok || error.code === "ticket-held" || MISSING.test(error.code))) caller.done(null);
        // One who waits and is told neither a wait nor an error: it throws.
        else caller.fail(error.name && error);
      }
      this.letGo(caller);
      this.move(queue, ok?.wait ?? queue.wait, ok?.position);
    }));
    asked.set(request, caller);
  }

  /** Asks for what its callers want, or gives up what none wants any more. @param {Queue} queue */
  next = (queue) => {
    const { callers, asked, held, wait } = queue;
    const [first] = callers;
    if (!first && ![...asked.keys()].some(({ sent }) => sent)) this.withdraw(queue);
    if (wait && !first && !asked.size) {
      queue.mode = undefined;
      const request = this.ask({ op: "cancel", wait }, (ok) => {
        asked.delete(request);
        // Should it fail, the wait stands until the next resume, or for the next who comes.
        if (ok) this.place(queue);
      });
      asked.set(request, undefined);
    }
    for (const caller of wait ? [] : callers) {
      // Sharers ask beside each other; all others for themselves.
      if ((caller !== first || held.size || asked.size) && !(caller.terms.mode && queue.mode)) break;
      if (!caller.asked) this.askFor(queue, caller);
    }
    if (!first && !held.size && !asked.size) this.queues.delete(queue.key);
  };

  /** Its wait is this one, or none. @param {Queue} queue @param {number} wait @param {number} [position] */
  move(queue, wait, position) {
    const [first] = queue.callers;
    this.waits.delete(queue.wait);
    queue.wait = wait;
    if (wait) this.waits.set(wait, queue);
    if (position) queueMicrotask(() => first?.onPosition?.(position));
    this.next(queue);
  }

  /** It does not come to share that. @param {Caller} caller */
  letGo(caller) {
    caller.twin?.leave("released").catch(never);
    caller.twin = undefined;
  }

  /** Forgets what was asked. @param {Queue} queue */
  withdraw({ asked }) {
    for (const [{ message }, caller] of asked) {
      this.pending.delete(message.id);
      if (!caller) continue;
      caller.asked = undefined;
      this.letGo(caller);
    }
    asked.clear();
  }

  /**
   * Its wait is this one, or none: what was asked about the former is of no use any more.
   * @param {Queue} queue @param {number} [wait] @param {number} [position]
   */
  place(queue, wait = 0, position) {
    this.withdraw(queue);
    this.move(queue, wait, position);
  }

  /**
   * Waits, or tries.
   * @param {"lock" | "claim"} op @param {Want} want @param {Options | null} [options]
   * @param {Omit<Caller["terms"], "wait">} [terms]
   */
  enter(op, want, options, terms) {
    const { signal, ifAvailable, onPosition, ...rest } = options ?? {};
    return traced(
      new Promise((/** @type {(hold: Held | null) => void} */ resolve, reject) => {
        (want.resources ?? [want.resource]).forEach(check);
        if (want.ticket !== undefined) check(want.ticket);
        for (const name in rest) throw new TypeError(`${op}() has no option "${name}"`);
        signal?.throwIfAborted();
        const queue = this.queueOf(op, want);
        /** @template T @param {(value: T) => void} how @returns {(value: T) => unknown} */
        const settle = (how) => (value) => queue.callers.delete(caller) && (forget(), how(value), true);
        const wait = ifAvailable ? undefined : /** @type {const} */ (true);
        const /** @type {Caller} */ caller = {
          terms: { wait, progress: (wait && onPosition && true) || undefined, ...terms },
          done: settle(resolve),
          fail: settle(reject),
          onPosition,
        };
        const forget = onAbort(signal, () => {
          caller.fail(signal?.reason);
          this.next(queue);
        });
        queue.callers.add(caller);
        this.next(queue);
        // What cannot be asked for now, is not free.
        if (!wait && !caller.asked) caller.done(null);
      }),
      signal,
    );
  }
}
