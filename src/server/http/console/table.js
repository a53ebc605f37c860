// Tables whose rows change while one looks: what is there already stays, with the focus.

import { keep, make, replace } from "./dom.js";

/**
 * @template T
 * @param {string} label
 * @param {[string, (row: T) => string | Node | undefined][]} columns @param {(row: T) => string} key
 * @param {(row: T) => [string, string, (row: T) => void][]} [actions] What is pressed: its words, what a screen reader
 *   says, what it does. The same for as long as the key is.
 */
export function table(label, columns, key, actions) {
  const cell = { role: "cell" };
  const head = [...columns.map(([name]) => name), ...(actions ? ["actions"] : [])];
  const body = make("tbody", { role: "rowgroup" });
  const element = make("table", { role: "table", "aria-label": label },
    make("thead", { role: "rowgroup" },
      make("tr", { role: "row" }, ...head.map((name) => make(name === "actions" ? "th.actions" : "th", { role: "columnheader", scope: "col" }, name)))),
    body);

  function draw(row) {
    const line = make("tr", { role: "row" }, ...columns.map(([name]) => make("td", { ...cell, "data-label": name })));
    line.row = row;
    if (actions) {
      const buttons = actions(row).map(([words, said, press]) =>
        make("button.quiet", { type: "button", "aria-label": said, click: () => press(line.row) }, words));
      line.append(make("td.actions", cell, ...buttons));
    }
    return line;
  }

  function update(line, row) {
    line.row = row;
    columns.forEach(([, of], n) => {
      const value = of(row);
      replace(line.children[n], value ?? "");
      line.children[n].toggleAttribute("data-none", value === undefined);
    });
  }

  return {
    element,
    /** @param {T[]} rows */
    show(rows) {
      keep(body, rows, key, draw, update);
    },
  };
}
