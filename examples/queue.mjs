// A queue of work that outlives who filled it: jobs are tried, put off when they fail, and in the end dead,
// where they lie until somebody has mended what was wrong and revives them.
//
// Run: node examples/queue.mjs fill     hands out ten jobs, and ends: they stay
//      node examples/queue.mjs work     works them, two at a time; start as many as you like
//      node examples/queue.mjs look     tells how it stands, and what lies dead, and why
//      node examples/queue.mjs revive   lets those be tried again
//
// One of the jobs fails for as long as PRINTER is not set, and is dead after three tries. Work on with
// PRINTER=1, revive it, and it is done. Kill a worker with -9: its jobs are another's when their hold has run
// out, 5 s after it last said that it was at them.
//
// The server is at TICKETD_URL, else at http://127.0.0.1:8001; who one is, if it asks, in TICKETD_TOKEN. Start it
// with --snappath, and the queue outlives it, too.
// Node 20 has no WebSocket of its own: do `npm --prefix client-js ci` once, which gets it `ws`.

import { setTimeout as sleep } from "node:timers/promises";

// After `npm install http://127.0.0.1:8001/client/ticketd-client.tgz`: from "ticketd-client".
import { connect } from "../client-js/index.js";

const url = process.env.TICKETD_URL ?? "http://127.0.0.1:8001";
const token = process.env.TICKETD_TOKEN;
const QUEUE = "examples/queue";
const RETRY_MS = 500;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

const open = (name) => connect(url, { name: `${name} ${process.pid}`, token, signal: stop.signal });

/** Looking and reviving need no session. */
async function rest(method, path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${url}/api/v1/resources/${encodeURIComponent(QUEUE)}${path}`, { method, headers });
  if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).trim()}`);
  return answer.json();
}

async function fill() {
  const session = await open("filler");
  for (let n = 1; n <= 10; n++) {
    const job = { ms: 200 + 100 * n, needs: n === 4 ? "printer" : undefined };
    const terms = {
      stay: true, // It does not end with this session.
      new: true, // Filling again adds none twice: the name says which job it is.
      attempts: 3,
      hold: 5000,
      priority: n > 8 ? 5 : 0, // The last two are in a hurry.
    };
    try {
      await session.issue(QUEUE, `job ${n}`, JSON.stringify(job), terms);
      console.log(`job ${n}: handed out`);
    } catch (why) {
      if (why.code !== "ticket-exists") throw why;
      console.log(`job ${n}: there already`);
    }
  }
  await session.close();
}

/** Ends early when the ticket is lost, or the worker is to stop. */
async function run({ ms, needs }, signal) {
  await sleep(ms, undefined, { signal });
  if (needs === "printer" && !process.env.PRINTER) throw new Error("there is no printer");
}

async function handle(ticket) {
  const { name, attempt, signal } = ticket;
  console.log(`${name}: begun, try ${attempt}`);
  try {
    await run(ticket.json(), AbortSignal.any([signal, stop.signal]));
    await ticket.done();
    console.log(`${name}: done`);
  } catch (why) {
    if (signal.aborted) console.log(`${name}: lost, ${signal.reason.message}`);
    // Given back without a word: it was not the job's fault.
    else if (stop.signal.aborted) await ticket.release();
    else {
      console.log(`${name}: ${why.message}`);
      // Later, and later each time; the third time was the last.
      await ticket.fail(why.message, { delay: RETRY_MS * 2 ** attempt });
    }
  }
}

async function work() {
  while (!stop.signal.aborted) {
    const under = new Set();
    let session;
    try {
      session = await open("worker");
      // While a job is worked, the loop says so by itself: its hold begins anew each time.
      for await (const ticket of session.claims(QUEUE, { concurrency: 2, signal: stop.signal })) {
        const job = handle(ticket).catch((why) => console.log(`${ticket.name}: ${why.message}`));
        under.add(job);
        job.finally(() => under.delete(job));
      }
    } catch (why) {
      if (!stop.signal.aborted) console.log(session ? why.message : `${url}: ${why.message}`);
      // What can never be: a wrong address or token, no WebSocket.
      if (!session && !stop.signal.aborted && !why.retryable) process.exit(1);
    }
    await Promise.all(under);
    await session?.close();
    if (!stop.signal.aborted) await sleep(1000, undefined, { signal: stop.signal }).catch(() => {});
  }
}

async function look() {
  const { free, held, delayed, dead, holders } = await rest("GET", "");
  console.log(`${free} to do, ${held} under way, ${delayed} put off, ${dead} dead`);
  for (const { ticket, session } of holders) console.log(`${ticket}: ${session ?? "nobody any more"} is at it`);
  const { tickets } = await rest("GET", "/tickets?state=dead");
  for (const { ticket, attempt, note } of tickets) console.log(`${ticket}: dead after ${attempt - 1} tries, ${note}`);
}

async function revive() {
  const { revived } = await rest("POST", "/revive");
  console.log(`${revived} can be tried again`);
}

const tasks = { fill, work, look, revive };
const task = tasks[process.argv[2]];
if (!task) throw new Error(`which: ${Object.keys(tasks).join(", ")}?`);
await task();
