// The core of the connection in a world in which anything may happen, though nothing that cannot.

import assert from "node:assert/strict";
import test from "node:test";

import { TicketdError } from "../error.js";
import { link as begin, step } from "../core.js";
import { due, freeze } from "./support/stories.mjs";
import { random } from "./support/until.mjs";

/** A link, and the world around it as far as it matters. */
class Walk {
  now = 0;
  /** undefined, "dialed" or "up" */
  socket = undefined;
  /** The ids of heartbeats on this socket. */
  sent = [];
  hello = undefined;
  hidden = false;
  /** Whether a token is asked for. */
  asked = false;
  lost = 0;
  attempt = 0;
  /** When the last acknowledged heartbeat was sent. */
  acknowledged = -Infinity;
  woken = false;

  constructor(rng) {
    this.rng = rng;
    this.ttl = rng.of([50, 1000, 10_000, 86_400_000]);
    this.max = rng.of([100, 10_000]);
    const session = rng() < 0.2 ? "S0" : undefined;
    this.link = freeze(begin({ ttl: this.ttl, min: 100, max: this.max, attempt: 0, session, asks: rng() < 0.5 }, 0));
  }

  /** What comes in next. */
  kind() {
    const { rng, socket, hello, link } = this;
    const kinds = ["time", "time", "late"];
    if (rng() < 0.05) kinds.push("wake", "hide");
    if (rng() < 0.01) kinds.push("leave");
    if (this.asked) kinds.push("token", "token", ...(rng() < 0.1 ? ["tokenless"] : []));
    if (link.phase === "open" && rng() < 0.1) kinds.push("expiring");
    if (socket === "dialed") kinds.push("up", "up", "down");
    if (link.phase === "open") kinds.push("beat", "beaten", "beaten", "answer", "event");
    if (socket === "up" && rng() < 0.2) kinds.push("down");
    if (socket === "up" && hello) kinds.push("welcome", "welcome", "part", ...(rng() < 0.2 ? ["refused"] : []));
    return rng.of(kinds);
  }

  /** The input that is. @param {number | undefined} acked The heartbeat that it acknowledges. */
  input(kind, acked) {
    const { rng, hello, ttl } = this;
    const chance = rng();
    if (["time", "late"].includes(kind)) return { type: "time", random: chance };
    if (["up", "wake", "hide", "leave"].includes(kind)) return { type: kind, random: chance };
    if (kind === "token") return { type: kind, token: "t", random: chance };
    if (kind === "tokenless") return { type: "token", cause: new TicketdError("unavailable"), random: chance };
    if (kind === "down") {
      const code = rng.of([1006, 1006, 1001, 4001, 4003, 4401, 1012, ...(rng() < 0.1 ? [4501, 4502, 4503] : [])]);
      return { type: "down", code, reason: "", random: chance };
    }
    const code = rng.of(["unavailable", "unavailable", "session-not-found", "limit", "unauthorized"]);
    const epoch = rng.of(["E1", "E2"]);
    const message = {
      welcome: { id: hello, ok: { session: "S1", ttl, ping: Math.min(ttl / 3, 25_000), epoch } },
      part: { id: hello, part: { holds: [1] } },
      refused: { id: hello, error: new TicketdError(code) },
      beat: { event: "beat" },
      beaten: { id: acked, ok: { ttl } },
      answer: { id: 2 * rng.below(9) + 2, ok: {} },
      event: { event: "lock-wanted" },
      expiring: { event: "token-expiring" },
    }[kind];
    return { type: "message", message, random: chance };
  }

  /** What the world makes of the effects. */
  follow(effects, input, before, about) {
    for (const [name, what] of effects) {
      if (name === "dial") {
        assert.equal(this.socket, undefined, `one socket at a time ${about}`);
        this.socket = "dialed";
        [this.sent, this.hello] = [[], undefined];
      } else if (name === "drop") this.socket = undefined;
      else if (name === "send" && what.id) this.hear(what, input, about);
      else if (name === "open") {
        assert.ok(what.at(-1).session && !what.some((part) => part?.error), about);
        this.hello = undefined;
      } else if (name === "unsafe") {
        assert.ok(before.safe < this.acknowledged + this.ttl, `in time ${about}`);
      } else if (name === "ask") {
        assert.ok(before.asks && (what === "expiring") === (this.link.phase === "open"), about);
        this.asked = true;
      } else if (name === "lost") this.lost++;
    }
  }

  /** What was sent. */
  hear({ id, op, attempt }, input, about) {
    const { socket, now } = this;
    assert.equal(socket && input.type === "up" ? "up" : socket, "up", `nothing is sent where nobody listens ${about}`);
    assert.ok((id - 1) / 2 <= now && (id - 1) / 2 > now - 1, about);
    if (op === "hello") this.hello = id;
    else if (op === "auth") return;
    else this.sent.push(id);
    if (attempt === undefined) return;
    assert.ok(attempt > this.attempt, `attempts grow ${about}`);
    this.attempt = attempt;
  }

  /** What holds after each step. */
  check(input, about) {
    const { link, now, lost, hidden } = this;
    const over = link.phase === "closed";
    const there = this.socket !== undefined;
    assert.equal(there, ["dialing", "open"].includes(link.phase), `the phase tells of the socket ${about}`);
    assert.equal(lost, over ? 1 : 0, `lost is told once ${about}`);
    if (link.safe < Infinity) assert.ok(link.safe < this.acknowledged + this.ttl, `safe before the ttl is over ${about}`);
    if (link.phase === "open") assert.ok(link.safe < Infinity, `an open connection is guarded ${about}`);
    assert.ok(link.phase !== "asking" || this.asked, `who waits for a token has asked for one ${about}`);
    if (!over && !hidden && link.phase !== "asking") assert.ok(link.next < Infinity, `it goes on by itself ${about}`);
    if (link.phase === "down" && link.next < Infinity) assert.ok(link.next <= now + this.max, about);
    if (input.type === "time" && !over) assert.ok(due(link) > now, `no timer that goes round in circles ${about}`);
  }

  /** Whether it goes on. */
  step() {
    const { rng, ttl, link: before } = this;
    const kind = this.kind();
    // Timers go off when due, or late; messages come between.
    const next = due(before);
    const passes = rng() * (kind === "late" ? ttl : ttl / 20);
    this.now = kind === "time" && next < Infinity ? Math.max(this.now, next) : this.now + passes;
    const acked = kind === "beaten" ? this.sent.shift() : kind === "welcome" ? this.hello : undefined;
    if (kind === "beaten" && acked === undefined) return true;
    const input = freeze(this.input(kind, acked));
    if (kind === "down") this.socket = undefined;
    if (input.type === "token") this.asked = false;

    const [after, effects] = step(before, input, this.now);
    this.link = freeze(after);
    const about = `at ${this.now} ${JSON.stringify(input)} ${JSON.stringify(before)} -> ${JSON.stringify(effects)}`;
    if (before.phase === "closed") {
      assert.deepEqual([after, effects], [before, []], `nothing after the end ${about}`);
      return false;
    }
    this.follow(effects, input, before, about);
    if (kind === "up") this.socket = this.socket && "up";
    // Too late is too late: the acknowledgement counts only if it came in time.
    const inTime = this.now < before.safe || before.safe === Infinity;
    const counts = kind === "welcome" || (inTime && after.phase === "open");
    if (acked !== undefined && after.phase !== "closed" && counts) {
      this.acknowledged = Math.max(this.acknowledged, (acked - 1) / 2);
    }
    if (input.type === "hide") this.hidden = true;
    if (["wake", "leave"].includes(input.type) || this.socket) this.hidden = false;
    this.check(input, about);
    const names = effects.map(([name]) => name);
    if (names.includes("recover")) assert.ok(before.phase === "open" && names.includes("drop"), about);
    this.woken ||= names.includes("open");
    return true;
  }
}

test("whatever happens: one socket at a time, safe in time, lost once, nothing after the end", (t) => {
  const rng = random(t);
  let [ends, opened] = [0, 0];
  for (let n = 0; n < 2000; n++) {
    const walk = new Walk(rng);
    for (let steps = 0; steps < 200 && walk.step(); steps++);
    ends += walk.lost;
    opened += walk.woken;
  }
  assert.ok(ends > 100 && opened > 500, `the walks go somewhere: ${ends} ends, ${opened} opened`);
});
