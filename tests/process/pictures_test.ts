/**
 * Tests that the README's pictures exist, are small, have alternative text, and are not in the
 * package. With FIRN_LONG=1 and a browser, they are also created again, in a temporary folder.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { needsBrowser } from "../kit/browser.ts";
import { isLong, test } from "../kit/test.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PICTURES = "scripts/pictures";
const BYTES_MAX = 150 * 1024;
/** The minimum number of characters that describe a picture. */
const ALT_CHARS_MIN = 40;
const PNG = [0x89, 0x50, 0x4e, 0x47];

test("README.md shows every picture, and each picture is small and has alternative text", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const shown = [...readme.matchAll(/!\[([^\]]*)\]\(scripts\/pictures\/([^)]*)\)/g)];
  const there = readdirSync(join(ROOT, PICTURES)).filter((file) => /\.(png|svg)$/.test(file));
  assertEquals(shown.map(([, , file]) => file).toSorted(), there.sort());
  for (const [, words, file] of shown) {
    assert(words!.length >= ALT_CHARS_MIN, file);
    assert(readFileSync(join(ROOT, PICTURES, file!)).length <= BYTES_MAX, file);
  }
});

test("deno.json excludes the pictures from the package", () => {
  const { publish } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  assert(publish.include.length > 0);
  assertEquals(publish.include.filter((path: string) => /scripts|\*\*\/\*$/.test(path)), []);
});

/** The options of a test that needs a browser and runs with FIRN_LONG=1 only. */
const needs = isLong ? needsBrowser("pictures_test") : { ignore: true };

test("pictures/take.ts creates all pictures", needs, async () => {
  const folder = mkdtempSync(join(tmpdir(), "firn-pictures-"));
  try {
    const script = join(ROOT, PICTURES, "take.ts");
    const child = spawn(process.execPath, ["run", "-A", script, folder], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
    assertEquals(await new Promise((resolve) => child.on("close", resolve)), 0, errors);
    for (const name of ["cluster.png", "observer.png", "mesher.png"]) {
      assertEquals([...readFileSync(join(folder, name)).subarray(0, 4)], PNG);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
