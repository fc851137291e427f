import { assertEquals } from "@std/assert";
import type { Restart } from "../../lib/otp/child.ts";
import type { Strategy } from "../../lib/otp/strategy.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import { test } from "../kit/test.ts";
import { CRASH, Family, LATE_MS, REACTIONS, type Stopping, word } from "./family.ts";

const REASONS: readonly ExitReason[] = ["normal", "shutdown", { shutdown: 1 }, CRASH, "kill"];

/** Whether a child is restarted, for each exit reason. */
const IS_RESTARTED: Record<Restart, readonly boolean[]> = {
  permanent: [true, true, true, true, true],
  transient: [false, false, false, true, true],
  temporary: [false, false, false, false, false],
};

/**
 * The expected starts and exits after child a, b or c has exited and must be restarted, by the
 * position of that child.
 */
const FOLLOWS: Record<Strategy, readonly (readonly string[])[]> = {
  one_for_one: [["start a"], ["start b"], ["start c"]],
  one_for_all: [
    ["end c shutdown", "end b shutdown", "start a", "start b", "start c"],
    ["end c shutdown", "end a shutdown", "start a", "start b", "start c"],
    ["end b shutdown", "end a shutdown", "start a", "start b", "start c"],
  ],
  rest_for_one: [
    ["end c shutdown", "end b shutdown", "start a", "start b", "start c"],
    ["end c shutdown", "start b", "start c"],
    ["start c"],
  ],
};

const IDS = ["a", "b", "c"];

for (const [strategy, rows] of Object.entries(FOLLOWS) as [Strategy, string[][]][]) {
  for (const [restart, agains] of Object.entries(IS_RESTARTED) as [Restart, boolean[]][]) {
    for (const [column, reason] of REASONS.entries()) {
      test(`Supervisor with ${strategy} handles a ${restart} child that exits with ${word(reason)}`, async () => {
        for (const [position, id] of IDS.entries()) {
          const family = new Family();
          const children = IDS.map((one) => family.child(one, one === id ? { restart } : {}));
          const tree = await family.supervise({ strategy, children });
          assertEquals(family.news(), ["start a", "start b", "start c"]);

          await family.end(id, reason);
          const again = agains[column]!;
          const ended = `end ${id} ${reason === "kill" ? "killed" : word(reason)}`;
          assertEquals(family.news(), [ended, ...again ? rows[position]! : []]);

          const known = await family.run(tree.whichChildren());
          const kept = IDS.filter((one) => one !== id || restart !== "temporary");
          assertEquals(known.map((child) => child.id), kept);
          assertEquals(
            known.map(({ pid }) => pid),
            kept.map((one) => one === id && !again ? undefined : family.pids.get(one)),
          );
          assertEquals(
            family.system.names.registered().sort(),
            IDS.filter((one) => family.runs(one)),
          );
          // The supervisor and its running children are alive.
          assertEquals(family.system.size, 1 + known.filter(({ pid }) => pid !== undefined).length);
          family.system.stop();
        }
      });
    }
  }
}

test("Supervisor removes a temporary child that stops because a sibling restarts", async () => {
  for (const strategy of ["one_for_all", "rest_for_one"] as const) {
    const family = new Family();
    const children = [
      family.child("a"),
      family.child("b", { restart: "temporary" }),
      family.child("c", { restart: "transient" }),
    ];
    const tree = await family.supervise({ strategy, children });
    await family.end("c", "normal");
    family.news();
    await family.end("a", CRASH);
    // A transient child that had exited normally is started with the others.
    assertEquals(family.news(), ["end a boom", "end b shutdown", "start a", "start c"]);
    assertEquals((await family.run(tree.whichChildren())).map(({ id }) => id), ["a", "c"]);
    family.system.stop();
  }
});

/** The time of the exit in milliseconds and its reason, or undefined if the child does not exit. */
type Outcome = readonly [number, string] | undefined;

/** When and how a child exits, by its shutdown rule and its behaviour. */
const STOPS: readonly [
  "brutalKill" | number,
  Record<Stopping, Outcome>,
][] = [
  ["brutalKill", {
    atOnce: [0, "killed"],
    late: [0, "killed"],
    never: [0, "killed"],
    crashes: [0, "killed"],
  }],
  [0, { atOnce: [0, "shutdown"], late: [0, "killed"], never: [0, "killed"], crashes: [0, "boom"] }],
  [100, {
    atOnce: [0, "shutdown"],
    late: [LATE_MS, "shutdown"],
    never: [100, "killed"],
    crashes: [0, "boom"],
  }],
  [Infinity, {
    atOnce: [0, "shutdown"],
    late: [LATE_MS, "shutdown"],
    never: undefined,
    crashes: [0, "boom"],
  }],
];

for (const [shutdown, row] of STOPS) {
  for (const [stopping, outcome] of Object.entries(row) as [Stopping, Outcome][]) {
    const prepare = async () => {
      const family = new Family();
      const children = [
        family.child("a"),
        family.child("b", { shutdown, stopping }),
        family.child("c"),
      ];
      const tree = await family.supervise({ children });
      family.news();
      return { family, tree };
    };

    test(`Supervisor.stop stops a child with shutdown ${shutdown} that ${REACTIONS[stopping]} before the children started earlier`, async () => {
      const { family, tree } = await prepare();
      const stopped = tree.stop();
      await expectEnd(family, outcome, "c", "a");
      if (outcome === undefined) family.system.exit(tree.pid, "kill");
      await family.run(stopped);
      // With Infinity, a child that ignores the signal outlives even its supervisor, as in OTP.
      assertEquals(family.system.size, outcome === undefined ? 1 : 0);
      family.system.stop();
    });

    test(`Supervisor.terminateChild stops a child with shutdown ${shutdown} that ${REACTIONS[stopping]}`, async () => {
      const { family, tree } = await prepare();
      const terminated = tree.terminateChild("b");
      await expectEnd(family, outcome);
      if (outcome === undefined) family.system.exit(family.pids.get("b")!, "kill");
      await family.run(terminated);
      assertEquals((await family.run(tree.countChildren())).active, 2);
      // Nothing happens later: no restart, and no exit of the supervisor.
      family.news();
      await family.system.advance(10_000);
      assertEquals(family.news(), []);
      assertEquals((await family.run(tree.whichChildren()))[1]!.pid, undefined);
      family.system.stop();
    });
  }
}

/**
 * Advances the clock to the exit of b, and asserts that it does not exit earlier. `before` and
 * `after` are the children that exit before and after b.
 */
async function expectEnd(
  family: Family,
  outcome: Outcome,
  before?: string,
  after?: string,
): Promise<void> {
  await family.system.settle();
  const first = before === undefined ? [] : [`end ${before} shutdown`];
  if (outcome === undefined) {
    await family.system.advance(3_600_000);
    assertEquals(family.news(), first);
    return;
  }
  const [ms, reason] = outcome;
  if (ms > 0) {
    await family.system.advance(ms - 1);
    assertEquals(family.news(), first);
  }
  await family.system.advance(2);
  const last = after === undefined ? [] : [`end ${after} shutdown`];
  assertEquals(family.news(), [...ms > 0 ? [] : first, `end b ${reason}`, ...last]);
}

test("Supervisor ends at one restart more than its intensity", async () => {
  for (const intensity of [0, 1, 3, 10]) {
    for (const crashes of [intensity - 1, intensity, intensity + 1]) {
      if (crashes < 0) continue;
      const family = new Family();
      const tree = await family.supervise({
        intensity,
        period: 1000,
        children: [family.child("a"), family.child("b")],
      });
      for (let i = 0; i < crashes; i++) await family.end("a", CRASH);
      const over = crashes > intensity;
      assertEquals(family.system.isAlive(tree.pid), !over, `${crashes} of ${intensity}`);
      assertEquals(family.runs("a"), !over);
      assertEquals(family.runs("b"), !over);
      if (over) assertEquals(family.system.size, 0);
      family.system.stop();
    }
  }
});

test("Supervisor counts a restart until it is older than the period", async () => {
  for (const [wait, survives] of [[999, false], [1000, false], [1001, true]] as const) {
    const family = new Family();
    const tree = await family.supervise({
      intensity: 2,
      period: 1000,
      children: [family.child("a")],
    });
    await family.end("a", CRASH);
    await family.system.advance(500);
    await family.end("a", CRASH);
    await family.system.advance(wait - 500);
    await family.end("a", CRASH);
    assertEquals(family.system.isAlive(tree.pid), survives, `after ${wait} ms`);
    family.system.stop();
  }
});

test("Supervisor counts the restarts of all children together, and a group restart once", async () => {
  const family = new Family();
  const children = ["a", "b", "c"].map((id) => family.child(id));
  const tree = await family.supervise({ strategy: "one_for_all", intensity: 2, children });
  await family.end("a", CRASH);
  await family.end("b", CRASH);
  assertEquals(family.system.isAlive(tree.pid), true);
  await family.end("c", CRASH);
  assertEquals(family.system.isAlive(tree.pid), false);
});
