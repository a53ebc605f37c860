// Where the helper is loaded: by workers, by pages of another origin, and by the page at /.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, describe } from "node:test";

import { serve } from "../support/server.mjs";
import { until } from "../support/until.mjs";
import { LONG, story } from "./support.mjs";

// A page of another origin, with its script.
const strange = createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end("<!doctype html><title>Of another origin</title>");
}).listen(0, "127.0.0.1");
await once(strange, "listening");
after(() => strange.close());
const origin = `http://127.0.0.1:${strange.address().port}`;

const { url: server, kill } = await serve({ args: ["--allow-origin", origin] });
after(() => kill());

describe("pages", { concurrency: 3 }, () => {
  story("a page of another origin, allowed, imports the helper from the server and takes a lock", async (tab) => {
    const page = await tab(origin, "/");
    const fence = await page.do(async (server) => {
      const { connect } = await import(`${server}/client/index.js`);
      const session = await connect(server, { name: "stranger" });
      return session.withLock("abroad", ({ fence }) => fence).finally(() => session.close());
    }, server);
    assert.ok(fence > 0);
  });

  for (const kind of ["Worker", "SharedWorker"]) {
    story(`a ${kind} takes a lock, and a tab waits for it`, async (tab) => {
      const page = await tab(server);
      // Speaks to the page by a channel of its own, so that both kinds do it alike.
      const fence = await page.do(async ([kind, server]) => {
        const channel = (globalThis.channel = new BroadcastChannel(kind));
        const said = new Promise((resolve) => (channel.onmessage = ({ data }) => resolve(data)));
        const script = `
          import { connect } from "${server}/client/index.js";
          const channel = new BroadcastChannel("${kind}");
          const session = await connect("${server}");
          const lock = await session.lock("${kind}");
          channel.onmessage = () => lock.release();
          channel.postMessage(lock.fence);
        `;
        const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
        globalThis.worker = new globalThis[kind](url, { type: "module" });
        return said;
      }, /** @type {const} */ ([kind, server]));
      await page.open({ ttl: LONG });
      assert.equal(await page.take(kind, { ifAvailable: true }), null);
      const next = page.take(kind);
      await until("it waits", async () => (await page.notes("asked")).length === 2);
      await page.do(() => channel.postMessage("release"));
      assert.ok((await next) > fence);
    });
  }
});

describe("the page at /, in two tabs", () => {
  story("the page at /: a lock goes from tab to tab, and so do tickets", async (tab) => {
    const [one, two] = [await tab(server, "/"), await tab(server, "/")];
    const [first, second] = [one.page, two.page];
    const shows = (page, id, text) =>
      until(`#${id} is ${text}`, async () => text.test((await page.locator(`#${id}`).textContent()) ?? ""));
    const state = (page, state) => page.locator(`#lock[data-state=${state}]`).waitFor();
    for (const page of [first, second]) await shows(page, "state", /^open$/);

    await first.click("#lock-button");
    await state(first, "mine");
    await state(second, "other");
    await second.click("#lock-button");
    await state(second, "waiting");
    for (const page of [first, second]) await shows(page, "lock-waiting", /^1$/);
    await first.click("#lock-button");
    await state(second, "mine");
    await state(first, "other");

    await first.click("#issue");
    for (const page of [first, second]) await shows(page, "tickets-free", /^3$/);
    await second.click("#claim");
    for (const page of [first, second]) await shows(page, "tickets-free", /^2$/);
    await first.click("#claim");
    await shows(second, "tickets-held", /^2$/);
    await second.locator("#mine button", { hasText: "Release" }).click();
    await first.locator("#mine button", { hasText: "Done" }).click();
    for (const page of [first, second]) {
      await shows(page, "tickets-held", /^0$/);
      await shows(page, "tickets-free", /^2$/);
    }

    // They vanish with the tab that issued them, and what it held passes on.
    await first.click("#lock-button");
    await state(first, "waiting");
    await two.close();
    await state(first, "mine");
    await first.click("#close");
    await shows(first, "state", /^closed$/);
  });
});
