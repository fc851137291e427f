/**
 * Backs up and restores a PostgreSQL database with `pg_dump` and `pg_restore`, which must be
 * installed in the server's version or a later one.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { StorageError } from "./error.ts";

const OWNER_ONLY = 0o600;
/** The folder in which Debian installs PostgreSQL, with a subfolder per version. */
const DEBIAN = "/usr/lib/postgresql";
/** Maximum number of characters that are kept of a program's standard error. */
const WORDS_CHARS_MAX = 2_000;

/** Writes the database into a file, which must not exist. Nodes may continue to write. */
export async function backUpPostgres(url: string, into: string): Promise<void> {
  if (existsSync(into)) throw new StorageError(`${into} exists already`, false);
  try {
    await run("pg_dump", url, ["--format=custom", "--no-owner", `--file=${into}`, "--dbname"]);
    chmodSync(into, OWNER_ONLY);
  } catch (error) {
    rmSync(into, { force: true });
    throw error;
  }
}

/** Restores the tables in a backup file, in one transaction: if it fails, nothing is changed. */
export async function restorePostgres(url: string, file: string): Promise<void> {
  if (!existsSync(file)) throw new StorageError(`there is no ${file}`, false);
  const how = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"];
  await run("pg_restore", url, [...how, file, "--dbname"]);
}

/**
 * Runs a program with the database as its last argument; the password is only in its environment.
 */
async function run(program: string, url: string, args: readonly string[]): Promise<void> {
  const address = new URL(url);
  const password = decodeURIComponent(address.password);
  address.password = "";
  const env = { ...process.env, ...(password === "" ? {} : { PGPASSWORD: password }) };
  const child = spawn(pathOf(program), [...args, address.href], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let words = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-WORDS_CHARS_MAX);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "install postgresql-client" : error.message;
      reject(new StorageError(`${program} cannot be started: ${why}`, false, error));
    });
    child.on("close", resolve);
  });
  if (code !== 0) throw new StorageError(`${program} failed: ${words.trim()}`, false);
}

/**
 * Returns the path of a program. Uses the newest version, because an older one rejects a newer
 * server.
 */
function pathOf(program: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const found = versions.toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, "bin", program)).find((path) => existsSync(path));
  return found ?? program;
}
