// The heart of the connection, step by step: no socket, no timer, no clock. Each story is a table: the time in ms, what
// comes in, what is done about it; after a `;` what the link then looks like.

import assert from "node:assert/strict";
import test from "node:test";

import { TicketdError } from "../error.js";
import { CONNECT_MS, link as begin, step } from "../core.js";
import { random } from "./support/until.mjs";

/** When it must be stepped next, if nothing comes in. */
const due = ({ safe, end, next }) => Math.min(safe, end, next);

const freeze = (value) => {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze);
  return value;
};

/** What the server says in a story, in few words. */
const says = (word, rest, link) => {
  const [what, id] = word.split("#");
  const more = rest ? JSON.parse(rest) : {};
  const lists = { holds: [], waits: [], watches: [], issued: [] };
  const state = { session: "S1", name: "n", ttl: link.ttl, ping: 3000, epoch: "E1", ...lists, ...more };
  return {
    welcome: { id: +id, ok: state },
    part: { id: +id, part: more },
    refused: { id: +id, error: Object.assign(new TicketdError(rest?.slice(1, -1)), { message: "" }) },
    beat: { event: "beat" },
    beaten: { id: +id, ok: { ttl: link.ttl } },
    answer: { id: +id, ok: more },
    event: { event: rest?.slice(1, -1) },
  }[what];
};

const members = (value) => Object.entries(value).map(([key, value]) => ` ${key}=${value}`).join("");

const shown = ([what, ...args]) => {
  if (what === "send") {
    const { id, op, ...rest } = args[0];
    return `send ${op}#${id}${members(JSON.parse(JSON.stringify(rest)))}`;
  }
  if (what === "open") {
    const [{ session }] = args[0].slice(-1);
    const holds = args[0].flatMap((part) => part?.holds ?? []);
    return `open ${session}${holds.length ? ` holds=${holds}` : ""}${args[1] ? " restarted" : ""}`;
  }
  if (what === "pass") return `pass ${args[0].event ?? `#${args[0].id}`}`;
  if (what === "lost") {
    const [{ code, message }] = args;
    return `lost ${code}${["", code].includes(message) ? "" : ` ${message}`}`;
  }
  return what;
};

/** Plays a story; gives back the link at its end. */
const play = (text, options = {}) => {
  let link = freeze(begin({ ttl: 10_000, min: 100, max: 1000, attempt: 40, ...options }, 0));
  const told = [];
  for (const line of text.trim().split("\n").map((line) => line.trim())) {
    if (!line || line.startsWith("#")) continue;
    const [, at, word, rest, chance] = /^(\d+)\s+(\S+)(?:\s+(?!~|->)(.*?))?(?:\s+~([\d.]+))?\s*->/.exec(line);
    const input = { type: word, random: Number(chance ?? 1) };
    if (word === "fault") input.cause = new TicketdError("protocol", rest);
    else if (!["up", "down", "time", "wake", "hide", "leave"].includes(word)) {
      input.type = "message";
      input.message = freeze(says(word, rest, link));
      assert.ok(input.message, line);
    } else if (word === "down") {
      const [code, ...reason] = (rest ?? "1006").split(" ");
      Object.assign(input, { code: +code, reason: reason.join(" ") });
    }
    const [after, effects] = step(link, freeze(input), +at);
    link = freeze(after);
    const state = /;(.*)/.exec(line)?.[1].trim().split(/\s+/) ?? [];
    const is = state.map((part) => `${part.split("=")[0]}=${link[part.split("=")[0]]}`).join(" ");
    told.push(`${line.split("->")[0]}->${[effects.map(shown).join(", "), is].map((s, n) => (s ? `${n ? " ; " : " "}${s}` : "")).join("")}`);
  }
  const meant = text.trim().split("\n").map((line) => line.trim().replace(/\s*;\s*/, " ; ")).filter((line) => line && !line.startsWith("#"));
  assert.deepEqual(told.map((l) => l.trimEnd()), meant.map((l) => l.trimEnd()));
  return link;
};

const story = (name, text, options) => test(name, () => void play(text, options));

/** Every story with an open line begins so. It was sent at 10, so all is safe until 10 + 9000. */
const OPEN = `
  0 time -> dial
  10 up -> send hello#21 liveness=beat ttl=10000
  20 welcome#21 -> open S1 ; phase=open safe=9010 next=4620`;

story("it dials at once, says hello with an id that tells when, and is open when that is answered", `
  0 time          -> dial ; phase=dialing
  10 up           -> send hello#21 liveness=beat name=n ttl=10000
  # safe: nine tenths of the ttl from when the hello was sent, not from when it was answered
  900 welcome#21  -> open S1 ; phase=open safe=9010 session=S1 tries=0 end=Infinity
`, { name: "n" });

story("the times in ids are whole ms, rounded down: rather too early than too late", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=10000
  20 welcome#21    -> open S1
  30 beat          -> send beat#61 ; safe=9010
  40 beaten#61     -> ; safe=9030
`);
test("… also when the clock has fractions", () => {
  const [dialing] = step(begin({ ttl: 1000, min: 1, max: 1, attempt: 0 }, 0.7), { type: "time", random: 0 }, 0.7);
  const [, [[, hello]]] = step(dialing, { type: "up", random: 0 }, 10.9);
  assert.equal(hello.id, 21);
});

story("a heartbeat is answered at once; safe moves when the answer is acknowledged", `${OPEN}
  3000 beat        -> send beat#6001 ; safe=9010 next=7600
  3005 beaten#6001 -> ; safe=12000 next=7605
  6000 beat        -> send beat#12001 ; safe=12000
  6500 beaten#12001 -> ; safe=15000
`);

story("a session with another ttl than was asked for goes by the server's", `
  0 time -> dial
  10 up -> send hello#21 liveness=beat ttl=10000
  20 welcome#21 {"ttl":2000,"ping":600} -> open S1 ; safe=1810 next=1020 ttl=2000
`);

story("only what it sent as a heartbeat moves safe: answers to requests do not", `${OPEN}
  3000 answer#2    -> pass #2 ; safe=9010 next=7600
  3001 event "lock-granted" -> pass lock-granted ; safe=9010 next=7601
`);

story("a refused heartbeat moves nothing", `${OPEN}
  3000 beat        -> send beat#6001
  3005 refused#6001 "limit" -> ; safe=9010
`);

story("unsafe is told once, before the ttl is over; an open line is then not believed any more", `${OPEN}
  # the server talks, but never acknowledges a heartbeat
  4000 event "x"   -> pass x
  8000 event "x"   -> pass x ; safe=9010 next=12600
  9009 time        ->
  9010 time        -> drop, recover, unsafe, dial ; phase=dialing safe=Infinity
  9020 up          -> send hello#18041 liveness=beat session=S1 attempt=41
  9030 welcome#18041 -> open S1 ; safe=18020
`);

story("a message that comes when it is too late is not passed on: the state will tell", `${OPEN}
  8000 event "x"   -> pass x
  9010 event "lock-granted" -> drop, recover, unsafe, dial ; phase=dialing
`);

story("so is an end of the line that comes too late, whatever its code", `${OPEN}
  8000 event "x"   -> pass x
  9500 down 4502   -> drop, recover, unsafe, dial ; phase=dialing
`);

story("a heartbeat acknowledged too late brings nothing back", `${OPEN}
  8000 beat        -> send beat#16001
  9500 beaten#16001 -> drop, recover, unsafe, dial ; safe=Infinity
`);

story("unsafe while down: it is told, and dialling goes on undisturbed", `${OPEN}
  100 down         -> drop, recover ; phase=down next=200 safe=9010
  200 time         -> dial ; next=3783.3333333333335
  9010 time        -> unsafe, drop ; phase=down
  9210 time        -> dial ; safe=Infinity
`);

story("unsafe while dialing, then the answer: the session goes on with a new safe", `${OPEN}
  100 down         -> drop, recover
  9000 time        -> dial ; phase=dialing safe=9010
  9005 up          -> send hello#18011 liveness=beat session=S1 attempt=41
  9020 welcome#18011 -> unsafe, open S1 ; phase=open safe=18005
`);

story("a line gone quiet is dropped after one and a half heartbeats and a bit", `${OPEN}
  4619 time        ->
  4620 time        -> drop, recover ; phase=down next=4720
`);

story("delays grow twofold up to the most, times a random part", `
  0 time           -> dial
  10 down          -> drop ; phase=down next=110 tries=1
  110 time         -> dial
  120 down         -> drop ; next=320 tries=2
  320 time         -> dial
  330 down ~0.5    -> drop ; next=530 tries=3
  530 time         -> dial
  540 down         -> drop ; next=1340 tries=4
  1340 time        -> dial
  1350 down        -> drop ; next=2350 tries=5
  2350 time        -> dial
  2360 down        -> drop ; next=3360 tries=6
  3360 time        -> dial
  # no delay at all may come of it, too
  3370 down ~0     -> drop, dial ; tries=7
  3380 up          -> send hello#6761 liveness=beat ttl=10000
  3390 welcome#6761 -> open S1 ; tries=0
  3400 down        -> drop, recover ; next=3500 tries=1
`);

story("an attempt that nobody answers ends; short sessions hurry", `
  0 time           -> dial ; next=1250
  1249 time        ->
  1250 time        -> drop ; phase=down next=1350
`, { ttl: 3000 });

story("but not too much", `
  0 time           -> dial ; next=262
`, { ttl: 36 });

story("and long ones do not wait for ever", `
  0 time           -> dial ; next=10250
`, { ttl: 86_400_000 });

story("the nearer the end, the sooner it tries again: a session that can still be saved is not slept through", `${OPEN}
  4000 event "x"   -> pass x
  8000 down        -> drop, recover ; next=8100 safe=9010
  8100 time        -> dial
  8110 down        -> drop ; next=8310
  8310 time        -> dial
  # a quarter of what is left, not twice as long as the last time
  8330 down        -> drop ; next=8500
  8500 time        -> dial
  8530 down        -> drop ; next=8650
  8650 time        -> dial
  # but never less than the least
  8690 down        -> drop ; next=8790
  8790 time        -> dial
  9010 time        -> unsafe ; phase=dialing
`);

story("a socket that is up but whose hello is not answered ends so, too", `
  0 time           -> dial ; next=1250
  100 up           -> send hello#201 liveness=beat ttl=3000 ; next=1250
  1250 time        -> drop ; phase=down
`, { ttl: 3000 });

story("a hello answered when its ttl is nearly over is no answer: what it says may be over before one reads it", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=500
  460 welcome#21   -> ; phase=dialing
`, { ttl: 500 });

story("every attach has a higher attempt than the one before", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 down         -> drop
  420 time         -> dial
  430 up           -> send hello#861 liveness=beat session=S1 attempt=42
  440 welcome#861  -> open S1
`);

story("a state that comes in parts is put together", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  215 part#421 {"holds":[1,2]} -> ; phase=dialing
  216 part#421 {"holds":[3],"waits":[9]} -> ; phase=dialing
  220 welcome#421 {"holds":[4]} -> open S1 holds=1,2,3,4 ; phase=open
`);

story("parts of an attempt that failed are forgotten", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  215 part#421 {"holds":[1,2]} ->
  216 down         -> drop
  420 time         -> dial
  430 up           -> send hello#861 liveness=beat session=S1 attempt=42
  440 welcome#861 {"holds":[4]} -> open S1 holds=4
`);

story("another epoch: the server was restarted meanwhile", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 welcome#421 {"epoch":"E2"} -> open S1 restarted ; epoch=E2
`);

story("a session that is not found is lost", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 refused#421 "session-not-found" -> drop, lost session-lost ; phase=closed next=Infinity safe=Infinity end=Infinity
  230 wake         ->
  240 up           ->
  250 leave        ->
`);

story("a session from before the reload of the page is taken up again", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat session=S0 attempt=41
  20 welcome#21 {"session":"S0"} -> open S0 ; session=S0
`, { session: "S0" });

story("when it is not there any more, a new one begins on the same line", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat session=S0 attempt=41
  20 refused#21 "session-not-found" -> send hello#41 liveness=beat name=n ttl=10000 ; session=undefined
  30 welcome#41    -> open S1 ; session=S1 safe=9020
`, { session: "S0", name: "n" });

// A page was loaded again while the wall clock was behind what it had been. Attempts were counted from that clock, so the
// server took the page's for older ones than those of the page before, and the page believed that its session was lost.
story("another page counted by a clock that was ahead: it is outdone at once, far enough for every clock", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat session=S0 attempt=41
  20 down 4501     -> drop, dial ; phase=dialing tries=0
  30 up            -> send hello#61 liveness=beat session=S0 attempt=2000000000083
  40 down 4501     -> drop, dial
  50 up            -> send hello#101 liveness=beat session=S0 attempt=6000000000167
  60 welcome#101 {"session":"S0"} -> open S0
  # it goes on from there, whatever the clock does
  100 down 1006    -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S0 attempt=6000000000168
  220 welcome#421 {"session":"S0"} -> open S0
`, { session: "S0" });

story("who was in and is replaced stays away: two tabs do not take it from one another for ever", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat session=S0 attempt=41
  20 welcome#21 {"session":"S0"} -> open S0
  30 down 4501     -> drop, lost session-lost
`, { session: "S0" });

story("… also when it finds out on coming back", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat session=S0 attempt=41
  20 welcome#21 {"session":"S0"} -> open S0
  30 down 1006     -> drop, recover
  130 time         -> dial
  140 up           -> send hello#281 liveness=beat session=S0 attempt=42
  150 down 4501    -> drop, lost session-lost
`, { session: "S0" });

test("outdoing ends: no number is above what the server takes, and none that it takes is skipped over", () => {
  let link = begin({ ttl: 1000, min: 1, max: 1, session: "S0", attempt: 0 }, 0);
  let highest = 0;
  let dials = 0;
  for (let now = 0; link.phase !== "closed"; now++) {
    for (const input of [{ type: "time" }, { type: "up" }, { type: "down", code: 4501 }]) {
      const [after, effects] = step(link, { random: 1, ...input }, now);
      link = after;
      for (const [what, frame] of effects) if (what === "send") [highest, dials] = [frame.attempt, dials + 1];
    }
  }
  assert.ok(highest > 2 ** 51 && Number.isSafeInteger(highest), `${highest}`);
  assert.ok(dials < 15, `${dials}`);
});

story("too many connections when it comes back: the pauses grow, and the session goes on when there is room", `${OPEN}
  100 down 1006    -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 down 4505 too many -> drop ; phase=down next=420
  420 time         -> dial
  430 up           -> send hello#861 liveness=beat session=S1 attempt=42
  440 down 4505 too many -> drop ; next=840
  840 time         -> dial
  850 up           -> send hello#1701 liveness=beat session=S1 attempt=43
  860 welcome#1701 -> open S1
`);

story("too many connections all along: that is what the end says", `
  0 time           -> dial
  10 down 4505 too many -> drop
  30000 time       -> drop, lost unavailable too many
`);

story("what is no state opens nothing", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=10000
  20 welcome#21 {"ping":"x"} -> ; phase=dialing
  30 welcome#21 {"session":null} -> ; phase=dialing
  3584 time        -> drop ; phase=down
`);

story("nonsense ends the session: what it was in the place of is not known", `${OPEN}
  30 fault no JSON -> drop, lost protocol no JSON ; phase=closed
`);

story("… and connecting", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=10000
  20 fault no JSON -> drop, lost protocol no JSON
`);

story("… but on the way back it may come from something in between: tried on, with growing pauses", `${OPEN}
  100 down 1006    -> drop, recover
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 fault log in here -> drop ; phase=down next=420
  420 time         -> dial
  430 up           -> send hello#861 liveness=beat session=S1 attempt=42
  440 welcome#861  -> open S1
`);

story("a server that is not ready yet is asked again", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=10000
  20 refused#21 "unavailable" -> drop ; phase=down next=120
  120 time         -> dial
`);

for (const code of ["unauthorized", "forbidden", "bad-request", "limit", "internal"]) {
  story(`a hello refused with ${code} is final`, `
    0 time         -> dial
    10 up          -> send hello#21 liveness=beat ttl=10000
    20 refused#21 "${code}" -> drop, lost ${code}
  `);
}

for (const [code, why] of [
  [4500, "forbidden"],
  [4501, "session-lost"],
  [4502, "session-lost"],
  [4503, "protocol"],
  [4999, "session-lost"],
]) {
  story(`closed with ${code}: do not come back; that is ${why}`, `${OPEN}
    100 down ${code} said -> drop, lost ${why} said ; phase=closed
    5000 time      ->
  `);
}

for (const code of [1000, 1001, 1006, 1009, 1011, 1012, 4001, 4003, 4499, 4505]) {
  story(`closed with ${code}: come back`, `${OPEN}
    100 down ${code} -> drop, recover ; phase=down next=200
    200 time       -> dial
  `);
}

story("hidden: the socket goes, the session stays, and nobody dials until it is seen again", `${OPEN}
  100 hide         -> drop, recover ; phase=down next=Infinity safe=9010
  5000 time        -> ; phase=down
  9010 time        -> unsafe ; phase=down next=Infinity
  60000 wake       -> dial
  60010 up         -> send hello#120021 liveness=beat session=S1 attempt=41
`);

story("hidden while dialing", `
  0 time           -> dial
  5 hide           -> drop ; phase=down next=Infinity
  100 wake         -> dial
`);

story("hidden, and then too late: it is told, and the line stays away", `${OPEN}
  4000 event "x"   -> pass x
  8000 event "x"   -> pass x
  9100 hide        -> drop, recover, unsafe, drop ; phase=down next=Infinity
`);

story("woken while it waits to dial: at once", `${OPEN}
  100 down         -> drop, recover ; next=200
  101 wake         -> dial
  102 wake         -> ; phase=dialing
`);

story("woken with an open line: it is asked, and has two seconds", `${OPEN}
  100 wake         -> send beat#201 ; next=2100
  150 beaten#201   -> ; safe=9100 next=4750
  200 wake         -> send beat#401 ; next=2200
  2200 time        -> drop, recover ; phase=down
`);

story("woken when it would be looked after sooner anyway", `${OPEN}
  4600 wake        -> send beat#9201 ; next=4620
`);

story("leaving with an open line: it says so, and waits for the answer", `${OPEN}
  100 leave        -> send bye#0 ; end=2100 leaving=true
  110 answer#0     -> drop, lost closed ; phase=closed
`);

story("leaving, and the line ends before the answer: it is taken up again, to be sure", `${OPEN}
  100 leave        -> send bye#0
  110 down 1006    -> drop, recover ; next=210
  210 time         -> dial
  220 up           -> send hello#441 liveness=beat session=S1 attempt=41
  230 refused#441 "session-not-found" -> drop, lost session-lost
`);

story("leaving: two seconds without an answer are enough", `${OPEN}
  100 leave        -> send bye#0
  2099 time        ->
  2100 time        -> drop, lost unavailable ; phase=closed
`);

story("leaving while down: the session is taken up in order to be closed", `${OPEN}
  100 down         -> drop, recover ; next=200
  110 leave        -> dial ; end=2110
  120 up           -> send hello#241 liveness=beat session=S1 attempt=41
  130 welcome#241  -> open S1, send bye#0
  140 answer#0     -> drop, lost closed
`);

story("leaving while dialing", `${OPEN}
  100 down         -> drop, recover
  200 time         -> dial
  205 leave        -> ; end=2205
  210 up           -> send hello#421 liveness=beat session=S1 attempt=41
  220 welcome#421  -> open S1, send bye#0
  230 answer#0     -> drop, lost closed
`);

story("leaving, and the session is gone already: as good", `${OPEN}
  100 down         -> drop, recover
  110 leave        -> dial
  120 up           -> send hello#241 liveness=beat session=S1 attempt=41
  130 refused#241 "session-not-found" -> drop, lost session-lost ; phase=closed
`);

story("leaving while nobody answers: two seconds in all", `${OPEN}
  100 down         -> drop, recover
  110 leave        -> dial
  120 down 1006    -> drop ; next=320
  320 time         -> dial
  2110 time        -> drop, lost unavailable closed with 1006 ; phase=closed
`);

story("leaving before there was a session: at once", `
  0 time           -> dial
  5 leave          -> drop, lost closed
`);

story("connecting ends after 30 seconds", `
  0 time           -> dial
  10 down 1006     -> drop
  29999 time       -> dial
  30000 time       -> drop, lost unavailable closed with 1006 ; phase=closed
`);

story("… but once there was a session, it is never given up without the server's word", `${OPEN}
  30000 down       -> drop, recover, unsafe, dial
  40000 down       -> drop ; phase=down
  999999999 time   -> dial ; phase=dialing
`);

test("it begins at once, and has 30 seconds", () => {
  const { next, end, safe } = begin({ ttl: 1, min: 1, max: 1, attempt: 0 }, 7);
  assert.deepEqual([next, end, safe], [7, 7 + CONNECT_MS, Infinity]);
});

// After 1024 failures the delay was no number, and no timer's.
test("a reconnect delay of 0 stays one, however often it failed", () => {
  let link = begin({ ttl: 10_000, min: 0, max: 10_000, attempt: 0 }, 0);
  [link] = step(link, { type: "time", random: 0.5 }, 1);
  for (let n = 0; n < 1100; n++) {
    [link] = step(link, { type: "down", code: 1006, random: 0.5 }, 1);
    assert.equal(link.phase, "dialing", `after ${n}`);
  }
});

/** What comes in from a world in which anything may happen, though nothing that cannot. */
const walk = (rng, length) => {
  const ttl = rng.of([50, 1000, 10_000, 86_400_000]);
  const max = rng.of([100, 10_000]);
  let link = freeze(begin({ ttl, min: 100, max, attempt: 0, session: rng() < 0.2 ? "S0" : undefined }, 0));
  let now = 0;
  let socket; // undefined, "dialed" or "up"
  let sent = []; // ids of heartbeats on this socket
  let hello;
  let hidden = false;
  let lost = 0;
  let attempt = 0;
  let acknowledged = -Infinity; // when the last acknowledged heartbeat was sent
  let woken = false;

  for (let n = 0; n < length; n++) {
    const kinds = ["time", "time", "late"];
    if (rng() < 0.05) kinds.push("wake", "hide");
    if (rng() < 0.01) kinds.push("leave");
    if (socket === "dialed") kinds.push("up", "up", "down");
    if (link.phase === "open") kinds.push("beat", "beaten", "beaten", "answer", "event");
    if (socket === "up" && rng() < 0.2) kinds.push("down");
    if (socket === "up" && hello) kinds.push("welcome", "welcome", "part", ...(rng() < 0.2 ? ["refused"] : []));
    const kind = rng.of(kinds);
    const input = { type: "message", random: rng() };
    // Timers go off when due, or late; messages come between.
    const next = due(link);
    now = kind === "time" && next < Infinity ? Math.max(now, next) : now + rng() * (kind === "late" ? ttl : ttl / 20);
    const acked = kind === "beaten" ? sent.shift() : kind === "welcome" ? hello : undefined;
    if (["time", "late"].includes(kind)) input.type = "time";
    else if (["up", "wake", "hide", "leave"].includes(kind)) input.type = kind;
    else if (kind === "down") {
      input.type = "down";
      input.code = rng.of([1006, 1006, 1001, 4001, 4003, 1012, ...(rng() < 0.1 ? [4501, 4502, 4503] : [])]);
      input.reason = "";
    } else {
      const code = rng.of(["unavailable", "unavailable", "session-not-found", "limit"]);
      input.message = {
        welcome: { id: hello, ok: { session: "S1", ttl, ping: Math.min(ttl / 3, 25_000), epoch: rng.of(["E1", "E2"]) } },
        part: { id: hello, part: { holds: [1] } },
        refused: { id: hello, error: new TicketdError(code) },
        beat: { event: "beat" },
        beaten: { id: acked, ok: { ttl } },
        answer: { id: 2 * rng.below(9) + 2, ok: {} },
        event: { event: "lock-wanted" },
      }[kind];
      if (kind === "beaten" && acked === undefined) continue;
    }
    if (kind === "down") socket = undefined;

    const before = link;
    const [after, effects] = step(before, freeze(input), now);
    link = freeze(after);
    const about = `at ${now} ${JSON.stringify(input)} ${JSON.stringify(before)} -> ${JSON.stringify(effects)}`;
    const names = effects.map(([name]) => name);

    if (before.phase === "closed") {
      assert.deepEqual([after, effects], [before, []], `nothing after the end ${about}`);
      break;
    }
    // Too late is too late: the acknowledgement counts only if it came in time.
    const inTime = now < before.safe || before.safe === Infinity;
    for (const [name, what] of effects) {
      if (name === "dial") {
        assert.equal(socket, undefined, `one socket at a time ${about}`);
        socket = "dialed";
        [sent, hello] = [[], undefined];
      } else if (name === "drop") socket = undefined;
      else if (name === "send" && what.id) {
        assert.equal(socket && input.type === "up" ? "up" : socket, "up", `nothing is sent where nobody listens ${about}`);
        assert.ok((what.id - 1) / 2 <= now && (what.id - 1) / 2 > now - 1, about);
        if (what.op === "hello") hello = what.id;
        else sent.push(what.id);
        if (what.attempt !== undefined) {
          assert.ok(what.attempt > attempt, `attempts grow ${about}`);
          attempt = what.attempt;
        }
      } else if (name === "open") {
        assert.ok(what.at(-1).session && !what.some((part) => part?.error), about);
        hello = undefined;
      } else if (name === "unsafe") {
        assert.ok(before.safe < acknowledged + ttl, `in time ${about}`);
      } else if (name === "lost") lost++;
    }
    if (kind === "up") socket = socket && "up";
    if (acked !== undefined && link.phase !== "closed" && (kind === "welcome" || (inTime && link.phase === "open"))) {
      acknowledged = Math.max(acknowledged, (acked - 1) / 2);
    }

    if (input.type === "hide") hidden = true;
    if (["wake", "leave"].includes(input.type)) hidden = false;
    if (socket) hidden = false;
    assert.equal(socket !== undefined, ["dialing", "open"].includes(link.phase), `the phase tells of the socket ${about}`);
    assert.equal(lost, link.phase === "closed" ? 1 : 0, `lost is told once ${about}`);
    if (link.safe < Infinity) assert.ok(link.safe < acknowledged + ttl, `safe is before the ttl is over ${about}`);
    if (link.phase === "open") assert.ok(link.safe < Infinity, `an open line is guarded ${about}`);
    if (link.phase !== "closed" && !hidden) assert.ok(link.next < Infinity, `it goes on by itself ${about}`);
    if (link.phase === "down" && link.next < Infinity) assert.ok(link.next <= now + max, about);
    if (input.type === "time" && link.phase !== "closed") assert.ok(due(link) > now, `no timer that goes round in circles ${about}`);
    if (names.includes("recover")) assert.ok(before.phase === "open" && names.includes("drop"), about);
    woken ||= names.includes("open");
  }
  return { lost, woken };
};

test("whatever happens: one socket at a time, safe in time, lost once, nothing after the end", (t) => {
  const rng = random(t);
  let [ends, opened] = [0, 0];
  for (let n = 0; n < 2000; n++) {
    const { lost, woken } = walk(rng, 200);
    ends += lost;
    opened += woken;
  }
  assert.ok(ends > 100 && opened > 500, `the walks go somewhere: ${ends} ends, ${opened} opened`);
});
