// The page at /: what it says behind a proxy, of others' tickets, and while the server is away.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { after, describe } from "node:test";

import { serve } from "../support/server.mjs";
import { until } from "../support/until.mjs";
import { story } from "./support.mjs";

const shows = (page, id, text) =>
  until(`#${id} is ${text}`, async () => text.test((await page.locator(`#${id}`).textContent()) ?? ""));

/** A proxy with the server below /x/, as nginx and its like do it. */
const below = async (port) => {
  const pass = (near) => {
    const { url, method, headers } = near;
    return request({ port, host: "127.0.0.1", path: url.slice("/x".length), method, headers });
  };
  const front = createServer((near, answer) => {
    if (!near.url.startsWith("/x/")) return answer.writeHead(404).end();
    const far = pass(near).on("response", (got) => got.pipe(answer.writeHead(got.statusCode, got.headers)));
    near.pipe(far);
  });
  front.on("upgrade", (near, socket) => {
    pass(near)
      .on("upgrade", ({ headers }, far) => {
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
        for (const [from, to] of [[socket, far], [far, socket]]) {
          from.on("error", () => to.destroy()).on("close", () => to.destroy()).pipe(to);
        }
      })
      .end();
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  after(() => (front.close(), front.closeAllConnections()));
  return `http://127.0.0.1:${front.address().port}`;
};

describe("the page at /", () => {
  // Below /x/ it showed connect("…/x"), to which the helper adds no path: that one never connected.
  story("behind a proxy, below a path: the snippet it shows is the one that works", async (tab) => {
    const server = await serve();
    after(() => server.kill());
    const front = await below(server.port);
    const { page } = await tab(front, "/x/");
    await shows(page, "state", /^open$/);
    const code = await page.locator("#code").textContent();
    assert.ok(code.includes(`from "${front}/x/client/index.js"`), code);
    assert.equal(await page.locator("#install").textContent(), `npm install ${front}/x/client/ticketd-client.tgz`);
    const [, to] = /connect\("([^"]+)"\)/.exec(code);
    const open = await page.evaluate(async ([from, to]) => {
      const session = await (await import(from)).connect(to);
      return session.close().then(() => true);
    }, [`${front}/x/client/index.js`, to]);
    assert.ok(open);

    const plain = await tab(server.url, "/");
    await shows(plain.page, "state", /^open$/);
    assert.ok((await plain.page.locator("#code").textContent()).includes(`connect("${server.url}")`));
  });

  // Of a ticket with data of another's making it said ", fence 4711".
  story("a ticket of a stranger's has a fence and no orphaned comma", async (tab) => {
    const server = await serve();
    after(() => server.kill());
    const { page } = await tab(server.url, "/");
    await shows(page, "state", /^open$/);
    const { body: id } = await server.rest("POST", "sessions?ttl=60000");
    await server.rest("POST", `tickets/demo%2Ftickets?sessid=${id}&name=theirs`, "no JSON");
    await page.click("#claim");
    await until("it has it", async () => (await page.locator("#mine small").count()) === 1);
    assert.match(await page.locator("#mine small").textContent(), /^fence \d+$/);
  });
});

describe("the page at /, in several tabs", () => {
  story("who holds the lock and who waits for it is shown as it is now, with one's own place", async (tab) => {
    const server = await serve();
    after(() => server.kill());
    const tabs = [];
    for (let n = 0; n < 4; n++) {
      const { page } = await tab(server.url, "/");
      await shows(page, "state", /^open$/);
      tabs.push({ page, name: await page.locator("#name").textContent() });
    }
    const [first, second, third, fourth] = tabs;
    await first.page.click("#lock-button");
    await first.page.locator("#lock[data-state=mine]").waitFor();
    await shows(second.page, "lock-holders", new RegExp(`^${first.name} fence \\d+, since `));
    assert.ok(await second.page.locator("#lock-waiters").isHidden(), "nobody waits");
    for (const [n, { page }] of [second, third, fourth].entries()) {
      await page.click("#lock-button");
      await shows(first.page, "lock-waiting", new RegExp(`^${n + 1}$`));
    }
    await shows(fourth.page, "lock-who", new RegExp(`^${first.name} holds it\\. This tab is third\\.$`));
    await until("all see all", async () => {
      const waiters = await fourth.page.locator("#lock-waiters strong").allTextContents();
      return waiters.join() === [second.name, third.name, "This tab"].join();
    });
    await shows(first.page, "lock-holders", /^This tab/);
    await second.page.click("#lock-button");
    await shows(fourth.page, "lock-who", /This tab is second\.$/);
    await first.page.click("#lock-button");
    await third.page.locator("#lock[data-state=mine]").waitFor();
    await shows(fourth.page, "lock-who", new RegExp(`^${third.name} holds it\\. This tab is next\\.$`));
    await shows(second.page, "lock-holders", new RegExp(`^${third.name} `));
    if (process.env.SHOTS) await fourth.page.screenshot({ path: `${process.env.SHOTS}/looks.png`, fullPage: true });
  });

  story("who has which ticket is shown, too", async (tab) => {
    const server = await serve();
    after(() => server.kill());
    const [{ page: one }, { page: two }] = [await tab(server.url, "/"), await tab(server.url, "/")];
    for (const page of [one, two]) await shows(page, "state", /^open$/);
    await one.click("#issue");
    await shows(two, "tickets-free", /^3$/);
    await two.click("#claim");
    const name = await two.locator("#name").textContent();
    await shows(one, "tickets-holders", new RegExp(`^${name} .*no\\. 1, fence \\d+, since `));
    await shows(two, "tickets-holders", /^This tab /);
  });
});

describe("the page at /, when its server goes", () => {
  // It went on to show the counts of before the cut, said nothing of it, and then "session-lost (session-lost)".
  story("the server goes: the page says so, shows no stale count, and tells in words what is lost", async (tab) => {
    const server = await serve();
    after(() => server.kill());
    const { page } = await tab(server.url, "/");
    await shows(page, "state", /^open$/);
    await page.click("#issue");
    await shows(page, "tickets-free", /^3$/);
    await page.click("#lock-button");
    await page.locator("#lock[data-state=mine]").waitFor();
    assert.ok(await page.locator("#cut").isHidden());

    await server.kill();
    await page.locator("#cut").waitFor({ state: "visible" });
    for (const id of ["tickets-free", "tickets-held", "tickets-waiting", "lock-waiting"]) {
      await shows(page, id, /^–$/);
    }
    assert.equal(await page.locator("#tickets-dots i").count(), 0);
    await shows(page, "log", /The line is cut\./);
    await shows(page, "lock-who", /The line is cut\./);
    if (process.env.SHOTS) {
      for (const colorScheme of ["light", "dark"]) {
        for (const width of [320, 1100]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 900 });
          await page.screenshot({ path: `${process.env.SHOTS}/cut-${colorScheme}-${width}.png`, fullPage: true });
        }
      }
    }
    // Without a journal the session is gone for good.
    await server.start();
    await shows(page, "lock-lost", /^Lost at /);
    const lost = await page.locator("#lock-lost").textContent();
    assert.doesNotMatch(lost, /session-lost/);
    assert.match(lost, /: [a-z ]+\. Fence \d+ is void/);
    await shows(page, "state", /^open$/);
    assert.ok(await page.locator("#cut").isHidden());
    assert.doesNotMatch(await page.locator("#log").textContent(), /session-lost/);
    await shows(page, "tickets-free", /^0$/);
  }, { broken: true });
});
