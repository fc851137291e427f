/** Tests the storage contract for merging and splitting issues while events arrive. */
import { assert, assertEquals } from "@std/assert";
import type { NewEvent } from "../../../mesher/storage/events.ts";
import { entryWith } from "../event.ts";
import { until } from "../../kit/test.ts";
import { type Engine, issueOf, NOON, type Promised, valueOf, type World } from "./world.ts";

const messages = ({ a }: World, message: string, count: number): NewEvent[] =>
  Array.from({ length: count }, (_, i) => entryWith(a.project.id, NOON + i, { message }));

/** Declares the tests of merging and splitting. */
export function mergesContract(promise: Promised, engine: Engine): void {
  promise(
    "merges issues so that new events go to the target, and splits them again",
    async (world) => {
      const { storage, a, b } = world;
      const [one, two, three] = (await storage.writeEvents([
        entryWith(a.project.id, NOON + 5, { message: "one", level: "warning" }),
        entryWith(a.project.id, NOON + 1, { message: "two" }),
        entryWith(a.project.id, NOON + 9, { message: "three", level: "fatal" }),
      ])).map(issueOf);
      await storage.addComment(a.orgId, two!, a.owner.id, "mine");
      const by = a.owner.id;
      assertEquals(await storage.mergeIssues(b.orgId, one!, [two!], by), {
        ok: false,
        reason: "no_issue",
      });
      const merged = valueOf(await storage.mergeIssues(a.orgId, one!, [two!, three!, one!], by));
      assertEquals(
        [merged.title, merged.eventCount, merged.firstSeen, merged.lastSeen, merged.level],
        ["one", 3, NOON + 1, NOON + 9, "fatal"],
      );
      assertEquals(await storage.issue(a.orgId, two!), null);
      const events = (id: string) =>
        storage.issueEvents(a.orgId, id, { limit: 99 }).then(({ rows }) => rows.length);
      assertEquals(await events(one!), 3);
      const again = await storage.writeEvents(
        ["one", "two", "three"].map((message) => entryWith(a.project.id, NOON + 20, { message })),
      );
      assertEquals(again.map(issueOf), [one, one, one]);
      assertEquals((await storage.issue(a.orgId, one!))?.eventCount, 6);
      const kinds = (await storage.activity(a.orgId, one!, { limit: 9 })).rows.map(({ kind }) =>
        kind
      );
      assertEquals(kinds.toSorted(), ["comment", "merged"]);

      const prints = (await storage.issueFingerprints(a.orgId, one!))!;
      assertEquals(prints.map(({ title }) => title).toSorted(), ["one", "three", "two"]);
      const printOf = (title: string) => prints.find((one) => one.title === title)!.fingerprint;
      const refused = async (...fingerprints: string[]) => {
        const done = await storage.splitIssue(a.orgId, one!, fingerprints, by);
        return done.ok ? "done" : done.reason;
      };
      assertEquals(await refused("x"), "no_fingerprint");
      assertEquals(
        await refused(...prints.map(({ fingerprint }) => fingerprint)),
        "all_fingerprints",
      );
      // The original fingerprint of the issue is split off, so another of the issue's fingerprints
      // becomes the original one.
      const split = valueOf(
        await storage.splitIssue(a.orgId, one!, [printOf("one"), printOf("two")], by),
      );
      assertEquals([split.title, split.projectId], ["one", a.project.id]);
      const [left, right] = [
        await storage.issue(a.orgId, one!),
        await storage.issue(a.orgId, split.id),
      ];
      assertEquals([left?.title, left?.eventCount, left?.firstSeen], ["three", 2, NOON + 9]);
      assertEquals([right?.eventCount, right?.firstSeen, right?.lastSeen], [
        4,
        NOON + 1,
        NOON + 20,
      ]);
      assertEquals([await events(one!), await events(split.id)], [2, 4]);
      const later = await storage.writeEvents(
        ["one", "two", "three"].map((message) => entryWith(a.project.id, NOON + 30, { message })),
      );
      assertEquals(later.map(issueOf), [split.id, split.id, one]);
    },
  );

  promise("reopens a merged issue once, whichever of its errors occurs", async (world) => {
    const { storage, a } = world;
    const [one, two] = (await storage.writeEvents([
      ...messages(world, "one", 1),
      ...messages(world, "two", 1),
    ])).map(issueOf);
    valueOf(await storage.mergeIssues(a.orgId, one!, [two!], null));
    await storage.setIssueStatus(a.orgId, one!, "resolved", a.owner.id);
    const outcomes = await storage.writeEvents([
      ...messages(world, "two", 1),
      ...messages(world, "one", 1),
    ]);
    assertEquals(outcomes.map((one) => one.kind === "stored" && one.regressed), [true, false]);
    assertEquals(await storage.deleteIssue(a.orgId, one!), true);
    const [anew] = await storage.writeEvents(messages(world, "two", 1));
    assert(anew?.kind === "stored" && anew.first, "the fingerprint is free again");
  });

  promise(
    "merges and splits while events are written, and counts each event once",
    async (world) => {
      const { opened, a } = world;
      const others = engine.shared ? [await opened.open(), await opened.open()] : [world.storage];
      let isOver = false;
      let written = 0;
      const names = ["one", "two", "three"];
      const write = async (storage: typeof world.storage): Promise<void> => {
        while (!isOver) {
          const batch = names.flatMap((name) => messages(world, name, 4));
          const outcomes = await storage.writeEvents(batch);
          written += outcomes.filter(({ kind }) => kind === "stored").length;
        }
      };
      const { storage } = world;
      await storage.writeEvents(names.flatMap((name) => messages(world, name, 300)));
      written += 900;
      const writers = others.map(write);
      const all = async () => (await storage.issues(a.orgId, a.project.id, {}, { limit: 99 })).rows;
      try {
        for (let round = 0; round < 3; round++) {
          const [target, ...rest] = await all();
          const ids = rest.map(({ id }) => id);
          await until(
            "the issues are merged",
            async () => (await storage.mergeIssues(a.orgId, target!.id, ids, null)).ok,
          );
          await until("there is one issue", async () => (await all()).length === 1);
          const prints = (await storage.issueFingerprints(a.orgId, target!.id))!;
          for (const { fingerprint } of prints.slice(1)) {
            await until(
              "the issue is split",
              async () => (await storage.splitIssue(a.orgId, target!.id, [fingerprint], null)).ok,
            );
          }
        }
      } finally {
        isOver = true;
        await Promise.all(writers);
        if (engine.shared) { for (const other of others) await other.close(); }
      }
      await until("all events are counted in their issue", async () => {
        await storage.upkeep(NOON);
        const issues = await all();
        const stored = await Promise.all(issues.map(async ({ id, title }) => {
          let count = 0;
          let after: { at: number; id: string } | null = null;
          do {
            const page: Awaited<ReturnType<typeof storage.issueEvents>> = await storage.issueEvents(
              a.orgId,
              id,
              { limit: 100, ...(after === null ? {} : { after }) },
            );
            assert(
              page.rows.every((row) => row.title === title),
              `${title} has an event of another issue`,
            );
            count += page.rows.length;
            after = page.next;
          } while (after !== null);
          return count;
        }));
        assertEquals(issues.map(({ title }) => title).toSorted(), names.toSorted());
        assertEquals(issues.map(({ eventCount }) => eventCount), stored);
        assertEquals(stored.reduce((sum, count) => sum + count, 0), written);
        return true;
      });
    },
  );
}
