/** Tests the storage contract for searching, paging, navigating between events and counting. */
import { assert, assertEquals } from "@std/assert";
import type { Level } from "../../../mesher/domain/event.ts";
import { newId } from "../../../mesher/domain/id.ts";
import type { Storage } from "../../../mesher/storage/storage.ts";
import { entryWith } from "../event.ts";
import { DAY_MS, HOUR_MS, issueOf, NOON, type Promised } from "./world.ts";

/** Declares the tests of lists. */
export function listsContract(promise: Promised): void {
  promise("searches events by words, tags and columns", async ({ storage, a }) => {
    const write = (message: string, at: number, level: Level, tags: Record<string, string>) =>
      entryWith(a.project.id, at, {
        message,
        level,
        tags,
        environment: level === "info" ? "test" : "production",
        release: "shop@1",
        exceptions: level === "fatal"
          ? [{
            type: "PaymentRefusedError",
            value: "card declined",
            module: null,
            handled: null,
            frames: [],
          }]
          : [],
      });
    await storage.writeEvents([
      write("the red door is shut", NOON + 1, "error", { region: "eu", "a.b $[0]": "it's" }),
      write("the green door is open", NOON + 2, "info", { region: "us" }),
      write("Überall 東京 naïve", NOON + 3, "fatal", { region: "eu", server: "w1" }),
    ]);
    const found = async (filter: Parameters<Storage["events"]>[2]) =>
      (await storage.events(a.orgId, a.project.id, filter, { limit: 9 })).rows
        .map(({ receivedAt }) => receivedAt - NOON);
    assertEquals(await found({}), [3, 2, 1]);
    assertEquals(await found({ query: "DOOR" }), [2, 1]);
    assertEquals(await found({ query: "door red" }), [1]);
    assertEquals(await found({ query: "gre" }), [2], "the last word may be a prefix");
    assertEquals(await found({ query: "gre door" }), [], "other words must not be prefixes");
    assertEquals(await found({ query: "überall" }), [3]);
    assertEquals(await found({ query: "東京" }), [3]);
    assertEquals(await found({ query: "payment refused" }), [3], "the words of a camel-case name");
    assertEquals(await found({ query: "declined" }), [3]);
    assertEquals(await found({ query: "🎉 --" }), [], "no words");
    assertEquals(await found({ tags: { region: "eu" } }), [3, 1]);
    assertEquals(await found({ tags: { region: "eu", server: "w1" } }), [3]);
    assertEquals(await found({ tags: { "a.b $[0]": "it's" } }), [1]);
    assertEquals(await found({ tags: { region: "%" } }), []);
    assertEquals(await found({ level: "info" }), [2]);
    assertEquals(await found({ environment: "production" }), [3, 1]);
    assertEquals(await found({ release: "shop@1", query: "door", level: "error" }), [1]);
    assertEquals(await found({ since: NOON + 2 }), [3, 2]);
    assertEquals(await found({ before: NOON + 2 }), [1]);
    assertEquals(await found({ issueId: newId() }), []);
    assertEquals(await found({ issueId: "x" }), []);
  });

  promise("returns each row once when paging through a growing list", async ({ storage, a }) => {
    // Writes many events with the same time, so that their ids decide the order.
    const entries = Array.from(
      { length: 57 },
      (_, i) =>
        entryWith(a.project.id, NOON + Math.floor(i / 10), {
          message: `kind ${"abcdefghi"[i % 9]}`,
        }),
    );
    await storage.writeEvents(entries);
    const seen: string[] = [];
    let after = null;
    do {
      const page = await storage.events(a.orgId, a.project.id, {}, { limit: 10, after });
      seen.push(...page.rows.map(({ id }) => id));
      after = page.next;
      await storage.writeEvents([entryWith(a.project.id, NOON + 1000 + seen.length)]);
    } while (after !== null);
    const order = [...entries].sort((x, y) =>
      y.receivedAt - x.receivedAt || (x.event.id < y.event.id ? 1 : -1)
    );
    assertEquals(seen, order.map(({ event }) => event.id));

    const [latest] = (await storage.events(a.orgId, a.project.id, {}, { limit: 1 })).rows;
    const page = await storage.issueEvents(a.orgId, latest!.issueId, { limit: 100 });
    assertEquals(page.rows.length, 6);
    assertEquals(page.next, null, "the last page has no next page");
    assertEquals((await storage.events(a.orgId, a.project.id, {}, { limit: 1e9 })).rows.length, 63);

    const issues: string[] = [];
    after = null;
    do {
      const page = await storage.issues(a.orgId, a.project.id, {}, { limit: 3, after });
      issues.push(...page.rows.map(({ id }) => id));
      after = page.next;
    } while (after !== null);
    assertEquals([issues.length, new Set(issues).size], [10, 10]);
  });

  promise("returns the previous and the next event", async ({ storage, a }) => {
    const entries = [0, 0, DAY_MS].map((ms) => entryWith(a.project.id, NOON + ms));
    await storage.writeEvents([...entries, entryWith(a.project.id, NOON, { message: "other" })]);
    const ids = entries.map(({ event }) => event.id);
    const order = [...ids.slice(0, 2).sort(), ids[2]!];
    const seen = await Promise.all(order.map((id) => storage.event(a.orgId, id)));
    assertEquals(seen.map((e) => [e?.previousId, e?.nextId]), [
      [null, order[1]!],
      [order[0]!, order[2]!],
      [order[1]!, null],
    ]);
  });

  promise("returns the counts of the dashboard", async ({ storage, a }) => {
    const at = NOON - HOUR_MS;
    const write = (ms: number, level: Level, message: string, tags: Record<string, string>) =>
      entryWith(a.project.id, at + ms, { level, message, tags });
    const outcomes = await storage.writeEvents([
      write(0, "error", "one", { region: "eu", server: "w1" }),
      write(9, "error", "one", { region: "us" }),
      write(10, "fatal", "two", { region: "eu" }),
      write(35, "error", "one", {}),
      entryWith(a.project.id, at - 2 * DAY_MS, { message: "old", tags: { region: "eu" } }),
    ]);
    const [org, p] = [a.orgId, a.project.id];
    assertEquals(
      await storage.volume(org, p, { since: at, until: at + 40, bucketMs: 10 }),
      [2, 1, 0, 1].map((count, i) => ({ at: at + i * 10, count })),
    );
    assertEquals(await storage.levelCounts(org, p, at), [
      { value: "error", count: 3 },
      { value: "fatal", count: 1 },
    ]);
    assertEquals(await storage.tagValues(org, p, "region", at, 9), [
      { value: "eu", count: 2 },
      { value: "us", count: 1 },
    ]);
    assertEquals((await storage.tagValues(org, p, "region", at, 1)).length, 1);
    assertEquals(await storage.tagKeys(org, p, at, 9), [
      { value: "region", count: 3 },
      { value: "server", count: 1 },
    ]);
    assertEquals(await storage.issueTags(org, issueOf(outcomes[0]), at, 9), [
      { key: "region", values: [{ value: "eu", count: 1 }, { value: "us", count: 1 }] },
      { key: "server", values: [{ value: "w1", count: 1 }] },
    ]);
    const top = await storage.topIssues(org, p, at, 9);
    assertEquals(top.map(({ title, recent }) => [title, recent]), [["one", 3], ["two", 1]]);
    await storage.setIssueStatus(org, issueOf(outcomes[0]), "resolved");
    assertEquals((await storage.topIssues(org, p, at, 9)).length, 1);
    assertEquals(await storage.projectHealth(org, p, NOON), {
      unresolvedIssues: 2,
      events24h: 4,
      newIssues24h: 2,
    });
    const usage = await storage.projectUsage(org, p);
    assertEquals([usage?.events, usage?.issues, usage?.oldestAt], [5, 3, at - 2 * DAY_MS]);
    assert(usage!.bytes > 5 * 100 && usage!.bytes < 5 * 5000, `${usage!.bytes} bytes`);
    assertEquals(await storage.eventCount(p, at + 10), 2);
    assertEquals(await storage.unresolvedCount(p), 2);
  });
}
