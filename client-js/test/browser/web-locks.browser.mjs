// The stories of `navigator.locks`, told of `session.locks` in a page, and of the browser's own beside it: what they want
// is what Chromium does.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, describe } from "node:test";

import { serve } from "../support/server.mjs";
import { names } from "../support/web-locks.mjs";
import { story } from "./support.mjs";

const { url: server, kill } = await serve();
after(() => kill());
const stories = await readFile(new URL("../support/web-locks.mjs", import.meta.url), "utf8");

describe("web locks", { concurrency: 2 }, () => {
  for (const whose of ["session.locks", "navigator.locks"]) {
    story(`the stories of ${whose}`, async (tab) => {
      const { page, ...one } = await tab(server);
      assert.ok(one);
      await page.route("**/web-locks.mjs", (route) => route.fulfill({ contentType: "text/javascript", body: stories }));
      const wrong = await page.evaluate(async ([whose, names]) => {
        const { tell } = await import("/web-locks.mjs");
        const { connect } = await import("/client/index.js");
        const session = await connect(location.origin);
        const locks = whose === "session.locks" ? session.locks : navigator.locks;
        const late = (ms) => new Promise((_, reject) => setTimeout(reject, ms, new Error("it does not end")));
        const wrong = [];
        for (const name of names) {
          await Promise.race([tell(locks, name), late(10_000)]).catch((error) => wrong.push(`${name}: ${error.stack}`));
        }
        await session.close();
        return wrong;
      }, [whose, names]);
      assert.deepEqual(wrong, []);
    });
  }
});
