/**
 * One-time tasks of an administrator on the command line: sets a password, makes a backup, restores
 * one, or copies a SQLite file to PostgreSQL.
 *
 * @module
 */
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import process from "node:process";
import { type AdminCommand, type Config, ConfigError, storageConfig } from "./config.ts";
import { unreachable } from "./domain/assert.ts";
import { hashPassword } from "./domain/password.ts";
import { newPassword } from "./first_run.ts";
import { openStorage, type StorageConfig } from "./storage/open.ts";
import { backUpPostgres, restorePostgres } from "./storage/postgres_backup.ts";
import { backUpSqlite, checkSqlite, detachSqlite } from "./storage/sqlite_backup.ts";

/** Runs a task. Resolves with the exit status. */
export async function runAdmin(command: AdminCommand, config: Config): Promise<number> {
  switch (command.kind) {
    case "reset":
      return await reset(command.email, config);
    case "backup":
      await backup(command.file, config);
      process.stdout.write(`${command.file} now contains a copy of the database\n`);
      return 0;
    case "restore":
      await restore(command.file, config);
      return 0;
    case "migrate":
      await migrate(command.file, config);
      return 0;
    default:
      return unreachable(command);
  }
}

async function reset(email: string, config: Config): Promise<number> {
  const { databaseUrl, sqlitePath } = placeOf(config.database);
  if (databaseUrl === undefined && !existsSync(sqlitePath)) {
    throw new Error(`there is no database ${sqlitePath}`);
  }
  const storage = await openStorage(storageConfig(config.database));
  try {
    const known = await storage.credentials(email);
    if (known === null) throw new Error(`there is no account ${email}`);
    const password = newPassword();
    await storage.setPassword(known.user.id, await hashPassword(password, config.passwordCost), {
      endTokens: false,
    });
    // The password is printed on the terminal only, and never logged.
    process.stdout.write(`${known.user.email} can now log in with this password: ${password}\n`);
    return 0;
  } finally {
    await storage.close();
  }
}

async function backup(file: string, { database }: Config): Promise<void> {
  const { databaseUrl, sqlitePath } = placeOf(database);
  if (databaseUrl === undefined) backUpSqlite(sqlitePath, file);
  else await backUpPostgres(databaseUrl, file);
}

async function restore(file: string, { database }: Config): Promise<void> {
  const { databaseUrl, sqlitePath } = placeOf(database);
  if (databaseUrl === undefined) return restoreSqlite(file, sqlitePath);
  await restorePostgres(databaseUrl, file);
  process.stdout.write(`the database was restored from ${file}\n`);
}

async function migrate(file: string, { database }: Config): Promise<void> {
  const { databaseUrl } = storageConfig(database);
  if (databaseUrl === undefined) {
    throw new ConfigError("set DATABASE_URL to the PostgreSQL database that the file goes into");
  }
  const { migrateToPostgres } = await import("./storage/migration.ts");
  const copied = await migrateToPostgres(file, databaseUrl);
  const lines = copied.map(([table, count]) => `${table.padEnd(16)} ${count}\n`);
  process.stdout.write(`${lines.join("")}copied; ${file} was not changed\n`);
}

/**
 * Replaces the database with a copy, which is checked first. The old database is kept in the same
 * folder.
 */
function restoreSqlite(file: string, path: string): void {
  checkSqlite(file);
  const old = `${path}.before-restore`;
  if (existsSync(path)) {
    detachSqlite(path);
    renameSync(path, old);
  }
  for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
  copyFileSync(file, path);
  process.stdout.write(
    `${path} was restored from ${file}${
      existsSync(old) ? `; the previous database is ${old}` : ""
    }\n`,
  );
}

function placeOf(database: string): StorageConfig {
  if (database === ":memory:") {
    throw new ConfigError("DATABASE_URL is :memory:, which cannot be copied");
  }
  return storageConfig(database);
}
