// A real Chromium with real windows, and tabs in it: what the stories here are told with.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { chromium } from "playwright-core";

import { soon, until } from "../support/until.mjs";
import { find, MISSING } from "./chromium.mjs";

/** How long one waits for what should come about, in ms: only what never comes takes so long. */
const PATIENCE = 20_000;
/** How long a story may take, in ms. */
const STORY = 90_000;
/** Of a ttl, or a delay, in ms: what comes within the patience came "at once", not because of it. */
export const LONG = 60_000;

/** A page without content, script or policy of its own. */
const BLANK = "/client/index.d.ts";

/** The address at which Chromium is spoken to: it says so on stderr. @param {import("node:stream").Readable} stream */
const address = async (stream) => {
  let all = "";
  for await (const part of stream.iterator({ destroyOnReturn: false })) {
    all += part;
    const [, found] = /listening on (ws:\S+)/.exec(all) ?? [];
    // What it goes on to say must be read, lest it stop.
    if (found) return stream.resume() && found;
  }
  return assert.fail(`Chromium ended: ${all}`);
};

/** @param {import("node:child_process").ChildProcess} child */
const stop = async (child) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
};

// Chromium is started by hand, and connected to without Playwright's defaults: these would have every
// tab believe that it is in front, keep timers of hidden ones running, and do without the
// back/forward cache. Hidden tabs are held back to one timer a minute after some s instead of 5 min.
const FLAGS = [
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking",
  "--disable-component-update --disable-sync --remote-debugging-port=0 --renderer-process-limit=100",
  "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1",
].flatMap((flags) => flags.split(" "));

const start = async () => {
  const profile = await mkdtemp(join(tmpdir(), "ticketd-chromium-"));
  const path = find() ?? assert.fail(MISSING);
  const child = spawn(path, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  after(async () => {
    await browser?.close();
    await stop(child);
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  child.once("error", (error) => assert.fail(`${path}: ${error.message}`));
  const at = await soon("Chromium", address(child.stderr), PATIENCE);
  const browser = await chromium.connectOverCDP(at, { noDefaults: true, isLocal: true });
  return { context: browser.contexts()[0], control: await browser.newBrowserCDPSession() };
};

/** One for all stories of a file. */
const { context, control } = await start();
let tabs = 0;

/** What stands in every page of a tab, as `stage`: a diary of what happened when, and a careful worker. */
const stage = () => {
  const /** @type {any[]} */ notes = [];
  const note = (what, more = {}) => notes.push({ what, at: Date.now(), ...more });
  for (const type of ["pageshow", "pagehide", "online", "offline"]) {
    addEventListener(type, (event) => note(type, { persisted: event.persisted }));
  }
  for (const type of ["freeze", "resume", "visibilitychange"]) {
    document.addEventListener(type, () => note(type, { visible: document.visibilityState }));
  }
  globalThis.stage = {
    notes,
    note,
    /** Opens a session: `stage.session`. */
    async open(options) {
      const { connect } = await import("/client/index.js");
      const session = await connect(location.origin, options);
      this.session = session;
      session.addEventListener("statechange", ({ detail }) => note(detail.to));
      session.addEventListener("recovered", () => note("recovered"));
      session.addEventListener("lost", ({ detail }) => note("lost", { code: detail.reason.code }));
      session.addEventListener("lock-granted", ({ detail }) => note("lock-granted", detail));
      session.addEventListener("lock-wanted", ({ detail }) => note("lock-wanted", detail));
      return session.id;
    },
    /** Takes a lock, `stage.lock`, and works under it for as long as its signal allows. */
    async take(resource, options) {
      note("asked");
      const lock = (this.lock = await this.session.lock(resource, options));
      if (!lock) return null;
      const { fence } = lock;
      note("granted", { fence });
      lock.signal.addEventListener("abort", () => note("aborted", { fence, code: lock.signal.reason.code }));
      const work = () => {
        if (this.lock !== lock || lock.signal.aborted) return;
        this.worked = Date.now();
        setTimeout(work, 10);
      };
      work();
      return fence;
    },
    async release() {
      const { lock } = this;
      this.lock = undefined;
      note("released");
      await lock.release();
    },
  };
};

class Tab {
  /** @param {import("playwright-core").Page} page @param {import("playwright-core").CDPSession} cdp @param {string} base */
  constructor(page, cdp, base) {
    this.page = page;
    this.cdp = cdp;
    this.base = base;
    /** What the console was told is wrong. @type {string[]} */
    this.errors = [];
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      // Every browser asks for one; only the page at / has it.
      if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) {
        this.errors.push(message.text());
      }
    });
  }

  /** Runs a function in the page. @param {any} run @param {any} [argument] @returns {Promise<any>} */
  do(run, argument) {
    const done = soon("a page that does what it is told", this.page.evaluate(run, argument), PATIENCE);
    // Should the story fail before, nobody hears any more that this fails, too.
    done.catch(() => {});
    return done;
  }
  /** @param {string} [path] */
  async goto(path = BLANK) {
    await this.page.goto(this.base + path);
    return this;
  }
  /** @param {object} [options] @returns {Promise<string>} */
  open(options = {}) {
    return this.do((options) => stage.open(options), options);
  }
  /** The fence, or null. @param {string} resource @param {object} [options] @returns {Promise<number | null>} */
  take(resource, options) {
    return this.do((args) => stage.take(...args), [resource, options]);
  }
  release() {
    return this.do(() => stage.release());
  }
  /** All notes of a kind. @param {string} what @returns {Promise<any[]>} */
  notes(what) {
    return this.do((what) => stage.notes.filter((note) => note.what === what), what);
  }
  /** The first note of a kind, which may be still to come. @param {string} what */
  note(what) {
    return until(`a tab noted "${what}"`, async () => (await this.notes(what))[0], PATIENCE);
  }
  /** When it last did what the lock protects. @returns {Promise<number>} */
  worked() {
    return this.do(() => stage.worked);
  }
  /** Whether the signal is aborted, to whoever looks now. @returns {Promise<boolean>} */
  aborted() {
    return this.do(() => stage.lock.signal.aborted);
  }
  /** @returns {Promise<string>} */
  state() {
    return this.do(() => stage.session.state);
  }

  /** To the task bar, and back. @param {"minimized" | "normal"} windowState */
  async window(windowState) {
    const { windowId } = await this.cdp.send("Browser.getWindowForTarget");
    await this.cdp.send("Browser.setWindowBounds", { windowId, bounds: { windowState } });
  }
  /** As browsers do with tabs that nobody has looked at for a while. @param {boolean} frozen */
  async freeze(frozen) {
    await this.cdp.send("Page.setWebLifecycleState", { state: frozen ? "frozen" : "active" });
  }
  /** The page is told so, and new connections fail. Those that stand are left alone. @param {boolean} offline */
  async offline(offline) {
    const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.cdp.send("Network.enable");
    await this.cdp.send("Network.emulateNetworkConditions", conditions);
  }
  /** Its process ends without a word. */
  async crash() {
    const crashed = this.page.waitForEvent("crash");
    // There is nobody left to answer.
    this.cdp.send("Page.crash").catch(() => {});
    await crashed;
  }
  /** By its cross. */
  async close() {
    const closed = this.page.waitForEvent("close");
    await this.page.close({ runBeforeUnload: true });
    await closed;
  }
}

/** What Chromium itself says of a line that breaks. */
const BROKEN = /^WebSocket connection to /;

/**
 * A test. `tab(base)` opens one, in a window of its own, with a blank page of that server. All that
 * the tabs' consoles say is wrong fails the test, but for broken lines if the story is about those; and
 * for what else it is about, as the console has it.
 *
 * @param {string} name
 * @param {(tab: (base: string, path?: string) => Promise<Tab>) => Promise<void>} run
 * @param {{ broken?: boolean | RegExp }} [options]
 */
export const story = (name, run, { broken = false } = {}) =>
  test(name, { timeout: STORY }, async () => {
    const /** @type {Tab[]} */ mine = [];
    const tab = async (/** @type {string} */ base, /** @type {string | undefined} */ path) => {
      const url = `about:blank#${++tabs}`;
      const opens = context.waitForEvent("page", { predicate: (page) => page.url() === url });
      await control.send("Target.createTarget", { url, newWindow: true });
      const page = await opens;
      page.setDefaultTimeout(PATIENCE);
      const tab = new Tab(page, await context.newCDPSession(page), base);
      mine.push(tab);
      await page.addInitScript(stage);
      return tab.goto(path);
    };
    try {
      await run(tab);
      for (const { errors } of mine) {
        assert.deepEqual(errors.filter((error) => !broken || !(BROKEN.test(error) || (broken !== true && broken.test(error)))), []);
      }
    } finally {
      await Promise.all(mine.map(({ page }) => page.close()));
    }
  });
