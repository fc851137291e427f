/** Tests that a seed produces the same history on every runtime. */
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

// One pair is sufficient: the reverse pair would compare the same hashes.
for (const [one, other] of PAIRS.slice(0, 1)) {
  test(`simulate with a seed has the same hash on ${one} and on ${other}`, async () => {
    const [first, second] = await Promise.all([hashes(one), hashes(other)]);
    assertEquals(first.split(" ").length, 8);
    assertEquals(second, first);
  });
}

const SCRIPT = fileURLToPath(new URL("../../scripts/sim.ts", import.meta.url));

for (const [runtime] of PAIRS) {
  test(`deno task sim -- --help (${runtime}) prints the same help as without the dashes`, async () => {
    const outputOf = async (args: readonly string[]): Promise<string[]> => {
      const child = makeHost().spawn({ runtime, file: SCRIPT, args });
      const lines: string[] = [];
      child.lines((line) => lines.push(line));
      await child.ended;
      return lines;
    };
    const help = await outputOf(["--help"]);
    assertEquals(help.some((line) => line.startsWith("Usage: ")), true);
    assertEquals(await outputOf(["--", "--help"]), help);
  });
}
