// What the stories of the console share: a server with something in it, and a look at what axe finds.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after } from "node:test";

import { queue } from "../support/many.mjs";
import { serve } from "../support/server.mjs";
import { until } from "../support/until.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What Chromium's console says of answers that are no success, which the console's page shows in words. */
export const REFUSED = /^Failed to load resource.*(40[1349]|422|429)/;

/** A server for one story. @param {object} [options] */
export const served = async (options) => {
  const server = await serve(options);
  after(() => server.kill());
  return server;
};

/** The text of the first that fits is this, sooner or later. @param {string} selector @param {RegExp} text */
export const shows = (page, selector, text) =>
  until(`${selector} is ${text}`, async () => text.test((await page.locator(selector).first().textContent()) ?? ""));

/** The console, at one of its views. */
export const at = async (page, base, view = "") => {
  await page.goto(`${base}/console/#/${view}`);
  await page.locator("h1").waitFor();
};

/** axe finds nothing, in light and dark. */
export const sound = async (page, what) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document));
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any, all, none }) => `${html} ${[...any, ...all, ...none].map(({ message }) => message).join(", ")}`).join("\n  ")}`);
    assert.deepEqual(told, [], `${what}, ${colorScheme}`);
    assert.ok(passes.length > 5, "it looked");
  }
};

/** Pictures, where they are wanted. */
export const shot = async (page, name, widths = [360, 768, 1200, 1600]) => {
  const { SHOTS } = process.env;
  if (!SHOTS) return;
  for (const colorScheme of ["light", "dark"]) {
    for (const width of widths) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png` });
    }
  }
  await page.setViewportSize({ width: 1200, height: 900 });
};

/** No view is wider than the window. */
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/** A session by REST, which lives for as long as a story. @param {any} server @returns {Promise<string>} */
export const session = async (server, name) =>
  (await server.rest("POST", `sessions?name=${encodeURIComponent(name)}&ttl=600000`)).body;

/** Jobs that stay, of which so many are dead. */
export const jobs = async (server, resource, { dead = 1, free = 1, note = "no space left" } = {}) => {
  const id = await session(server, "producer");
  const path = encodeURIComponent(resource);
  for (let n = 1; n <= dead + free; n++) {
    await server.rest("POST", `tickets/${path}?sessid=${id}&name=job-${n}&stay=true&attempts=3`, `resize ${n}.png`);
  }
  for (let n = 1; n <= dead; n++) {
    await server.rest("POST", `claims/${path}?sessid=${id}&name=job-${n}`);
    await server.rest("DELETE", `claims/${path}?sessid=${id}&name=job-${n}&dead=true&note=${encodeURIComponent(note)}`);
  }
  return id;
};

/** A server with some of everything. */
export const busy = async (options) => {
  const server = await served(options);
  await jobs(server, "jobs", { dead: 3, free: 30 });
  const worker = await session(server, "worker 7");
  await server.rest("POST", `claims/jobs?sessid=${worker}&name=job-5&hold=86400000`);
  await queue(server.url, "deploy", ["ci 1", "ci 2", "ci 3", "ci 4"]);
  const leader = await session(server, "node 1");
  await server.rest("POST", `locks/leader?sessid=${leader}`, "http://10.0.0.7");
  for (const n of [1, 2, 3]) {
    const reader = await session(server, `reader ${n}`);
    await server.rest("POST", `locks/page?sessid=${reader}&mode=shared`);
  }
  await server.rest("PUT", "resources/jobs?paused=true");
  return server;
};
