// The package as the server offers it: what `npm pack` would make, installed from there and used.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { serve } from "./support/server.mjs";
import { test } from "./support/until.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../", import.meta.url));
const server = await serve();
after(() => server.kill());
const url = `${server.url}/client/ticketd-client.tgz`;

const place = async (t) => {
  const path = await mkdtemp(join(tmpdir(), "ticketd-served-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
};

test("it has the entries of npm pack, with their bytes", async (t) => {
  const home = await place(t);
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
  const [{ files }] = JSON.parse(stdout);
  const file = join(home, "it.tgz");
  await writeFile(file, new Uint8Array(await (await fetch(url)).arrayBuffer()));
  const { stdout: listing } = await run("tar", ["-tzf", file]);
  const expected = files.map(({ path }) => path).sort();
  assert.deepEqual(listing.trim().split("\n").sort(), expected.map((path) => `package/${path}`));
  await run("tar", ["-xzf", file, "-C", home]);
  for (const path of expected) {
    assert.equal(await readFile(join(home, "package", path), "utf8"), await readFile(join(root, path), "utf8"), path);
  }
});

// "npm install ticketd-client" was in the README, and no registry had it.
test("npm installs it from the server and from nowhere else, and it connects", async (t) => {
  const home = await place(t);
  const app = join(home, "app");
  await mkdir(app);
  const args = ["install", url, "--no-audit", "--no-fund", "--cache", join(home, "cache")];
  // Nothing is asked of a registry: there is none at that port.
  await run("npm", [...args, "--registry", "http://127.0.0.1:9/", "--fetch-retries", "0"], { cwd: app });
  await writeFile(
    join(app, "try.mjs"),
    `import { connect } from "ticketd-client";
     import WebSocket from ${JSON.stringify(new URL("../node_modules/ws/wrapper.mjs", import.meta.url).href)};
     const session = await connect(${JSON.stringify(server.url)}, { WebSocket });
     console.log(await session.withLock("installed", ({ fence }) => fence > 0));
     await session.close();`,
  );
  assert.equal((await run(process.execPath, ["try.mjs"], { cwd: app })).stdout, "true\n");
}, 120_000);
