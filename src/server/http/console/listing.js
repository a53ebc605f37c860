// Resources, read in slices in the order of their names, and put into another one.

import { read } from "./api.js";

/** How many come at once when one scrolls, and when all are wanted. */
export const SLICE = 100;
const ALL = 1000;

/** By what they can be put in order: those with the most first, those without any last. */
export const ORDERS = {
  name: "by name",
  waiting: "most waiting",
  held: "most held",
  free: "most free",
  delayed: "most delayed",
  dead: "most dead",
};

/**
 * @typedef {{ resource: string, kind: "lock" | "tickets" | null, free: number, held: number, waiting: number,
 *   delayed?: number, dead?: number, paused?: boolean }} Row
 */

export class Listing {
  /** In the order of their names. @type {Row[]} */
  rows = [];
  /** Whether there are no more. */
  done = false;
  #after;
  /** @type {Promise<void> | undefined} */
  #busy;

  /** @param {string} prefix @param {AbortSignal} signal */
  constructor(prefix, signal) {
    this.prefix = prefix;
    this.signal = signal;
  }

  /** Reads the next slice, once at a time. */
  more(limit = SLICE) {
    if (this.done) return Promise.resolve();
    this.#busy ??= this.#read(limit).finally(() => (this.#busy = undefined));
    return this.#busy;
  }

  async #read(limit) {
    const query = { prefix: this.prefix, after: this.#after, limit };
    const { resources, after } = await read("resources", { query, signal: this.signal });
    for (const row of resources) this.rows.push(row);
    this.#after = after ?? undefined;
    this.done = after === null;
  }

  /** Reads all. @param {() => void} progress Called after each slice. */
  async all(progress) {
    while (!this.done) {
      await this.more(ALL);
      progress();
    }
  }

  /** @param {keyof typeof ORDERS} order */
  ordered(order) {
    if (order === "name") return this.rows;
    const some = this.rows.filter((row) => row[order] > 0);
    const none = this.rows.filter((row) => !(row[order] > 0));
    return some.sort((a, b) => b[order] - a[order]).concat(none);
  }
}
