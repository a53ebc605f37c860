// What the house holds its JavaScript to: short files, short functions, no circle between files.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

import { test } from "./support/until.mjs";

const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const top = fileURLToPath(new URL("../../", import.meta.url));

const read = (name, text) => ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);

/** The scripts of a page count too, from the line where they stand. */
const scripts = (name, text) =>
  name.endsWith(".html")
    ? [...text.matchAll(/<script\b[^>]*>([^]*?)<\/script>/g)].map((found) =>
        read(name, text.slice(0, found.index).replaceAll(/[^\n]/g, " ") + found[0].replace(/^<script\b[^>]*>|<\/script>$/g, "")),
      )
    : [read(name, text)];

const nodes = function* (node) {
  yield node;
  const below = [];
  ts.forEachChild(node, (child) => void below.push(child));
  for (const child of below) yield* nodes(child);
};

const line = (file, at) => file.getLineAndCharacterOfPosition(at).line + 1;

/** A `describe` is a chapter, not a function. */
const isChapter = (node) => ts.isCallExpression(node.parent) && node.parent.expression.getText() === "describe";

const long = (file) =>
  [...nodes(file)]
    .filter((node) => ts.isFunctionLike(node) && node.body && !isChapter(node))
    .map((node) => ({ at: line(file, node.getStart()), lines: line(file, node.end) - line(file, node.getStart()) + 1 }))
    .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
    .map(({ at, lines }) => `${file.fileName}:${at}: a function of ${lines} lines of ${FUNCTION_LINES_MAX}`);

/** Files that a file imports, types aside: those are gone when it runs. */
const imports = (file) =>
  file.statements
    .filter((node) => (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
    .map((node) => node.moduleSpecifier.text)
    .filter((to) => to.startsWith("."))
    .map((to) => join(dirname(file.fileName), to));

/** The first way from a file back to itself. */
const circle = (files, from, way = [from]) => {
  for (const to of files.get(way.at(-1)) ?? []) {
    if (to === from) return [...way, to];
    const found = !way.includes(to) && circle(files, from, [...way, to]);
    if (found) return found;
  }
};

const faults = (sources) => {
  const files = new Map(sources.map((file) => [file.fileName, imports(file)]));
  return sources.flatMap((file) => {
    const lines = line(file, file.end) - (file.text.endsWith("\n") ? 1 : 0);
    const way = circle(files, file.fileName);
    return [
      ...(lines > LINES_MAX ? [`${file.fileName}: ${lines} lines of ${LINES_MAX}`] : []),
      ...(way ? [`${way.join(" → ")}: a circle`] : []),
      ...long(file),
    ];
  });
};

const walk = async (dir) => {
  const entries = await readdir(join(top, dir), { withFileTypes: true });
  const found = entries.filter(({ name }) => name !== "node_modules" && name !== "target").map(async (entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? walk(path) : /\.(m?js|html)$/.test(path) ? [path] : [];
  });
  return (await Promise.all(found)).flat();
};

test("files and functions are short, and no file imports itself by a circle", async () => {
  const paths = (await Promise.all(["client-js", "examples", "src"].map(walk))).flat().sort();
  assert.ok(paths.includes("client-js/index.js"));
  const sources = await Promise.all(paths.map(async (path) => scripts(path, await readFile(join(top, path), "utf8"))));
  assert.deepEqual(faults(sources.flat()), []);
});

test("tidy finds what it is against", () => {
  const of = (lines) => `const f = () => {\n${"g();\n".repeat(lines - 2)}};\n`;
  assert.deepEqual(faults([read("a.js", of(70))]), []);
  assert.deepEqual(faults([read("a.js", of(71))]), ["a.js:1: a function of 71 lines of 70"]);
  assert.deepEqual(faults([read("a.js", `describe("x", () => {\n${of(70)}${of(70)}});`)]), []);
  assert.deepEqual(faults([read("a.js", "g();\n".repeat(400))]), []);
  assert.deepEqual(faults([read("a.js", "g();\n".repeat(401))]), ["a.js: 401 lines of 400"]);
  assert.deepEqual(faults(scripts("a.html", `<p>\n<script type="module">\n${of(71)}</script>`)), [
    "a.html:3: a function of 71 lines of 70",
  ]);
  const pair = [read("x/a.js", 'import { b } from "./b.js";'), read("x/b.js", 'export * from "../x/a.js";')];
  assert.deepEqual(faults(pair), ["x/a.js → x/b.js → x/a.js: a circle", "x/b.js → x/a.js → x/b.js: a circle"]);
  assert.deepEqual(faults([read("a.js", 'import { b } from "./b.js";'), read("b.js", "export const b = 1;")]), []);
});
