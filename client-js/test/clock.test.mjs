// The clock by which holds are given up: no sleep may stop it, nothing may turn it back.

import assert from "node:assert/strict";
import test from "node:test";

import { clock } from "../clock.js";
import { random } from "./support/until.mjs";

const HOUR = 3_600_000;

/** Two clocks to be moved by hand, and the one made of them. */
const clocks = () => {
  const at = { mono: 500, wall: 1_700_000_000_000 };
  const both = (ms) => {
    at.mono += ms;
    at.wall += ms;
  };
  return { at, both, now: clock(() => at.mono, () => at.wall) };
};

test("it goes on as time does", () => {
  const { both, now } = clocks();
  const start = now();
  both(1234);
  assert.equal(now() - start, 1234);
});

test("a machine that slept an hour: the monotonic clock stood still, this one did not", () => {
  const { at, both, now } = clocks();
  const start = now();
  at.wall += HOUR;
  assert.equal(now() - start, HOUR);
  both(10);
  assert.equal(now() - start, HOUR + 10, "and it counts the sleep once");
});

test("many sleeps add up", () => {
  const { at, both, now } = clocks();
  const start = now();
  for (let n = 0; n < 100; n++) {
    both(7);
    at.wall += 1000;
    now();
  }
  assert.equal(now() - start, 100 * 1007);
});

test("a wall clock that is set back neither turns it back nor stops it", () => {
  const { at, both, now } = clocks();
  const start = now();
  at.wall -= HOUR;
  assert.equal(now(), start);
  both(10);
  assert.equal(now() - start, 10);
});

test("a sleep after the wall clock was set back counts in full", () => {
  const { at, now } = clocks();
  const start = now();
  at.wall -= HOUR;
  now();
  at.wall += 5000;
  assert.equal(now() - start, 5000);
});

test("a wall clock that steps forward takes it along: better too early than too late", () => {
  const { at, now } = clocks();
  const start = now();
  at.wall += 2000;
  assert.equal(now() - start, 2000);
});

test("the rounding of the wall clock is no step: no drift in 100 000 calls", (t) => {
  const rng = random(t);
  let mono = 0;
  let real = 1_700_000_000_000.5;
  const now = clock(() => mono, () => Math.floor(real) + rng.below(3) - 1);
  const start = now();
  for (let n = 0; n < 1e5; n++) {
    const ms = rng() * 20;
    mono += ms;
    real += ms;
    now();
  }
  assert.equal(now() - start, mono);
});

test("two clocks that go at different speeds: it is never slower than the faster one, save the slack", () => {
  for (const speed of [0.999, 1.001]) {
    let mono = 0;
    let wall = 1e12;
    const now = clock(() => mono, () => wall);
    const start = now();
    for (let n = 0; n < 1e5; n++) {
      mono += 10;
      wall += 10 * speed;
      now();
    }
    const gone = now() - start;
    assert.ok(gone >= Math.max(mono, wall - 1e12) - 51 && gone <= Math.max(mono, wall - 1e12) + 1, `${gone}`);
  }
});

test("whatever the two clocks do, it never goes back and is never behind the monotonic one", (t) => {
  const rng = random(t);
  const { at, now } = clocks();
  let last = now();
  const begin = { clock: last, mono: at.mono };
  for (let n = 0; n < 1e5; n++) {
    at.mono += rng() < 0.1 ? 0 : rng() * 100;
    at.wall += rng() < 0.1 ? (rng() - 0.5) * HOUR : rng() * 100;
    const next = now();
    assert.ok(next >= last);
    assert.ok(next - begin.clock >= at.mono - begin.mono - 1e-3);
    last = next;
  }
});

test("by itself it reads the platform's clocks", () => {
  const now = clock();
  const [first, before] = [now(), performance.now()];
  while (performance.now() - before < 5);
  assert.ok(now() - first >= 5 && now() - first < 10_000);
});
