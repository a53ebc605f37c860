// The console: which view is shown, and how the server is.

import { gate } from "./api.js";
import { make, plain, tell, write } from "./dom.js";
import { figures, follow } from "./figures.js";
import { overview } from "./overview.js";
import { resource } from "./resource.js";
import { resources } from "./resources.js";
import { sessions } from "./sessions.js";
import { signIn } from "./signin.js";
import { who } from "./who.js";

const $ = (id) => document.getElementById(id);
const main = $("main");

/** By what stands behind `#/`. */
const views = { "": overview, resources, resource, sessions };
const NAMES = { "": "overview", resource: "resources" };

/** Ends what the shown view does. */
let leaving = new AbortController();
/** Ends the looks at the figures. */
let looking = new AbortController();

/** What the address says: the view, what it is about, and how it is to be shown. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, ...rest] = path.split("/");
  try {
    return { view, about: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
  } catch {
    return { view: "?", about: "", query: new URLSearchParams() };
  }
}

/** A view begins, and whatever was shown ends. @param {(main: HTMLElement, signal: AbortSignal) => string} show */
function open(show) {
  leaving.abort();
  leaving = new AbortController();
  // A question is about what was shown.
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  main.replaceChildren();
  document.title = `${show(main, leaving.signal)} – ticketd console`;
}

function show() {
  const { view, about, query } = place();
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === (NAMES[view] ?? view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  open((main, signal) => {
    if (Object.hasOwn(views, view)) return plain(views[view](main, signal, about, query));
    main.append(make("h1", "Nothing here"), make("p", "No view has this address. ", make("a", { href: "#/" }, "Overview")));
    return "Nothing here";
  });
}

function start() {
  looking.abort();
  looking = new AbortController();
  follow(looking.signal);
  $("sign").hidden = !who.known;
  write($("sign"), who.known ? "Sign out" : "Sign in");
  show();
}

/** @param {string} [why] What was wrong with what was shown. */
function ask(why) {
  looking.abort();
  $("sign").hidden = true;
  showState("asking", "who are you?");
  open((main) => {
    signIn(main, why, () => {
      start();
      main.focus();
    });
    return "Sign in";
  });
}

function showState(state, words) {
  $("state").dataset.state = state;
  write($("state"), words);
}

/** @param {string} key @param {string | undefined} text */
function notice(key, text) {
  const there = $("notices").querySelector(`[data-key="${key}"]`);
  if (!text) there?.remove();
  else if (there) write(there, text);
  else $("notices").append(make("p.notice", { "data-key": key, role: "alert" }, text));
}

figures.addEventListener("change", () => {
  const { now, failure } = figures;
  if (looking.signal.aborted) return;
  const known = failure === undefined;
  if (failure?.status === 403) showState("open", "connected");
  else if (!known) showState("closed", "no answer");
  else if (now.Draining) showState("waiting", "draining");
  else showState("open", "connected");
  const lost = !known && failure.status !== 403 && failure.status !== 401;
  notice("lost", lost ? `${failure.words} What is shown may be old. Asking again.` : undefined);
  notice("full", known && now.DiskFull ? "The disk is full: nothing can be promised until there is room. What is held stays." : undefined);
  notice("draining", known && now.Draining ? "Draining: no new session is let in. Those that are there go on." : undefined);
});

gate.addEventListener("refused", ({ detail }) => {
  if (detail.status === 401) {
    const had = who.known;
    who.nobody();
    if (!looking.signal.aborted) ask(had ? detail.words : undefined);
  } else if (!who.known) {
    // Strangers are let in here, and those who show a token may do more.
    $("sign").hidden = false;
  }
});

$("sign").addEventListener("click", () => {
  if (!who.known) return ask();
  who.nobody();
  figures.samples = [];
  figures.now = undefined;
  tell("Signed out.");
  start();
});

$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

addEventListener("hashchange", () => {
  // Who has not signed in goes there after that.
  if (looking.signal.aborted) return;
  show();
  // Whoever does not see the page is told where it has gone.
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus();
});

start();
