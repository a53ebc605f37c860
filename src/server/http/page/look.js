// Who has something of a resource, and who waits for it, as the server tells whoever looks.

import { who } from "./who.js";

const SHOWN_MAX = 8;
/** As long as the next answer would come too soon to be read, in ms. */
const PAUSE_MS = 250;

const base = new URL("./", import.meta.url);
const time = (ms) => (ms ? new Date(ms).toLocaleTimeString() : "");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Names come from strangers: what is written is text, never markup. */
function line({ session, ref, ticket, fence, since, left, mode, attempt }, own) {
  const about = [
    ticket,
    mode === "shared" && "shared",
    fence && `fence ${fence}`,
    attempt > 1 && `try ${attempt}`,
    time(since) && `since ${time(since)}`,
    left !== undefined && `${Math.ceil(left / 1000)} s left`,
  ];
  const item = document.createElement("li");
  const name = document.createElement("strong");
  name.textContent = ref === own ? "This tab" : session || (session === null ? "Nobody any more" : "Somebody");
  item.append(name, ` ${about.filter(Boolean).join(", ")}`);
  return item;
}

function fill(list, rows, own, more) {
  const shown = rows.slice(0, SHOWN_MAX).map((row) => line(row, own));
  if (more || rows.length > SHOWN_MAX) {
    const rest = document.createElement("li");
    rest.textContent = "… and more";
    shown.push(rest);
  }
  list.replaceChildren(...shown);
  list.parentElement.hidden = !shown.length;
}

/**
 * Keeps two lists as the server has them. It is asked once at a time, however often that is wanted.
 * @param {string} resource @param {HTMLElement} holders @param {HTMLElement} waiters Each in a box of its own.
 * @param {() => void} [changed] Called when they have changed.
 */
export function looking(resource, holders, waiters, changed = () => {}) {
  let own;
  let wanted = false;
  let busy = false;

  async function ask() {
    const url = new URL(`api/v1/resources/${encodeURIComponent(resource)}?limit=${SHOWN_MAX + 1}`, base);
    const answer = await fetch(url, { headers: who.headers() });
    // Who may not look is shown nothing.
    return answer.ok ? answer.json() : {};
  }

  const looks = {
    /** The first who has it. */
    holder: undefined,

    clear() {
      wanted = false;
      looks.holder = undefined;
      for (const list of [holders, waiters]) fill(list, [], own);
    },

    /** @param {string} ref What this tab's session is called. */
    async again(ref) {
      own = ref;
      wanted = true;
      if (busy) return;
      busy = true;
      while (wanted) {
        wanted = false;
        try {
          const now = await ask();
          looks.holder = now.holders?.[0];
          fill(holders, now.holders ?? [], own, now.more);
          fill(waiters, now.waiters ?? [], own, now.more);
          changed();
        } catch {
          // The line is down; it is asked for again with the next change.
        }
        await pause(PAUSE_MS);
      }
      busy = false;
    },
  };
  return looks;
}
