/**
 * Tests administration from the command line: setting a new password without data loss, a backup
 * and its restoration.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, readCommand } from "../../mesher/config.ts";
import { verifyPassword } from "../../mesher/domain/password.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { test } from "../kit/test.ts";
import { admin } from "./admin.ts";
import { party } from "./contract/world.ts";
import { entryWith } from "./event.ts";

test("admin reset sets a new password and ends the user's sessions", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mesher-admin-"));
  const path = join(folder, "mesher.db");
  try {
    let storage = await openSqlite({ path });
    const { owner, project } = await party(storage, "anna");
    await storage.writeEvents([entryWith(project.id, Date.now())]);
    const session = { userId: owner.id, label: "", expiresAt: Date.now() + 60_000 };
    await storage.createSession({ ...session, kind: "session", secretHash: "s" });
    await storage.createSession({ ...session, kind: "token", secretHash: "t" });
    await storage.close();
    const printed = await admin(path, "reset", "ANNA@example.org");
    const password = /password: (\S+)\n$/.exec(printed)![1]!;
    await assertRejects(() => admin(path, "reset", "nobody@example.org"), Error, "no account");
    storage = await openSqlite({ path });
    const known = await storage.credentials("anna@example.org");
    assert(await verifyPassword(password, known!.passwordHash));
    assertEquals(await storage.sessionBySecret("s"), null);
    assert(await storage.sessionBySecret("t") !== null);
    assertEquals(await storage.eventCount(project.id, 0), 1);
    await storage.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("admin backup copies a database file, and admin restore restores the copy", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mesher-admin-"));
  const [path, copy] = [join(folder, "mesher.db"), join(folder, "copy.db")];
  try {
    let storage = await openSqlite({ path });
    const { orgId, project } = await party(storage, "anna");
    const entries = Array.from({ length: 50 }, (_, i) => entryWith(project.id, Date.now() + i));
    await storage.writeEvents(entries);
    await admin(path, "backup", copy);
    assertEquals(statSync(copy).mode & 0o777, 0o600);
    await assertRejects(() => admin(path, "backup", copy), Error, "exists already");
    await storage.deleteProject(orgId, project.id);
    await assertRejects(() => admin(path, "restore", copy), Error, "is in use: stop the nodes");
    assertEquals(await storage.eventCount(project.id, 0), 0);
    await storage.close();
    await admin(path, "restore", copy);
    storage = await openSqlite({ path });
    assertEquals(await storage.eventCount(project.id, 0), 50);
    await storage.close();
    await assertRejects(
      () => admin(path, "restore", join(folder, "none.db")),
      Error,
      "there is no",
    );
    writeFileSync(path, "damaged");
    await admin(path, "restore", copy);
    storage = await openSqlite({ path });
    assertEquals(await storage.eventCount(project.id, 0), 50);
    await storage.close();
    const none = join(folder, "none.db");
    await assertRejects(() => admin(none, "reset", "anna@example.org"), Error, "no database");
    assert(!existsSync(none));
    await assertRejects(() => admin(":memory:", "backup", copy), ConfigError, ":memory:");
    assertThrows(() => readCommand(["admin", "reset"]), ConfigError, "admin reset EMAIL");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
