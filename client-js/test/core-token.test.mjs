// The core of the connection, where the server asks who one is.

import { story } from "./support/stories.mjs";

story("a string is shown with every hello", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat token=tkd_a ttl=10000
  20 welcome#21    -> open S1 ; phase=open
  30 event "token-expiring" -> pass token-expiring
  100 down 4401    -> drop, recover ; phase=down next=200
  200 time         -> dial
  210 up           -> send hello#421 liveness=beat token=tkd_a session=S1 attempt=41
  # it does not become good by being shown again
  220 refused#421 "unauthorized" -> drop, lost unauthorized
`, { token: "tkd_a" });

const ASKED = `
  0 time           -> ask connect ; phase=asking next=Infinity
  5 token a        -> dial ; phase=dialing
  10 up            -> send hello#21 liveness=beat token=a ttl=10000
  20 welcome#21    -> open S1 ; phase=open safe=9010`;

story("one that is asked for is there before it dials, each time", `${ASKED}
  100 down         -> drop, recover ; next=200
  200 time         -> ask connect ; phase=asking
  # however long that takes; the line's own time has not begun
  4000 token b     -> dial ; next=7583.333333333334
  4010 up          -> send hello#8021 liveness=beat token=b session=S1 attempt=41
  4020 welcome#8021 -> open S1 ; safe=13010
`, { asks: true });

story("about to end: another takes its place, and nothing else changes", `${ASKED}
  1000 event "token-expiring" -> pass token-expiring, ask expiring ; phase=open
  1100 token b     -> send auth#2201 token=b ; phase=open safe=9010 next=5600
  1110 answer#2201 -> ; phase=open safe=9010
`, { asks: true });

story("… refused, or there is none: the socket is as it was, until the server closes it", `${ASKED}
  1000 event "token-expiring" -> pass token-expiring, ask expiring
  1100 token b     -> send auth#2201 token=b
  1110 refused#2201 "unauthorized" -> ; phase=open
  1500 event "token-expiring" -> pass token-expiring, ask expiring
  1600 tokenless login is away -> ; phase=open
  2000 down 4401 unauthorized -> drop, recover ; next=2100
  2100 time        -> ask connect
  2110 token c     -> dial
`, { asks: true });

story("what comes when the line is cut is not used: it is asked for before it dials", `${ASKED}
  1000 event "token-expiring" -> pass token-expiring, ask expiring
  1100 down        -> drop, recover ; next=1200
  1150 token b     -> ; phase=down next=1200
  1200 time        -> ask connect
`, { asks: true });

story("refused once: asked for once more, and shown on a line of its own", `
  0 time           -> ask connect
  5 token a        -> dial
  10 up            -> send hello#21 liveness=beat token=a ttl=10000
  20 refused#21 "unauthorized" -> drop, ask refused ; phase=asking
  9000 token b     -> dial
  9010 up          -> send hello#18021 liveness=beat token=b ttl=10000
  9020 welcome#18021 -> open S1 ; refused=false
`, { asks: true });

story("refused twice ends it; a cut in between is no pardon", `
  0 time           -> ask connect
  5 token a        -> dial
  10 up            -> send hello#21 liveness=beat token=a ttl=10000
  20 refused#21 "unauthorized" -> drop, ask refused
  30 token b       -> dial
  40 down          -> drop ; next=140
  140 time         -> ask connect
  150 token c      -> dial
  160 up           -> send hello#321 liveness=beat token=c ttl=10000
  170 refused#321 "unauthorized" -> drop, lost unauthorized ; phase=closed
`, { asks: true });

story("no token: said at once to who has no session yet", `
  0 time           -> ask connect
  5 tokenless login is away -> drop, lost unavailable login is away
`, { asks: true });

story("… and tried on, with growing pauses, by who has one", `${ASKED}
  100 down         -> drop, recover ; next=200
  200 time         -> ask connect
  210 tokenless login is away -> drop ; phase=down next=410
  410 time         -> ask connect
  420 tokenless login is away -> drop ; next=820
  820 time         -> ask connect
  # the promise about loss does not wait for a token
  9010 time        -> unsafe ; phase=asking safe=Infinity
  9020 token b     -> dial
  9030 up          -> send hello#18061 liveness=beat token=b session=S1 attempt=41
  9040 welcome#18061 -> open S1
`, { asks: true });

story("connect() does not wait for a token for longer than for anything else", `
  0 time           -> ask connect
  30000 time       -> drop, lost unavailable
`, { asks: true });

story("a session that one closes while a token is asked for is closed with it, or left to its ttl", `${ASKED}
  100 down         -> drop, recover ; next=200
  200 time         -> ask connect
  210 leave        -> ; phase=asking end=2210
  220 token b      -> dial
  230 up           -> send hello#461 liveness=beat token=b session=S1 attempt=41
  240 welcome#461  -> open S1, send bye#0
`, { asks: true });

story("a page that is put aside while a token is asked for asks again when it is back", `${ASKED}
  100 down         -> drop, recover ; next=200
  200 time         -> ask connect
  210 hide         -> drop ; phase=down next=Infinity
  220 token b      -> ; phase=down
  900 wake         -> ask connect
`, { asks: true });

story("a session that is not there any more: the new one is opened with the same token", `
  0 time           -> ask connect
  5 token a        -> dial
  10 up            -> send hello#21 liveness=beat token=a session=S0 attempt=41
  20 refused#21 "session-not-found" -> send hello#41 liveness=beat token=a ttl=10000
`, { asks: true, session: "S0" });

story("too many requests of its owner's, or from its address: who has a session tries on", `${ASKED}
  100 down         -> drop, recover
  200 time         -> ask connect
  210 token b      -> dial
  220 up           -> send hello#441 liveness=beat token=b session=S1 attempt=41
  230 refused#441 "limit" -> drop ; phase=down next=430
`, { asks: true });

story("… and who has none is told", `
  0 time           -> dial
  10 up            -> send hello#21 liveness=beat ttl=10000
  20 refused#21 "limit" -> drop, lost limit
`);
