/** Tests `mesher:load` from outside: with the right key, with a wrong one, and without a server. */
import { assertEquals, assertMatch } from "@std/assert";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { runtime, test } from "../kit/test.ts";
import { Demo } from "./demo.ts";
import { withProcesses } from "./mesher_kit.ts";

const LOAD = fileURLToPath(new URL("../../mesher/load.ts", import.meta.url));

/** Runs `mesher/load.ts` until it exits. */
async function load(...args: readonly string[]): Promise<Demo> {
  const run = runtime === "deno" ? ["run", "-A", LOAD] : [LOAD];
  const demo = Demo.run(process.execPath, [...run, ...args]);
  await demo.ended;
  await demo[Symbol.asyncDispose]();
  return demo;
}

test("mesher:load sends events, and prints its progress each second", async () => {
  await withProcesses(async (start) => {
    const one = start(["--memory"], {});
    const url = await one.ready();
    const { key } = one.firstLogin;
    const sent = await load("--url", url, "--key", key, "--rate", "100", "--seconds", "2");
    assertEquals(await sent.ended, 0, sent.err);
    assertMatch(sent.err, /^1 s +\d+ accepted .*\n$/);
    assertMatch(sent.out, /^failed +0$/m);

    // Sends fewer events than a single request may contain.
    const few = await load("--url", url, "--key", key, "--rate", "7", "--seconds", "1");
    assertEquals(await few.ended, 0, few.err);
    assertMatch(few.out, /^accepted +7,/m);

    // With a wrong key, the program exits before the 10 seconds are over.
    const wrong = await load("--url", url, "--key", "mshr_wrong", "--seconds", "10");
    assertEquals(await wrong.ended, 1);
    assertMatch(wrong.err, /^mesher:load: the key is not known there: use the one .*\n$/);
  });
});

test("mesher:load reports that no server answers, and suggests what to do", async () => {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const lost = await load("--url", url, "--key", "mshr_any", "--seconds", "10");
  assertEquals(await lost.ended, 1);
  assertMatch(lost.err, /^mesher:load: nothing answers at http:.*: start Mesher .*\n$/);
  assertEquals(lost.out, "");
});
