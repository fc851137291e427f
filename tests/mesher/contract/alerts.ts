/** Tests the storage contract for rules and alerts. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import { DAY_MS, NOON, type Promised, valueOf } from "./world.ts";

/** Declares the tests of alerts. */
export function alertsContract(promise: Promised): void {
  promise(
    "fires a rule once in its cooldown, even if several nodes fire it at once",
    async (world) => {
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
    },
  );

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

  promise(
    "resolves all alerts of a project, or only those of a state or a time",
    async (world) => {
      const { storage, a, b, clock } = world;
      const ruleIn = async (orgId: string, projectId: string) =>
        valueOf(
          await storage.createAlertRule(orgId, {
            projectId,
            name: "new",
            condition: { kind: "new_issue" },
            action: { kind: "websocket" },
            cooldownMinutes: 0,
          }),
        ).id;
      const other = valueOf(
        await storage.createProject({ orgId: a.orgId, name: "B", slug: "b", platform: null }),
      );
      const rule = await ruleIn(a.orgId, a.project.id);
      const fire = async (ruleId: string, now: number) =>
        (await storage.fireAlert({ ruleId, issueId: null, message: "m", now }))!;
      const all = [];
      for (let i = 0; i < 6; i++) all.push(await fire(rule, NOON + i));
      await fire(await ruleIn(a.orgId, other.id), NOON);
      await fire(await ruleIn(b.orgId, b.project.id), NOON);
      await storage.acknowledgeAlert(a.orgId, all[1]!.id);
      await storage.acknowledgeAlert(a.orgId, all[4]!.id);
      const list = async (orgId = a.orgId, projectId = a.project.id) =>
        [...(await storage.alerts(orgId, projectId, undefined, { limit: 9 })).rows].reverse();
      const numbered = async (status: string): Promise<number[]> =>
        (await list()).flatMap((alert, i) => alert.status === status ? [i] : []);
      const resolve = (which: Parameters<typeof storage.resolveAlerts>[2]): Promise<number> =>
        storage.resolveAlerts(a.orgId, a.project.id, which);
      clock.now = NOON + 70;
      assertEquals(await resolve({ until: NOON - 1 }), 0);
      assertEquals(await resolve({ status: "active", until: NOON + 2 }), 2);
      assertEquals(await numbered("resolved"), [0, 2]);
      assertEquals(await resolve({ status: "acknowledged" }), 2);
      assertEquals(await numbered("active"), [3, 5]);
      clock.now = NOON + 80;
      assertEquals(await resolve({ until: NOON + 3 }), 1);
      // Alerts are not resolved with the id of another organisation or of an unknown project.
      assertEquals(await storage.resolveAlerts(b.orgId, a.project.id, {}), 0);
      assertEquals(await storage.resolveAlerts(a.orgId, newId(), {}), 0);
      assertEquals(await storage.resolveAlerts(a.orgId, "shop", {}), 0);
      assertEquals([await resolve({}), await resolve({})], [1, 0]);
      // Each alert was resolved once.
      const times = (await list()).map(({ resolvedAt }) => resolvedAt! - NOON);
      assertEquals(times, [70, 70, 70, 80, 70, 80]);
      for (const [orgId, projectId] of [[a.orgId, other.id], [b.orgId, b.project.id]]) {
        assertEquals((await list(orgId, projectId)).map(({ status }) => status), ["active"]);
      }
    },
  );
}
