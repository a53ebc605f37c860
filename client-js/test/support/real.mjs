// A real server for one file of tests, which ends with it.

import { after } from "node:test";

import { connect } from "../../index.js";
import { serve } from "./server.mjs";
import { nothingUnheeded, until } from "./until.mjs";

export const server = await serve();
after(async () => {
  await server.kill();
  await nothingUnheeded();
});

let names = 0;
/** A resource of the test's own. */
export const fresh = (what = "r") => `${what}-${++names}`;

/** A session that ends with the test. */
export const join = async (t, options = {}, to = server.url) => {
  const session = await connect(to, options);
  t.after(() => session.close());
  return session;
};

/** So many wait for it. */
export const queued = (session, resource, count) =>
  until(`${count} wait for ${resource}`, async () => {
    for await (const { waiting } of session.watch(resource)) return waiting === count;
  });

export { closedPort } from "./ports.mjs";
