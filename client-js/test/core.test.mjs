// The core of the connection, step by step.

import assert from "node:assert/strict";
import test from "node:test";

import { link as begin, step } from "../core.js";
import { OPEN, story } from "./support/stories.mjs";
import { random } from "./support/until.mjs";

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
