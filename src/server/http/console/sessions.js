// Sessions by their refs, a page at a time. Only who administers may see them.

import { close } from "./actions.js";
import { read } from "./api.js";
import { length, make, number, several, write, written } from "./dom.js";
import { every } from "./seen.js";
import { table } from "./table.js";

const LIMIT = 100;
const EVERY_MS = 5000;
const REF = /^[0-9a-f]{16}$/;

function owner({ owner }) {
  if (!owner) return undefined;
  return owner.principal === undefined ? make("span", written(owner.sub), make("small", " by ", written(owner.signer))) : written(owner.principal);
}

const COLUMNS = [
  ["name", ({ name }) => (name ? written(name) : make("em", "none"))],
  ["ref", ({ ref }) => make("a.ref", { href: `#/sessions/${ref}` }, ref)],
  ["owner", owner],
  ["from", ({ src }) => (src ? written(src) : undefined)],
  ["ttl", ({ ttl }) => length(ttl)],
  ["heard", ({ heard }) => `${length(heard)} ago`],
  ["holds", ({ holds }) => number(holds)],
  ["waits", ({ waits }) => number(waits)],
  ["issued", ({ issued }) => number(issued)],
];

/** Where one asks for one of them. */
function search(ref) {
  const field = make("input", { id: "ref", value: ref, autocomplete: "off", spellcheck: "false", maxlength: 16, pattern: "[0-9a-f]{16}", title: "16 digits from 0 to f", placeholder: "16 hex digits" });
  const go = (event) => {
    event.preventDefault();
    location.hash = `#/sessions/${field.value.trim()}`;
  };
  return make("form.row.ask", { role: "search", submit: go }, make("span.field.wide", make("label", { for: "ref" }, "Ref"), field), make("button", "Find"),
    ref && make("a.button", { href: "#/sessions" }, "All sessions"));
}

/** @param {HTMLElement} main @param {AbortSignal} signal @param {string} ref One of them, or none. */
export function sessions(main, signal, ref) {
  /** Where each page began that was read, the shown one last. @type {(string | undefined)[]} */
  let pages = [undefined];
  let after = null;
  let refused = false;
  const told = make("p.hint", { role: "status" }, "Asking the server …");
  const why = make("p.wrong", { role: "alert" });
  const actions = ({ name, ref }) => [["Close …", `Close ${name || "a session without a name"}, ${ref}`, (row) => close(row).then(look)]];
  const rows = table("Sessions", COLUMNS, ({ ref }) => ref, actions);
  const back = make("button.quiet", { type: "button", click: () => turn(pages.slice(0, -1)) }, "Back");
  const next = make("button.quiet", { type: "button", click: () => turn([...pages, after]) }, "Next");

  function turn(to) {
    pages = to;
    look();
  }

  async function page(from) {
    if (!ref) return read("sessions", { query: { after: from, limit: LIMIT }, signal });
    if (!REF.test(ref)) return { sessions: [], after: null };
    try {
      return { sessions: [await read(`sessions/${ref}`, { signal })], after: null };
    } catch (error) {
      if (error.code === "session-not-found") return { sessions: [], after: null };
      throw error;
    }
  }

  async function look() {
    const from = pages.at(-1);
    try {
      const got = await page(from);
      if (from !== pages.at(-1)) return;
      after = got.after;
      rows.show(got.sessions);
      write(why, "");
      const count = got.sessions.length;
      write(told, ref ? (count ? "This session." : "There is no such session, or no longer.") : `${several(count, "session")} on this page, in the order of their refs.`);
      rows.element.hidden = !count;
      back.disabled = pages.length === 1;
      next.disabled = after === null;
      back.hidden = next.hidden = back.disabled && next.disabled;
    } catch (error) {
      if (signal.aborted) return;
      write(told, "");
      rows.element.hidden = true;
      write(why, error.status === 403 ? `${error.words} Sessions are seen by administrators only.` : `${error.words ?? error}`);
      refused = error.status === 403;
    }
  }

  main.append(make("h1", ref ? "A session" : "Sessions"), search(ref), told, why, make("section.card", { "aria-label": "Sessions" }, rows.element, make("p.row", back, next)));
  // Whom it is refused to is not refused it again and again.
  every(EVERY_MS, signal, async () => refused || look());
  return ref ? `Session ${ref}` : "Sessions";
}
