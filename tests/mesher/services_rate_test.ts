/**
 * Tests that the rate limit of a project applies to the whole cluster, with three nodes in the
 * simulator.
 */
import { assert, assertEquals } from "@std/assert";
import { Intake } from "../../mesher/services/intake.ts";
import { ownerOf } from "../../mesher/services/rates.ts";
import { test } from "../kit/test.ts";
import { party } from "./contract/world.ts";
import { eventWith } from "./event.ts";
import { NAMES, onSimStage, type SimStage } from "./sim_stage.ts";

const LIMIT = 100;
const WINDOW_MS = 60_000;

/**
 * Takes events on a node. Returns the number of granted events, and how long the rejected events
 * must wait, in milliseconds.
 */
type Take = (name: string, count: number) => Promise<{ granted: number; waitMs: number }>;

async function onLimit(body: (stage: SimStage, take: Take) => Promise<void>): Promise<void> {
  const env = { MESHER_RATE_LIMIT: `${LIMIT}` };
  await onSimStage(
    async (stage) => {
      const intakes = new Map(NAMES.map((name) => [name, new Intake(stage.nodes.get(name)!)]));
      await body(stage, async (name, count) => {
        const events = Array.from({ length: count }, () => eventWith());
        const verdict = await intakes.get(name)!.take(stage.party.project, events);
        assert(verdict.kind !== "full");
        const granted = verdict.kind === "accepted" ? verdict.accepted : 0;
        return { granted, waitMs: verdict.retryAfterMs };
      });
    },
    1,
    env,
  );
}

function sum(counts: readonly { granted: number }[]): number {
  return counts.reduce((total, { granted }) => total + granted, 0);
}

test("The rate limit is shared by three nodes, whichever node receives the events", async () => {
  await onLimit(async (stage, take) => {
    const asked = NAMES.flatMap((name) => [1, 7, 30, 2].map((count) => take(name, count)));
    const answers = await Promise.all(asked);
    assertEquals(sum(answers), LIMIT);
    for (const { granted, waitMs } of answers) assert(granted > 0 || waitMs > 0);
    for (const name of NAMES) assertEquals((await take(name, 1)).granted, 0);
    // Another project has its own limit.
    const other = await party(stage.storage, "other");
    const verdict = await new Intake(stage.nodes.get("b")!).take(other.project, [eventWith()]);
    assertEquals(verdict.kind, "accepted");
  });
});

test("The rate limit returns when the next event is allowed", async () => {
  await onLimit(async ({ sim }, take) => {
    await take("a", 60);
    await sim.run(20_000);
    await take("b", 60);
    for (let round = 0; round < 5; round++) {
      const { granted, waitMs } = await take("c", 1);
      assertEquals(granted, 0);
      assert(waitMs > 0 && waitMs <= WINDOW_MS, `${waitMs}`);
      // Asks 20 ms before the limit allows an event: times are rounded to milliseconds, and a
      // request takes time.
      await sim.run(waitMs - 20);
      assertEquals((await take("a", 1)).granted, 0, `round ${round}: granted too early`);
      await sim.run(20);
      const passed = (await take("b", 100)).granted;
      assert(passed >= 1 && passed <= 2, `round ${round}: ${passed}`);
    }
  });
});

test("The rate limit gives a steady sender its share of each window, and an idle one all of it", async () => {
  await onLimit(async ({ sim }, take) => {
    const passed: { at: number; granted: number }[] = [];
    const end = sim.now + 10 * WINDOW_MS;
    for (let i = 0; sim.now < end; i++) {
      const { granted } = await take(NAMES[i % 3]!, 1 + i % 5);
      passed.push({ at: sim.now, granted });
      await sim.run(250);
    }
    const total = sum(passed);
    assert(total > 9 * LIMIT && total <= 11 * LIMIT, `${total} in ten windows`);
    // The limit applies to an estimate for a sliding window. The actual number in a window may
    // exceed the limit by at most a half.
    for (const { at } of passed) {
      const inWindow = passed.filter((one) => one.at >= at && one.at < at + WINDOW_MS);
      assert(sum(inWindow) <= 1.5 * LIMIT, `${sum(inWindow)} from ${at} on`);
    }
    await sim.run(2 * WINDOW_MS);
    const all = await Promise.all(NAMES.map((name) => take(name, 100)));
    assertEquals(sum(all), LIMIT);
  });
});

test("The rate limit is counted on another node when the counting node is lost", async () => {
  await onLimit(async ({ sim, party }, take) => {
    const full = NAMES.map((name) => sim.node(name)!.name);
    const owner = ownerOf(party.project.id, full).split("@")[0]!;
    const [one, two] = NAMES.filter((name) => name !== owner) as [string, string];
    assertEquals(sum([await take(one, 80), await take(owner, 20), await take(two, 1)]), LIMIT);
    sim.crash(owner);
    // Until a node has detected the loss of the counting node, its own limiter counts the events.
    await sim.until(
      "the first node has lost the counting node",
      () => sim.node(one)!.peers().length === 1,
    );
    await sim.until("the second node has lost it too", () => sim.node(two)!.peers().length === 1);
    assertEquals(sum(await Promise.all([take(one, 90), take(two, 90)])), LIMIT);
    await sim.run(2 * WINDOW_MS);
    assertEquals(sum(await Promise.all([take(one, 90), take(two, 90)])), LIMIT);
  });
});
