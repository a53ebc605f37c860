// A table of any length, of which only those rows stand in the page that can be seen.

import { make } from "./dom.js";

/** Rows beyond what is seen, either way. */
const BEYOND = 10;
/** How near to the end more is wanted, in rows. */
const NEAR = 60;

/** @template T */
class Virtual {
  /** @type {T[]} */
  #rows = [];
  /** Which one the keyboard is at. */
  #active = 0;
  /** @type {Map<number, { element: HTMLElement, row: T }>} */
  #drawn = new Map();
  #body = make("div.rows", { role: "rowgroup" });
  // The scrolling box is no part of the table.
  #box = make("div.scroll", { role: "presentation" }, this.#body);
  #cells;
  #near;

  constructor({ label, head, cells, near }) {
    this.#cells = cells;
    this.#near = near;
    this.element = make("div.table", { role: "table", "aria-label": label },
      make("div", { role: "rowgroup" }, make("div.row-of.head", { role: "row", "aria-rowindex": 1 }, ...head)), this.#box);
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#box.addEventListener("focusin", (event) => {
      for (const [at, { element }] of this.#drawn) if (element.contains(event.target)) this.#active = at;
    });
    let frame = 0;
    this.#box.addEventListener("scroll", () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => this.#draw());
    });
    new ResizeObserver(() => this.#draw()).observe(this.#box);
  }

  /** @param {T[]} rows @param {boolean} more Whether there are more than these. */
  show(rows, more) {
    this.#rows = rows;
    this.#active = Math.min(this.#active, Math.max(0, rows.length - 1));
    this.element.setAttribute("aria-rowcount", String(more ? -1 : rows.length + 1));
    this.#draw();
  }

  /** From the first again. */
  top() {
    this.#active = 0;
    this.#box.scrollTop = 0;
  }

  /** How high a row is, in px. */
  #height() {
    const rems = parseFloat(getComputedStyle(this.element).getPropertyValue("--row"));
    return rems * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  #draw() {
    const tall = this.#height();
    this.#body.style.height = `${this.#rows.length * tall}px`;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / tall) - BEYOND);
    const end = Math.min(this.#rows.length, Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / tall) + BEYOND);
    const wanted = new Set(Array.from({ length: Math.max(0, end - first) }, (_, n) => first + n));
    // Where the focus is, the row stays.
    const focused = this.#drawn.get(this.#active)?.element.contains(document.activeElement);
    if (this.#rows[this.#active] && focused) wanted.add(this.#active);
    this.#forget(wanted);
    for (const at of wanted) this.#place(at, tall);
    // One that is reached by the keyboard must be there.
    if (!wanted.has(this.#active) && wanted.size) {
      const link = this.#drawn.get(first + Math.min(BEYOND, wanted.size - 1)) ?? [...this.#drawn.values()][0];
      if (link) link.element.querySelector("a").tabIndex = 0;
    }
    if (this.#rows.length - end < NEAR) this.#near();
  }

  /** @param {Set<number>} wanted All others go, and those that have changed. */
  #forget(wanted) {
    for (const [at, { element, row }] of this.#drawn) {
      if (wanted.has(at) && this.#rows[at] === row) continue;
      element.remove();
      this.#drawn.delete(at);
    }
  }

  /** @param {number} at @param {number} tall */
  #place(at, tall) {
    if (!this.#drawn.has(at)) {
      const element = make("div.row-of", { role: "row", "aria-rowindex": at + 2 }, ...this.#cells(this.#rows[at]));
      this.#drawn.set(at, { element, row: this.#rows[at] });
      const next = [...this.#body.children].find((child) => Number(child.getAttribute("aria-rowindex")) > at + 2);
      this.#body.insertBefore(element, next ?? null);
    }
    const { element } = this.#drawn.get(at);
    element.style.height = `${tall}px`;
    element.style.top = `${at * tall}px`;
    element.querySelector("a").tabIndex = at === this.#active ? 0 : -1;
  }

  /** @param {number} at The keyboard goes there. */
  #go(at) {
    this.#active = Math.max(0, Math.min(this.#rows.length - 1, at));
    const [box, tall] = [this.#box, this.#height()];
    const [top, bottom] = [this.#active * tall, (this.#active + 1) * tall];
    if (top < box.scrollTop) box.scrollTop = top;
    if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
    this.#draw();
    this.#drawn.get(this.#active)?.element.querySelector("a").focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const page = Math.max(1, Math.floor(this.#box.clientHeight / this.#height()) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!Object.hasOwn(steps, event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#go(this.#active + steps[event.key]);
  }
}

/**
 * @template T
 * @param {object} of
 * @param {string} of.label @param {Node[]} of.head Column headers. @param {(row: T) => Node[]} of.cells The first has a link.
 * @param {() => void} of.near Called when the end comes near.
 */
export function virtual(of) {
  return new Virtual(of);
}
