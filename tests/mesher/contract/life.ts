/** Tests the storage contract for retention, concurrent nodes, opening and closing. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../../mesher/storage/error.ts";
import type { Storage } from "../../../mesher/storage/storage.ts";
import { entryWith } from "../event.ts";
import { DAY_MS, type Engine, kinds, NOON, type Party, type Promised } from "./world.ts";

/** Declares the tests of retention and of several nodes. */
export function lifeContract(promise: Promised, engine: Engine): void {
  promise("deletes only data that is older than its project's limit", async (world) => {
    const { storage, a, b, clock } = world;
    await storage.updateProject(a.orgId, a.project.id, { retentionDays: 3 });
    await storage.updateProject(b.orgId, b.project.id, { retentionDays: 10 });
    const days = [20, 11, 5, 3.01, 2.99, 0];
    const entries = [a, b].flatMap(({ project }) =>
      days.map((d) => entryWith(project.id, NOON - d * DAY_MS, { tags: { day: `${d}` } }))
    );
    await storage.writeEvents(entries);
    for (const [secretHash, expiresAt] of [["s1", NOON], ["s2", NOON + 1]] as const) {
      await storage.createSession({
        userId: a.owner.id,
        kind: "session",
        label: "",
        secretHash,
        expiresAt,
      });
    }
    clock.now = NOON - 1;
    const report = await storage.upkeep(NOON);
    assertEquals([report.eventsDeleted, report.sessionsDeleted], [4 + 2, 1]);
    const left = async ({ orgId, project }: Party) =>
      (await storage.events(orgId, project.id, {}, { limit: 9 })).rows.map((e) => e.tags["day"]);
    assertEquals(await left(a), ["0", "2.99"]);
    assertEquals(await left(b), ["0", "2.99", "3.01", "5"]);
    assertEquals(await storage.event(a.orgId, entries[0]!.event.id), null);
    const found = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(found.rows.length, 2, "the words of deleted events are deleted too");
    const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 1 })).rows;
    assertEquals(issue?.eventCount, 6, "the count of events is unchanged");
    const again = await storage.upkeep(NOON);
    assertEquals([again.eventsDeleted, again.sessionsDeleted], [0, 0]);
    // A deleted event can be written again, because its id is free. The partition of its day is
    // created again if there is none.
    assertEquals(kinds(await storage.writeEvents([entries[0]!])), ["stored"]);
    // If two nodes delete at once, each event is deleted once.
    const both = await Promise.all([storage.upkeep(NOON), storage.upkeep(NOON)]);
    assertEquals(both[0].eventsDeleted + both[1].eventsDeleted, 1);
  });

  if (engine.shared) {
    promise("stores an event once when two processes write it at the same time", async (world) => {
      const { storage, opened, a } = world;
      const other = await opened.open();
      try {
        const batches = Array.from(
          { length: 12 },
          (_, n) =>
            Array.from(
              { length: 40 },
              (_, i) =>
                entryWith(a.project.id, NOON + i, {
                  message: `kind ${"abcdefgh"[(n * 3 + i) % 8]}`,
                }),
            ),
        );
        // Both nodes write each batch, with opposite orders of rows and of batches.
        const write = (storage: Storage, batch: typeof batches[number]) =>
          storage.writeEvents(batch);
        const outcomes = await Promise.all([
          ...batches.map((batch) => write(storage, batch)),
          ...batches.toReversed().map((batch) => write(other, batch.toReversed())),
        ]);
        const all = outcomes.flat();
        assertEquals(all.filter(({ kind }) => kind === "stored").length, 480);
        assertEquals(all.filter(({ kind }) => kind === "duplicate").length, 480);
        assertEquals(all.filter((o) => o.kind === "stored" && o.first).length, 8);
        const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 100 });
        assertEquals(rows.length, 8);
        assertEquals(rows.reduce((sum, { eventCount }) => sum + eventCount, 0), 480);
        assertEquals(await other.eventCount(a.project.id, 0), 480);

        // Several concurrent writes add to each resolved issue, and only one of them reports a
        // regression.
        for (const { id } of rows) await storage.setIssueStatus(a.orgId, id, "resolved");
        const nodes = Array.from({ length: 12 }, (_, i) => i % 2 ? storage : other);
        const more = await Promise.all(nodes.map((node) =>
          node.writeEvents(
            Array.from("abcdefgh", (c) =>
              entryWith(a.project.id, NOON + 100, { message: `kind ${c}` })),
          )
        ));
        const received = more.flat().filter((o) => o.kind === "stored" && o.regressed);
        assertEquals(received.length, 8);
      } finally {
        await other.close();
      }
    });
  }

  promise(
    "stores no event without its issue when issues are deleted during writes",
    async ({ storage, a }) => {
      const write = async () => {
        for (let i = 0; i < 15; i++) {
          const outcomes = await storage.writeEvents(
            Array.from(
              { length: 10 },
              (_, n) => entryWith(a.project.id, NOON + i, { message: `kind ${"abc"[n % 3]}` }),
            ),
          );
          assertEquals(new Set(kinds(outcomes)), new Set(["stored"]));
        }
      };
      const remove = async () => {
        for (let i = 0; i < 15; i++) {
          const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
          for (const { id } of rows) await storage.deleteIssue(a.orgId, id);
        }
      };
      await Promise.all([write(), write(), remove()]);
      // Completes the purge of deleted rows, which may still be running.
      await storage.upkeep(NOON);
      const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
      const counted = rows.reduce((sum, { eventCount }) => sum + eventCount, 0);
      assertEquals(counted, await storage.eventCount(a.project.id, 0), "every event has an issue");
    },
  );

  if (engine.shared) {
    promise("keeps its data when it is opened again", async ({ storage, opened, a }) => {
      const entry = entryWith(a.project.id, NOON);
      await storage.writeEvents([entry]);
      const [one, two] = await Promise.all([opened.open(), opened.open()]);
      assertEquals((await one.event(a.orgId, entry.event.id))?.event, entry.event);
      assertEquals((await two.health()).ok, true);
      await one.close();
      await two.close();
    });
  }

  promise("reports its health, and rejects after it is closed", async ({ storage, opened, a }) => {
    const health = await storage.health();
    assertEquals([health.ok, health.problem], [true, null]);
    assert(health.schema >= 1);
    const other = await opened.open();
    await other.close();
    await other.close();
    await assertRejects(() => other.project(a.orgId, "shop"), StorageError, "closed");
    await assertRejects(() => other.writeEvents([entryWith(a.project.id, NOON)]), StorageError);
    assertEquals((await other.health()).ok, false);
  });
}
