/** Tests the architecture rules: they hold, and each of them detects a violation. */
import { assertEquals } from "@std/assert";
import {
  conditionProblems,
  cycleProblems,
  effectProblems,
  exportProblems,
  fileNameProblems,
  importProblems,
  mesherProblems,
  nameProblems,
  phraseProblems,
  planOf,
  planProblems,
  readFolder,
  readLib,
  readMesher,
  readPlan,
  runtimeProblems,
  sizeProblems,
  titleProblems,
  topProblems,
} from "./kit/architecture.ts";
import { sourceOf } from "./kit/source.ts";
import { test } from "./kit/test.ts";

/** Asserts that there are no problems, and lists them otherwise. */
function assertNone(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`\n${problems.join("\n")}\n`);
}

const library = readLib();
const plan = readPlan();

test("lib imports only from lower layers and from the same folder", () => {
  assertNone(importProblems(library, plan));
});

test("lib has no cyclic imports, including type imports", () => {
  assertNone(cycleProblems(library));
});

test("lib names a runtime only in lib/host", () => {
  assertNone(runtimeProblems(library));
});

test("lib uses timers, clocks and async code only in the files on the list of files with effects", () => {
  assertNone(effectProblems(library, plan));
});

test("mesher imports Firn by its package name, and has no cycles between files or folders", () => {
  const mesher = readMesher();
  assertNone(cycleProblems(mesher));
  assertNone(mesherProblems(mesher));
});

test("lib/README.md describes the folders and files that exist", () => {
  assertNone(planProblems(library, plan));
});

test("the top level has no unexpected entries", () => {
  assertNone(topProblems());
});

/** The folders whose comments must be plain technical English. */
const PLAIN_FOLDERS = ["lib", "mesher", "tests", "scripts", "bench"];

/** This file is exempt from the check, because it contains examples of banned phrases. */
const OWN_PATH = "tests/architecture_test.ts";

test("lib declares each class name once, and has no file with a former name", () => {
  assertNone(nameProblems(library));
});

test("comments and titles of tests contain no banned phrase", () => {
  const files = PLAIN_FOLDERS.flatMap(readFolder).filter(({ path }) => path !== OWN_PATH);
  assertNone(phraseProblems(files, PLAIN_FOLDERS));
  assertNone(titleProblems(files));
  assertNone(conditionProblems(files));
});

test("comments name files that exist", () => {
  assertNone(fileNameProblems(library));
});

test("mod.ts exports at most 60 names, and each name has one entry point", () => {
  assertNone(exportProblems(library));
});

test("files of lib with more than 400 lines state the reason", () => {
  assertNone(sizeProblems(library));
});

const small = planOf([
  "| 0 | `base/` | below |",
  "| 4 | `mesh/` | a twin |",
  "| 4 | `ws/` | a twin |",
  "| 5 | `sim/` | planned |",
  "| 7 | `mod.ts` | door |",
  "- `mesh/peers.ts`: waits. See `mesh/frame.ts`.",
].join("\n"));

const base = sourceOf("lib/base/ring.ts", "");
const peers = sourceOf("lib/mesh/peers.ts", "await 1;");
const ws = sourceOf("lib/ws/frame.ts", "");

/** Returns a tree with a file in `lib/mesh` with this text. */
function mesh(text: string) {
  return [base, peers, ws, sourceOf("lib/mesh/frame.ts", text)];
}

test("importProblems reports imports from higher layers, sibling folders, packages and missing files", () => {
  const find = (text: string) => importProblems(mesh(text), small);
  assertEquals(find('import { Ring } from "../base/ring.ts";\nimport "node:fs";'), []);
  assertEquals(find('import type { P } from "./peers.ts";'), []);
  assertEquals(find('\nimport type {\n  F,\n} from "../ws/frame.ts";'), [
    "lib/mesh/frame.ts:4: imports ../ws/frame.ts: layer 4 must not know 4",
  ]);
  assertEquals(find('export * from "npm:left-pad";'), [
    "lib/mesh/frame.ts:1: imports npm:left-pad, which is neither node: nor lib",
  ]);
  assertEquals(find('const x = await import("./nowhere.ts");'), [
    "lib/mesh/frame.ts:1: imports ./nowhere.ts, but there is no file lib/mesh/nowhere.ts",
  ]);
  assertEquals(find('import { Ring } from "../base/ring";').length, 1);
  const up = [...mesh(""), sourceOf("lib/base/up.ts", 'import "../ws/frame.ts";')];
  assertEquals(importProblems(up, small), [
    "lib/base/up.ts:1: imports ../ws/frame.ts: layer 0 must not know 4",
  ]);
});

test("mesherProblems reports an import that bypasses the package name, and folders that import each other", () => {
  const find = (a: string, b: string) =>
    mesherProblems([sourceOf("mesher/a/x.ts", a), sourceOf("mesher/b/y.ts", b)]);
  assertEquals(find('import { Node } from "@firn/firn";\nimport "../b/y.ts";', ""), []);
  assertEquals(find('import { Node } from "../../mod.ts";', ""), [
    "mesher/a/x.ts:1: imports ../../mod.ts",
  ]);
  assertEquals(find('import "npm:left-pad";', 'import "../../lib/node.ts";').length, 2);
  assertEquals(find('import "../b/y.ts";', 'import "../a/x.ts";').length, 1);
});

test("nameProblems reports a class name declared twice, and a file with an old name", () => {
  const find = (path: string, text: string) =>
    nameProblems([sourceOf("lib/base/ring.ts", "export class Ring<T> {}"), sourceOf(path, text)]);
  assertEquals(find("lib/mesh/frame.ts", "class Frame {} // class Ring"), []);
  assertEquals(find("lib/mesh/frame.ts", "abstract class Ring {}").length, 1);
  assertEquals(find("lib/mesh/crowd.ts", "").length, 1);
});

test("phraseProblems reports a banned phrase in a comment of a listed folder, but not elsewhere", () => {
  const find = (text: string, folder: string) =>
    phraseProblems([sourceOf("lib/base/ring.ts", text)], [folder], () => text);
  assertEquals(find("/** Waits for whoever sends. */", "lib/base").length, 1);
  assertEquals(find("f(); // nobody", "lib/base").length, 1);
  assertEquals(find('f("nobody");', "lib/base"), []);
  assertEquals(find("// nobody", "lib/mesh"), []);
  assertEquals(find("/** Says how long it takes. */", "lib").length, 1);
});

test("titleProblems reports a banned phrase in the title of a test, but not elsewhere in its code", () => {
  const find = (text: string) => titleProblems([sourceOf("tests/x_test.ts", "")], () => text);
  assertEquals(find('test("Ring refuses nothing", () => {'), [
    'tests/x_test.ts:1: "refuses" in a title',
  ]);
  assertEquals(find('test("Ring rejects nothing", () => {'), []);
  assertEquals(find('f("refuses", 1);'), []);
});

test("conditionProblems reports an `until` whose description names no condition", () => {
  const find = (text: string) => conditionProblems([sourceOf("tests/x_test.ts", "")], () => text);
  assertEquals(find('f();\nawait until("it came", () => true);'), [
    'tests/x_test.ts:2: "it came" does not name what is awaited',
  ]);
  assertEquals(find('await until("both have heard it", () => true);').length, 1);
  assertEquals(find('await until("the message has arrived", () => true);'), []);
});

test("fileNameProblems reports a file that a comment names but that does not exist", () => {
  const find = (text: string) => fileNameProblems([sourceOf("lib/base/ring.ts", "")], () => text);
  assertEquals(find("/** See `ring.ts`, `base/ring.ts` and `lib/base/ring.ts`. */"), []);
  assertEquals(find("\n// See `rings.ts`."), ["lib/base/ring.ts:2: there is no file rings.ts"]);
});

test("exportProblems reports too many names, and a name that two entry points export", () => {
  const front = (count: number) =>
    sourceOf(
      "mod.ts",
      `export { ${Array.from({ length: count }, (_, i) => `x${i}`)} } from "./x.ts";`,
    );
  const other = sourceOf("lib/exports/ws.ts", 'export { type x7 as y, z } from "./x.ts";');
  assertEquals(exportProblems([front(60), other]), []);
  assertEquals(exportProblems([front(61), other]).length, 1);
  assertEquals(
    exportProblems([front(9), sourceOf("lib/exports/ws.ts", 'export type { x7 } from "./x.ts";')]),
    ["lib/exports/ws.ts: exports x7, and so does mod.ts"],
  );
});

test("cycleProblems reports cycles, including those through type imports", () => {
  const a = sourceOf("lib/base/a.ts", 'import type { B } from "./b.ts";');
  const b = sourceOf("lib/base/b.ts", 'export { c } from "./c.ts";');
  const c = sourceOf("lib/base/c.ts", 'import "./a.ts";');
  assertEquals(cycleProblems([a, b, base]), []);
  assertEquals(cycleProblems([a, b, c]), [
    "lib/base/a.ts -> lib/base/b.ts -> lib/base/c.ts -> lib/base/a.ts",
  ]);
});

test("runtimeProblems reports a runtime's name in code, but not in comments or strings", () => {
  assertEquals(runtimeProblems(mesh('// Deno.\nconst x = "Deno is fine";')), []);
  assertEquals(runtimeProblems(mesh("\nDeno.exit();")).length, 1);
  assertEquals(runtimeProblems(mesh('if ("Bun" in globalThis) x();')).length, 1);
  assertEquals(runtimeProblems(mesh("const s = `${Bun.version}`;")).length, 1);
  assertEquals(runtimeProblems([sourceOf("lib/host/deno.ts", "Deno.exit();")]), []);
  assertEquals(runtimeProblems([sourceOf("lib/start.ts", '"Bun" in globalThis;')]), []);
  assertEquals(runtimeProblems([sourceOf("lib/start.ts", "Bun.version;")]).length, 1);
});

test("effectProblems reports each effect, and wrong entries in the list of files with effects", () => {
  const find = (text: string) => effectProblems(mesh(text), small);
  const words = [
    "async () => {};",
    "await x;",
    "setTimeout(f);",
    "setInterval(f);",
    "setImmediate(f);",
    "queueMicrotask(f);",
    "Date.now();",
    "new Date();",
    "performance.now();",
    "Math.random();",
    "crypto.getRandomValues(b);",
  ];
  for (const word of words) assertEquals(find(`\n${word}`).length, 1, word);
  for (const word of words) assertEquals(find(`/* ${word} */ // ${word}\n"${word}";`), [], word);
  assertEquals(find("task.async(f);"), []);
  assertEquals(effectProblems([base], small).length, 1);
  assertEquals(effectProblems([sourceOf("lib/mesh/peers.ts", "1;")], small).length, 1);
});

test("planProblems reports a folder or file that lib/README.md lists but that does not exist", () => {
  const all = [...mesh(""), sourceOf("mod.ts", "")];
  assertEquals(planProblems(all, small), []);
  assertEquals(planProblems([...all, sourceOf("lib/sim/clock.ts", "")], small), [
    "lib/README.md: lib/sim is no longer planned",
  ]);
  assertEquals(planProblems([...all, sourceOf("lib/attic/box.ts", "")], small), [
    "lib/README.md: lib/attic has no layer",
  ]);
  assertEquals(planProblems(all.filter(({ path }) => path !== "lib/mesh/frame.ts"), small), [
    "lib/README.md:6: there is no file lib/mesh/frame.ts",
  ]);
});

test("topProblems reports an unexpected entry at the top level", () => {
  assertEquals(topProblems(["lib", ".git", "deno.json"]), []);
  assertEquals(topProblems(["lib", "package.json"]).length, 1);
});

test("sourceOf separates code from comments, strings, templates and regular expressions", () => {
  const bare = (text: string) => sourceOf("x.ts", text).bare.replace(/\s+/g, " ").trim();
  assertEquals(bare("a /* b */ c // d"), "a c");
  assertEquals(bare('a("// b", c)'), "a( , c)");
  assertEquals(bare("`a ${b + `c ${d}`} e ${{ f: 1 }.f}`;"), "` ${b + ` ${d}`} ${{ f: 1 }.f}`;");
  assertEquals(bare("a = /[\"/]'/g; b / c / d;"), "a = ; b / c / d;");
  assertEquals(bare("'it\\'s'; a"), "; a");
});

test("sizeProblems reports a long file that states no reason for its length", () => {
  const find = (comment: string, lines: number) =>
    sizeProblems([base], () => `/** ${comment} */\n${"\n".repeat(lines)}`).length;
  assertEquals(find("Ring.", 399), 0);
  assertEquals(find("Ring.", 400), 1);
  assertEquals(find("Longer than 400 lines: a table.", 400), 0);
});
