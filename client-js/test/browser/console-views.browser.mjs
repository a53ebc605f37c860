// The console's views: what axe finds of them, whether they fit, and how they look (with SHOTS=directory).

import assert from "node:assert/strict";
import { describe } from "node:test";

import { accessFile, allow, newToken, principal } from "../support/access.mjs";
import { at, busy, fits, REFUSED, served, shot, shows, sound } from "./console.mjs";
import { story } from "./support.mjs";

/** By their addresses, and what is there once they are. */
const VIEWS = [
  ["overview", "", ".facts div"],
  ["resources", "resources", ".rows a"],
  ["waiting", "resources?order=waiting", ".rows a"],
  ["lock", "resource/deploy", "tbody tr"],
  ["shared", "resource/page", "tbody tr"],
  ["tickets", "resource/jobs", "tbody tr"],
  ["empty", "resource/nobody%20knows", ".counts li"],
  ["sessions", "sessions", "tbody tr"],
  ["nothing", "nothing", "h1"],
];

/** Which button asks in which view. */
const DIALOGS = [
  ["resource/deploy", "End …"],
  ["resource/deploy", "Pause …"],
  ["resource/jobs", "End …"],
  ["resource/jobs", "Revoke …"],
  ["resource/jobs", "Revive …"],
  ["resource/jobs", "Revive all …"],
  ["sessions", "Close …"],
];

describe("the console's views", () => {
  story("each is sound to axe, in light and dark, at every width, and none is wider than the window", async (tab) => {
    const server = await busy();
    const { page } = await tab(server.url, "/console/");
    for (const [name, view, there] of VIEWS) {
      await at(page, server.url, view);
      await page.locator(there).first().waitFor();
      for (const width of [360, 768, 1200, 1600]) {
        await page.setViewportSize({ width, height: 900 });
        assert.ok(await fits(page), `${name} at ${width}`);
        await sound(page, `${name} at ${width}`);
      }
      await shot(page, name);
    }
  });

  story("and so is each question it asks", async (tab) => {
    const server = await busy();
    const { page } = await tab(server.url, "/console/");
    for (const [n, [view, button]] of DIALOGS.entries()) {
      await at(page, server.url, view);
      await page.locator("button", { hasText: button }).first().click();
      await page.locator("dialog").waitFor();
      for (const width of [360, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        await sound(page, `${button} in ${view} at ${width}`);
      }
      await shot(page, `dialog-${n}`, [360, 1200]);
      await page.keyboard.press("Escape");
      await page.locator("dialog").waitFor({ state: "detached" });
    }
  });

  story("and so is the question who one is, also where the token could be overheard", async (tab) => {
    const file = accessFile();
    file.write(principal("ops", [newToken().hash], allow([["admin"]])));
    const server = await served({ args: file.args });
    const { page } = await tab(server.url, "/console/");
    await page.locator("#token").waitFor();
    await sound(page, "who are you");
    await shot(page, "who");
    await page.addInitScript(() => Object.defineProperty(globalThis, "isSecureContext", { value: false }));
    await page.reload();
    await page.locator("#overheard").waitFor();
    await sound(page, "who are you, overheard");
    await shot(page, "overheard", [360, 1200]);
  }, { broken: REFUSED });

  story("what the server says of itself is a notice; the pages beside the console are sound, too", async (tab) => {
    const server = await busy();
    const { page } = await tab(server.url, "/console/");
    await page.route("**/api/v1/status", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), Draining: true, DiskFull: true } });
    });
    await shows(page, "#state", /^draining$/);
    await shows(page, "[data-key=full]", /disk is full/);
    await shows(page, "[data-key=draining]", /no new session/);
    await page.locator("button", { hasText: "End the draining …" }).waitFor();
    await sound(page, "draining");
    await shot(page, "draining", [360, 1200]);
    for (const path of ["/docs/", "/"]) {
      await page.goto(server.url + path);
      await page.locator("h1").waitFor();
      await sound(page, path);
      assert.ok(await fits(page), path);
      await shot(page, path === "/" ? "page" : "docs", [360, 1200]);
    }
  });
});
