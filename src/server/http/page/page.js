// The page at /: a lock and some tickets, shared by all its tabs. It is built on the helper, but for
// who waits, which it asks for by REST.

import { connect } from "./client/index.js";
import { looking } from "./look.js";
import { keep, kept, who } from "./who.js";

const LOCK = "demo/lock";
const TICKETS = "demo/tickets";
const DOTS_MAX = 60;
const LOG_MAX = 6;

const base = new URL("./", import.meta.url);
const name = nameOfTab();

/** @type {import("./client/index.js").Session | undefined} */
let session;

const $ = (id) => document.getElementById(id);
/** Names come from strangers: what is written is text, never markup. */
const write = (id, text) => {
  if ($(id).textContent !== text) $(id).textContent = text;
};
const make = (tag, ...children) => {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = () => new Date().toLocaleTimeString();

function nameOfTab() {
  const animals = ["Otter", "Heron", "Lynx", "Finch", "Newt", "Badger", "Wren", "Marten", "Ibis", "Hare"];
  const any = (count) => Math.floor(Math.random() * count);
  // (A tab that was duplicated has the same one, and a session of its own.)
  return kept("name") ?? keep("name", `${animals[any(animals.length)]} ${10 + any(90)}`);
}

// The session.

/** What an error says, in words. Some say no more than their code. */
const WORDS = {
  "session-lost": "the session is lost",
  "lock-lost": "the lock is lost",
  "ticket-revoked": "the ticket was revoked",
  closed: "the session was closed",
};
const said = ({ code, message }) => (message && message !== code ? message : (WORDS[code] ?? String(code)));

function log(text) {
  // What is said again and again takes one line.
  if ($("log").lastChild?.dataset.text === text) $("log").lastChild.remove();
  const line = make("li", make("time", clock()), ` ${text}`);
  line.dataset.text = text;
  $("log").append(line);
  while ($("log").children.length > LOG_MAX) $("log").firstChild.remove();
}

function showState(state) {
  write("state", state);
  $("state").dataset.state = state;
  for (const step of $("steps").children) {
    if (step.dataset.state === state) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  $("cut").hidden = state !== "recovering";
  const usable = state === "open" || state === "recovering";
  for (const id of ["lock-button", "issue", "claim"]) $(id).disabled = !usable;
  write("close", usable ? "Close the session" : "Open a session");
  $("close").disabled = state === "connecting";
}

/** Opens one session after the other, for as long as the page lives. */
async function live() {
  for (;;) {
    showState("connecting");
    try {
      session = await connect(new URL("api/v1/ws", base), { name, bye: true, token: who.token });
    } catch (why) {
      if (why.code === "unauthorized" && (await who.asks().catch(() => false))) {
        await who.ask(who.token ? `Not let in: ${said(why)}.` : "");
        continue;
      }
      log(`No connection: ${said(why)}. Trying again.`);
      await pause(1000);
      continue;
    }
    showState(session.state);
    log("Session open.");
    session.addEventListener("statechange", ({ detail }) => {
      showState(detail.to);
      if (detail.to === "recovering") log("The line is cut. Trying to reach the server again.");
      lock.show();
      tickets.show();
    });
    session.addEventListener("recovered", () => log("Recovered: the same session goes on."));
    session.addEventListener("lock-wanted", () => log("Somebody waits for the lock."));
    showCode();
    // What is watched ends with the session, which is seen below; or with the right to watch.
    for (const card of [lock, tickets]) {
      card.begin(session).catch((why) => why.code === "forbidden" && log(`Not watched: ${said(why)}.`));
    }
    const reason = await end(session.signal);
    lock.end();
    tickets.end();
    showState("closed");
    const mine = reason.code === "closed";
    log(mine ? "Session closed." : `The session has ended: ${said(reason)}.`);
    if (mine) await new Promise((resolve) => $("close").addEventListener("click", resolve, { once: true }));
    else await pause(1000);
  }
}

/** Waits until a signal aborts, and tells why. */
async function end(signal) {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return signal.reason;
}

$("close").addEventListener("click", () => {
  if (session.state !== "closed") session.close().catch((why) => log(`${said(why)}.`));
});

// The lock.

const lock = {
  state: undefined,
  look: looking(LOCK, $("lock-holders"), $("lock-waiters"), () => lock.show()),
  /** Its place in the queue, while it waits. */
  position: 0,
  held: undefined,
  leaving: undefined,
  /** Why the last one was lost, as long as no other is taken. */
  lost: "",
  since: 0,

  async begin(session) {
    for await (const state of session.watch(LOCK)) {
      this.state = state;
      this.show();
      this.look.again(session.ref);
    }
  },

  end() {
    this.state = this.held = undefined;
    this.show();
  },

  async take() {
    const leaving = (this.leaving = new AbortController());
    this.since = Date.now();
    this.position = 0;
    this.lost = "";
    $("lock-lost").hidden = true;
    this.show();
    try {
      const onPosition = (position) => {
        this.position = position;
        this.show();
      };
      const held = await session.lock(LOCK, { signal: leaving.signal, onPosition });
      this.held = held;
      this.since = Date.now();
      held.signal.addEventListener("abort", () => this.lose(held));
      if (held.signal.aborted) this.lose(held);
    } catch (why) {
      if (!leaving.signal.aborted) log(`No lock: ${said(why)}.`);
    }
    this.leaving = undefined;
    this.show();
  },

  async release() {
    const { held } = this;
    this.held = undefined;
    this.show();
    await held.release().catch((why) => log(`Not released: ${said(why)}.`));
  },

  /** From here on nothing may be done any more that the lock protects. */
  lose(held) {
    if (this.held !== held) return;
    this.held = undefined;
    this.lost = held.signal.reason.code;
    write("lock-lost", `Lost at ${clock()}: ${said(held.signal.reason)}. Fence ${held.fence} is void; whoever comes next has a greater one.`);
    $("lock-lost").hidden = false;
    this.show();
  },

  press() {
    if (this.held) this.release();
    else if (this.leaving) this.leaving.abort();
    else this.take();
  },

  show() {
    const { held, leaving, lost } = this;
    // What is known of the others is of no use while the line is down.
    const state = session?.state === "open" ? this.state : undefined;
    if (!state) this.look.clear();
    const { holder } = this.look;
    const other = holder && holder.ref !== session?.ref ? (holder.session ?? "Nobody any more") : "Another tab";
    const is =
      held ? "mine"
      : leaving ? "waiting"
      : !state ? "unknown"
      : state.held ? "other"
      : "free";
    $("lock").dataset.state = is;
    write("lock-who", {
      mine: session?.state === "open" ? "This tab holds it." : "This tab holds it still. The line is cut.",
      waiting: state?.held ? `${other} holds it. ${this.place()}` : "This tab waits, and keeps its place.",
      other: `${other} holds it.`,
      free: "It is free.",
      unknown: "Not connected.",
    }[is]);
    write("lock-button", { mine: "Release", waiting: "Stop waiting" }[is] ?? "Take the lock");
    write("lock-waiting", state ? String(state.waiting) : "–");
    write("lock-fence", held ? String(held.fence) : "–");
    write("lock-signal", held ? "not aborted" : lost ? `aborted: ${lost}` : "–");
    document.title = { mine: "Holds the lock – ticketd", waiting: "Waits – ticketd" }[is] ?? "ticketd";
    this.tick();
  },

  /** Where it stands, as people say it. */
  place() {
    const words = ["waits", "is next", "is second", "is third", "is fourth", "is fifth"];
    return `This tab ${words[this.position] ?? `is number ${this.position} in the queue`}.`;
  },

  /** What changes by itself stands apart, so that a screen reader need not say it each second. */
  tick() {
    const seconds = Math.max(0, Math.round((Date.now() - this.since) / 1000));
    write("lock-since", this.held || this.leaving ? `for ${seconds} s` : "\u00a0");
  },
};

$("lock-button").addEventListener("click", () => lock.press());
setInterval(() => lock.tick(), 1000);

// The tickets.

const tickets = {
  state: undefined,
  look: looking(TICKETS, $("tickets-holders"), $("tickets-waiters"), () => tickets.show()),
  leaving: undefined,
  issued: 0,

  async begin(session) {
    for await (const state of session.watch(TICKETS)) {
      this.state = state;
      this.show();
      this.look.again(session.ref);
    }
  },

  end() {
    this.state = undefined;
    this.show();
  },

  show() {
    // What is known is of no use while the line is down.
    const state = session?.state === "open" ? this.state : undefined;
    if (!state) this.look.clear();
    $("tickets-dots").replaceChildren();
    for (const kind of ["held", "free", "waiting"]) {
      write(`tickets-${kind}`, state ? String(state[kind]) : "–");
      for (let n = 0; n < Math.min(state?.[kind] ?? 0, DOTS_MAX); n++) {
        const dot = make("i");
        dot.dataset.kind = kind;
        $("tickets-dots").append(dot);
      }
    }
  },

  async issue() {
    try {
      const issue = () => session.issue(TICKETS, `${name}, no. ${++this.issued}`, JSON.stringify({ at: clock() }));
      await Promise.all([issue(), issue(), issue()]);
      write("tickets-told", "Issued three.");
    } catch (why) {
      write("tickets-told", `Not issued: ${said(why)}.`);
    }
  },

  async claim() {
    if (this.leaving) return this.leaving.abort();
    const leaving = (this.leaving = new AbortController());
    write("claim", "Stop waiting");
    // Said only if it takes a while.
    const slow = setTimeout(() => write("tickets-told", "Waits for a ticket."), 200);
    try {
      const ticket = await session.claim(TICKETS, { signal: leaving.signal });
      this.add(ticket);
      write("tickets-told", `Claimed ${ticket.name}.`);
    } catch (why) {
      write("tickets-told", leaving.signal.aborted ? "Stopped waiting." : `Not claimed: ${said(why)}.`);
    }
    clearTimeout(slow);
    this.leaving = undefined;
    write("claim", "Claim one");
  },

  add(ticket) {
    // It may be of anybody's making.
    const since = ({ data }) => {
      const at = /"at":"([\d:. ]+)"/.exec(new TextDecoder().decode(data));
      return at ? `since ${at[1]}, ` : "";
    };
    const done = make("button", "Done");
    const release = make("button", "Release");
    const about = make("span", make("strong", ticket.name), make("small", `${since(ticket)}fence ${ticket.fence}`));
    const item = make("li", about, done, release);
    const leave = (told) => {
      // The focus goes to what one would press next.
      if (item.contains(document.activeElement)) $("claim").focus();
      item.remove();
      write("tickets-told", told);
    };
    done.addEventListener("click", () => {
      leave(`${ticket.name} is done: nobody gets it again.`);
      ticket.done().catch((why) => log(`Not done: ${said(why)}.`));
    });
    release.addEventListener("click", () => {
      leave(`${ticket.name} is released: the next may have it.`);
      ticket.release().catch((why) => log(`Not released: ${said(why)}.`));
    });
    ticket.signal.addEventListener("abort", () => {
      if (item.isConnected) leave(`${ticket.name} is lost: ${said(ticket.signal.reason)}.`);
    });
    $("mine").append(item);
  },
};

$("issue").addEventListener("click", () => tickets.issue());
$("claim").addEventListener("click", () => tickets.claim());

// The code.

// Below a path, behind a proxy, the socket's own path must be said: the helper adds it to bare hosts.
const to = base.pathname === "/" ? base.origin : new URL("api/v1/ws", base).href;
write("name", name);
write("install", `npm install ${new URL("client/ticketd-client.tgz", base)}`);

/** What one would write oneself. */
function showCode() {
  const token = who.token ? ', { token: "…" }' : "";
  write("code", `import { connect } from "${new URL("client/index.js", base)}";
const session = await connect("${to}"${token});
await session.withLock("report", async ({ fence, signal }) => {
  await save(report, { fence, signal }); // Nobody else is here. Stop when the signal aborts.
});
`);
}
showCode();

$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("code").textContent);
    write("copied", "Copied.");
  } catch {
    // Browsers give the clipboard to secure pages only.
    getSelection().selectAllChildren($("code"));
    write("copied", "Selected; copy it by hand.");
  }
});

await live();
