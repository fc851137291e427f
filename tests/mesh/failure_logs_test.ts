/**
 * Tests what a node logs if an operation fails and its result is not awaited, or if the error alone
 * does not show the cause.
 */
import type { LogEntry } from "../../lib/base/log.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Repeats } from "../../lib/base/repeats.ts";
import { type Call, NodeStoppedError, type Pid, type Self } from "../../mod.ts";
import { startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const cookie = "one for both";

test("Node.send logs values that cannot be sent, with a limit and a count per call site", async () => {
  const lines: string[] = [];
  const log = ({ level, line }: LogEntry) => void (level === "warn" && lines.push(line));
  await using a = await startCheaply({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  await using b = await startCheaply({ name: "b@127.0.0.1:0", cookie, logLevel: "warn", log });
  a.expose("silent", () => () => {});
  await b.connect(a.name);
  const silent = await b.spawn({ node: a.name, fn: "silent" }) as Pid<unknown>;
  for (let i = 0; i < 3; i++) b.send(silent, { then: () => "a secret" });
  // The call is in a block, because Bun omits the caller of a tail call.
  const handler = b.spawn((self: Self) => () => {
    self.send(silent, () => {});
  });
  for (let i = 0; i < 3; i++) b.send(handler, i);
  await until("both failures are logged", () => lines.length >= 2);
  await b.call(b.spawn((_self: Self<Call<null, null>>) => (call) => call.reply(null)), null);
  assertEquals(lines.length, 2, lines.join("\n"));
  for (const line of lines) {
    assertStringIncludes(line, `a message to ${silent} was not sent: `);
    assertStringIncludes(line, "failure_logs_test.ts:");
    assertEquals(/secret/.test(line), false);
  }
});

test("Node.send, spawn and call report that the node has been stopped", async () => {
  const lines: string[] = [];
  const log = ({ level, line }: LogEntry) => void (level === "warn" && lines.push(line));
  const node = await startCheaply({ cookie, logLevel: "warn", log });
  const pid = node.spawn(() => () => {}) as Pid<unknown>;
  await node.stop();
  const letters: unknown[] = [];
  node.on("deadletter", ({ error }) => void letters.push((error as NodeStoppedError).code));
  for (let i = 0; i < 3; i++) node.send(pid, "late");
  assertEquals(letters, ["stopped", "stopped", "stopped"]);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, `${node.name} has been stopped`);
  assertThrows(() => node.spawn(() => {}), NodeStoppedError, "has been stopped");
  assertThrows(() => node.spawnWith({ name: "it" }, () => {}), NodeStoppedError);
  const there = { node: "b@127.0.0.1:1", fn: "f" };
  await assertRejects(() => node.spawn(there), NodeStoppedError);
  await assertRejects(() => node.call(pid as Pid<Call<null, null>>, null), NodeStoppedError);
  await assertRejects(() => node.call("it", null), NodeStoppedError);
});

test("Repeats.count counts the suppressed log lines of each kind, and forgets the oldest kinds", () => {
  const repeats = new Repeats();
  assertEquals([0, 1, 9_999].map((now) => repeats.count("a", now)), [1, 0, 0]);
  assertEquals([repeats.count("b", 5), repeats.count("a", 10_000)], [1, 3]);
  for (let i = 0; i < 256; i++) repeats.count(`${i}`, 10_001);
  assertEquals(repeats.count("a", 10_002), 1);
});

test("Node.connect to a node with another cookie mentions the cookie in its error", async () => {
  await using a = await startCheaply({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  const other = { name: "b@127.0.0.1:0", cookie: "another", logLevel: "silent" } as const;
  await using b = await startCheaply(other);
  await assertRejects(() => b.connect(a.name), Error, "(another cookie?");
});

test("Node.connect and Node.start suggest the node name to use", async () => {
  await using a = await startCheaply({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  await using b = await startCheaply({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
  const port = a.name.split(":")[1];
  for (const name of [`a@localhost:${port}`, `other@127.0.0.1:${port}`]) {
    await assertRejects(() => b.connect(name), Error, `use the name ${a.name}`);
  }
  const elsewhere = () => b.connect(`a@127.0.0.2:${port}`);
  await assertRejects(elsewhere, Error, "use the value of its node.name");
  const nowhere = () => b.connect(`a@no-such-host.invalid:${port}`);
  await assertRejects(nowhere, Error, "the host of a node's name must resolve to the machine");
  const wrong = [
    ["a@127.0.0.1:99999", "its port is 99999: use 0 to 65535"],
    ["127.0.0.1:9000", "with a name it is node@127.0.0.1:9000"],
    ["a b@127.0.0.1:9000", 'letters, digits, ".", "_" or "-"'],
    ["a", "write name@host:port"],
  ] as const;
  for (const [name, words] of wrong) {
    await assertRejects(() => startCheaply({ name, cookie, logLevel: "silent" }), Error, words);
    await assertRejects(async () => await b.connect(name), Error, words);
  }
});
