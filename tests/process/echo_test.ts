/** Tests the echo server from outside: its options, and what it echoes. */
import { assertEquals, assertMatch } from "@std/assert";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime, test, until } from "../kit/test.ts";
import { Demo } from "./demo.ts";

const ECHO = fileURLToPath(new URL("../../scripts/echo.ts", import.meta.url));
const COMMAND = runtime === "deno" ? ["run", "-A", ECHO] : [ECHO];

function echo(...args: readonly string[]): Demo {
  return Demo.run(process.execPath, [...COMMAND, ...args]);
}

test("echo.ts prints its address, and echoes messages", async () => {
  await using server = echo("--port", "0");
  await until("the address is printed", () => server.out.includes("\n"));
  const [, url] = /^Echoing on (ws:\S+)\n$/.exec(server.out)!;
  const socket = new WebSocket(url!);
  await new Promise((open) => socket.onopen = open);
  const observed = new Promise<MessageEvent>((came) => socket.onmessage = came);
  socket.send("hello?");
  assertEquals((await observed).data, "hello?");
  const closed = new Promise((closed) => socket.onclose = closed);
  socket.close();
  await closed;
  // A second server cannot use the same port, and prints what to do.
  await using second = echo("--port", new URL(url!).port);
  assertEquals(await second.ended, 1);
  assertMatch(second.err, /^echo: cannot listen on .*: choose another port, .*\n$/);
  server.signal("SIGTERM");
  assertEquals(await server.ended, 0);
});

test("echo.ts reports an invalid option in one line, and suggests a valid one", async () => {
  const grid: [string[], RegExp][] = [
    [["--port", "99999"], /^echo: --port is "99999": use a whole number from 0 to 65535\n$/],
    [["--hostname", ""], /^echo: --hostname is empty: use .*\n$/],
    [["--loud"], /^echo: no such option: --loud \(--help shows them\)\n$/],
  ];
  for (const [args, words] of grid) {
    await using wrong = echo(...args);
    assertEquals(await wrong.ended, 1);
    assertMatch(wrong.err, words);
  }
});
