import { assertEquals, assertThrows } from "@std/assert";
import { NodeNameError } from "../../lib/mesh/name.ts";
import { parseSeed, type Seed, seedsOfText } from "../../lib/mesh/seed.ts";
import { test } from "../kit/test.ts";

const SEEDS: readonly (readonly [text: string, seed: Seed])[] = [
  ["Alpha@Host", { kind: "name", name: "Alpha@host:9000" }],
  ["*@10.0.0.7:9100", { kind: "address", hostname: "10.0.0.7", port: 9100 }],
  ["*@[fd00::7]", { kind: "address", hostname: "fd00::7", port: 9000 }],
  ["*@firn.default.svc:9000", { kind: "dns", hostname: "firn.default.svc", port: 9000 }],
  ["*@_firn._tcp.firn.default.svc", { kind: "service", service: "_firn._tcp.firn.default.svc" }],
  ["file:/etc/firn/seeds", { kind: "file", path: "/etc/firn/seeds" }],
  ["file:///etc/firn/seeds", { kind: "file", path: "/etc/firn/seeds" }],
  ["file:seeds.txt", { kind: "file", path: "seeds.txt" }],
];

test("parseSeed reads each form of a seed", () => {
  for (const [text, seed] of SEEDS) assertEquals(parseSeed(text), seed, text);
});

test("parseSeed rejects invalid seeds", () => {
  for (
    const text of ["", "*", "*@", "*@h:0", "*@h:99999", "10.0.0.7", "file:", "*@_firn._tcp", "**@h"]
  ) {
    assertThrows(() => parseSeed(text), NodeNameError, "not a", text);
  }
});

test("seedsOfText reads one seed per line, and ignores comments", () => {
  assertEquals(seedsOfText("# seeds\n a@h:1 # one\r\n\n*@10.0.0.1:2\n"), ["a@h:1", "*@10.0.0.1:2"]);
});
