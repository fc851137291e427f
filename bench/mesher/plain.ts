/**
 * The plain handler that Mesher is compared with: `Deno.serve` that checks a key, parses JSON,
 * checks that it is an event, and inserts each event separately before it responds.
 *
 *     plain.ts <database> <full|normal>
 *
 * Mesher has created the database: the same table of events with the same indexes and modes. The
 * handler does less per event than Mesher: no grouping into issues, no search index, no truncation
 * and no rate limit. Prints its port, and stops when its input ends.
 *
 * @module
 */
import { createHash } from "node:crypto";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import postgres from "postgres@3.4.9";
import { POOL_MAX } from "../../mesher/storage/postgres.ts";

interface Store {
  /** The ids of projects, by the hash of their key. */
  readonly projects: ReadonlyMap<string, string>;
  insert(row: readonly (string | number | null)[]): unknown;
}

const COLUMNS = `id, project_id, issue_id, fingerprint, level, title, message, environment, release,
  tags, payload, event_at, received_at`;
const KEYS = "SELECT secret_hash AS hash, project_id AS id FROM api_keys WHERE revoked_at IS NULL";
/** The issue of all events, because they are not grouped. */
const NO_ISSUE = "00000000-0000-0000-0000-000000000000";

type KeyRows = readonly { readonly hash: string; readonly id: string }[];

function byHash(rows: KeyRows): ReadonlyMap<string, string> {
  return new Map(rows.map(({ hash, id }) => [hash, id]));
}

function openSqlite(path: string, sync: string): Store {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA busy_timeout = 10000; PRAGMA synchronous = ${sync.toUpperCase()};
    PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY`);
  const insert = db.prepare(
    `INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return {
    projects: byHash(db.prepare(KEYS).all() as unknown as KeyRows),
    insert: (row) => insert.run(...row),
  };
}

async function openPostgres(url: string): Promise<Store> {
  const sql = postgres(url, { max: POOL_MAX, onnotice: () => {} });
  const text = `INSERT INTO events (${COLUMNS}, words)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CAST(CAST($10 AS text) AS jsonb),
      CAST(CAST($11 AS text) AS json), $12, $13, '')`;
  return {
    projects: byHash(await sql.unsafe(KEYS) as unknown as KeyRows),
    insert: (row) => sql.unsafe(text, [...row], { prepare: true }),
  };
}

const [database, sync] = process.argv.slice(2) as [string, string];
const store = database.startsWith("postgres:")
  ? await openPostgres(database)
  : openSqlite(database, sync);

function json(status: number, value: unknown): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json; charset=utf-8" },
  });
}

function projectOf(request: Request): string | undefined {
  const key = request.headers.get("x-api-key") ?? "";
  return store.projects.get(createHash("sha256").update(key).digest("hex"));
}

// deno-lint-ignore no-explicit-any -- as a plain handler would
type Raw = any;

/** Inserts one event. Resolves to its id, or to undefined if it is invalid. */
async function insert(project: string, event: Raw): Promise<string | undefined> {
  const thrown = event?.exception;
  if (typeof event?.message !== "string" && typeof thrown?.type !== "string") return undefined;
  const id = event.id ?? crypto.randomUUID();
  const now = Date.now();
  await store.insert([
    id,
    project,
    NO_ISSUE,
    "",
    event.level ?? "error",
    event.message ?? `${thrown.type}: ${thrown.value}`,
    event.message ?? "",
    event.environment ?? null,
    event.release ?? null,
    JSON.stringify(event.tags ?? {}),
    JSON.stringify(event),
    now,
    now,
  ]);
  return id;
}

async function one(project: string, event: Raw): Promise<Response> {
  const id = await insert(project, event);
  return id === undefined
    ? json(400, { error: "an event needs a message or an exception" })
    : json(202, { status: "accepted", id });
}

async function many(project: string, events: readonly Raw[]): Promise<Response> {
  const ids: string[] = [];
  for (const event of events) {
    const id = await insert(project, event);
    if (id !== undefined) ids.push(id);
  }
  return json(202, { status: "accepted", accepted: ids.length, ids });
}

function socket(project: string, request: Request): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = async ({ data }) => {
    const id = await insert(project, JSON.parse(data));
    socket.send(JSON.stringify(id === undefined ? { error: "" } : { status: "accepted", id }));
  };
  return response;
}

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => process.stdout.write(`${port}\n`),
}, async (request) => {
  const project = projectOf(request);
  if (project === undefined) return json(401, { error: "unauthorized" });
  const { pathname } = new URL(request.url);
  if (pathname === "/ingest") return socket(project, request);
  const body = await request.json();
  return await (pathname === "/api/v1/events/bulk" ? many(project, body) : one(project, body));
});
process.stdin.on("end", async () => {
  await server.shutdown();
  process.exit(0);
}).resume();
