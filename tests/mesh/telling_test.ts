/**
 * What a node says when something cannot be done and nobody waits for it, or the one who waits would
 * not know where to look.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Node, type Pid } from "../../mod.ts";
import { test } from "../kit/test.ts";

const cookie = "one for both";

test("Node.send of what cannot travel is said in the log, once in a session", async () => {
  const lines: string[] = [];
  const log = (level: string, line: string) => void (level === "warn" && lines.push(line));
  await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "warn", log });
  a.expose("deaf", () => () => {});
  await b.connect(a.name);
  const deaf = await b.spawn({ node: a.name, fn: "deaf" }) as Pid<unknown>;
  b.send(deaf, { then: () => "a secret" });
  b.send(deaf, () => {});
  assertEquals(lines.length, 1, lines.join("\n"));
  assertStringIncludes(lines[0]!, `a message to ${deaf} was not sent: `);
  assertEquals(/secret/.test(lines[0]!), false);
});

test("Node.connect to a node with another cookie names the cookie", async () => {
  await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
  const other = { name: "b@127.0.0.1:0", cookie: "another", logLevel: "silent" } as const;
  await using b = await Node.start(other);
  await assertRejects(() => b.connect(a.name), Error, "(another cookie?");
});
