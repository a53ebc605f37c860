// Tabs that come and go: two at one lock, reloaded, duplicated, closed, crashed, left and come back to.

import assert from "node:assert/strict";
import { after, describe } from "node:test";

import { serve } from "../support/server.mjs";
import { sleep } from "../support/until.mjs";
import { LONG, story } from "./support.mjs";

/** Of sessions that are to end by themselves, in ms. */
const TTL = 2000;

const { url: server, kill } = await serve();
after(() => kill());

describe("tabs", { concurrency: 3 }, () => {
  story("the second tab waits, and has the lock in the moment in which the first lets go", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    await first.open({ ttl: LONG });
    await second.open({ ttl: LONG });
    const one = await first.take("desk");
    assert.equal(await second.take("desk", { ifAvailable: true }), null);
    const two = second.take("desk");
    await first.note("lock-wanted");
    assert.deepEqual(await second.notes("granted"), []);

    await first.release();
    assert.ok((await two) > one);
    const [{ at: released }, { at: granted }] = [await first.note("released"), await second.note("granted")];
    assert.ok(granted - released < 2000, `${granted - released} ms after`);
    assert.equal((await second.note("lock-granted")).fence, await two);
    assert.deepEqual((await first.notes("aborted")).map(({ code }) => code), ["released"]);
  });

  story("a reloaded tab goes on with its session, and confirms its lock with the same fence", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    const id = await first.open({ ttl: LONG });
    const fence = await first.take("reloaded");
    // Only then: a tab that is duplicated meanwhile does not get it.
    await first.do(() => addEventListener("pagehide", () => (sessionStorage.session = stage.session.id)));
    await second.open();
    const next = second.take("reloaded");
    await first.note("lock-wanted");

    await first.page.reload();
    const session = await first.do(() => sessionStorage.session);
    assert.equal(await first.open({ ttl: LONG, session }), id);
    assert.equal(await first.take("reloaded"), fence);
    assert.deepEqual(await second.notes("granted"), []);
    await first.release();
    assert.ok((await next) > fence);
  });

  story("a reloaded tab that forgot its session waits for its own lock until the ttl is over", async (tab) => {
    const first = await tab(server);
    const id = await first.open({ ttl: TTL });
    const fence = await first.take("forgotten");
    const reloaded = Date.now();
    await first.page.reload();
    assert.notEqual(await first.open({ ttl: LONG }), id);
    assert.ok((await first.take("forgotten")) > fence);
    // What was heard last was heard at most a third of the ttl before; more if the machine is slow.
    const after = (await first.note("granted")).at - reloaded;
    assert.ok(after > TTL / 4, `${after} ms after`);
  });

  story("with bye, a reloaded tab has its lock back at once", async (tab) => {
    const first = await tab(server);
    const id = await first.open({ ttl: LONG, bye: true });
    const fence = await first.take("bye");
    await first.page.reload();
    // The id is of no use any more, and does no harm.
    assert.notEqual(await first.open({ ttl: LONG, bye: true, session: id }), id);
    assert.ok((await first.take("bye")) > fence);
  });
});

describe("tabs that are duplicated, or left for good", { concurrency: 3 }, () => {
  story("a duplicated tab takes the session over, and the first is told that it has it no more", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    const session = await first.open({ ttl: LONG });
    const fence = await first.take("twice");
    assert.equal(await second.open({ ttl: LONG, session }), session);
    await first.note("lost");
    assert.equal(await first.aborted(), true);
    assert.equal(await first.state(), "closed");
    assert.equal(await second.take("twice"), fence);
    await sleep(500);
    assert.equal(await second.aborted(), false);
    assert.equal(await second.state(), "open");
  });

  for (const [how, leave] of /** @type {const} */ ([
    ["is closed", (tab) => tab.close()],
    ["crashes", (tab) => tab.crash()],
  ])) {
    story(`the lock of a tab that ${how} passes on after its ttl`, async (tab) => {
      const [first, second] = [await tab(server), await tab(server)];
      await first.open({ ttl: TTL });
      const fence = await first.take(how);
      await second.open();
      const next = second.take(how);
      await first.note("lock-wanted");
      await leave(first);
      assert.ok((await next) > fence);
    });
  }

  for (const [how, leave] of /** @type {const} */ ([
    ["is closed", (tab) => tab.close()],
    ["goes elsewhere in a way that cannot be gone back", (tab) => tab.page.goto("about:blank")],
  ])) {
    story(`with bye, the lock of a tab that ${how} passes on at once`, async (tab) => {
      const [first, second] = [await tab(server), await tab(server)];
      await first.open({ ttl: LONG, bye: true });
      const fence = await first.take(`bye, ${how}`);
      // Keeps the page out of the back/forward cache.
      await first.do(() => addEventListener("unload", () => {}));
      await second.open();
      const next = second.take(`bye, ${how}`);
      await first.note("lock-wanted");
      await leave(first);
      assert.ok((await next) > fence);
    });
  }
});

describe("tabs that are come back to", { concurrency: 3 }, () => {
  for (const bye of [false, true]) {
    story(`a tab that is left and come back to goes on${bye ? ", with bye too" : ""}`, async (tab) => {
      const [first, second] = [await tab(server), await tab(server)];
      const id = await first.open({ ttl: LONG, bye });
      const fence = await first.take(`left ${bye}`);
      await second.open();
      const next = second.take(`left ${bye}`);
      await first.note("lock-wanted");

      await first.page.goto("about:blank");
      await first.page.goBack({ waitUntil: "commit" });
      assert.equal((await first.notes("pageshow")).at(-1).persisted, true);
      await first.note("recovered");
      const story = await first.do(() => stage.notes.map(({ what }) => what));
      // The helper itself let the line go, before the page was put away.
      assert.ok(story.indexOf("recovering") < story.indexOf("freeze"), String(story));
      assert.equal(await first.do(() => stage.session.id), id);
      assert.equal(await first.aborted(), false);
      assert.deepEqual(await second.notes("granted"), []);
      await first.release();
      assert.ok((await next) > fence);
    });
  }

  story("a tab that is come back to after the ttl finds its signal aborted, and does nothing before", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    await first.open({ ttl: TTL });
    const fence = await first.take("long left");
    await second.open();
    const next = second.take("long left");
    await first.note("lock-wanted");

    await first.page.goto("about:blank");
    assert.ok((await next) > fence);
    await first.page.goBack({ waitUntil: "commit" });
    assert.equal(await first.aborted(), true);
    assert.equal((await first.note("lost")).code, "session-lost");
    assert.ok((await first.worked()) < (await second.note("granted")).at);
  });
});
