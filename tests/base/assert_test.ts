import { assertEquals, assertThrows } from "@std/assert";
import { assert, AssertionFailure, unreachable } from "../../lib/base/assert.ts";
import { test } from "../kit/test.ts";

test("assert throws an AssertionFailure with the given message for a falsy value", () => {
  for (const value of [true, 1, "x", {}]) assert(value, "fine");
  for (const value of [false, 0, "", null, undefined, NaN]) {
    const failure = assertThrows(() => assert(value, "queue is empty"), AssertionFailure);
    assertEquals(
      [failure.name, failure.code, failure.message],
      ["AssertionFailure", "assertion", "queue is empty"],
    );
  }
});

test("unreachable reports the value it was called with", () => {
  assertThrows(() => unreachable("sideways" as never), AssertionFailure, "unreachable: sideways");
});
