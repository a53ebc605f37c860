// Resources by prefix: in the order of their names, or those with the most of something first.

import { make, number, several, written, write } from "./dom.js";
import { figures } from "./figures.js";
import { Listing, ORDERS } from "./listing.js";
import { virtual } from "./virtual.js";

const FIGURES = ["waiting", "held", "free", "delayed", "dead"];
/** How long one types before it is asked for, in ms. */
const TYPING_MS = 250;
/** How often what is not read to its end is put in order, in ms. */
const SORT_MS = 400;
const KINDS = { lock: "lock", tickets: "tickets" };

const cell = (name, ...parts) => make(`span.${name}`, { role: "cell" }, ...parts);

function cells(row) {
  const link = make("a", { href: `#/resource/${encodeURIComponent(row.resource)}` }, written(row.resource));
  return [
    cell("name", link, row.paused && make("span.badge", "paused")),
    cell("kind", KINDS[row.kind] ?? "empty"),
    ...FIGURES.map((name) => {
      const value = row[name] ?? 0;
      return make(`span.figure.${name}`, { role: "cell", "data-label": name, "data-none": value === 0 }, number(value));
    }),
  ];
}

const head = () =>
  ["resource", "kind", ...FIGURES].map((name) =>
    make(`span.${name === "resource" ? "name" : name === "kind" ? "kind" : "figure"}`, { role: "columnheader" }, name));

/** How many there are in all, as far as that is known. @param {Listing} listing */
const count = (listing) => (listing.prefix || !figures.now ? undefined : Math.max(figures.now.Resources, listing.rows.length));

/** What is said of a table that stands. @param {Listing} listing */
function said(listing, order) {
  const read = listing.rows.length;
  if (listing.done) return `${several(read, "resource")}, ${ORDERS[order]}.`;
  return order === "name" ? `The first ${number(read)}; more come as you scroll.` : "Reading all of them, to find those with the most.";
}

/** What is asked, as the form has it. */
function form(prefix, order, again) {
  const field = make("input", { id: "prefix", type: "search", value: prefix, autocomplete: "off", spellcheck: "false", placeholder: "all" });
  const select = make("select", { id: "order" },
    ...Object.entries(ORDERS).map(([value, words]) => make("option", { value, selected: value === order }, words)));
  const element = make("form.row.ask", { role: "search", submit: (event) => (event.preventDefault(), again()) },
    make("span.field.wide", make("label", { for: "prefix" }, "Names begin with"), field),
    make("span.field", make("label", { for: "order" }, "Order"), select),
    make("button", "Read again"));
  let timer;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(again, TYPING_MS);
  });
  select.addEventListener("change", again);
  return { element, field, select };
}

/** @param {HTMLElement} main @param {AbortSignal} signal @param {string} _ @param {URLSearchParams} query */
export function resources(main, signal, _, query) {
  let asked = new AbortController();
  let listing = new Listing("", signal);
  let order = Object.hasOwn(ORDERS, query.get("order") ?? "") ? query.get("order") : "name";
  const told = make("p.hint", { role: "status" });
  const bar = make("progress", { "aria-label": "How much is read" });
  // It changes too often to be said each time.
  const far = make("span");
  const reading = make("p.row.hint", { hidden: true }, bar, far);
  const why = make("p.wrong", { role: "alert" });
  const asks = form(query.get("prefix") ?? "", order, again);
  const table = virtual({ label: "Resources", head: head(), cells, near: () => order === "name" && more() });

  function show() {
    table.show(listing.ordered(order), !listing.done);
    write(told, said(listing, order));
    reading.hidden = listing.done || order === "name";
  }

  function showRead() {
    const read = listing.rows.length;
    const all = count(listing);
    if (all) Object.assign(bar, { max: all, value: read });
    else bar.removeAttribute("value");
    write(far, `Read ${number(read)}${all ? ` of ${number(all)}` : ""}`);
  }

  function refused(error, of) {
    if (of !== listing || of.signal.aborted) return;
    reading.hidden = true;
    write(told, "");
    const hint = error.status === 403 ? " Type the beginning of names that you may watch." : "";
    write(why, `${error.words ?? error}${hint}`);
  }

  async function more() {
    const mine = listing;
    if (mine.done || why.textContent) return;
    try {
      await mine.more();
      if (mine === listing) show();
    } catch (error) {
      refused(error, mine);
    }
  }

  async function all() {
    const mine = listing;
    let shown = 0;
    try {
      await mine.all(() => {
        if (mine !== listing) return;
        showRead();
        if (performance.now() - shown < SORT_MS) return;
        shown = performance.now();
        show();
      });
      if (mine === listing) show();
    } catch (error) {
      refused(error, mine);
    }
  }

  function again() {
    asked.abort();
    asked = new AbortController();
    const prefix = asks.field.value;
    order = asks.select.value;
    // The address has it, so that one comes back to it.
    const address = new URLSearchParams({ ...(prefix && { prefix }), ...(order !== "name" && { order }) });
    history.replaceState(null, "", `#/resources${address.size ? `?${address}` : ""}`);
    listing = new Listing(prefix, AbortSignal.any([signal, asked.signal]));
    write(why, "");
    table.top();
    if (order === "name") more();
    else all();
  }

  main.append(make("h1", "Resources"), asks.element, told, reading, why, table.element,
    make("p.hint", "Arrow keys, Page Up and Down, Home and End move in the table; Enter opens."));
  again();
  return "Resources";
}
