import { assertEquals } from "@std/assert";
import { complaintOf, sentence, sum, tallyOf } from "../../scripts/check/tally.ts";
import { test } from "../kit/test.ts";

const DENO = `running 2 tests from ./tests/a_test.ts
Ring wraps ... ok (1ms)
Ring grows ... FAILED (2ms)

FAILED | 12 passed (3 steps) | 2 failed | 1 ignored (2s)

error: Test failed
`;

const BUN = `bun test v1.4.5
(pass) Ring wraps [0.03ms]
(fail) Ring grows [0.03ms]

 120 pass
 4 skip
 3 fail
Ran 127 tests across 16 files. [9.27s]
`;

test("tallyOf reads the counts of each test runner", () => {
  assertEquals(tallyOf("deno test", { ok: false, output: DENO }), {
    passed: 12,
    failed: 2,
    skipped: 1,
  });
  assertEquals(tallyOf("deno test", { ok: true, output: "\nok | 1 passed | 0 failed (9ms)\n" }), {
    passed: 1,
    failed: 0,
    skipped: 0,
  });
  assertEquals(tallyOf("bun test", { ok: false, output: BUN }), {
    passed: 120,
    failed: 3,
    skipped: 4,
  });
});

test("tallyOf counts a stage without tests as one passed test", () => {
  assertEquals(tallyOf("whole", { ok: true, output: BUN }), { passed: 1, failed: 0, skipped: 0 });
  assertEquals(tallyOf("whole", { ok: false, output: BUN }), { passed: 0, failed: 1, skipped: 0 });
});

test("tallyOf never reports a failed run as passed, whatever the run has printed", () => {
  const lie = "\nok | 7 passed | 0 failed (1s)\n";
  assertEquals(tallyOf("deno test", { ok: false, output: lie }), {
    passed: 7,
    failed: 1,
    skipped: 0,
  });
  for (const counting of ["deno test", "bun test"] as const) {
    const crashed = tallyOf(counting, { ok: false, output: "error: Type checking failed.\n" });
    assertEquals(crashed, { passed: 0, failed: 1, skipped: 0 });
  }
});

test("sum and sentence report the counts, and skipped tests if there are any", () => {
  assertEquals(sentence(sum([])), "0 passed, 0 failed");
  const tallies = [{ passed: 3, failed: 0, skipped: 0 }, { passed: 2, failed: 1, skipped: 0 }];
  assertEquals(sentence(sum(tallies)), "5 passed, 1 failed");
  const skipped = { passed: 0, failed: 0, skipped: 2 };
  assertEquals(sentence(sum([...tallies, skipped])), "5 passed, 1 failed, 2 skipped");
});

test("complaintOf removes only the lines of passed tests", () => {
  const deno = complaintOf({ ok: false, output: DENO });
  assertEquals(deno.includes("Ring grows ... FAILED"), true);
  assertEquals(deno.includes("Ring wraps"), false);
  assertEquals(complaintOf({ ok: false, output: BUN }).includes("(fail) Ring grows"), true);
  assertEquals(complaintOf({ ok: false, output: BUN }).includes("Ring wraps"), false);
});
