// One resource, live: who holds it, who waits and since when, and what one can do about it.

import { force, named, pause, revive, revoke } from "./actions.js";
import { serverNow } from "./api.js";
import { keep, length, make, moment, number, plain, several, write, written } from "./dom.js";
import { table } from "./table.js";
import { tickets } from "./tickets.js";
import { calmly, follow, look } from "./watch.js";

const FIGURES = ["waiting", "held", "free", "delayed", "dead"];
/** How many are shown of each list, and when more are wanted. */
const SOME = 100;
const MOST = 1000;
/** How often what is read aloud may change, in ms. */
const SAID_MS = 3000;

const since = ({ since }) => (since ? `${moment(since)}, for ${length(serverNow() - since)}` : undefined);
const session = (row) => {
  const name = row.session ? written(row.session) : make("em", row.session === null ? "lost" : "without a name");
  const ref = row.ref && make("a.ref", { href: `#/sessions/${row.ref}` }, row.ref);
  return make("span", name, " ", ref);
};
const value = ({ data, data64 }) => (data ? written(data) : data64 ? make("span", make("small", "base64 "), data64) : undefined);
const ticketOf = ({ ticket }) => (ticket === undefined ? undefined : written(ticket));
const mode = ({ mode }) => mode ?? "exclusive";
const left = ({ left }) => (left === undefined ? undefined : length(left));

const LOCK_HOLDERS = [["holder", session], ["fence", ({ fence }) => String(fence)], ["since", since], ["mode", mode], ["value", value], ["time left", left]];
const CLAIMANTS = [
  ["ticket", ticketOf], ["claimant", session], ["fence", ({ fence }) => String(fence)], ["since", since],
  ["attempt", ({ attempt }) => (attempt ? String(attempt) : undefined)], ["time left", left],
];
const WAITERS = [
  ["position", ({ position }) => String(position)], ["session", session], ["since", since],
  ["for", (row) => (row.kind === "lock" ? mode(row) : row.ticket === undefined ? "any ticket" : written(row.ticket))],
];

/** Waiters, each by what stays the same while it waits. A session may wait for several tickets. */
function keyed(waiters) {
  const seen = new Map();
  return waiters.map((row) => {
    const key = `${row.ref} ${row.since} ${row.ticket ?? ""}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return { ...row, key: `${seen.get(key)} ${key}` };
  });
}

/** What a screen reader is told of it. */
function summary({ kind, holders, held, free, waiting, paused, waiters }) {
  const [first] = holders;
  const has =
    kind === null ? "Nothing stands here."
    : kind === "tickets" ? `${several(free, "ticket")} free, ${number(held)} claimed.`
    : !first ? "Nobody holds it."
    : held > 1 ? `${several(held, "session")} hold it together.`
    : `Held by ${plain(named(first))}, fence ${first.fence}.`;
  const wait = waiting === 0 ? "Nobody waits." : `${number(waiting)} wait${waiting === 1 ? "s" : ""}${waiters[0] ? `, the first since ${moment(waiters[0].since)}` : ""}.`;
  return `${has} ${wait}${paused ? " It is paused." : ""}`;
}

/** A part of the page with a heading. */
function part(title, ...children) {
  const heading = make("h2", title);
  const element = make("section.card", { "aria-label": title }, heading, ...children);
  return { element, heading };
}

/** The lists of who holds and who waits. @param {string} name @param {() => void} again */
function lists(name, again) {
  const byFence = ({ fence }) => String(fence);
  const end = [
    (row) => ["End …", `End the hold of ${plain(named(row))}, fence ${row.fence}`, (row) => force(name, row).then(again)],
    (row) => ["Revoke …", `Revoke ${plain(row.ticket)}, fence ${row.fence}`, (row) => revoke(name, row).then(again)],
  ];
  const locks = table("Holders", LOCK_HOLDERS, byFence, (row) => [end[0](row)]);
  const claims = table("Claimants", CLAIMANTS, byFence, (row) => end.map((of) => of(row)));
  const waits = table("Waiters", WAITERS, ({ key }) => key);
  const nobody = [make("p.hint", "Nobody."), make("p.hint", "Nobody.")];
  const more = make("p.hint", { hidden: true });
  const holders = part("Who holds it", nobody[0], locks.element, claims.element);
  const waiters = part("Who waits", nobody[1], waits.element, more);
  const show = (state) => {
    const isLock = state.kind !== "tickets";
    locks.show(isLock ? state.holders : []);
    claims.show(isLock ? [] : state.holders);
    waits.show(keyed(state.waiters));
    locks.element.hidden = !isLock || !state.holders.length;
    claims.element.hidden = isLock || !state.holders.length;
    waits.element.hidden = !state.waiters.length;
    nobody[0].hidden = state.holders.length > 0;
    nobody[1].hidden = state.waiters.length > 0;
    more.hidden = !state.more;
    write(more, `These are the first of each; ${number(state.held)} hold and ${number(state.waiting)} wait.`);
  };
  return { holders, waiters, show };
}

/** Says how it stands, not more often than one can listen. @param {HTMLElement} element */
function spoken(element, signal) {
  let next = 0;
  let timer;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return (text) => {
    clearTimeout(timer);
    const say = () => {
      next = performance.now() + SAID_MS;
      write(element, text);
    };
    if (performance.now() >= next) say();
    else timer = setTimeout(say, next - performance.now());
  };
}

/** What can be done to all of it. @param {string} name @param {() => any} state @param {() => void} again */
function controls(name, state, again) {
  const pausing = make("button", { click: () => pause(name, state()).then(again) }, "Pause …");
  const reviving = make("button", { hidden: true, click: () => revive(name, state().dead).then(again) }, "Revive all …");
  const more = make("button.quiet", { hidden: true, click: () => again(MOST) }, "Show more");
  const show = (state, limit) => {
    write(pausing, state.paused ? "Let it go on …" : "Pause …");
    reviving.hidden = !state.dead;
    more.hidden = !state.more || limit === MOST;
  };
  return { element: make("p.row", pausing, reviving, more), show };
}

/** @param {HTMLElement} main @param {AbortSignal} signal @param {string} name */
export function resource(main, signal, name) {
  let limit = SOME;
  let state = { kind: null, held: 0, free: 0, waiting: 0, delayed: 0, dead: 0, paused: false, holders: [], waiters: [] };
  const said = make("p.lead", { role: "status" }, "Asking the server …");
  const say = spoken(said, signal);
  const why = make("p.wrong", { role: "alert" });
  const badges = make("p.row.badges");
  const counts = make("ul.counts", { "aria-label": "Figures" });
  const again = (most) => {
    if (typeof most === "number") limit = most;
    refresh();
    listed.refresh();
  };
  const control = controls(name, () => state, again);
  const both = lists(name, again);
  const listed = tickets(name, signal, again);
  const shown = make("div.view", { hidden: true }, counts, control.element, both.holders.element, both.waiters.element, listed.element);

  function show() {
    shown.hidden = false;
    const words = [state.kind === null ? "empty" : state.kind, ...(state.paused ? ["paused"] : [])];
    keep(badges, words, (word) => word, (word) => make("span.badge", word), () => {});
    keep(counts, FIGURES, (name) => name, (name) => make(`li.${name}`, make("b"), ` ${name}`), (item, name) => {
      write(item.firstChild, number(state[name] ?? 0));
      item.toggleAttribute("data-none", !state[name]);
    });
    write(both.holders.heading, state.kind === "tickets" ? "Who has claimed" : "Who holds it");
    both.show(state);
    control.show(state, limit);
    listed.element.hidden = state.kind !== "tickets";
    listed.suggest(state.dead > 0);
    say(summary(state));
  }

  const refresh = calmly(signal, async () => {
    try {
      state = await look(name, limit, signal);
      write(why, "");
      show();
      if (state.kind === "tickets") await listed.look();
    } catch (error) {
      if (!signal.aborted) write(why, `${error.words ?? error}`);
    }
  });

  main.append(make("p", make("a", { href: "#/resources" }, "All resources")), make("h1", written(name)), badges, said, why, shown);
  follow(name, signal, refresh);
  return name;
}
