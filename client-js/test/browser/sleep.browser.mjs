// Tabs that do not run: hidden, frozen, hung. And lines that carry nothing.

import assert from "node:assert/strict";
import { after, describe } from "node:test";

import { proxy } from "../support/proxy.mjs";
import { serve } from "../support/server.mjs";
import { sleep, until } from "../support/until.mjs";
import { LONG, story } from "./support.mjs";

/** Of sessions that are to end by themselves, in ms. */
const TTL = 2000;

const real = await serve();
after(() => real.kill());
const server = real.url;
/** A line to the server that can be made to misbehave. */
const line = async () => {
  const made = await proxy(real);
  after(() => made.close());
  return made;
};

/** Whoever held the lock did nothing any more when the other got it, and knows that it has lost it. */
const lost = async (first, second) => {
  const { at: granted } = await second.note("granted");
  const worked = await first.worked();
  assert.ok(worked < granted, `worked ${worked - granted} ms after it was another's`);
  assert.equal(await first.aborted(), true);
  assert.equal((await first.note("aborted")).code, "session-lost");
};

describe("sleep", { concurrency: 4 }, () => {
  story("a hidden tab, its timers slow or at a stand, keeps its lock", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    await first.open({ ttl: TTL });
    await first.take("hidden");
    await second.open();
    second.take("hidden");
    await first.note("lock-wanted");
    await first.window("minimized");
    assert.equal((await first.note("visibilitychange")).visible, "hidden");
    await sleep(5 * TTL);

    assert.deepEqual(await second.notes("granted"), []);
    assert.deepEqual(await first.notes("aborted"), []);
    assert.deepEqual(await first.notes("recovering"), []);
    assert.equal(await first.aborted(), false);
    await first.window("normal");
    await until("it is seen", async () => (await first.notes("visibilitychange")).at(-1).visible === "visible");
    assert.equal(await first.state(), "open");
    assert.equal(await first.aborted(), false);
  });

  story("a tab frozen for longer than its ttl finds its signal aborted before it does anything", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    await first.open({ ttl: TTL });
    const fence = await first.take("frozen");
    await second.open();
    const next = second.take("frozen");
    await first.note("lock-wanted");
    await first.freeze(true);
    assert.ok((await next) > fence);
    await first.freeze(false);
    // What was frozen runs on: the worker, before anything else.
    await first.note("resume");
    await lost(first, second);
    assert.equal((await first.note("lost")).code, "session-lost");
  }, { broken: true });

  story("a tab frozen for less than its ttl goes on", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    const id = await first.open({ ttl: LONG });
    const fence = await first.take("nap");
    await second.open();
    const next = second.take("nap");
    await first.note("lock-wanted");
    await first.freeze(true);
    await sleep(1000);
    await first.freeze(false);
    const { at: thawed } = await first.note("resume");
    await until("it works again", async () => (await first.worked()) > thawed);
    await until("it is open again", async () => (await first.state()) === "open");
    assert.equal(await first.do(() => stage.session.id), id);
    assert.equal(await first.aborted(), false);
    assert.deepEqual(await second.notes("granted"), []);
    await first.release();
    assert.ok((await next) > fence);
  }, { broken: true });
});

describe("a hung page", () => {
  story("the lock of a hung page passes on, and the page finds its signal aborted at the first look", async (tab) => {
    const [first, second] = [await tab(server), await tab(server)];
    await first.open({ ttl: TTL });
    const fence = await first.take("hung");
    await second.open({ name: "the other" });
    const next = second.take("hung");
    await first.note("lock-wanted");
    const looked = await first.do(() => {
      for (let holder = ""; !holder.includes("the other"); ) {
        for (const end = Date.now() + 100; Date.now() < end; );
        const look = new XMLHttpRequest();
        look.open("GET", "/api/v1/dump/resources/hung", false);
        look.send();
        holder = look.responseText;
      }
      return stage.lock.signal.aborted;
    });
    assert.equal(looked, true);
    assert.ok((await next) > fence);
    await lost(first, second);
    await first.note("lost");
  });
});

describe("offline", { concurrency: 4 }, () => {
  story("offline and online again: back at once, with the same lock", async (tab) => {
    const wire = await line();
    const [first, second] = [await tab(wire.url), await tab(server)];
    // Delays as long as can be: only `online` brings it back in time.
    const ttl = 24 * 60 * 60_000;
    const id = await first.open({ ttl, backoff: { min: ttl, max: ttl } });
    const fence = await first.take("offline");
    await second.open();
    const next = second.take("offline");
    await first.note("lock-wanted");

    await first.offline(true);
    wire.cut();
    await first.note("recovering");
    assert.equal(await first.aborted(), false);
    await first.offline(false);
    await first.note("recovered");
    assert.equal(await first.do(() => stage.session.id), id);
    assert.equal(await first.do(() => stage.lock.fence), fence);
    assert.equal(await first.aborted(), false);
    assert.deepEqual(await second.notes("granted"), []);
    await first.release();
    assert.ok((await next) > fence);
  }, { broken: true });

  for (const hidden of [false, true]) {
    story(`offline beyond the ttl${hidden ? ", in a hidden tab" : ""}: the signal aborts before the next has the lock`, async (tab) => {
      const resource = `dark ${hidden}`;
      const wire = await line();
      const [first, second] = [await tab(wire.url), await tab(server)];
      await first.open({ ttl: TTL });
      const fence = await first.take(resource);
      await second.open();
      const next = second.take(resource);
      await first.note("lock-wanted");
      if (hidden) await first.window("minimized");

      await first.offline(true);
      wire.set({ deaf: true, mute: true });
      assert.ok((await next) > fence);
      if (!hidden) assert.ok((await first.note("aborted")).at < (await second.note("granted")).at);
      await lost(first, second);
      assert.deepEqual(await first.notes("lost"), []);
      wire.mend();
      await first.offline(false);
      assert.equal((await first.note("lost")).code, "session-lost");
    }, { broken: true });
  }
});
