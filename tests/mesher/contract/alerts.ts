/**
 * The storage contract. Rules and alerts.
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import { DAY_MS, NOON, type Promised, valueOf } from "./world.ts";

/** Declares them. */
export function alertsContract(promise: Promised): void {
  promise("fires a rule once in its cooldown, whoever asks at once", async (world) => {
    const { storage, a } = world;
    const rule = valueOf(
      await storage.createAlertRule(a.orgId, {
        projectId: a.project.id,
        name: "many",
        condition: { kind: "threshold", count: 100, windowMinutes: 5 },
        action: { kind: "websocket" },
        cooldownMinutes: 10,
      }),
    );
    assertEquals(await storage.alertRules(a.orgId, a.project.id), [rule]);
    const fire = (now: number) =>
      storage.fireAlert({ ruleId: rule.id, issueId: null, message: "m", now });
    const fired = await Promise.all(Array.from({ length: 8 }, () => fire(NOON)));
    assertEquals(fired.filter((alert) => alert !== null).length, 1);
    assertEquals(await fire(NOON + 10 * 60_000 - 1), null);
    assertNotEquals(await fire(NOON + 10 * 60_000), null);
    const disabled = await storage.setAlertRuleEnabled(a.orgId, rule.id, false);
    assertEquals([disabled?.enabled, disabled?.lastFiredAt], [false, NOON + 10 * 60_000]);
    assertEquals(await fire(NOON + DAY_MS), null);
    assertEquals(await storage.enabledAlertRules(), []);
    await storage.setAlertRuleEnabled(a.orgId, rule.id, true);
    assertEquals((await storage.enabledAlertRules()).map(({ id }) => id), [rule.id]);
    assertEquals((await storage.enabledAlertRules(a.project.id)).length, 1);
    assertEquals(await storage.enabledAlertRules(newId()), []);
    assertEquals(
      await storage.fireAlert({ ruleId: newId(), issueId: null, message: "", now: 1 }),
      null,
    );

    const first = await storage.alerts(a.orgId, a.project.id, undefined, { limit: 1 });
    const second = await storage.alerts(a.orgId, a.project.id, undefined, {
      limit: 1,
      after: first.next,
    });
    const times = [...first.rows, ...second.rows].map(({ triggeredAt }) => triggeredAt);
    assertEquals(times, [NOON + 10 * 60_000, NOON]);
    assertEquals(second.next, null);
    assertEquals(await storage.deleteAlertRule(a.orgId, rule.id), true);
    const left = await storage.alerts(a.orgId, a.project.id, undefined, { limit: 9 });
    assertEquals(left.rows, []);
  });

  promise("moves alerts through their states", async ({ storage, a, clock }) => {
    const rule = valueOf(
      await storage.createAlertRule(a.orgId, {
        projectId: a.project.id,
        name: "new",
        condition: { kind: "new_issue" },
        action: { kind: "webhook", url: "https://example.org/" },
        cooldownMinutes: 0,
      }),
    );
    const fire = async (now: number) =>
      (await storage.fireAlert({ ruleId: rule.id, issueId: null, message: "m", now }))!;
    const [one, two] = [await fire(NOON), await fire(NOON + 1)];
    assertEquals([one.status, one.condition], ["active", { kind: "new_issue" }]);
    clock.now = NOON + 60;
    const acknowledged = valueOf(await storage.acknowledgeAlert(a.orgId, one.id));
    assertEquals([acknowledged.status, acknowledged.acknowledgedAt], ["acknowledged", NOON + 60]);
    assertEquals(await storage.acknowledgeAlert(a.orgId, one.id), {
      ok: false,
      reason: "wrong_state",
    });
    clock.now = NOON + 70;
    const resolved = valueOf(await storage.resolveAlert(a.orgId, one.id));
    assertEquals([resolved.status, resolved.resolvedAt], ["resolved", NOON + 70]);
    assertEquals(valueOf(await storage.resolveAlert(a.orgId, two.id)).acknowledgedAt, null);
    assertEquals(await storage.resolveAlert(a.orgId, two.id), { ok: false, reason: "wrong_state" });
    const active = await storage.alerts(a.orgId, a.project.id, "active", { limit: 9 });
    assertEquals(active.rows, []);
  });
}
