// Starts the real server for a test, on a free port, and sees to its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const client = new URL("../../", import.meta.url);
const binary = process.env.TICKETD_BIN
  ? fileURLToPath(new URL(process.env.TICKETD_BIN, client))
  : fileURLToPath(new URL("../target/debug/ticketd", client));

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** A server, on a free port unless one is given; `expire` in ms. @returns what knows its `url` and `port`, and how to `kill` and `start` it again there. */
export const serve = async ({ expire = 100, args = [], port = 0 } = {}) => {
  if (!existsSync(binary)) {
    throw new Error(`There is no server at ${binary}: build it (cargo build), or set TICKETD_BIN.`);
  }
  let child;
  const server = {
    port,
    url: "",
    async start() {
      const flags = ["--listen", `127.0.0.1:${server.port}`, "--expire", `${expire}`, "--loglevel", "0", ...args];
      child = spawn(binary, flags, { stdio: ["ignore", "pipe", "inherit"] });
      running.add(child);
      const [line] = await Promise.race([
        once(createInterface(child.stdout), "line"),
        once(child, "exit").then(() => ["it ended"]),
      ]);
      server.url = /http:\/\/\S+/.exec(line)?.[0];
      if (!server.url) throw new Error(`${binary} does not serve: ${line}`);
      server.port = Number(new URL(server.url).port);
      return server;
    },
    /** As a crash would. */
    async kill(signal = "SIGKILL") {
      const mine = child;
      if (!running.delete(mine) || mine.exitCode !== null) return;
      const gone = once(mine, "exit");
      mine.kill(signal);
      await gone;
    },
    signal: (signal) => child.kill(signal),
    /** A REST call. @returns its status, its fence and its body (JSON when it is some). */
    async rest(method, path, body) {
      const response = await fetch(`${server.url}/api/v1/${path}`, { method, body });
      const text = await response.text();
      let value = text;
      try {
        value = JSON.parse(text);
      } catch {}
      return { status: response.status, fence: Number(response.headers.get("ticketd-fence")), body: value };
    },
    /** How many of its tickets are claimed. */
    async claimed(resource) {
      const { body } = await server.rest("GET", `dump/resources/${resource}`);
      return Object.values(body[resource].Tickets).filter(({ Claimant }) => Claimant).length;
    },
    async sessions() {
      return Object.keys((await server.rest("GET", "dump/sessions")).body);
    },
  };
  return server.start();
};
