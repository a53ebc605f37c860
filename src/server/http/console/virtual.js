// A table of any length, of which only those rows stand in the page that can be seen.

import { make } from "./dom.js";

/** Rows beyond what is seen, either way. */
const BEYOND = 10;
/** How near to the end more is wanted, in rows. */
const NEAR = 60;

/**
 * @template T
 * @param {object} of
 * @param {string} of.label @param {Node[]} of.head Column headers. @param {(row: T) => Node[]} of.cells The first has a link.
 * @param {() => void} of.near Called when the end comes near.
 */
export function virtual({ label, head, cells, near }) {
  const body = make("div.rows", { role: "rowgroup" });
  const box = make("div.scroll", body);
  const table = make("div.table", { role: "table", "aria-label": label },
    make("div", { role: "rowgroup" }, make("div.row-of.head", { role: "row", "aria-rowindex": 1 }, ...head)), box);
  // The scrolling box is no part of the table.
  box.setAttribute("role", "presentation");
  let rows = [];
  /** Which one the keyboard is at. */
  let active = 0;
  /** @type {Map<number, { element: HTMLElement, row: T }>} */
  const drawn = new Map();

  const height = () => {
    const style = getComputedStyle(table);
    return parseFloat(style.getPropertyValue("--row")) * parseFloat(getComputedStyle(document.documentElement).fontSize);
  };

  function draw() {
    const tall = height();
    body.style.height = `${rows.length * tall}px`;
    const first = Math.max(0, Math.floor(box.scrollTop / tall) - BEYOND);
    const end = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / tall) + BEYOND);
    const wanted = new Set(Array.from({ length: Math.max(0, end - first) }, (_, n) => first + n));
    // Where the focus is, the row stays.
    if (rows[active] && drawn.get(active)?.element.contains(document.activeElement)) wanted.add(active);
    for (const [at, { element, row }] of drawn) {
      if (wanted.has(at) && rows[at] === row) continue;
      element.remove();
      drawn.delete(at);
    }
    for (const at of wanted) {
      if (!drawn.has(at)) {
        const element = make("div.row-of", { role: "row", "aria-rowindex": at + 2 }, ...cells(rows[at]));
        drawn.set(at, { element, row: rows[at] });
        const next = [...body.children].find((child) => Number(child.getAttribute("aria-rowindex")) > at + 2);
        body.insertBefore(element, next ?? null);
      }
      const { element } = drawn.get(at);
      element.style.height = `${tall}px`;
      element.style.top = `${at * tall}px`;
      element.querySelector("a").tabIndex = at === active ? 0 : -1;
    }
    // One that is reached by the keyboard must be there.
    if (!wanted.has(active) && wanted.size) {
      const link = drawn.get(first + Math.min(BEYOND, wanted.size - 1)) ?? [...drawn.values()][0];
      if (link) link.element.querySelector("a").tabIndex = 0;
    }
    if (rows.length - end < NEAR) near();
  }

  /** @param {number} at The keyboard goes there. */
  function go(at) {
    active = Math.max(0, Math.min(rows.length - 1, at));
    const tall = height();
    if (active * tall < box.scrollTop) box.scrollTop = active * tall;
    if ((active + 1) * tall > box.scrollTop + box.clientHeight) box.scrollTop = (active + 1) * tall - box.clientHeight;
    draw();
    drawn.get(active)?.element.querySelector("a").focus({ preventScroll: true });
  }

  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / height()) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!Object.hasOwn(steps, event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(active + steps[event.key]);
  });
  box.addEventListener("focusin", (event) => {
    for (const [at, { element }] of drawn) if (element.contains(event.target)) active = at;
  });
  let frame = 0;
  box.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  });
  new ResizeObserver(() => draw()).observe(box);

  return {
    element: table,
    /** @param {T[]} now @param {boolean} more Whether there are more than these. */
    show(now, more) {
      rows = now;
      active = Math.min(active, Math.max(0, rows.length - 1));
      table.setAttribute("aria-rowcount", String(more ? -1 : rows.length + 1));
      draw();
    },
    /** From the first again. */
    top() {
      active = 0;
      box.scrollTop = 0;
    },
  };
}
