// Hands out twenty jobs and waits until all are done, by worker.mjs, worker.rs or poller.py.
//
// Run: node examples/issuer.mjs
//
// The server is at TICKETD_URL, else at http://127.0.0.1:8001; who one is, if it asks, in TICKETD_TOKEN.
// Node 20 has no WebSocket of its own: do `npm --prefix client-js ci` once, which gets it `ws`.
//
// Tickets live as long as the session that issued them. So the issuer stays until the last is done,
// and Ctrl-C takes back what is not. If the session is lost meanwhile, the rest is issued again.

import { setTimeout as sleep } from "node:timers/promises";

// After `npm install http://127.0.0.1:8001/client/ticketd-client.tgz`: from "ticketd-client".
import { connect } from "../client-js/index.js";

const url = process.env.TICKETD_URL ?? "http://127.0.0.1:8001";
const token = process.env.TICKETD_TOKEN;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

// Names are unique within a resource; issuing one again would replace it.
const left = new Map();
for (let n = 1; n <= 20; n++) left.set(`job-${process.pid}-${n}`, { ms: 500 + 100 * n });

async function handOut(session, name, job) {
  const issued = await session.issue("examples/jobs", name, JSON.stringify(job), { notify: true });
  // A worker that is done revokes the ticket, and then it is no longer ours.
  if (!issued.signal.aborted) {
    await new Promise((resolve) => issued.signal.addEventListener("abort", resolve));
  }
  if (session.signal.aborted) throw session.signal.reason;
  left.delete(name);
  console.log(`${name}: done, ${left.size} left`);
}

while (left.size > 0 && !stop.signal.aborted) {
  let session;
  try {
    console.log(`connecting to ${url}`);
    session = await connect(url, { name: `issuer ${process.pid}`, token, signal: stop.signal });
    stop.signal.addEventListener("abort", () => session.close());
    session.addEventListener("statechange", ({ detail }) => console.log(`session ${detail.to}`));
    session.addEventListener("ticket-claimed", ({ detail: { ticket, session } }) => {
      console.log(`${ticket}: claimed by ${session}`);
    });
    session.addEventListener("ticket-released", ({ detail: { ticket, session } }) => {
      console.log(`${ticket}: let go by ${session}`);
    });
    await Promise.all([...left].map(([name, job]) => handOut(session, name, job)));
  } catch (why) {
    if (!stop.signal.aborted) {
      console.log(session ? why.message : `${url}: ${why.message}`);
      // What can never be: a wrong address or token, no WebSocket.
      if (!session && !why.retryable) process.exit(1);
    }
  }
  await session?.close();
  if (left.size > 0) await sleep(1000, undefined, { signal: stop.signal }).catch(() => {});
}
