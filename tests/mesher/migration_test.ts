// deno-lint-ignore-file no-console
/**
 * Tests PostgreSQL from the command line: migrating a SQLite file, a backup and its restoration.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test } from "../kit/test.ts";
import { admin } from "./admin.ts";
import { party, valueOf } from "./contract/world.ts";
import { provideDriver } from "./driver.ts";
import { entryWith, realisticEntry } from "./event.ts";

const DAY_MS = 86_400_000;
const MAP_ID = "0f0e0d0c-0b0a-4908-8706-050403020100";

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`migration_test: skipped, ${cluster}`);
else {
  const { openPostgres } = await import("../../mesher/storage/postgres.ts");

  const inPlaces = async (body: (folder: string, url: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), "mesher-migration-"));
    const { url, drop } = await cluster.newDatabase();
    try {
      await body(folder, url);
    } finally {
      await drop();
      rmSync(folder, { recursive: true });
    }
  };

  /** Stores rows in all tables. */
  const createObjects = async (storage: Storage): Promise<string> => {
    const { orgId, owner, project } = await party(storage, "anna");
    await storage.setOperator(owner.email, true);
    await storage.updateProject(orgId, project.id, {
      scrub: { enabled: true, fields: ["iban"], safe: [] },
    });
    await storage.createApiKey(orgId, {
      projectId: project.id,
      label: "web",
      prefix: "mshr_1234",
      secret: "mshr_shown",
      secretHash: "k",
    });
    const expiresAt = Date.now() + DAY_MS;
    const session = { userId: owner.id, label: "l", expiresAt };
    await storage.createSession({ ...session, kind: "token", secretHash: "t", scopes: ["read"] });
    const invitation = { orgId, email: "b@example.org", role: "admin", expiresAt } as const;
    valueOf(await storage.createInvitation({ ...invitation, secretHash: "i" }));
    const rule = valueOf(
      await storage.createAlertRule(orgId, {
        projectId: project.id,
        name: "many",
        condition: { kind: "threshold", count: 5, windowMinutes: 1 },
        action: { kind: "websocket" },
        cooldownMinutes: 1,
      }),
    );
    const now = Date.now();
    await storage.fireAlert({ ruleId: rule.id, issueId: null, message: "5 events", now });
    await storage.writeEvents([
      ...Array.from({ length: 1_200 }, (_, i) => realisticEntry(project.id, now - i * 200_000, i)),
      entryWith(project.id, now - 40 * DAY_MS, {
        message: "Straße 'quoted' \u00e9t\u00e9 wombat \\",
      }),
      entryWith(project.id, now, { tags: { region: "eu", "a b": "c'd" }, release: "shop@1.0" }),
    ]);
    valueOf(
      await storage.addArtifacts(project.id, "c".repeat(40), [{
        kind: "source_map",
        debugId: MAP_ID,
        release: null,
        dist: null,
        url: "~/a.js.map",
        mapUrl: null,
        content: new Uint8Array([0, 255, 92, 120]),
      }]),
    );
    await storage.saveTotals("node 1", { stored: 1_202 });
    return orgId;
  };

  /** Reads all rows. */
  const readAll = async (storage: Storage, orgId: string): Promise<unknown> => {
    const [project] = await storage.projects(orgId);
    const p = project!.id;
    const owner = await storage.credentials("anna@example.org");
    const page = { limit: 100 };
    const events = await storage.events(orgId, p, {}, page);
    const found = (filter: object) => storage.events(orgId, p, filter, page);
    const issues = await storage.issues(orgId, p, {}, page);
    return {
      project,
      owner,
      members: await storage.members(orgId),
      keys: await storage.apiKeys(orgId, p),
      byKey: await storage.projectByKey("k"),
      session: await storage.sessionBySecret("t"),
      invitations: await storage.invitations(orgId),
      rules: await storage.alertRules(orgId, p),
      alerts: await storage.alerts(orgId, p, undefined, page),
      issues,
      events,
      detail: await storage.event(orgId, events.rows[3]!.id),
      ofIssue: await storage.issueEvents(orgId, issues.rows[0]!.id, page),
      words: await found({ query: "wombat strasse" }),
      tag: await found({ tags: { region: "eu" } }),
      release: await found({ release: "shop@1.0" }),
      level: await found({ level: "error" }),
      usage: await storage.projectUsage(orgId, p),
      count: await storage.eventCount(p, 0),
      totals: await storage.totals([]),
      releases: await storage.releases(orgId, p, page),
      maps: await Promise.all(
        (await storage.artifactsByDebugId(p, MAP_ID)).map(async (map) => [
          map,
          [...await storage.artifactContent(map.id) ?? []],
        ]),
      ),
    };
  };

  test("admin migrate copies a SQLite file to a PostgreSQL database that is empty", () =>
    inPlaces(async (folder, url) => {
      const file = join(folder, "mesher.db");
      const sqlite = await openSqlite({ path: file });
      const orgId = await createObjects(sqlite);
      const before = await readAll(sqlite, orgId) as { words: { rows: unknown[] }; count: number };
      assertEquals([before.words.rows.length, before.count], [1, 1_202]);
      await sqlite.close();
      const printed = await admin(url, "migrate", file);
      assert(/^events +1202$/m.test(printed), printed);
      const postgres = await openPostgres({ url });
      try {
        assertEquals(await readAll(postgres, orgId), before);
        // The copy is complete: a repeated event is a duplicate, and a new one is stored.
        const [project] = await postgres.projects(orgId);
        const last = (await postgres.events(orgId, project!.id, {}, { limit: 1 })).rows[0]!;
        const again = entryWith(project!.id, Date.now(), { id: last.id });
        const outcomes = await postgres.writeEvents([again, entryWith(project!.id, Date.now())]);
        assertEquals(outcomes.map(({ kind }) => kind), ["duplicate", "stored"]);
      } finally {
        await postgres.close();
      }
      await assertRejects(() => admin(url, "migrate", file), Error, "use an empty one");
      await assertRejects(() => admin(url, "migrate", join(folder, "no.db")), Error, "there is no");
      await assertRejects(() => admin(file, "migrate", file), Error, "set DATABASE_URL");
    }));

  test("admin backup copies a PostgreSQL database to a file, and admin restore restores it", () =>
    inPlaces(async (folder, url) => {
      const copy = join(folder, "copy");
      let storage = await openPostgres({ url });
      const orgId = await createObjects(storage);
      const before = await readAll(storage, orgId);
      await admin(url, "backup", copy);
      assertEquals(statSync(copy).mode & 0o777, 0o600);
      await assertRejects(() => admin(url, "backup", copy), Error, "exists already");
      const [project] = await storage.projects(orgId);
      await storage.deleteProject(orgId, project!.id);
      await storage.close();
      await admin(url, "restore", copy);
      storage = await openPostgres({ url });
      assertEquals(await readAll(storage, orgId), before);
      await storage.close();
      await assertRejects(() => admin(url, "restore", join(folder, "none")), Error, "there is no");
      const gone = url.replace(/[^/]*$/, "none");
      await assertRejects(() => admin(gone, "backup", join(folder, "b")), Error, "pg_dump failed");
    }));
}
