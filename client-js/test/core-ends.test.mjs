// The core of the connection, step by step: what is final, and what is tried again.

import assert from "node:assert/strict";
import test from "node:test";

import { CONNECT_MS, link as begin, step } from "../core.js";
import { OPEN, story } from "./support/stories.mjs";
import { random } from "./support/until.mjs";

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
