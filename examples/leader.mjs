// One leads, the others stand by and know who it is, and where: a lock elects the leader, and has a value that
// says so. Its fence keeps a former leader, who does not know yet that it is one, from doing harm.
//
// Run: node examples/leader.mjs
//
// Run it in three shells. End the leader with Ctrl-C: another leads at once. Kill it with -9: another
// leads when its session has run out, after 10 s at most. Stop it with `kill -STOP` for 15 s, then
// `kill -CONT`: it wakes as a former leader, and its signal says so before it writes again.
//
// The server is at TICKETD_URL, else at http://127.0.0.1:8001; who one is, if it asks, in TICKETD_TOKEN.
// Node 20 has no WebSocket of its own: do `npm --prefix client-js ci` once, which gets it `ws`.

import { readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

// After `npm install http://127.0.0.1:8001/client/ticketd-client.tgz`: from "ticketd-client".
import { connect } from "../client-js/index.js";

const url = process.env.TICKETD_URL ?? "http://127.0.0.1:8001";
const token = process.env.TICKETD_TOKEN;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

/**
 * What the lock protects. It remembers the highest fence that it has seen and refuses lower ones.
 * This one is a file, to have something to look at. A real one compares and writes in one step:
 * UPDATE state SET value = $1, fence = $2 WHERE fence <= $2
 */
const store = {
  path: join(tmpdir(), "ticketd-leader.json"),

  async read() {
    try {
      return JSON.parse(await readFile(this.path, "utf8"));
    } catch {
      return { fence: 0, count: 0 };
    }
  },

  async write(fence, count) {
    const newest = (await this.read()).fence;
    if (fence < newest) throw new Error(`the store has seen fence ${newest}, and refuses ${fence}`);
    await writeFile(`${this.path}.${process.pid}`, JSON.stringify({ fence, count }));
    await rename(`${this.path}.${process.pid}`, this.path);
  },
};

/** What a leader makes known. A real one would say where it listens. */
const about = (count) => JSON.stringify({ pid: process.pid, count });

/** What a leader does, for as long as it is one: counts on from where the last one stopped. */
async function lead(lock) {
  console.log(`leading, fence ${lock.fence}`);
  const signal = AbortSignal.any([lock.signal, stop.signal]);
  // Whoever asks a lock for its signal has it look at the clock: after a sleep no timer need come first.
  while (!lock.signal.aborted && !stop.signal.aborted) {
    const { count } = await store.read();
    await store.write(lock.fence, count + 1);
    await lock.update(about(count + 1));
    await sleep(1000, undefined, { signal }).catch(() => {});
  }
  console.log(stop.signal.aborted ? "stepping down" : `no longer leading: ${lock.signal.reason.message}`);
}

/** Everybody knows who leads, the leader too. */
async function observe(session) {
  for await (const { leader } of session.observe("examples/leader", { signal: stop.signal })) {
    if (!leader) console.log("nobody leads");
    else {
      const { pid, count } = JSON.parse(new TextDecoder().decode(leader.data));
      console.log(`${leader.ref === session.ref ? "I lead" : `${leader.session} leads`}, by pid ${pid}: ${count}`);
    }
  }
}

while (!stop.signal.aborted) {
  let session;
  try {
    console.log(`connecting to ${url}`);
    session = await connect(url, { name: `candidate ${process.pid}`, token, signal: stop.signal });
    session.addEventListener("statechange", ({ detail }) => console.log(`session ${detail.to}`));
    // It ends with the session, of which one hears below.
    observe(session).catch(() => {});
    while (!stop.signal.aborted) {
      console.log("standing by");
      const { count } = await store.read();
      const lock = await session.elect("examples/leader", about(count), { signal: stop.signal });
      await lead(lock).finally(() => lock.release());
    }
  } catch (why) {
    if (!stop.signal.aborted) {
      console.log(session ? why.message : `${url}: ${why.message}`);
      // What can never be: a wrong address or token, no WebSocket.
      if (!session && !why.retryable) process.exit(1);
    }
  }
  await session?.close();
  if (!stop.signal.aborted) await sleep(1000, undefined, { signal: stop.signal }).catch(() => {});
}
