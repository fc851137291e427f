/** The storage contract: source maps and the chunks of their uploads, with their quotas and retention. */
import { assertEquals } from "@std/assert";
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACTS_MAX,
  CHUNK_BYTES_TOTAL_MAX,
  CHUNK_MS_MAX,
  type NewArtifact,
} from "../../../mesher/storage/artifacts.ts";
import { DAY_MS, NOON, type Promised, valueOf } from "./world.ts";

const checksum = (digit: string): string => digit.repeat(40);

const file = (url: string, content: Uint8Array = new Uint8Array([1, 2, 3])): NewArtifact => ({
  kind: "source_map",
  debugId: null,
  release: "1",
  dist: null,
  url,
  mapUrl: null,
  content,
});

/**
 * Returns an object that has only a length, for contents that are rejected before they are read.
 */
const ofSize = (length: number): Uint8Array => ({ length }) as Uint8Array;

/** Declares the tests of artifacts. */
export function artifactsContract(promise: Promised): void {
  promise("limits the artifacts of a project, and counts a repeated upload once", async (world) => {
    const { storage, a, b } = world;
    const add = (projectId: string, sum: string, files: readonly NewArtifact[]) =>
      storage.addArtifacts(projectId, checksum(sum), files);
    assertEquals(valueOf(await add(a.project.id, "a", [file("~/a"), file("~/b")])), 2);
    const tooMuch = { ok: false, reason: "too_much" } as const;
    const many = Array.from({ length: ARTIFACTS_MAX - 1 }, (_, i) => file(`~/${i}`));
    assertEquals(await add(a.project.id, "b", many), tooMuch);
    const large = [file("~/c", ofSize(ARTIFACT_BYTES_MAX - 5))];
    assertEquals(await add(a.project.id, "b", large), tooMuch);
    // A rejected upload does not replace the stored upload with the same checksum.
    assertEquals(await add(a.project.id, "a", [file("~/a", ofSize(2 ** 31))]), tooMuch);
    assertEquals(await storage.hasUpload(a.project.id, checksum("a")), true);
    assertEquals(valueOf(await add(a.project.id, "a", [file("~/a")])), 1);
    assertEquals((await storage.artifactsByUrl(a.project.id, "1", null, ["~/b"])).length, 0);
    // Each project has a quota of its own.
    assertEquals(valueOf(await add(b.project.id, "a", [file("~/a")])), 1);
  });

  promise(
    "deletes artifacts with their project's retention, and chunks after a day",
    async (world) => {
      const { storage, a, b, clock } = world;
      await storage.updateProject(a.orgId, a.project.id, { retentionDays: 3 });
      for (const [days, sum] of [[3.1, "a"], [2.9, "b"]] as const) {
        clock.now = NOON - days * DAY_MS;
        valueOf(await storage.addArtifacts(a.project.id, checksum(sum), [file("~/a")]));
        valueOf(await storage.addArtifacts(b.project.id, checksum(sum), [file("~/a")]));
      }
      const bytes = new Uint8Array([1]);
      for (const [ms, sum] of [[CHUNK_MS_MAX + 1, "a"], [CHUNK_MS_MAX - 1, "b"]] as const) {
        clock.now = NOON - ms;
        assertEquals(await storage.addChunk(a.orgId, checksum(sum), bytes), true);
      }
      const rest = ofSize(CHUNK_BYTES_TOTAL_MAX - 1);
      assertEquals(await storage.addChunk(a.orgId, checksum("c"), rest), false);
      clock.now = NOON;
      await storage.upkeep(NOON);
      const kept = async (projectId: string) => {
        const uploads = ["a", "b"].map((sum) => storage.hasUpload(projectId, checksum(sum)));
        return await Promise.all(uploads);
      };
      assertEquals(await kept(a.project.id), [false, true]);
      assertEquals(await kept(b.project.id), [true, true]);
      const sums = ["a", "b", "c"].map(checksum);
      assertEquals(await storage.chunksAmong(a.orgId, sums), [checksum("b")]);
      assertEquals(await storage.chunksAmong(b.orgId, sums), []);
      // A deleted project has no artifacts.
      const [map] = await storage.artifactsByUrl(b.project.id, "1", null, ["~/a"]);
      await storage.deleteProject(b.orgId, b.project.id);
      assertEquals(await storage.artifactContent(map!.id), null);
    },
  );
}
