/**
 * What an administrator does once, from the command line: a new password, a backup, its restoration.
 *
 * @module
 */
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import process from "node:process";
import { type AdminCommand, type Config, ConfigError, storageConfig } from "./config.ts";
import { unreachable } from "./domain/assert.ts";
import { hashPassword } from "./domain/password.ts";
import { newPassword } from "./first_run.ts";
import { openStorage } from "./storage/open.ts";
import { backUpSqlite, checkSqlite } from "./storage/sqlite_backup.ts";

/** Does it; the exit status. */
export async function runAdmin(command: AdminCommand, config: Config): Promise<number> {
  switch (command.kind) {
    case "reset":
      return await reset(command.email, config);
    case "backup":
      backUpSqlite(fileOf(config), command.file);
      process.stdout.write(`${command.file} holds what is stored now\n`);
      return 0;
    case "restore":
      restore(command.file, fileOf(config));
      return 0;
    default:
      return unreachable(command);
  }
}

async function reset(email: string, config: Config): Promise<number> {
  const storage = await openStorage(storageConfig(config.database));
  try {
    const known = await storage.credentials(email);
    if (known === null) throw new Error(`there is no account ${email}`);
    const password = newPassword();
    await storage.setPassword(known.user.id, await hashPassword(password, config.passwordCost), {
      endTokens: false,
    });
    // Printed on the terminal only.
    process.stdout.write(`${known.user.email} logs in with this password now: ${password}\n`);
    return 0;
  } finally {
    await storage.close();
  }
}

/** Checks the copy before it replaces the database, which is kept beside it. */
function restore(file: string, path: string): void {
  checkSqlite(file);
  const old = `${path}.before-restore`;
  if (existsSync(path)) {
    checkSqlite(path);
    renameSync(path, old);
  }
  for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
  copyFileSync(file, path);
  process.stdout.write(
    `${path} is as ${file} was${existsSync(old) ? `; what was there is ${old}` : ""}\n`,
  );
}

function fileOf({ database }: Config): string {
  const { databaseUrl, sqlitePath } = storageConfig(database);
  if (databaseUrl === undefined && sqlitePath !== ":memory:") return sqlitePath;
  throw new ConfigError("this is for SQLite's file: PostgreSQL has pg_dump and pg_restore");
}
