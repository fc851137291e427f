/** Tests the storage contract for releases, users, and issues resolved in the next release. */
import { assertEquals, assertRejects } from "@std/assert";
import { isLaterRelease } from "../../../mesher/domain/release.ts";
import { StorageError } from "../../../mesher/storage/error.ts";
import { test } from "../../kit/test.ts";
import { entryWith } from "../event.ts";
import { HOUR_MS, issueOf, NOON, type Promised, valueOf } from "./world.ts";

const user = (id: string) => ({ id, email: "a@example.org", username: null, ip: null });

test("isLaterRelease compares versions if both releases have one, and times otherwise", () => {
  const later = (a: string, b: string, at?: [number, number]) =>
    isLaterRelease({ version: a, createdAt: at?.[0] }, { version: b, createdAt: at?.[1] });
  assertEquals([later("1.10.0", "1.9.0"), later("1.9.0", "1.10.0")], [true, false]);
  assertEquals([later("shop@2.0", "shop@2.0-rc.1"), later("2.0-rc.2", "2.0-rc.10")], [true, false]);
  assertEquals([later("a@2.0", "b@1.0"), later("a@2.0", "b@1.0", [1, 2])], [false, false]);
  assertEquals([later("c0ffee", "f00d", [3, 2]), later("1.0", "1.0", [3, 2])], [true, false]);
});

/** Declares the tests of releases. */
export function releasesContract(promise: Promised): void {
  promise("returns an issue's users, releases, and times of events", async ({ storage, a, b }) => {
    const of = (message: string, release: string | null, id: string | null, at: number) =>
      entryWith(a.project.id, at, { message, release, user: id === null ? null : user(id) });
    const [one, , , , two] = (await storage.writeEvents([
      of("one", null, "1", NOON - 30 * HOUR_MS),
      of("one", "1.0", "2", NOON - HOUR_MS),
      of("one", "1.1", "1", NOON - HOUR_MS + 1),
      of("one", null, null, NOON),
      of("two", "1.1", "3", NOON),
      of("two", "1.1", "5", NOON),
    ])).map(issueOf);
    const again = of("one", "1.1", "3", NOON + 1);
    await storage.writeEvents([again]);
    await storage.writeEvents([again]);
    const issue = (await storage.issue(a.orgId, one!))!;
    assertEquals([issue.userCount, issue.firstRelease, issue.lastRelease], [3, "1.0", "1.1"]);
    const page = await storage.releases(a.orgId, a.project.id, { limit: 9 });
    const shown = page.rows.map((
      { version, newIssues, lastSeen },
    ) => [version, newIssues, lastSeen]);
    assertEquals(shown.toSorted(), [["1.0", 1, null], ["1.1", 1, NOON + 1]]);
    assertEquals(await storage.releases(b.orgId, a.project.id, { limit: 9 }), {
      rows: [],
      next: null,
    });
    const range = { since: NOON - 2 * HOUR_MS, until: NOON + HOUR_MS, bucketMs: HOUR_MS };
    const volumes = await storage.issueVolumes(a.orgId, a.project.id, [one!, two!], range);
    assertEquals([volumes.get(one!), volumes.get(two!)], [[0, 2, 2], [0, 0, 2]]);
    assertEquals((await storage.issueVolumes(b.orgId, b.project.id, [one!], range)).size, 0);
    // After merging, a user counts once; after splitting, each issue has its own users again.
    valueOf(await storage.mergeIssues(a.orgId, two!, [one!], null));
    const merged = (await storage.issue(a.orgId, two!))!;
    assertEquals([merged.userCount, merged.firstRelease, merged.lastRelease], [4, "1.0", "1.1"]);
    const prints = (await storage.issueFingerprints(a.orgId, two!))!;
    const made = valueOf(
      await storage.splitIssue(a.orgId, two!, [prints[0]!.fingerprint], null),
    );
    const users = async (id: string) => (await storage.issue(a.orgId, id))?.userCount;
    assertEquals([await users(two!), await users(made.id)], [3, 2]);
    // A user whose earlier events are all in the other issue of the split counts as a new user.
    // Later events of the same user do not count again.
    for (let i = 0; i < 2; i++) {
      await storage.writeEvents(
        [["one", "5"], ["one", "3"], ["two", "1"], ["two", "3"]].map(([message, id]) =>
          of(message!, "1.1", id!, NOON)
        ),
      );
      assertEquals([await users(two!), await users(made.id)], [4, 3]);
    }
    const { rows } = await storage.issues(a.orgId, a.project.id, { sort: "users" }, { limit: 9 });
    assertEquals(rows.map(({ title }) => title), ["one", "two"]);
  });

  promise("creates the release of an event after a batch that failed", async ({ storage, a }) => {
    const versions = async () =>
      (await storage.releases(a.orgId, a.project.id, { limit: 9 })).rows.map((row) => row.version);
    const good = () => entryWith(a.project.id, NOON, { release: "1.0" });
    const bad = entryWith(a.project.id, NOON, { release: "1.0", timestamp: NaN });
    await assertRejects(() => storage.writeEvents([good(), bad]), StorageError);
    assertEquals(await versions(), []);
    await storage.writeEvents([good()]);
    await storage.writeEvents([good()]);
    assertEquals(await versions(), ["1.0"]);
  });

  promise(
    "reopens an issue that is resolved in the next release only in a later release",
    async (world) => {
      const { storage, a, clock } = world;
      const write = async (release: string | null) => {
        clock.now += 10;
        const [outcome] = await storage.writeEvents([entryWith(a.project.id, NOON, { release })]);
        return outcome?.kind === "stored" && outcome.regressed;
      };
      const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
      const id = issueOf(first);
      const resolve = () => storage.resolveInNextRelease(a.orgId, id, a.owner.id);
      assertEquals(await resolve(), { ok: false, reason: "no_release" });
      await write("1.9.0");
      assertEquals(valueOf(await resolve()).issue.resolvedAfter, "1.9.0");
      const before = [await write("1.9.0"), await write("1.8.0"), await write(null)];
      assertEquals(before, [false, false, false]);
      assertEquals((await storage.issue(a.orgId, id))?.status, "resolved");
      assertEquals([await write("1.10.0"), await write("1.10.0")], [true, false]);
      const issue = (await storage.issue(a.orgId, id))!;
      assertEquals([issue.status, issue.resolvedAfter], ["unresolved", null]);
      // Releases without versions are ordered by when they were first seen.
      valueOf(await storage.addRelease(a.orgId, a.project.id, "deploy-b"));
      clock.now += 10;
      valueOf(await storage.addRelease(a.orgId, a.project.id, "deploy-a"));
      valueOf(await resolve());
      assertEquals([await write("deploy-b"), await write("deploy-0")], [false, true]);
    },
  );
}
