import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { ChildSpec } from "../../lib/otp/child.ts";
import { STRATEGIES } from "../../lib/otp/strategy.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { test } from "../kit/test.ts";
import { CRASH, Family } from "./family.ts";

/** The seeds. Each run crashes 2,000 actors, 10,000 in all. */
const SEEDS = [1, 2, 3, 4, 5];
const CRASHES = 2_000;

/** Number of children of each supervisor. */
const WIDTH = 3;

/** Returns the spec of a tree of three levels. Each worker is registered under its path. */
function level(family: Family, path: string, depth: number, random: SeededRandom): ChildSpec {
  const id = path || "root";
  const children: ChildSpec[] = [];
  for (let i = 0; i < WIDTH; i++) {
    children.push(
      depth === 1
        ? family.child(`${path}.${i}`, {
          stopping: i === 1 ? "late" : "atOnce",
          shutdown: i === 2 ? "brutalKill" : 1000,
        })
        : level(family, `${path}.${i}`, depth - 1, random),
    );
  }
  const options = {
    strategy: STRATEGIES[random.below(3)]!,
    intensity: depth === 3 ? Infinity : 2,
    period: 50,
    children,
  };
  const start = async (self: Self): Promise<Pid<never>> => {
    if (random.below(2) === 0) await null;
    const { pid } = await Supervisor.start(self, options);
    family.born(id, pid);
    return pid;
  };
  // Descendants of a killed supervisor stop late and keep their names until then.
  return { id, type: "supervisor", start, backoff: { base: 20, cap: 100 } };
}

const REASONS = [CRASH, "kill", "normal", "shutdown", "bad"];

/**
 * Crashes `count` random actors, some at the same time, and some while others are being stopped or
 * started.
 */
async function crash(
  family: Family,
  ids: readonly string[],
  random: SeededRandom,
  count: number,
): Promise<void> {
  const { system } = family;
  for (let crashes = 0; crashes < count;) {
    for (let together = 1 + random.below(4); together > 0; together--, crashes++) {
      const alive = ids.filter((id) => family.runs(id));
      if (alive.length === 0) break;
      const id = alive[random.below(alive.length)]!;
      const isWorker = id.split(".").length === 4;
      if (isWorker) family.endNow(id, REASONS[random.below(REASONS.length)]!);
      else system.exit(family.pids.get(id)!, random.below(2) === 0 ? "kill" : "shutdown");
    }
    const then = random.below(4);
    if (then === 1) await null;
    if (then > 1) await system.settle();
    if (then === 3) await system.advance(random.below(30));
    family.forget();
  }
}

for (const seed of SEEDS) {
  test(`Supervisor: a tree of three levels is complete after ${CRASHES} random crashes with seed ${seed}`, async () => {
    const random = new SeededRandom(seed);
    const family = new Family();
    const root = level(family, "", 3, random);
    const tree = await family.supervise({ intensity: Infinity, children: [root] });
    const workers = [...family.pids.keys()].filter((id) => id.split(".").length === 4).sort();
    const all = [...family.pids.keys()];
    assertEquals([workers.length, all.length], [27, 40]);
    const size = family.system.size;
    assertEquals(size, 41);

    await crash(family, all, random, CRASHES);
    await family.system.advance(5_000);

    const replay = `seed ${seed}`;
    // Exactly the specified children run, under their names.
    assertEquals(all.filter((id) => !family.runs(id)), [], replay);
    assertEquals(family.system.size, size, replay);
    assertEquals(family.system.names.registered().sort(), workers, replay);
    for (const id of workers) {
      assertEquals(family.system.names.whereis(id), family.pids.get(id), replay);
    }
    // No timers, links or monitors of the exited actors are left.
    assertEquals(family.system.wheel.size, 0, replay);
    for (const pid of family.system.pids()) {
      const { links, monitors, watchers, length } = family.system.find(pid.id)!;
      const places = [...family.pids].filter(([, one]) => one === pid);
      const isWorker = places[0]?.[0].split(".").length === 4;
      const linked = pid === tree.pid ? 1 : isWorker ? 1 : 1 + WIDTH;
      assertEquals(links?.size, linked, `${replay}: ${places[0]?.[0]}`);
      assertEquals([monitors?.size ?? 0, watchers, length], [0, undefined, 0], replay);
    }

    await Promise.all([tree.stop(), family.system.advance(5_000)]);
    assertEquals(family.system.size, 0, replay);
    assertEquals(family.system.names.registered(), [], replay);
    assertEquals(family.system.wheel.size, 0, replay);
  });
}

test("Supervisor: 10,000 random crashes leak no memory", async () => {
  const random = new SeededRandom(6);
  const family = new Family();
  const tree = await family.supervise({
    intensity: Infinity,
    children: [level(family, "", 3, random)],
  });
  const all = [...family.pids.keys()];
  // Crashes many actors before memory is measured, so that compiled code and caches are not
  // counted.
  await crash(family, all, random, 10_000);
  await family.system.advance(5_000);
  family.forget();
  const before = heapBytes();
  await crash(family, all, random, 10_000);
  await family.system.advance(5_000);
  family.forget();
  // The limit is 20 bytes per crash, less than any object that could be kept for one.
  await untilHeapReleased(before, 200_000);
  assertEquals(family.system.size, 41);
  await Promise.all([tree.stop(), family.system.advance(5_000)]);
});
