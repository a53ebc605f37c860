// `session.locks` does what the web-platform tests want of `navigator.locks`: the stories of support/web-locks.mjs, with a
// real server. In Chromium they are told in browser/web-locks.browser.mjs.

import assert from "node:assert/strict";

import { join } from "./support/real.mjs";
import { soon, test } from "./support/until.mjs";
import { names, tell } from "./support/web-locks.mjs";

for (const name of names) {
  test(`web locks: ${name}`, async (t) => {
    const { locks } = await join(t);
    await soon("its end", tell(locks, name));
  });
}

test("names that the server does not have are not supported", async (t) => {
  const { locks } = await join(t);
  for (const name of ["", "abc\0def", "\ud800", "\udc00", "\udc00\ud800", "x".repeat(256)]) {
    await assert.rejects(locks.request(name, assert.fail), { name: "NotSupportedError" });
  }
});

test("two sessions are two clients, and query() tells of one's own", async (t) => {
  const [one, two] = [await join(t), await join(t)];
  const held = (session) => session.locks.query().then(({ held }) => held.map(({ clientId }) => clientId));
  await one.locks.request("both", { mode: "shared" }, () =>
    two.locks.request("both", { mode: "shared" }, async () => {
      assert.deepEqual([await held(one), await held(two)], [[one.ref], [two.ref]]);
      assert.notEqual(one.ref, two.ref);
    }),
  );
});
