/** Tests the storage contract for projects and their keys. */
import { assertEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import { entryWith } from "../event.ts";
import { kinds, NOON, type Promised, valueOf } from "./world.ts";

/** Declares the tests of projects. */
export function projectsContract(promise: Promised): void {
  promise("finds projects in their organisation, by id and by slug", async (world) => {
    const { storage, a, b } = world;
    assertEquals(await storage.project(a.orgId, a.project.id), a.project);
    assertEquals(await storage.project(a.orgId, "shop"), a.project);
    assertEquals(await storage.project(b.orgId, "shop"), b.project);
    assertEquals(await storage.projects(a.orgId), [a.project]);
    assertEquals(await storage.projectById(b.project.id), b.project);
    assertEquals((await storage.allProjects()).length, 2);
    assertEquals(
      await storage.createProject({ orgId: a.orgId, name: "x", slug: "shop", platform: null }),
      { ok: false, reason: "slug_taken" },
    );
    assertEquals(
      await storage.createProject({ orgId: newId(), name: "x", slug: "x", platform: null }),
      { ok: false, reason: "no_org" },
    );
    const changed = await storage.updateProject(a.orgId, a.project.id, {
      retentionDays: 7,
      sampleRate: 0.25,
      platform: null,
    });
    assertEquals(changed, { ...a.project, retentionDays: 7, sampleRate: 0.25, platform: null });
    assertEquals(await storage.project(a.orgId, "shop"), changed);
  });

  promise("finds a project by a key until the key is revoked", async ({ storage, a }) => {
    const key = valueOf(
      await storage.createApiKey(a.orgId, {
        projectId: a.project.id,
        label: "web",
        prefix: "mshr_1234",
        secret: "mshr_shown",
        secretHash: "k1",
      }),
    );
    assertEquals(await storage.projectByKey("k1"), { project: a.project, keyId: key.id });
    assertEquals(await storage.projectByKey("k2"), null);
    assertEquals(await storage.apiKeys(a.orgId, a.project.id), [key]);
    assertEquals(await storage.revokeApiKey(a.orgId, key.id), true);
    assertEquals(await storage.revokeApiKey(a.orgId, key.id), false);
    assertEquals(await storage.projectByKey("k1"), null);
    assertEquals((await storage.apiKeys(a.orgId, a.project.id))[0]?.revokedAt, NOON);
  });

  promise("deletes a project with all its data", async ({ storage, a, b }) => {
    const entry = entryWith(a.project.id, NOON);
    await storage.writeEvents([entry, entryWith(b.project.id, NOON)]);
    assertEquals(await storage.deleteProject(b.orgId, a.project.id), false);
    assertEquals(await storage.deleteProject(a.orgId, a.project.id), true);
    assertEquals(await storage.project(a.orgId, "shop"), null);
    // Completes the purge of deleted rows, which may still be running.
    await storage.upkeep(NOON);
    assertEquals(await storage.eventCount(a.project.id, 0), 0);
    assertEquals(kinds(await storage.writeEvents([entry])), ["orphan"]);
    assertEquals(await storage.eventCount(b.project.id, 0), 1);
  });
}
