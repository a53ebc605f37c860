// A worker: takes jobs as they come, four at a time, and each is done once. Start as many as you
// like; the jobs come from issuer.mjs.
//
// Run: node examples/worker.mjs
//
// The server is at TICKETD_URL, else at http://127.0.0.1:8001; who one is, if it asks, in TICKETD_TOKEN.
// Node 20 has no WebSocket of its own: do `npm --prefix client-js ci` once, which gets it `ws`.
//
// Ctrl-C gives back what is under way, so that another worker has it at once.

import { setTimeout as sleep } from "node:timers/promises";

// After `npm install http://127.0.0.1:8001/client/ticketd-client.tgz`: from "ticketd-client".
import { connect } from "../client-js/index.js";

const url = process.env.TICKETD_URL ?? "http://127.0.0.1:8001";
const token = process.env.TICKETD_TOKEN;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

async function work(ticket) {
  const { name, fence } = ticket;
  console.log(`${name}: begun, fence ${fence}`);
  // Work that looks at the signal ends when the ticket is lost, before another worker can get it.
  const signal = AbortSignal.any([ticket.signal, stop.signal]);
  try {
    await sleep(ticket.json().ms, undefined, { signal });
  } catch {
    if (ticket.signal.aborted) throw ticket.signal.reason;
    await ticket.release();
    return console.log(`${name}: given back`);
  }
  // Rejects when it cannot be said any more; then another worker does the job again.
  await ticket.done();
  console.log(`${name}: done`);
}

// One session after the other, for a session may be lost: the server was away for too long, say.
while (!stop.signal.aborted) {
  const under = new Set();
  let session;
  try {
    console.log(`connecting to ${url}`);
    session = await connect(url, { name: `worker ${process.pid}`, token, signal: stop.signal });
    session.addEventListener("statechange", ({ detail }) => console.log(`session ${detail.to}`));
    for await (const ticket of session.claims("examples/jobs", { concurrency: 4, signal: stop.signal })) {
      // Not awaited here: the loop goes on as long as there is room for more.
      const job = work(ticket).catch((why) => console.log(`${ticket.name}: lost, ${why.message}`));
      under.add(job);
      job.finally(() => under.delete(job));
    }
  } catch (why) {
    if (!stop.signal.aborted) {
      console.log(session ? why.message : `${url}: ${why.message}`);
      // What can never be: a wrong address or token, no WebSocket.
      if (!session && !why.retryable) process.exit(1);
    }
  }
  await Promise.all(under);
  await session?.close();
  if (!stop.signal.aborted) await sleep(1000, undefined, { signal: stop.signal }).catch(() => {});
}
