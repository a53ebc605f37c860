// What the web-platform tests (web-locks/*.https.any.js) want of `navigator.locks`, in our own words: for the helper's
// `session.locks` in Node and in Chromium, and for Chromium's own, so that these stories tell what browsers do.
// It imports nothing: a page has it, too.
//
// Of theirs these are not here:
// - idlharness, secure-context, opaque-origin, non-fully-active, bfcache, frames, workers, clientids' frames,
//   partitioned-web-locks, storage-buckets and the crash tests: they are about documents, agents and storage of one
//   browser. A session is no document, and its server knows none.
// - query: of other clients, and of a deadlock with one. `query()` tells of this session; its server tells of all by
//   GET /api/v1/resources/{name}. Order among several clients (query-ordering) likewise.
// - resource-names: "", NUL and half surrogates. They are no names to the server. NotSupportedError says so, as of names
//   that begin with "-".

const ok = (is, message = "it does not hold") => is || fail(message);
function fail(message) {
  throw new Error(message);
}
const equal = (actual, expected, message = "") =>
  JSON.stringify(actual) === JSON.stringify(expected) ||
  fail(`${message} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
const rejection = (promise, heard) => promise.then((value) => fail(`it resolved with ${String(value)}`), heard);
/** With an error of that name, and of that kind. */
const rejects = (promise, name, kind = globalThis.DOMException) =>
  rejection(promise, (error) => {
    ok(error instanceof kind && error.name === name, `it rejected with ${String(error)}, not ${name}`);
  });
const rejectsWith = (promise, reason) => rejection(promise, (error) => ok(error === reason, "it rejected with something else"));
const isType = (promise) => rejects(promise, "TypeError", TypeError);
const unreached = () => fail("it was called");
const deferred = () => {
  const all = {};
  all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
};
const [never, soon] = [new Promise(() => {}), (ms) => new Promise((resolve) => setTimeout(resolve, ms))];

/** Holds it until it is let go, or the story ends. */
const hold = ({ locks, cleanUp }, name, options = {}) => {
  const { promise, resolve: release } = deferred();
  const over = locks.request(name, options, () => promise);
  over.catch(() => {});
  cleanUp(() => (release(), over.catch(() => {})));
  return { over, release };
};
/** Those of that name. */
const named = async ({ locks }, name) => {
  const { held, pending } = await locks.query();
  return { held: held.filter((lock) => lock.name === name), pending: pending.filter((lock) => lock.name === name) };
};
const modes = (list) => list.map(({ mode }) => mode);

// Each is given `locks`, a `name` of its own with others behind it (`more()`), and `cleanUp`.
const arguments_ = {
  "a name and a function must be there": async ({ locks, name }) => {
    await isType(locks.request());
    await isType(locks.request(name));
    for (const none of [undefined, null, 123, "abc", [], {}, Promise.resolve()]) {
      await isType(locks.request(name, none));
      await isType(locks.request(name, {}, none));
    }
  },
  "the mode is shared or exclusive, and the lock says which": async ({ locks, name }) => {
    await isType(locks.request(name, { mode: "foo" }, unreached));
    await isType(locks.request(name, { mode: null }, unreached));
    equal(await locks.request(name, { mode: "exclusive" }, ({ mode }) => mode), "exclusive");
    equal(await locks.request(name, { mode: "shared" }, ({ mode }) => mode), "shared");
    equal(await locks.request(name, ({ mode }) => mode), "exclusive");
    equal(await locks.request(name, (lock) => lock.name), name);
  },
  "options that exclude one another": async ({ locks, name }) => {
    const { signal } = new AbortController();
    for (const options of [
      { steal: true, ifAvailable: true },
      { steal: true, mode: "shared" },
      { steal: true, signal },
      { ifAvailable: true, signal },
      { steal: true, signal: AbortSignal.abort() },
    ]) {
      await rejects(locks.request(name, options, unreached), "NotSupportedError");
    }
  },
  "names do not begin with a hyphen, but may have one": async ({ locks, name }) => {
    for (const wrong of ["-", "-foo"]) await rejects(locks.request(wrong, unreached), "NotSupportedError");
    equal(await locks.request(`${name}-x`, (lock) => lock.name), `${name}-x`);
  },
  "names are text, also when they are none, and kept as they are": async ({ locks, name, more }) => {
    const odd = `${name}\uffff \u{1f600}`;
    equal(await locks.request(odd, (lock) => lock.name), odd);
    const other = more();
    equal(await locks.request({ toString: () => other }, (lock) => lock.name), other);
    await isType(locks.request(Symbol("x"), unreached));
  },
};

const results = {
  "it gives a promise of what the function gives, once it is released": async ({ locks, name }) => {
    const wanted = locks.request(name, () => 123);
    ok(Promise.resolve(wanted) === wanted, "it is no promise");
    equal(await wanted, 123);
    const { promise, resolve } = deferred();
    const order = [];
    const returned = locks.request(name, () => promise).then(() => order.push("returned"));
    promise.then(() => order.push("holding"));
    resolve();
    await returned;
    equal(order, ["holding", "returned"]);
  },
  "what the function throws, at once or later, comes out itself": async ({ locks, name }) => {
    for (const error of [{ name: "test" }, "text", undefined]) {
      await rejectsWith(locks.request(name, () => { throw error; }), error);
      await rejectsWith(locks.request(name, async () => { throw error; }), error);
    }
  },
  "… and is not called when it has a then()": async ({ locks, name }) => {
    const error = { then: () => (error.called = true) };
    await rejectsWith(locks.request(name, async () => { throw error; }), error);
    ok(!error.called, "it was called");
  },
  "it is held until what the function gives resolves, or rejects": async ({ locks, name }) => {
    for (const end of ["resolve", "reject"]) {
      const order = [];
      const [granted, let_go] = [deferred(), deferred()];
      locks.request(name, () => (granted.resolve(), let_go.promise)).catch(() => {});
      await granted.promise;
      await Promise.all([
        soon(50).then(() => {
          order.push(end);
          let_go[end](new Error("on purpose"));
        }),
        locks.request(name, () => order.push("next")),
      ]);
      equal(order, [end, "next"]);
    }
  },
};

const available = {
  "ifAvailable: when it is free": async ({ locks, name }) =>
    ok(await locks.request(name, { ifAvailable: true }, async (lock) => lock !== null)),
  "ifAvailable: when it is held, by the same client too: null, and what the function then gives or throws": async ({ locks, name }) => {
    await locks.request(name, async () => {
      equal(await locks.request(name, { ifAvailable: true }, (lock) => [lock, 123]), [null, 123]);
      const error = { name: "test" };
      await rejectsWith(locks.request(name, { ifAvailable: true }, () => { throw error; }), error);
      await rejectsWith(locks.request(name, { ifAvailable: true }, async () => { throw error; }), error);
    });
  },
  "ifAvailable: another that is held is none of its business": async ({ locks, name, more }) => {
    await locks.request(name, async () => ok(await locks.request(more(), { ifAvailable: true }, (lock) => lock !== null)));
  },
  "ifAvailable: in which modes": async ({ locks, name }) => {
    const tries = (mode) => locks.request(name, { mode, ifAvailable: true }, (lock) => lock !== null);
    await locks.request(name, { mode: "shared" }, async () => {
      ok(await tries("shared"), "shared beside shared");
      ok(!(await tries("exclusive")), "exclusive beside shared");
    });
    await locks.request(name, async () => ok(!(await tries("shared")), "shared beside exclusive"));
  },
  "ifAvailable: when a former release has been told": async ({ locks, name, more }) => {
    const other = more();
    await locks.request(name, async () => {
      await locks.request(other, async () => {});
      ok(await locks.request(other, { ifAvailable: true }, async (lock) => lock !== null));
    });
  },
};

const order = {
  "exclusive requests are granted in their order": async ({ locks, name }) => {
    const granted = [];
    await Promise.all([1, 2, 3].map((n) => locks.request(name, () => granted.push(n))));
    equal(granted, [1, 2, 3]);
  },
  "one that is blocked blocks no other name": async ({ locks, name, more }) => {
    const granted = [];
    let inner;
    await locks.request(name, async () => {
      inner = Promise.all([locks.request(name, () => granted.push(1)), locks.request(more(), () => granted.push(2))]);
    });
    await inner;
    equal(granted, [2, 1]);
  },
  "shared requests are granted in their order, each name's and all": async ({ locks, name, more }) => {
    const names = [name, more(), more()];
    const granted = [];
    await Promise.all(
      [...names, ...names].map((name, n) => locks.request(name, { mode: "shared" }, () => granted.push(n))),
    );
    equal(granted, [0, 1, 2, 3, 4, 5]);
  },
  "a shared lock is had again while it is held": async ({ locks, name }) => {
    const again = () => locks.request(name, { mode: "shared" }, () => true);
    ok(await locks.request(name, { mode: "shared" }, again));
  },
  "mixed: who shares is granted, who wants it alone waits, another name does not": async ({ locks, name, more }) => {
    const { promise: blocked, resolve: unblock } = deferred();
    const granted = [];
    const share = (n) => locks.request(name, { mode: "shared" }, () => (granted.push(`shared ${n}`), blocked));
    for (const n of [1, 2, 3]) share(n);
    const alone = locks.request(name, ({ mode }) => granted.push(mode));
    await locks.request(more(), { mode: "exclusive" }, () => granted.push("other"));
    equal(granted, ["shared 1", "shared 2", "shared 3", "other"]);
    unblock();
    await alone;
    equal(granted.slice(4), ["exclusive"]);
  },
  "mixed: the end of one that is alone lets in all who share": async (world) => {
    const { name } = world;
    const alone = hold(world, name);
    for (let n = 0; n < 5; n++) hold(world, name, { mode: "shared" });
    const before = await named(world, name);
    equal([before.held.length, before.pending.length], [1, 5]);
    alone.release();
    await alone.over;
    equal(modes((await named(world, name)).held), Array(5).fill("shared"));
  },
  "mixed: one that is alone, between those who share": async (world) => {
    const { name } = world;
    const first = Array.from({ length: 5 }, () => hold(world, name, { mode: "shared" }));
    const alone = hold(world, name);
    for (let n = 0; n < 5; n++) hold(world, name, { mode: "shared" });
    equal(modes((await named(world, name)).held), Array(5).fill("shared"));
    for (const { release } of first) release();
    await Promise.all(first.map(({ over }) => over));
    equal(modes((await named(world, name)).held), ["exclusive"]);
    alone.release();
    await alone.over;
    equal(modes((await named(world, name)).held), Array(5).fill("shared"));
  },
};

const steal = {
  "steal: when it is free": async ({ locks, name }) =>
    ok(await locks.request(name, { steal: true }, (lock) => lock !== null)),
  "steal: when it is held; whose it was is told at once": async ({ locks, name }) => {
    const robbed = rejects(locks.request(name, () => never), "AbortError");
    ok(await locks.request(name, { steal: true }, (lock) => lock !== null));
    await robbed;
  },
  "steal: before who waits, who has it after": async ({ locks, name }) => {
    locks.request(name, () => never).catch(() => {});
    let granted = false;
    const waiting = locks.request(name, () => (granted = true));
    await locks.request(name, { steal: true }, () => ok(!granted, "who waits came first"));
    await waiting;
    ok(granted);
  },
  "steal: from who share it, all": async ({ locks, name }) => {
    const robbed = [1, 2].map(() => rejects(locks.request(name, { mode: "shared" }, () => never), "AbortError"));
    await locks.request(name, { steal: true }, () => {});
    await Promise.all(robbed);
  },
  "steal: the last who does has it": async ({ locks, name }) => {
    locks.request(name, () => never).catch(() => {});
    const first = rejects(locks.request(name, { steal: true }, () => never), "AbortError");
    await locks.request(name, { steal: true }, () => {});
    await first;
  },
  "steal: what the robbed then gives, or throws, is heard by nobody": async ({ locks, name }) => {
    for (const end of ["resolve", "reject"]) {
      const last = deferred();
      const robbed = rejects(locks.request(name, () => last.promise), "AbortError");
      await locks.request(name, { steal: true }, () => {});
      await robbed;
      last[end](new Error("on purpose"));
      ok(await locks.request(name, () => true));
    }
  },
};

const signals = {
  "signal: must be one": async ({ locks, name }) => {
    for (const signal of ["string", 12.34, false, {}, Symbol("x"), () => {}, globalThis]) {
      await isType(locks.request(name, { signal }, unreached));
    }
  },
  "signal: that is aborted already": async ({ locks, name }) => {
    await rejects(locks.request(name, { signal: AbortSignal.abort() }, unreached), "AbortError");
    for (const args of [[], ["My dog ate it."]]) {
      const controller = new AbortController();
      controller.abort(...args);
      await rejectsWith(locks.request(name, { signal: controller.signal }, unreached), controller.signal.reason);
    }
  },
  "signal: ends the wait, now or later": async (world) => {
    const { locks, name } = world;
    hold(world, name);
    for (const ms of [0, 10]) {
      const controller = new AbortController();
      const wanted = rejects(locks.request(name, { signal: controller.signal }, unreached), "AbortError");
      const now = await named(world, name);
      equal([now.held.length, now.pending.length], [1, 1]);
      if (ms) await soon(ms);
      controller.abort();
      await wanted;
    }
  },
  "signal: that is not aborted": async ({ locks, name }) =>
    ok(await locks.request(name, { signal: new AbortController().signal }, async () => true)),
  "signal: aborted in the same breath, though it is free; the next is not kept waiting": async ({ locks, name }) => {
    const controller = new AbortController();
    const wanted = locks.request(name, { signal: controller.signal }, unreached);
    controller.abort();
    await rejects(wanted, "AbortError");
    ok(await locks.request(name, () => true));
  },
  "signal: aborted after it was granted, or released, does nothing": async ({ locks, name }) => {
    for (const early of [true, false]) {
      const [controller, acquired, over] = [new AbortController(), deferred(), deferred()];
      const done = locks.request(name, { signal: controller.signal }, () => (acquired.resolve(), over.promise));
      await acquired.promise;
      if (early) controller.abort();
      over.resolve("fine");
      controller.abort();
      equal(await done, "fine");
    }
  },
  "signal: whose abort lets in the next": async ({ locks, name }) => {
    const controller = new AbortController();
    const first = locks.request(name, { signal: controller.signal }, () => never);
    const next = locks.request(name, () => "resolved");
    controller.abort();
    await rejects(first, "AbortError");
    equal(await next, "resolved");
  },
  "signal: its reason comes out itself": async ({ locks, name }) => {
    for (const args of [[], ["My cat handled it"]]) {
      const controller = new AbortController();
      const wanted = locks.request(name, { signal: controller.signal }, () => never);
      controller.abort(...args);
      await rejectsWith(wanted, controller.signal.reason);
    }
  },
};

const query = {
  "query: nothing": async (world) => {
    const state = await world.locks.query();
    ok(Array.isArray(state.held) && Array.isArray(state.pending));
    equal(await named(world, world.name), { held: [], pending: [] });
  },
  "query: what is held and what waits, each with its name, mode and client": async (world) => {
    const { locks, name } = world;
    await locks.request(name, async () => {
      const second = locks.request(name, () => {});
      equal(await locks.request(name, { ifAvailable: true }, (lock) => lock), null);
      const { held, pending } = await named(world, name);
      for (const [info] of [held, pending]) ok(["name", "mode", "clientId"].every((what) => Object.hasOwn(info, what)));
      equal([modes(held), modes(pending)], [["exclusive"], ["exclusive"]]);
      equal(pending[0].clientId, held[0].clientId);
      second.catch(() => {});
    });
    await locks.request(name, { mode: "shared" }, async () => equal(modes((await named(world, name)).held), ["shared"]));
  },
  "query: several names, of one client": async (world) => {
    const { locks, name, more } = world;
    const other = more();
    await locks.request(name, () =>
      locks.request(other, { mode: "shared" }, async () => {
        const [one, two] = [(await named(world, name)).held, (await named(world, other)).held];
        equal([modes(one), modes(two)], [["exclusive"], ["shared"]]);
        equal(one[0].clientId, two[0].clientId);
      }),
    );
  },
  "query: as many as share it, or wait to": async (world) => {
    const { locks, name } = world;
    const shared = (run) => locks.request(name, { mode: "shared" }, run);
    await shared(() => shared(async () => equal(modes((await named(world, name)).held), ["shared", "shared"])));
    await locks.request(name, async () => {
      const waiting = [shared(() => {}), shared(() => {})];
      const { held, pending } = await named(world, name);
      equal([modes(held), modes(pending)], [["exclusive"], ["shared", "shared"]]);
      Promise.all(waiting).catch(() => {});
    });
  },
  "query: requests stand in the order in which they were made": async (world) => {
    const { locks, name } = world;
    await locks.request(name, async () => {
      for (const mode of ["shared", "exclusive", "shared"]) locks.request(name, { mode }, () => {}).catch(() => {});
      equal(modes((await named(world, name)).pending), ["shared", "exclusive", "shared"]);
    });
  },
};

const cases = Object.entries({ ...arguments_, ...results, ...available, ...order, ...steal, ...signals, ...query });
export const names = cases.map(([name]) => name);

let last = 0;
/** Tells one of them. @param {{ request: Function, query: Function }} locks @param {string} title */
export const tell = async (locks, title) => {
  const more = () => `web-locks ${++last} ${Math.random()}`;
  const after = [];
  try {
    await cases.find(([name]) => name === title)[1]({ locks, name: more(), more, cleanUp: (run) => after.push(run) });
  } finally {
    // What still waits is let in, and out.
    await Promise.all(after.map((run) => run()));
  }
};
