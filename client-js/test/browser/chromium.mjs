// Finds Chromium. Run as a program it says where it is; where there is none, what to install, and ends
// with 2. With the argument `install` it tries to, where it may: by root, with apt-get.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { argv, env, getuid } from "node:process";
import { fileURLToPath } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** @param {string} path */
const runs = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** What CHROMIUM names, or the first on the PATH; undefined when there is none. */
export const find = () => {
  if (env.CHROMIUM) {
    if (!runs(env.CHROMIUM)) throw new Error(`CHROMIUM is ${env.CHROMIUM}, which cannot be run`);
    return env.CHROMIUM;
  }
  const places = [...(env.PATH ?? "").split(delimiter), "/usr/bin"];
  return places.flatMap((place) => NAMES.map((name) => join(place, name))).find(runs);
};

export const MISSING = "There is no Chromium: install the package chromium, or set CHROMIUM to its path.";

/** Nothing is asked, and what is installed is told only if it fails. */
const install = () => {
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
    const { status, stdout, stderr } = spawnSync("apt-get", ["-q", ...args], {
      env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`apt-get ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
};

if (argv[1] === fileURLToPath(import.meta.url)) {
  const may = getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0;
  if (argv[2] === "install" && may && !find()) {
    console.log("There is no Chromium here; installing it, once.");
    install();
  }
  const path = find();
  if (argv[2] !== "install" || !path) console.log(path ?? MISSING);
  process.exitCode = path ? 0 : 2;
}
