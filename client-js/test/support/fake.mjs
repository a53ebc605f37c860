// A world without a network and without time of its own: a WebSocket whose other end the test is, and clocks and timers
// that go on when the test says so.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";

import { connect } from "../../index.js";

/** Lets promises settle, as often as it takes. */
export const settled = async () => {
  for (let n = 0; n < 5; n++) await turn();
};

const real = { setTimeout, clearTimeout, performance: performance.now, now: Date.now };

/** Time for the test alone: `pass(ms)` lets timers go off in their order. To be given back at the end. */
export const virtualTime = (t) => {
  let mono = 1000;
  let wall = 1_700_000_000_000;
  let last = 0;
  const timers = new Map();
  globalThis.setTimeout = (run, ms, ...rest) => {
    const id = ++last;
    timers.set(id, { at: mono + Math.max(Number(ms) || 0, 1), run: () => run(...rest) });
    return Object.assign(Object(id), { unref() {}, ref() {}, id });
  };
  globalThis.clearTimeout = (timer) => timers.delete(timer?.id);
  Object.defineProperty(performance, "now", { value: () => mono, configurable: true, writable: true });
  Date.now = () => wall;
  t.after(() => {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    delete performance.now;
    Date.now = real.now;
  });
  return {
    now: () => mono,
    timers,
    async pass(ms) {
      const end = mono + ms;
      for (;;) {
        await settled();
        const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
        if (!due) break;
        const [id, { at, run }] = due;
        timers.delete(id);
        wall += Math.max(0, at - mono);
        mono = Math.max(mono, at);
        run();
      }
      wall += end - mono;
      mono = end;
      await settled();
    },
    /** The machine is busy, or asleep: time goes by and no timer goes off. */
    freeze(ms) {
      mono += ms;
      wall += ms;
    },
    /** Only the wall clock goes on: the machine sleeps. */
    sleep(ms) {
      wall += ms;
    },
  };
};

/** Sockets whose other end is the test. */
export const sockets = () => {
  const all = [];
  class FakeSocket {
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    /** What the client has said and the test has not taken yet. */
    said = [];
    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      all.push(this);
    }
    send(text) {
      assert.equal(this.readyState, 1, "said something on a line that is not open");
      this.said.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
  }
  return { all, FakeSocket };
};

/** The state of a session that has nothing. */
export const NOTHING = { holds: [], waits: [], watches: [], issued: [] };
export const HELLO = { session: "S".repeat(27), name: "me", ttl: 10_000, epoch: "E1", ping: 3000 };

/** The server's end of one socket. */
export class End {
  constructor(socket) {
    this.socket = socket;
  }
  accept() {
    this.socket.readyState = 1;
    this.socket.onopen?.({});
    return this;
  }
  /** The next that the client said; heartbeats are answered by the way and passed over. */
  take() {
    for (;;) {
      const frame = this.socket.said.shift();
      if (frame?.op !== "beat") return frame;
      this.say({ id: frame.id, ok: { ttl: 10_000 } });
    }
  }
  /** The client said just this, next; returns the frame. */
  takes(members, why) {
    const frame = this.take();
    assert.ok(frame, `the client said nothing, not ${JSON.stringify(members)}${why ? `: ${why}` : ""}`);
    const { id, ...rest } = frame;
    assert.deepEqual(rest, members, why);
    return frame;
  }
  quiet(why) {
    assert.equal(this.take(), undefined, why);
  }
  say(message) {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
    return this;
  }
  ok(frame, ok = {}) {
    return this.say({ id: frame.id, ok });
  }
  refuse(frame, code, message = code) {
    return this.say({ id: frame.id, error: { code, message } });
  }
  beat() {
    return this.say({ event: "beat" });
  }
  close(code = 1006, reason = "") {
    this.socket.readyState = 3;
    this.socket.onclose?.({ code, reason });
  }
}

/**
 * A session that has just begun, and the test at its other end.
 * @returns {Promise<any>} `session`; `line`, the end of its newest socket; `resume(state)` waits until it
 *   dials and answers the hello with that state (`answer` does not wait); `cut()`; `resumed(state)` does both; `time`.
 */
export const begun = async (t, { options = {}, state = NOTHING } = {}) => {
  const time = virtualTime(t);
  const { all, FakeSocket } = sockets();
  const world = { time, all, session: undefined, line: undefined };
  const answer = async (now, more = {}) => {
    assert.ok(all.length, "nobody dialled");
    world.line = new End(all.at(-1)).accept();
    const hello = world.line.take();
    assert.equal(hello.op, "hello");
    world.line.ok(hello, { ...HELLO, resumed: !!hello.session, ...NOTHING, ...now, ...more });
    await settled();
    return hello;
  };
  world.answer = answer;
  world.resume = async (now, more) => {
    const before = all.length;
    for (let n = 0; all.length === before && n < 100; n++) await time.pass(100);
    assert.ok(all.length > before, "nobody dialled again");
    return answer(now, more);
  };
  world.cut = (code) => world.line.close(code);
  /** A cut, and at once a resume with that state. */
  world.resumed = async (now, more) => {
    const before = all.length;
    world.cut();
    assert.equal(world.session.state, "recovering");
    for (let n = 0; all.length === before && n < 100; n++) await time.pass(10);
    return answer(now, more);
  };
  const connected = connect("http://test.invalid", { WebSocket: FakeSocket, name: "me", ...options });
  await settled();
  await answer(state);
  world.session = await connected;
  t.after(async () => {
    world.session.close();
    await settled();
  });
  return world;
};

/** What became of a promise so far: "pending", its value, or its error's code. */
export const fate = async (promise) => {
  let now = "pending";
  promise.then(
    (value) => (now = value),
    (error) => (now = error.code ?? error),
  );
  await settled();
  return now;
};
