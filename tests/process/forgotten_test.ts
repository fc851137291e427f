/**
 * A forgotten await does not end the process, whatever was forgotten; other rejections do so as ever.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { outputOf } from "../kit/run.ts";
import { runtime, test } from "../kit/test.ts";

const CHILD = fileURLToPath(new URL("./forgotten_child.ts", import.meta.url));
const COMMAND = runtime === "deno" ? ["run", "-A", "--no-check", CHILD] : [CHILD];

test("a call that fails and is not awaited ends its actor, and not the process", async () => {
  const { alive, said } = JSON.parse(await outputOf(process.execPath, COMMAND));
  assertEquals(alive, [false, false, false, false]);
  for (const request of ["alone", "then", "helper", "all"]) {
    const line = said.find((line: string) => line.includes(`call of "${request}" from <0.`));
    assert(line?.includes("did not await what failed: NoProcError"), said.join("\n"));
  }
  for (const request of ["outside", "outside, in a helper"]) {
    const line = said.find((line: string) => line.includes(`call of "${request}"`));
    assert(line?.includes("outside of actors did not await what failed"), said.join("\n"));
  }
});

test("a rejection that is no affair of a node's ends the process as ever", async () => {
  const words = await outputOf(process.execPath, [...COMMAND, "other"]).catch((error) => error);
  assert(words instanceof Error && words.message.includes("no affair of a node's"), `${words}`);
  assert(!words.message.includes("it lives"));
});
