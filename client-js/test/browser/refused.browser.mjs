// connect() from pages, whose sockets do not tell why they did not open. It was silent for 30 s then.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, describe } from "node:test";

import { serve } from "../support/server.mjs";
import { story } from "./support.mjs";

/** Pages of this origin are allowed by `server`, and not by `shut`. */
const strange = createServer((_, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end("<!doctype html><title>Of another origin</title>");
}).listen(0, "127.0.0.1");
await once(strange, "listening");
after(() => (strange.close(), strange.closeAllConnections()));
const origin = `http://127.0.0.1:${strange.address().port}`;

const server = await serve({ args: ["--allow-origin", origin] });
const shut = await serve();
after(() => Promise.all([server.kill(), shut.kill()]));

/** What Chromium's console says, beside broken lines, when a fetch fails. */
const NOISE = /^Access to fetch at .* blocked by CORS policy|^Failed to load resource/;
const HIDDEN = { broken: NOISE };

/** What comes of connecting from there, in so many ms: an error's code, message and time, or "connected". */
const connecting = (page, to, { within = 10_000, options = {} } = {}) =>
  page.do(
    async ([helper, to, within, options]) => {
      const { connect } = await import(helper);
      const began = performance.now();
      try {
        const session = await connect(to, { signal: AbortSignal.timeout(within), ...options });
        await session.close();
        return "connected";
      } catch ({ name, code, message, cause }) {
        return { name, code, message, cause: cause?.message, after: performance.now() - began };
      }
    },
    [`${server.url}/client/index.js`, to, within, options],
  );

/** Far below the 30 s, and the `within`. */
const AT_ONCE = 5000;

describe("connect, refused", { concurrency: 2 }, () => {
  story("a page of an origin that is not allowed: said at once, with the options to look at", async (tab) => {
    const page = await tab(origin, "/");
    const { code, message, after } = await connecting(page, shut.url);
    assert.equal(code, "forbidden", message);
    assert.ok(message.startsWith(`127.0.0.1:${shut.port}/api/v1/ws: (--allow-origin? --host?)`), message);
    assert.ok(after < AT_ONCE, `${after} ms`);
    assert.equal(await connecting(page, server.url), "connected");
  }, HIDDEN);

  story("a name that the server does not go by: likewise", async (tab) => {
    const page = await tab(origin, "/");
    const { code, message } = await connecting(page, `http://rebound.localhost:${server.port}`);
    // Chromium takes every name below localhost for this machine; so may the server.
    if (code) assert.match(`${code} ${message}`, /^forbidden .*--host/);
  }, HIDDEN);

  for (const [whose, base, path] of [["the server's own", () => server.url], ["an allowed", () => origin, "/"]]) {
    story(`${whose} page, and a wrong path: no ticketd there`, async (tab) => {
      const page = await tab(base(), path);
      const { code, message, after } = await connecting(page, `${server.url}/x`);
      assert.equal(code, "protocol", message);
      assert.match(message, /\/x: no ticketd there.*404/);
      assert.ok(after < AT_ONCE, `${after} ms`);
    }, HIDDEN);
  }
});

describe("connect, no ticketd there", { concurrency: 2 }, () => {
  story("no server: tried on, and found when it comes; the end tells that there was none", async (tab) => {
    const late = await serve();
    await late.kill();
    try {
      const page = await tab(origin, "/");
      const options = { backoff: { min: 1, max: 50 } };
      const { name } = await connecting(page, late.url, { within: 500, options });
      assert.equal(name, "TimeoutError", "tried on");
      // Thirty seconds pass by the wall clock.
      const ended = await page.do(
        async ([helper, to, options]) => {
          const { connect } = await import(helper);
          const real = Date.now;
          let ahead = 0;
          Date.now = () => real() + ahead;
          const wanted = connect(to, options).catch(({ code, message, cause }) => ({ code, message, cause: cause?.message }));
          await new Promise((resolve) => setTimeout(resolve, 300));
          ahead = 31_000;
          return wanted.finally(() => (Date.now = real));
        },
        [`${server.url}/client/index.js`, late.url, options],
      );
      assert.equal(ended.code, "unavailable");
      assert.equal(ended.message, `127.0.0.1:${late.port}/api/v1/ws: no server there`);
      assert.equal(ended.cause, ended.message);

      const found = connecting(page, late.url, { within: 20_000, options });
      // It allows no page of that origin, which is then what is told.
      await late.start();
      assert.equal((await found).code, "forbidden");
    } finally {
      await late.kill();
    }
  }, HIDDEN);

  story("a server that is no ticketd: said at once", async (tab) => {
    const page = await tab(origin, "/");
    const { code, message, after } = await connecting(page, origin);
    assert.equal(code, "protocol", message);
    assert.match(message, /no ticketd there.*200/);
    assert.ok(after < AT_ONCE, `${after} ms`);
  }, HIDDEN);

  story("https to http: said, and not taken for a page that is not allowed", async (tab) => {
    const page = await tab(origin, "/");
    const { code, name } = await connecting(page, `https://127.0.0.1:${server.port}`, { within: 500 });
    // A browser does not tell it from no server: it is tried on.
    assert.ok(code === "protocol" || name === "TimeoutError", `${code} ${name}`);
  }, HIDDEN);
});
