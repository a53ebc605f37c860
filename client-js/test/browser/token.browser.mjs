// Pages of a server that asks who one is: the page at /, and a login's page that talks to ticketd itself.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, describe } from "node:test";
import { fileURLToPath } from "node:url";

import { accessFile, allow, newToken, principal } from "../support/access.mjs";
import { closedPort } from "../support/ports.mjs";
import { serve } from "../support/server.mjs";
import { soon, until } from "../support/until.mjs";
import { story } from "./support.mjs";

const shows = (page, id, text) =>
  until(`#${id} is ${text}`, async () => text.test((await page.locator(`#${id}`).textContent()) ?? ""));

/** What Chromium's console says when a request is answered 401 or 403. */
const REFUSED = { broken: /^Failed to load resource.*40[139]/ };

describe("the page at /, of a server that asks", () => {
  const file = accessFile();
  const [admin, some] = [newToken(), newToken()];
  file.write(principal("ops", [admin.hash], allow([["admin"]])), principal("some", [some.hash], allow([["lock", "watch"], ["demo/lock"]])));

  story("it asks for a token, tells that one is not good, and takes one that is; a reload keeps it", async (tab) => {
    const server = await serve({ args: file.args });
    after(() => server.kill());
    const { page } = await tab(server.url, "/");
    await page.locator("#who").waitFor();
    assert.equal(await page.locator("#who-told").textContent(), "");
    assert.equal(await page.evaluate(() => document.activeElement.id), "token");
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/who.png`, fullPage: true });
    await page.fill("#token", "tkd_wrong");
    await page.keyboard.press("Enter");
    await shows(page, "who-told", /the token is not good/);
    await page.fill("#token", ` ${admin.token} `);
    await page.click("#who button");
    await shows(page, "state", /^open$/);
    assert.ok(await page.locator("#who").isHidden());
    assert.match(await page.locator("#code").textContent(), /token: "…"/);
    await page.click("#lock-button");
    await page.locator("#lock[data-state=mine]").waitFor();
    await page.reload();
    await shows(page, "state", /^open$/);
    assert.ok(await page.locator("#who").isHidden());
  }, REFUSED);

  story("who may not do all that the page offers is told so, and may do the rest", async (tab) => {
    const server = await serve({ args: file.args });
    after(() => server.kill());
    const { page } = await tab(server.url, "/");
    await page.fill("#token", some.token);
    await page.click("#who button");
    await shows(page, "state", /^open$/);
    await shows(page, "log", /Not watched: .*`watch`/);
    await page.click("#issue");
    await shows(page, "tickets-told", /Not issued: .*`issue`/);
    await page.click("#lock-button");
    await page.locator("#lock[data-state=mine]").waitFor();
    await shows(page, "state", /^open$/);
  }, REFUSED);
});

describe("examples/login.mjs", () => {
  /** Both, and each knows of the other: the page's address, the server. */
  const started = async () => {
    const file = accessFile();
    const port = await closedPort();
    const login = spawn(process.execPath, [fileURLToPath(new URL("../../../examples/login.mjs", import.meta.url))], {
      env: { ...process.env, PORT: "0", LOGIN_DIR: file.directory, TICKETD_URL: `http://127.0.0.1:${port}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    after(() => login.kill());
    const lines = createInterface(login.stdout);
    const [command] = await soon("how to start the server", once(lines, "line"));
    const [, origin] = /--allow-origin (\S+)/.exec(command) ?? [];
    const server = await serve({ port, args: [...file.args, "--allow-origin", origin] });
    after(() => server.kill());
    return { origin, server };
  };
  const logIn = async (page, name) => {
    await page.fill("#user", name);
    await page.click("#login button");
    await shows(page, "state", /^open$/);
  };

  story("users edit a text by turns; who may only watch is refused by the server, not by the page", async (tab) => {
    const { origin } = await started();
    // One browser has one login; a tab keeps who it was when it connected.
    const one = (await tab(origin, "/")).page;
    await logIn(one, "anna");
    const two = (await tab(origin, "/")).page;
    await shows(two, "name", /^anna$/);
    await shows(two, "state", /^open$/);
    await one.click("#edit");
    await shows(one, "told", /yours to edit/);
    await two.click("#edit");
    await shows(one, "told", /Somebody waits/);
    await one.fill("#text", "by anna");
    await one.click("#edit");
    await shows(one, "told", /^Saved\.$/);
    await shows(two, "told", /yours to edit/);
    assert.equal(await two.locator("#text").inputValue(), "by anna");
    await two.click("#edit");
    await shows(two, "told", /^Saved\.$/);

    const guest = (await tab(origin, "/")).page;
    await guest.evaluate(() => fetch("/login", { method: "POST", body: "guest" }));
    await guest.reload();
    await shows(guest, "name", /^guest$/);
    await shows(guest, "state", /^open$/);
    await until("the guest reads", async () => (await guest.locator("#text").inputValue()) === "by anna");
    await guest.click("#edit");
    await shows(guest, "told", /Not now: .*`lock`/);
    await shows(guest, "state", /^open$/);
  }, REFUSED);
});
