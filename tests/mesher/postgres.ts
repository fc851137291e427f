/**
 * PostgreSQL for the tests: a cluster in a temporary folder on a free loopback port, with a new
 * database for each caller. It ends even if the process that started it is killed, because a shell
 * waits for the end of its standard input.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import postgres from "postgres@3.4.9";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { until } from "../kit/test.ts";

/** PostgreSQL's error code for a database that other sessions use. */
const OBJECT_IN_USE = "55006";

/** A running cluster. */
export interface Cluster {
  /**
   * Creates a database, empty or as a copy of another that is not in use. Returns its URL, and a
   * function that deletes it.
   */
  newDatabase(copied?: string): Promise<{ readonly url: string; drop(): Promise<void> }>;
  /** Runs statements in a database. */
  run(url: string, ...sql: string[]): Promise<readonly Record<string, unknown>[]>;
}

let cluster: Promise<Cluster | string> | undefined;

/**
 * Starts a cluster, or returns the one that a test file of the same isolate has started. Returns the
 * reason if that is not possible.
 */
export function startPostgres(): Promise<Cluster | string> {
  return cluster ??= start();
}

async function start(): Promise<Cluster | string> {
  const bin = binFolder();
  if (bin === undefined) return "PostgreSQL is not installed";
  const root = process.getuid?.() === 0;
  if (root && spawnSync("runuser", ["-u", "postgres", "--", "true"]).status !== 0) {
    return "PostgreSQL does not run as root, and there is no user postgres";
  }
  const as = root ? ["runuser", "-u", "postgres", "--"] : [];
  const folder = mkdtempSync(join(tmpdir(), "mesher-postgres-"));
  chmodSync(folder, 0o755);
  if (root) spawnSync("chown", ["postgres", folder]);
  const [port] = await freePorts(1);

  const made = run([
    ...as,
    join(bin, "initdb"),
    ...["-D", join(folder, "data"), "-U", "mesher", "-E", "UTF8", "--locale=C", "--auth=trust"],
    "--no-sync",
  ]);
  if (made !== undefined) return `initdb failed: ${made}`;
  const sync = process.env["MESHER_TEST_FSYNC"] === "on" ? "on" : "off";
  const settings = `-p ${port} -h 127.0.0.1 -k ${folder} -c fsync=${sync} -c max_connections=60`;
  const script = `"$@" -D "$DATA" -o "$SETTINGS" -l "$DATA/log" -w start >/dev/null 2>&1
    read -r _
    "$@" -D "$DATA" -m immediate stop >/dev/null 2>&1
    rm -rf "$FOLDER"`;
  const shell = spawn("sh", ["-c", script, "sh", ...as, join(bin, "pg_ctl")], {
    cwd: folder,
    env: { ...process.env, DATA: join(folder, "data"), SETTINGS: settings, FOLDER: folder },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  shell.unref();
  (shell.stdin as unknown as { unref?(): void }).unref?.();

  const address = (database: string) => `postgres://mesher@127.0.0.1:${port}/${database}`;
  const sqlOn = async (url: string, statements: readonly string[]) => {
    const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
    try {
      let rows: readonly Record<string, unknown>[] = [];
      for (const statement of statements) rows = [...await sql.unsafe(statement)];
      return rows;
    } finally {
      await sql.end();
    }
  };
  const answers = () => sqlOn(address("postgres"), ["SELECT 1"]).then(() => true, () => false);
  try {
    await until("PostgreSQL answers", answers);
  } catch (error) {
    return String(error);
  }
  let databases = 0;
  return {
    async newDatabase(copied?: string) {
      const name = `mesher_${++databases}`;
      const template = copied === undefined ? "" : ` TEMPLATE ${new URL(copied).pathname.slice(1)}`;
      // PostgreSQL ends the sessions of closed connections with a delay. Until then, the copied
      // database is in use.
      const isMade = () =>
        sqlOn(address("postgres"), [`CREATE DATABASE ${name}${template}`]).then(
          () => true,
          (error) => {
            if (error.code !== OBJECT_IN_USE) throw error;
            return false;
          },
        );
      await until("the database is created", isMade);
      return {
        url: address(name),
        drop: async () => {
          await sqlOn(address("postgres"), [`DROP DATABASE ${name} WITH (FORCE)`]);
        },
      };
    },
    run: (url, ...sql) => sqlOn(url, sql),
  };
}

/**
 * Returns the folder where Debian and others install the programs, newest version first, or that of
 * the PATH.
 */
function binFolder(): string | undefined {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const folders = versions.sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`);
  return [...folders, ...(process.env["PATH"] ?? "").split(":")]
    .find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_ctl")));
}

/** Runs a command. Returns its error output if it fails. */
function run([program, ...args]: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program!, args, { cwd: tmpdir(), encoding: "utf8" });
  return status === 0 ? undefined : error?.message ?? stderr.trim();
}
