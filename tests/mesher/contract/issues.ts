/** Tests the storage contract for the operations of users on issues. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import type { Storage } from "../../../mesher/storage/storage.ts";
import { entryWith } from "../event.ts";
import { HOUR_MS, issueOf, NOON, type Promised, valueOf } from "./world.ts";

/** Declares the tests of issues. */
export function issuesContract(promise: Promised): void {
  promise("assigns issues to members", async ({ storage, a, b }) => {
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    assertEquals(await storage.assignIssue(a.orgId, id, b.owner.id), {
      ok: false,
      reason: "no_member",
    });
    const member = valueOf(await storage.addMember(a.orgId, b.owner.id, "member"));
    assertEquals(
      valueOf(await storage.assignIssue(a.orgId, id, b.owner.id)).assignedTo,
      b.owner.id,
    );
    const assigned = (userId: string | null) =>
      storage.issues(a.orgId, a.project.id, { assignedTo: userId }, { limit: 9 })
        .then(({ rows }) => rows.length);
    assertEquals([await assigned(b.owner.id), await assigned(null), await assigned("x")], [
      1,
      0,
      0,
    ]);
    valueOf(await storage.removeMember(a.orgId, member.id));
    assertEquals(
      (await storage.issue(a.orgId, id))?.assignedTo,
      null,
      "a removed member has no issues",
    );
    assertEquals(await storage.assignIssue(a.orgId, newId(), null), {
      ok: false,
      reason: "no_issue",
    });
  });

  promise("deletes an issue with its events, whose ids can be used again", async (world) => {
    const { storage, a } = world;
    const entry = entryWith(a.project.id, NOON);
    const [first] = await storage.writeEvents([entry]);
    assertEquals(await storage.deleteIssue(a.orgId, issueOf(first)), true);
    assertEquals(await storage.deleteIssue(a.orgId, issueOf(first)), false);
    // Completes the purge of deleted rows, which may still be running.
    await storage.upkeep(NOON);
    assertEquals(await storage.event(a.orgId, entry.event.id), null);
    const found = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(found.rows, []);
    await storage.writeEvents([entryWith(a.project.id, NOON, { message: "the window is open" })]);
    const stale = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(stale.rows, [], "the next event does not inherit its words");
    const [again] = await storage.writeEvents([entry]);
    assert(again?.kind === "stored" && again.first);
    assertNotEquals(again.issueId, issueOf(first));
  });

  promise("filters issues", async ({ storage, a }) => {
    const outcomes = await storage.writeEvents([
      entryWith(a.project.id, NOON + 1, { message: "Straße 100% broken", level: "fatal" }),
      entryWith(a.project.id, NOON + 2, { message: "100 percent fine", level: "info" }),
      entryWith(a.project.id, NOON + 3, { message: "under_score" }),
    ]);
    await storage.setIssueStatus(a.orgId, issueOf(outcomes[2]), "archived");
    const titles = async (filter: Parameters<Storage["issues"]>[2]) =>
      (await storage.issues(a.orgId, a.project.id, filter, { limit: 9 })).rows
        .map(({ title }) => title);
    assertEquals(await titles({}), ["under_score", "100 percent fine", "Straße 100% broken"]);
    assertEquals(await titles({ status: "archived" }), ["under_score"]);
    assertEquals(await titles({ level: "fatal" }), ["Straße 100% broken"]);
    assertEquals(await titles({ query: "STRASSE" }), ["Straße 100% broken"]);
    assertEquals(await titles({ query: "STRAßE" }), ["Straße 100% broken"]);
    assertEquals(await titles({ query: "100%" }), ["Straße 100% broken"], "% is no wildcard");
    assertEquals(await titles({ query: "r_s" }), ["under_score"], "_ is no wildcard");
    assertEquals(await titles({ query: "!" }), []);
    assertEquals(await titles({ query: "fine", status: "archived" }), []);
  });

  promise(
    "returns the archived issues with recent events, for the spike rule",
    async ({ storage, a }) => {
      const hours = [0.5, 0.9, 1.5, 30, 24 * 7 + 0.5, 24 * 7 + 2];
      const outcomes = await storage.writeEvents([
        ...hours.map((h) => entryWith(a.project.id, NOON - h * HOUR_MS, { message: "one" })),
        entryWith(a.project.id, NOON - HOUR_MS / 2, { message: "two" }),
      ]);
      const id = issueOf(outcomes[0]);
      assertEquals(await storage.spikeCandidates(NOON), []);
      await storage.setIssueStatus(a.orgId, id, "archived");
      assertEquals(await storage.spikeCandidates(NOON), [{
        issueId: id,
        projectId: a.project.id,
        title: "one",
        lastHour: 2,
        weekBefore: 3,
      }]);
      assertEquals(await storage.spikeCandidates(NOON + HOUR_MS), []);
      assertEquals(await storage.unarchive(id), true);
      assertEquals(await storage.unarchive(id), false);
      assertEquals((await storage.issue(a.orgId, id))?.status, "unresolved");
    },
  );
}
