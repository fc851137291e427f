/**
 * One seed is one history on every runtime.
 */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { makeHost } from "../kit/host.ts";
import { PAIRS } from "../kit/process.ts";
import { test } from "../kit/test.ts";

const FILE = fileURLToPath(new URL("../sim/hashes.ts", import.meta.url));

async function hashes(runtime: "deno" | "bun"): Promise<string> {
  const child = makeHost().spawn({ runtime, file: FILE });
  let line = "";
  child.lines((each) => line = each);
  await child.ended;
  return line;
}

for (const [one, other] of PAIRS) {
  test(`simulate: a seed has the same hash on ${one} and on ${other}`, async () => {
    const [first, second] = await Promise.all([hashes(one), hashes(other)]);
    assertEquals(first.split(" ").length, 20);
    assertEquals(second, first);
  });
}
