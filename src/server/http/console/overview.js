// How the server is: figures, and the last ten minutes of some.

import { act } from "./api.js";
import { chart } from "./chart.js";
import { confirmed } from "./confirm.js";
import { bytes, keep, length, make, moment, number, several, tell, write } from "./dom.js";
import { figures } from "./figures.js";

const rounded = (value) => number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
/** Those that are drawn. */
const CHARTS = [
  ["Operations a second", rounded, (now) => now.rate],
  ["Waits", number, (now) => now.Waits],
  ["Held: locks and claims", number, (now) => now.Locks + now.Claims],
  ["Sessions", number, (now) => now.Sessions],
  ["Sockets", number, (now) => now.Sockets],
  ["Memory", bytes, (now) => now.ResidentBytes],
];

const DURABILITY = {
  always: "each answer is on disk",
  interval: "on disk now and then",
  none: "left to the system",
  memory: "nothing is kept",
};

/** Those that are written. */
const rows = (now) => [
  ["Version", now.Version],
  ["Running for", length(now.Uptime_t / 1e6)],
  ["Resources", number(now.Resources)],
  ["Tickets", number(now.Tickets)],
  ["Locks held", number(now.Locks)],
  ["Tickets claimed", number(now.Claims)],
  ["Watches", number(now.Watches)],
  ["Operations so far", number(now.Operations)],
  ["Durability", `${now.Durability}: ${DURABILITY[now.Durability] ?? ""}`],
  ...(now.Durability === "memory"
    ? []
    : [
        ["Journal", `${bytes(now.JournalBytes)}, ${several(now.JournalCommands, "command")}`],
        ["Last sync", now.LastSync ? moment(Date.parse(now.LastSync)) : "none yet"],
        ["Last image", now.LastImage ? `${moment(Date.parse(now.LastImage))}, ${bytes(now.ImageBytes)}` : "none yet"],
      ]),
];

const BEGIN = {
  title: "Drain this server?",
  text: "New sessions are put off with “unavailable”. Those that are there keep what they hold, wait on, and may ask for more. It lasts until you end it, or the server is restarted.",
  button: "Begin to drain",
};
const END = { title: "End the draining?", text: "New sessions are let in again.", button: "End it" };

function drain() {
  const on = figures.now?.Draining;
  return confirmed({
    ...(on ? END : BEGIN),
    facts: [["Sessions now", number(figures.now?.Sessions ?? 0)]],
    run: () => act(on ? "DELETE" : "POST", "drain"),
    done: () => tell(on ? "Draining has ended." : "Draining has begun."),
  });
}

/** @param {HTMLElement} main @param {AbortSignal} signal */
export function overview(main, signal) {
  const charts = CHARTS.map(([title, say, of]) => ({ ...chart(title, say), of }));
  const list = make("dl.facts");
  const told = make("p.hint", "Asking the server …");
  const button = make("button", { hidden: true, click: drain }, "Drain …");
  const shown = make("div", { hidden: true },
    make("ul.charts", ...charts.map(({ element }) => element)),
    make("section.card", { "aria-labelledby": "server-title" }, make("h2", { id: "server-title" }, "The server"), list, make("p.row", button)),
  );
  main.append(
    make("h1", "Overview"),
    make("p.row",
      make("a.button", { href: "#/resources?order=waiting" }, "Where most wait"),
      make("a.button", { href: "#/resources?order=dead" }, "Where most is dead")),
    told,
    shown,
  );
  const show = () => {
    const { now, failure, samples } = figures;
    if (failure?.status === 403) write(told, `No figures: ${failure.words}`);
    else if (now) write(told, "Every 2 s while this page is seen; the charts have the last ten minutes of that.");
    shown.hidden = !now || failure?.status === 403;
    if (shown.hidden) return;
    for (const { show, of } of charts) show(samples.map((sample) => ({ at: sample.at, value: of(sample) })));
    keep(list, rows(now), ([name]) => name, ([name]) => make("div", make("dt", name), make("dd")), (element, [, value]) => write(element.lastChild, value));
    button.hidden = now.Draining === undefined;
    write(button, now.Draining ? "End the draining …" : "Drain …");
  };
  figures.addEventListener("change", show, { signal });
  show();
  return "Overview";
}
