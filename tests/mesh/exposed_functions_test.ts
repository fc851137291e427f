import { assert, assertEquals } from "@std/assert";
import { ExposedFunctions } from "../../lib/mesh/exposed_functions.ts";
import { decodeExposed, encodeExposed, listThatFits } from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";

const FRAME_HEAD = encodeExposed(true, []).length - 3;

test("ExposedFunctions.of returns a peer's functions in order until the session ends", () => {
  const exposures = new ExposedFunctions();
  assertEquals(exposures.of("a@h:1"), undefined);
  exposures.changed("a@h:1", true, ["too early"]);
  assertEquals(exposures.of("a@h:1"), undefined);
  exposures.up("a@h:1", ["y", "x"]);
  exposures.changed("a@h:1", true, ["w", "x"]);
  exposures.changed("a@h:1", false, ["y", "never"]);
  assertEquals([exposures.of("a@h:1"), exposures.of("b@h:1")], [["w", "x"], undefined]);
  exposures.down("a@h:1");
  assertEquals(exposures.of("a@h:1"), undefined);
});

test("ExposedFunctions.changed stores a limited number of functions of a peer", () => {
  const exposures = new ExposedFunctions();
  exposures.up("a@h:1", []);
  const names = Array.from({ length: 65_537 }, (_, i) => `f${i}`);
  exposures.changed("a@h:1", true, names);
  assertEquals(exposures.of("a@h:1"), names.slice(0, 65_536).sort());
  // Removing a function makes room for another.
  exposures.changed("a@h:1", false, ["f0"]);
  exposures.changed("a@h:1", true, ["g"]);
  assert(exposures.of("a@h:1")!.includes("g"));
});

test("ExposedFunctions.since returns frames with the changes since the handshake", () => {
  const many = Array.from({ length: 3_000 }, (_, i) => `function number ${i}`);
  assert(listThatFits(many).length < many.length);
  for (
    const [before, after] of [[many, many], [many, many.slice(1_000)], [["x"], ["y"]], [[], []]]
  ) {
    const exposures = new ExposedFunctions();
    exposures.own = after!;
    const known = new Set(listThatFits(before!));
    for (const frame of exposures.since(before!)) {
      const { added, names } = decodeExposed(frame.subarray(FRAME_HEAD))!;
      for (const name of names) assert(added ? !known.has(name) : known.delete(name));
      if (added) { for (const name of names) known.add(name); }
    }
    assertEquals([...known].sort(), [...after!].sort());
  }
});
