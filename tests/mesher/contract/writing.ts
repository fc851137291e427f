// deno-lint-ignore-file no-console
/** Tests the storage contract for batches of events and their effects on issues. */
import { assertEquals } from "@std/assert";
import process from "node:process";
import { newId } from "../../../mesher/domain/id.ts";
import { entryWith, realisticEntry } from "../event.ts";
import { DAY_MS, type Engine, issueOf, kinds, NOON, type Promised } from "./world.ts";

/** Number of events that are written in batches of each size; 10,000 with FIRN_LONG=1. */
const EVENTS = process.env["FIRN_LONG"] === "1" ? 10_000 : 1_000;

/** Declares the tests of writing events. */
export function writingContract(promise: Promised, engine: Engine): void {
  promise("returns an event as it was written", async ({ storage, a }) => {
    const entry = realisticEntry(a.project.id, NOON, 1);
    const [outcome] = await storage.writeEvents([entry]);
    assertEquals(outcome, {
      kind: "stored",
      issueId: issueOf(outcome),
      first: true,
      regressed: false,
    });
    assertEquals(await storage.event(a.orgId, entry.event.id), {
      projectId: a.project.id,
      issueId: issueOf(outcome),
      fingerprint: entry.fingerprint,
      title: entry.title,
      receivedAt: NOON,
      event: entry.event,
      nextId: null,
      previousId: null,
    });
    const issue = await storage.issue(a.orgId, issueOf(outcome));
    assertEquals(issue?.title, entry.title);
    assertEquals(issue?.culprit, entry.culprit);
    assertEquals(issue?.fingerprint, entry.fingerprint);
    assertEquals([issue?.eventCount, issue?.firstSeen, issue?.lastSeen], [1, NOON, NOON]);
    assertEquals(await storage.writeEvents([]), []);
  });

  promise("stores an event once, whenever and however often it is written", async (world) => {
    const { storage, a, b } = world;
    const entry = entryWith(a.project.id, NOON);
    const again = { ...entry, receivedAt: NOON + DAY_MS };
    assertEquals(kinds(await storage.writeEvents([entry, entry])), ["stored", "duplicate"]);
    assertEquals(kinds(await storage.writeEvents([entry])), ["duplicate"]);
    assertEquals(kinds(await storage.writeEvents([again])), ["duplicate"], "on another day");
    const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 9 })).rows;
    assertEquals([issue?.eventCount, issue?.lastSeen], [1, NOON]);
    assertEquals(await storage.eventCount(a.project.id, 0), 1);
    // An event of another project with the same id is a different event.
    const other = { ...entry, projectId: b.project.id };
    assertEquals(kinds(await storage.writeEvents([other])), ["stored"]);
    assertEquals((await storage.event(b.orgId, entry.event.id))?.projectId, b.project.id);
    assertEquals((await storage.event(a.orgId, entry.event.id))?.projectId, a.project.id);
  });

  promise("writes the other events of a batch if some have no project", async ({ storage, a }) => {
    const outcomes = await storage.writeEvents([
      entryWith(newId(), NOON),
      entryWith(a.project.id, NOON),
      entryWith(newId(), NOON),
    ]);
    assertEquals(kinds(outcomes), ["orphan", "stored", "orphan"]);
    assertEquals(kinds(await storage.writeEvents([entryWith(newId(), NOON)])), ["orphan"]);
  });

  promise(
    "groups events by fingerprint, and reports each issue's first event once",
    async (world) => {
      const { storage, a } = world;
      const outcomes = await storage.writeEvents([
        entryWith(a.project.id, NOON + 2, { message: "one" }),
        entryWith(a.project.id, NOON + 9, { message: "one", level: "fatal" }),
        entryWith(a.project.id, NOON + 1, { message: "two" }),
        entryWith(a.project.id, NOON + 5, { message: "one", level: "debug" }),
      ]);
      assertEquals(outcomes.map((o) => o.kind === "stored" && o.first), [true, false, true, false]);
      const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
      assertEquals(
        rows.map(({ title, eventCount, firstSeen, lastSeen, level }) => [
          title,
          eventCount,
          firstSeen,
          lastSeen,
          level,
        ]),
        [["one", 3, NOON + 2, NOON + 9, "fatal"], ["two", 1, NOON + 1, NOON + 1, "error"]],
      );
      // An event that arrives late does not change the level and the time of its issue.
      await storage.writeEvents([entryWith(a.project.id, NOON, { message: "one", level: "info" })]);
      const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 1 })).rows;
      assertEquals([issue?.level, issue?.firstSeen, issue?.lastSeen], ["fatal", NOON, NOON + 9]);
    },
  );

  promise("reopens a resolved issue when it occurs again, and reports that once", async (world) => {
    const { storage, a } = world;
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    const resolved = await storage.setIssueStatus(a.orgId, id, "resolved");
    assertEquals([resolved?.issue.status, resolved?.changed], ["resolved", true]);
    assertEquals((await storage.setIssueStatus(a.orgId, id, "resolved"))?.changed, false);
    const outcomes = await storage.writeEvents([
      entryWith(a.project.id, NOON + 1),
      entryWith(a.project.id, NOON + 2),
    ]);
    assertEquals(outcomes, [
      { kind: "stored", issueId: id, first: false, regressed: true },
      { kind: "stored", issueId: id, first: false, regressed: false },
    ]);
    assertEquals((await storage.issue(a.orgId, id))?.status, "unresolved");
    // An archived issue stays archived.
    await storage.setIssueStatus(a.orgId, id, "archived");
    const [later] = await storage.writeEvents([entryWith(a.project.id, NOON + 3)]);
    assertEquals(later, { kind: "stored", issueId: id, first: false, regressed: false });
    assertEquals((await storage.issue(a.orgId, id))?.status, "archived");
    // A duplicate does not reopen an issue.
    const again = entryWith(a.project.id, NOON + 4);
    await storage.writeEvents([again]);
    await storage.setIssueStatus(a.orgId, id, "resolved");
    assertEquals(kinds(await storage.writeEvents([again])), ["duplicate"]);
    assertEquals((await storage.issue(a.orgId, id))?.status, "resolved");
  });

  promise("drops the events of a discarded issue, until it is not discarded", async (world) => {
    const { storage, a } = world;
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    await storage.setIssueStatus(a.orgId, id, "discarded");
    const dropped = entryWith(a.project.id, NOON + 1);
    assertEquals(await storage.writeEvents([dropped]), [{ kind: "discarded", issueId: id }]);
    assertEquals((await storage.issue(a.orgId, id))?.eventCount, 1);
    assertEquals(await storage.event(a.orgId, dropped.event.id), null);
    await storage.setIssueStatus(a.orgId, id, "unresolved");
    assertEquals(
      kinds(await storage.writeEvents([dropped])),
      ["stored"],
      "the id can be used again",
    );
  });

  promise("stores an event without words, alone in its batch", async ({ storage, a }) => {
    const entry = entryWith(a.project.id, NOON, { message: "!?" });
    assertEquals(kinds(await storage.writeEvents([entry])), ["stored"]);
    assertEquals((await storage.event(a.orgId, entry.event.id))?.event.message, "!?");
  });

  promise("writes and counts events in small and in large batches", async ({ storage, a }) => {
    for (const size of [50, 500]) {
      const entries = Array.from(
        { length: EVENTS },
        (_, i) => realisticEntry(a.project.id, NOON + i, i),
      );
      const times: number[] = [];
      const began = performance.now();
      for (let i = 0; i < entries.length; i += size) {
        const batchBegan = performance.now();
        await storage.writeEvents(entries.slice(i, i + size));
        times.push(performance.now() - batchBegan);
      }
      const perSecond = Math.round(EVENTS * 1000 / (performance.now() - began));
      times.sort((x, y) => x - y);
      const p99 = times[Math.floor(times.length * 0.99)]!;
      console.log(
        `storage_test: ${engine.name}, batches of ${size}: ${perSecond} events/s, ` +
          `p99 ${p99.toFixed(1)} ms`,
      );
    }
    assertEquals(await storage.eventCount(a.project.id, 0), 2 * EVENTS);
    const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 100 });
    assertEquals(rows.reduce((sum, { eventCount }) => sum + eventCount, 0), 2 * EVENTS);
  });
}
