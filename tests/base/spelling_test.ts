import { assertEquals, assertThrows } from "@std/assert";
import { checkNames, unknownName } from "../../lib/base/spelling.ts";
import { test } from "../kit/test.ts";

const KNOWN = { port: true, hostname: true, idleTimeout: true, tls: true } as const;
const fail = (words: string): Error => new RangeError(words);

test("checkNames rejects an option that is named like a member of Object.prototype", () => {
  checkNames({}, KNOWN, fail);
  checkNames({ port: undefined, tls: 5 }, KNOWN, fail);
  assertThrows(() => checkNames({ toString: 1 }, KNOWN, fail), RangeError, '"toString"');
});

test("checkNames rejects a value that is not an object", () => {
  for (const options of [5, null, undefined, "port"]) {
    const words = `options are an object such as { port: … }, not ${options}`;
    assertThrows(() => checkNames(options, KNOWN, fail), RangeError, words);
  }
});

test("unknownName suggests the most similar known name", () => {
  const rows = [
    ["prot", "did you mean port?"],
    ["Port", "did you mean port?"],
    ["hostName", "did you mean hostname?"],
    ["host", "did you mean hostname?"],
    ["idelTimeuot", "did you mean idleTimeout?"],
    ["ssl", "there are port, hostname, idleTimeout, tls"],
    ["websocket", "there are port, hostname, idleTimeout, tls"],
    ["", "there are port, hostname, idleTimeout, tls"],
  ] as const;
  for (const [name, help] of rows) {
    assertEquals(
      unknownName("option", name, KNOWN),
      `there is no option ${JSON.stringify(name)}: ${help}`,
    );
  }
  const long = "x".repeat(100_000);
  assertEquals(unknownName("event", long, KNOWN).length < 200, true);
});
