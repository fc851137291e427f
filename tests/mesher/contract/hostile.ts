/**
 * Tests the storage contract for texts that must not become part of an SQL statement, and for the
 * isolation of organisations.
 */
import { assert, assertEquals } from "@std/assert";
import type { Storage } from "../../../mesher/storage/storage.ts";
import { entryWith } from "../event.ts";
import { issueOf, kinds, NOON, type Promised, valueOf } from "./world.ts";

/** Texts that have caused errors in databases. */
const HOSTILE_TEXTS: readonly string[] = [
  "'; DROP TABLE events; --",
  `" OR ""="`,
  "\\'; DELETE FROM users; --",
  "100% _under_ !bang",
  "$1 ?1 :name @p",
  "a\0b",
  "half \ud83d pair",
  "🎉 emoji 👩‍👩‍👧",
  "\u202eעברית العربية",
  "{\"json\": [1, 'x']}",
  '{,}"\\ NULL',
  "line\r\nbreak\ttab\x1eseparator",
  "<script>alert(1)</script>",
];

/** Returns a text in the form in which the storage returns it. */
const kept = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

/** Declares the tests whose input has hostile texts. */
export function hostileContract(promise: Promised): void {
  promise(
    "stores any text unchanged in every field, and never as part of a statement",
    async (world) => {
      const { storage, a } = world;
      for (const [i, nasty] of HOSTILE_TEXTS.entries()) {
        const name = `${nasty} ${i}`;
        const user = valueOf(
          await storage.createUser({ email: name, displayName: nasty, passwordHash: nasty }),
        );
        assertEquals(user.displayName, kept(nasty));
        assertEquals((await storage.credentials(name))?.passwordHash, kept(nasty));
        const org = valueOf(
          await storage.createOrganisation({ name: nasty, slug: name, ownerId: user.id }),
        );
        assertEquals((await storage.organisationOf(user.id, name))?.organisation, org);
        const project = valueOf(
          await storage.createProject({ orgId: org.id, name: nasty, slug: name, platform: nasty }),
        );
        assertEquals(await storage.project(org.id, name), project);
        assertEquals(project.platform, kept(nasty));
        const key = valueOf(
          await storage.createApiKey(org.id, {
            projectId: project.id,
            label: nasty,
            prefix: nasty,
            secret: "mshr_shown",
            secretHash: name,
          }),
        );
        assertEquals((await storage.projectByKey(name))?.keyId, key.id);
        assertEquals(key.label, kept(nasty));

        const entry = {
          ...entryWith(project.id, NOON + i, {
            message: nasty,
            environment: nasty,
            release: nasty,
            transaction: nasty,
            tags: { [nasty]: nasty, __proto__x: "1" },
            extra: { [nasty]: [nasty, { deep: nasty }] },
            user: { id: nasty, email: nasty, username: nasty, ip: nasty },
            exceptions: [{ type: nasty, value: nasty, module: nasty, handled: null, frames: [] }],
          }),
          fingerprint: nasty,
          title: nasty,
          culprit: nasty,
        };
        const [outcome] = await storage.writeEvents([entry]);
        const issueId = issueOf(outcome);
        assertEquals(kinds(await storage.writeEvents([entry])), ["duplicate"]);
        const detail = await storage.event(org.id, entry.event.id);
        assertEquals(detail?.event, JSON.parse(keptJson(entry.event)));
        assertEquals(detail?.title, kept(nasty));
        const issue = await storage.issue(org.id, issueId);
        assertEquals([issue?.title, issue?.culprit], [kept(nasty), kept(nasty)]);

        const page = { limit: 9 };
        const seen = async (filter: Parameters<Storage["events"]>[2]) =>
          (await storage.events(org.id, project.id, filter, page)).rows.map(({ id }) => id);
        assertEquals(await seen({ environment: nasty }), [entry.event.id]);
        assertEquals(await seen({ release: nasty }), [entry.event.id]);
        assertEquals(await seen({ tags: { [nasty]: nasty } }), [entry.event.id]);
        assertEquals(await seen({ environment: `${nasty}x` }), []);
        await seen({ query: nasty });
        assertEquals(
          (await storage.issues(org.id, project.id, { query: nasty }, page)).rows.map(({ id }) =>
            id
          ),
          [issueId],
        );
        assertEquals(await storage.tagValues(org.id, project.id, nasty, 0, 9), [
          { value: kept(nasty), count: 1 },
        ]);
        const rule = valueOf(
          await storage.createAlertRule(org.id, {
            projectId: project.id,
            name: nasty,
            condition: { kind: "new_issue" },
            action: { kind: "webhook", url: nasty },
            cooldownMinutes: 0,
          }),
        );
        assertEquals(rule.action, { kind: "webhook", url: kept(nasty) });
        const alert = await storage.fireAlert({
          ruleId: rule.id,
          issueId,
          message: nasty,
          now: NOON,
        });
        assertEquals([alert?.message, alert?.ruleName], [kept(nasty), kept(nasty)]);

        // A hostile text that is passed as an id matches no row in any operation.
        assertEquals(await storage.organisationOf(nasty, nasty), null);
        assertEquals(await storage.project(nasty, nasty), null);
        assertEquals(await storage.issue(org.id, nasty), null);
        assertEquals(await storage.event(org.id, nasty), null);
        assertEquals(await storage.setIssueStatus(nasty, nasty, "resolved"), null);
        assertEquals(await storage.deleteIssue(org.id, nasty), false);
        assertEquals(await storage.revokeApiKey(org.id, nasty), false);
        assertEquals(await storage.resolveAlert(org.id, nasty), { ok: false, reason: "no_alert" });
        assertEquals(await storage.resolveAlerts(org.id, nasty, {}), 0);
        assertEquals(await storage.resolveAlerts(nasty, project.id, {}), 0);
        const after = { at: NOON, id: nasty };
        assertEquals(
          await storage.events(org.id, project.id, {}, { limit: 1, after }),
          { rows: [], next: null },
        );
      }
      assertEquals(await storage.userCount(), 2 + HOSTILE_TEXTS.length);
      assertEquals((await storage.projects(a.orgId)).length, 1);
    },
  );

  promise("neither returns nor changes data of another organisation", async (world) => {
    const { storage, a, b } = world;
    const entry = entryWith(b.project.id, NOON, { tags: { region: "eu" } });
    const [outcome] = await storage.writeEvents([entry]);
    const issueId = issueOf(outcome);
    const p = b.project.id;
    const key = valueOf(
      await storage.createApiKey(b.orgId, {
        projectId: p,
        label: "l",
        prefix: "p",
        secret: "mshr_shown",
        secretHash: "h",
      }),
    );
    const rule = valueOf(
      await storage.createAlertRule(b.orgId, {
        projectId: p,
        name: "r",
        condition: { kind: "threshold", count: 5, windowMinutes: 5 },
        action: { kind: "websocket" },
        cooldownMinutes: 0,
      }),
    );
    const alert = (await storage.fireAlert({ ruleId: rule.id, issueId, message: "m", now: NOON }))!;
    const [member] = await storage.members(b.orgId);
    const page = { limit: 9 };
    const look = async (org: string) => ({
      project: await storage.project(org, p),
      keys: await storage.apiKeys(org, p),
      issues: (await storage.issues(org, p, {}, page)).rows,
      issue: await storage.issue(org, issueId),
      top: await storage.topIssues(org, p, 0, 9),
      events: (await storage.events(org, p, {}, page)).rows,
      ofIssue: (await storage.issueEvents(org, issueId, page)).rows,
      event: await storage.event(org, entry.event.id),
      volume: await storage.volume(org, p, { since: NOON, until: NOON + 10, bucketMs: 10 }),
      levels: await storage.levelCounts(org, p, 0),
      tagValues: await storage.tagValues(org, p, "region", 0, 9),
      tagKeys: await storage.tagKeys(org, p, 0, 9),
      issueTags: await storage.issueTags(org, issueId, 0, 9),
      health: await storage.projectHealth(org, p, NOON),
      usage: await storage.projectUsage(org, p),
      rules: await storage.alertRules(org, p),
      alerts: (await storage.alerts(org, p, undefined, page)).rows,
    });
    const own = await look(b.orgId);
    for (const [what, value] of Object.entries(own)) {
      assert(value !== null && (!Array.isArray(value) || value.length > 0), `${what} is seen`);
    }
    for (const [what, value] of Object.entries(await look(a.orgId))) {
      assert(value === null || (Array.isArray(value) && value.length === 0), `${what} is hidden`);
    }
    const org = a.orgId;
    assertEquals(await storage.updateProject(org, p, { name: "mine" }), null);
    assertEquals(await storage.deleteProject(org, p), false);
    assertEquals(
      await storage.createApiKey(org, {
        projectId: p,
        label: "",
        prefix: "",
        secret: "",
        secretHash: "z",
      }),
      { ok: false, reason: "no_project" },
    );
    assertEquals(await storage.revokeApiKey(org, key.id), false);
    assertEquals(await storage.setIssueStatus(org, issueId, "discarded"), null);
    assertEquals(await storage.assignIssue(org, issueId, a.owner.id), {
      ok: false,
      reason: "no_issue",
    });
    assertEquals(await storage.deleteIssue(org, issueId), false);
    assertEquals(
      await storage.createAlertRule(org, {
        projectId: p,
        name: "",
        condition: { kind: "spike" },
        action: { kind: "websocket" },
        cooldownMinutes: 1,
      }),
      { ok: false, reason: "no_project" },
    );
    assertEquals(await storage.setAlertRuleEnabled(org, rule.id, false), null);
    assertEquals(await storage.deleteAlertRule(org, rule.id), false);
    assertEquals(await storage.acknowledgeAlert(org, alert.id), { ok: false, reason: "no_alert" });
    assertEquals(await storage.resolveAlert(org, alert.id), { ok: false, reason: "no_alert" });
    assertEquals(await storage.resolveAlerts(org, p, {}), 0);
    assertEquals(await storage.setRole(org, member!.id, "member"), {
      ok: false,
      reason: "no_member",
    });
    assertEquals(await storage.removeMember(org, member!.id), { ok: false, reason: "no_member" });
    assertEquals(await look(b.orgId), own, "nothing has changed");
  });
}

/** Encodes a value as JSON, with every text in the form in which the storage returns it. */
function keptJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner === "string") return kept(inner);
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, entry]) => [kept(key), entry]));
  });
}
