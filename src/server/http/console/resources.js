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

class View {
  #signal;
  #asked = new AbortController();
  #listing;
  #order;
  #told = make("p.hint", { role: "status" });
  #bar = make("progress", { "aria-label": "How much is read" });
  // It changes too often to be said each time.
  #far = make("span");
  #reading = make("p.row.hint", { hidden: true }, this.#bar, this.#far);
  #why = make("p.wrong", { role: "alert" });
  #form;
  #table = virtual({ label: "Resources", head: head(), cells, near: () => this.#order === "name" && this.#more() });

  constructor(signal, query) {
    this.#signal = signal;
    this.#order = Object.hasOwn(ORDERS, query.get("order") ?? "") ? query.get("order") : "name";
    this.#listing = new Listing("", signal);
    this.#form = form(query.get("prefix") ?? "", this.#order, () => this.again());
    this.elements = [this.#form.element, this.#told, this.#reading, this.#why, this.#table.element];
  }

  /** Reads what the form asks for, from the beginning. */
  again() {
    this.#asked.abort();
    this.#asked = new AbortController();
    const prefix = this.#form.field.value;
    const order = this.#order = this.#form.select.value;
    // The address has it, so that one comes back to it.
    const address = new URLSearchParams({ ...(prefix && { prefix }), ...(order !== "name" && { order }) });
    history.replaceState(null, "", `#/resources${address.size ? `?${address}` : ""}`);
    this.#listing = new Listing(prefix, AbortSignal.any([this.#signal, this.#asked.signal]));
    write(this.#why, "");
    this.#table.top();
    if (order === "name") this.#more();
    else this.#all();
  }

  async #more() {
    const mine = this.#listing;
    if (mine.done || this.#why.textContent) return;
    try {
      await mine.more();
      if (mine === this.#listing) this.#show();
    } catch (error) {
      this.#refused(error, mine);
    }
  }

  async #all() {
    const mine = this.#listing;
    let shown = 0;
    try {
      await mine.all(() => {
        if (mine !== this.#listing) return;
        this.#showRead();
        if (performance.now() - shown < SORT_MS) return;
        shown = performance.now();
        this.#show();
      });
      if (mine === this.#listing) this.#show();
    } catch (error) {
      this.#refused(error, mine);
    }
  }

  #show() {
    this.#table.show(this.#listing.ordered(this.#order), !this.#listing.done);
    write(this.#told, said(this.#listing, this.#order));
    this.#reading.hidden = this.#listing.done || this.#order === "name";
  }

  #showRead() {
    const read = this.#listing.rows.length;
    const all = count(this.#listing);
    if (all) Object.assign(this.#bar, { max: all, value: read });
    else this.#bar.removeAttribute("value");
    write(this.#far, `Read ${number(read)}${all ? ` of ${number(all)}` : ""}`);
  }

  #refused(error, of) {
    if (of !== this.#listing || of.signal.aborted) return;
    this.#reading.hidden = true;
    write(this.#told, "");
    const hint = error.status === 403 ? " Type the beginning of names that you may watch." : "";
    write(this.#why, `${error.words ?? error}${hint}`);
  }
}

/** @param {HTMLElement} main @param {AbortSignal} signal @param {string} _ @param {URLSearchParams} query */
export function resources(main, signal, _, query) {
  const view = new View(signal, query);
  main.append(make("h1", "Resources"), ...view.elements,
    make("p.hint", "Arrow keys, Page Up and Down, Home and End move in the table; Enter opens."));
  view.again();
  return "Resources";
}
