/**
 * Tests work that must be done once in the whole cluster, with three nodes of Mesher in the
 * simulator, on one database, in virtual time.
 */
import { assert, assertEquals } from "@std/assert";
import { ROUNDS } from "../../mesher/services/rounds.ts";
import type { Alert } from "../../mesher/storage/alerts.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { isOwnHalf, test } from "../kit/test.ts";
import { DAY_MS, HOUR_MS, NOON, valueOf } from "./contract/world.ts";
import { entryWith, eventWith } from "./event.ts";
import { EVALUATOR, NAMES, onSimStage as onStage, type SimStage, SPIKES } from "./sim_stage.ts";

const MINUTE_MS = 60_000;

/** Creates a rule. */
async function rule(
  { storage, party }: SimStage,
  condition: Parameters<Storage["createAlertRule"]>[1]["condition"],
  cooldownMinutes: number,
): Promise<string> {
  const made = await storage.createAlertRule(party.orgId, {
    projectId: party.project.id,
    name: condition.kind,
    condition,
    action: { kind: "websocket" },
    cooldownMinutes,
  });
  return valueOf(made).id;
}

/** Returns when alerts fired, in minutes, rounded down. */
function minutes(alerts: readonly Alert[]): number[] {
  return alerts.map(({ triggeredAt }) => Math.floor((triggeredAt - NOON) / MINUTE_MS));
}

test("Rounds run on one of three nodes, each at its own interval", async () => {
  await onStage(async ({ sim, runsOf, holder }) => {
    await sim.run(2 * HOUR_MS + 5 * MINUTE_MS);
    for (const { name, everyMs, firstMs } of ROUNDS) {
      const all = runsOf(name);
      assertEquals([...new Set(all.map(({ node }) => node))], [holder(name)], name);
      const wanted = 1 + Math.floor((2 * HOUR_MS + 5 * MINUTE_MS - firstMs) / everyMs);
      assertEquals(all.length, wanted, name);
      const gaps = all.slice(1).map(({ at }, i) => at - all[i]!.at);
      assert(gaps.every((gap) => Math.abs(gap - everyMs) < 100), `${name}: ${gaps}`);
    }
  });
});

test("Rounds move to another node when their node is lost, and never run on two nodes", async () => {
  const ends = ["crash", "kill", "stop"] as const;
  for (let seed = 1; seed <= 6; seed++) {
    if (!isOwnHalf(seed)) continue;
    await onStage(async ({ sim, runs, runsOf, holder, start }) => {
      await sim.run(sim.random.below(2 * MINUTE_MS));
      const lost = holder(EVALUATOR)!;
      await sim[ends[seed % 3]!](lost);
      const at = sim.now;
      // Waits until the loss of the node is detected, and then until the first run of the rounds.
      const { firstMs } = ROUNDS.find(({ name }) => name === SPIKES)!;
      await sim.run(30_000 + firstMs);
      for (const { name } of ROUNDS) {
        const mover = holder(name);
        assert(mover !== undefined && mover !== lost, `${name} is on ${mover}`);
        const after = runsOf(name).filter((run) => run.at > at);
        assertEquals([...new Set(after.map(({ node }) => node))], [mover], name);
      }
      // A returning node does not take over a singleton.
      const holders = ROUNDS.map(({ name }) => holder(name));
      await start(lost);
      await sim.run(10 * MINUTE_MS);
      assertEquals(ROUNDS.map(({ name }) => holder(name)), holders);
      assertEquals(runs.filter((run) => run.at > at && run.node === lost), []);
    }, seed);
  }
});

test("Rounds fire a threshold alert once per cooldown although their node is lost", async () => {
  await onStage(async (stage) => {
    const { sim, storage, party, alerts, holder } = stage;
    await rule(stage, { kind: "threshold", count: 5, windowMinutes: 5 }, 10);
    const write = (count: number) =>
      storage.writeEvents(
        Array.from(
          { length: count },
          () => entryWith(party.project.id, NOON + Math.floor(sim.now)),
        ),
      );
    await write(5);
    await sim.run(MINUTE_MS);
    assertEquals(await alerts(), [], "five events do not exceed the limit of five");
    const beganAt = Math.floor(sim.now / MINUTE_MS);
    for (let minute = 0; minute < 35; minute++) {
      await write(2);
      if (minute === 14) sim.kill(holder(EVALUATOR)!);
      await sim.run(MINUTE_MS);
    }
    const fired = minutes(await alerts());
    assertEquals(fired.map((minute) => minute - beganAt), [0, 10, 20, 30]);
    assertEquals((await alerts())[0]!.message, "7 events in 5 min, more than 5");
    // The events are now outside the window of the rule, so it does not fire again.
    await sim.run(30 * MINUTE_MS);
    assertEquals((await alerts()).length, fired.length);
  });
});

test("Alerts for new and regressed issues fire once per cooldown on any node", async () => {
  await onStage(async (stage) => {
    const { sim, storage, party, alerts, take } = stage;
    await rule(stage, { kind: "new_issue" }, 0);
    await rule(stage, { kind: "new_issue" }, 60);
    await rule(stage, { kind: "regression" }, 60);
    const issue = async (): Promise<string> =>
      (await storage.issues(party.orgId, party.project.id, {}, { limit: 10 })).rows
        .find(({ title }) => title === "one")!.id;
    // Reports the same new issue on three nodes at once. One of the nodes creates it.
    await Promise.all(NAMES.map((name) => take(name, eventWith({ message: "one" }))));
    await sim.run(MINUTE_MS);
    assertEquals((await alerts()).map(({ message }) => message), Array(2).fill("New issue: one"));
    await take("b", eventWith({ message: "two" }));
    await sim.run(MINUTE_MS);
    assertEquals((await alerts()).length, 4, "each issue has its own cooldown");

    const returns = async (name: string): Promise<number> => {
      await storage.setIssueStatus(party.orgId, await issue(), "resolved");
      await take(name, eventWith({ message: "one" }));
      await sim.run(MINUTE_MS);
      assertEquals((await storage.issue(party.orgId, await issue()))?.status, "unresolved");
      const words = "Resolved issue came back: one";
      return (await alerts()).filter(({ message }) => message.startsWith(words)).length;
    };
    assertEquals(await returns("a"), 1);
    assertEquals(await returns("c"), 1, "the alert is suppressed by the cooldown");
    await sim.run(HOUR_MS);
    assertEquals(await returns("b"), 2);
    await take("c", eventWith({ message: "three" }));
    await sim.run(MINUTE_MS);
    assertEquals(
      (await alerts()).filter(({ message }) => message === "New issue: three").length,
      2,
    );
  });
});

test("Rounds reopen an archived issue with a spike once, and fire an alert", async () => {
  await onStage(async (stage) => {
    const { sim, storage, party, alerts } = stage;
    await rule(stage, { kind: "spike" }, 60);
    const write = async (message: string, count: number, ago = 0): Promise<string> => {
      const at = NOON + Math.floor(sim.now) - ago;
      const rows = Array.from(
        { length: count },
        () => entryWith(party.project.id, at, { message }),
      );
      const [outcome] = await storage.writeEvents(rows);
      assert(outcome?.kind === "stored");
      await storage.setIssueStatus(party.orgId, outcome.issueId, "archived");
      return outcome.issueId;
    };
    const rare = await write("rare", 1, DAY_MS);
    const usual = await write("usual", 400, DAY_MS);
    await write("rare", 11);
    // Writes more than ten events, but not more than ten times the mean.
    await write("usual", 20);
    await sim.run(20 * MINUTE_MS);
    const status = async (id: string) => (await storage.issue(party.orgId, id))?.status;
    assertEquals([await status(rare), await status(usual)], ["unresolved", "archived"]);
    assertEquals((await alerts()).map(({ message, issueId }) => [message, issueId]), [
      ["Archived issue spikes: rare", rare],
    ]);
  });
});

test("Rounds delete events that are older than the project's limit, and expired sessions", async () => {
  await onStage(async ({ sim, storage, party }) => {
    const { orgId, project, owner } = party;
    await storage.updateProject(orgId, project.id, { retentionDays: 1 });
    const at = (ago: number) => entryWith(project.id, NOON - ago);
    await storage.writeEvents([at(2 * DAY_MS), at(DAY_MS - 30 * MINUTE_MS), at(0)]);
    const session = { userId: owner.id, kind: "session", label: "", expiresAt: NOON + HOUR_MS };
    valueOf(await storage.createSession({ ...session, kind: "session", secretHash: "h" }));
    const left = (): Promise<number> => storage.eventCount(project.id, 0);
    await sim.run(MINUTE_MS);
    assertEquals(await left(), 2, "after the first round");
    await sim.run(HOUR_MS);
    assertEquals(await left(), 1, "after the next round, when the second event is too old");
    assertEquals(await storage.sessions(owner.id), []);
  });
});
