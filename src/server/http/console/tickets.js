// The tickets of a resource, a page at a time: those that are dead first, if there are any.

import { revive, revoke } from "./actions.js";
import { read, segment } from "./api.js";
import { length, make, write, written } from "./dom.js";
import { table } from "./table.js";

const STATES = ["all", "free", "held", "delayed", "dead"];
const LIMIT = 100;
/** How much of what a ticket carries is shown. */
const CARRIED_MAX = 200;

const short = (text) => (text.length > CARRIED_MAX ? `${text.slice(0, CARRIED_MAX)}…` : text);
const carried = ({ data, data64 }) =>
  data ? written(short(data)) : data64 ? make("span", make("small", "base64 "), short(data64)) : undefined;

const COLUMNS = [
  ["ticket", ({ ticket }) => written(ticket)],
  ["state", ({ state, left }) => `${state}${left === undefined ? "" : `, ${length(left)} left`}`],
  ["attempts", ({ attempt }) => (attempt ? String(attempt) : undefined)],
  ["note", ({ note }) => (note ? written(note) : undefined)],
  ["claimant", ({ session, state }) => (state !== "held" ? undefined : session ? written(session) : make("em", "lost"))],
  ["priority", ({ priority }) => (priority ? String(priority) : undefined)],
  ["carries", carried],
];

/** @param {string} name @param {AbortSignal} signal @param {() => void} again What is done changes it. */
export function tickets(name, signal, again) {
  /** Where each page began that was read, the shown one last. @type {(number | undefined)[]} */
  let pages = [undefined];
  let after = null;
  let chosen = false;
  const key = ({ number, state }) => `${number} ${state}`;
  const actions = ({ ticket, state }) => [
    ...(state === "dead" ? [["Revive …", `Revive ${ticket}`, (row) => revive(name, row).then(again)]] : []),
    // One that is claimed is revoked where its fence stands.
    ...(state === "held" ? [] : [["Revoke …", `Revoke ${ticket}`, (row) => revoke(name, row).then(again)]]),
  ];
  const rows = table("Tickets", COLUMNS, key, actions);
  const select = make("select", { id: "state-of", change: () => ((chosen = true), turn([undefined])) }, ...STATES.map((state) => make("option", state)));
  const back = make("button.quiet", { type: "button", click: () => turn(pages.slice(0, -1)) }, "Back");
  const next = make("button.quiet", { type: "button", click: () => turn([...pages, after]) }, "Next");
  const none = make("p.hint", { hidden: true }, "None.");
  const why = make("p.wrong", { role: "alert" });
  const element = make("section.card", { "aria-label": "Tickets", hidden: true },
    make("h2", "Tickets"),
    make("p.row", make("label", { for: "state-of" }, "State"), select),
    why, none, rows.element,
    make("p.row", back, next));

  function turn(to) {
    pages = to;
    look();
  }

  async function look() {
    const [state, from] = [select.value, pages.at(-1)];
    try {
      const query = { state: state === "all" ? undefined : state, after: from, limit: LIMIT };
      const page = await read(`resources/${segment(name)}/tickets`, { query, signal });
      // Another page may have been turned to.
      if (state !== select.value || from !== pages.at(-1)) return;
      write(why, "");
      after = page.after;
      rows.show(page.tickets);
      rows.element.hidden = !page.tickets.length;
      none.hidden = page.tickets.length > 0;
      back.disabled = pages.length === 1;
      next.disabled = after === null;
      back.hidden = next.hidden = back.disabled && next.disabled;
    } catch (error) {
      if (!signal.aborted) write(why, `${error.words ?? error}`);
    }
  }

  return {
    element,
    look,
    refresh: () => element.hidden || look(),
    /** Unless another state was chosen. @param {boolean} dead Whether there are some. */
    suggest(dead) {
      if (!chosen && pages.length === 1) select.value = dead ? "dead" : "all";
    },
  };
}
