/**
 * The compared servers: Mesher on both runtimes, and a plain handler that inserts each event
 * separately; the databases, and the ways to send events.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Returns the path of a file of this folder. */
export function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/**
 * A compared server. Its command is called with two more arguments: the database, and `full` or
 * `normal`.
 */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

const DENO = ["deno", "run", "-A", "-q", "--no-lock"];

/** The server that the others are compared with. */
export const PLAIN: Contender = { name: "plain", command: [...DENO, here("plain.ts")] };

/** The compared servers, in the order in which a round runs them. */
export const CONTENDERS: readonly Contender[] = [
  PLAIN,
  { name: "Mesher, Deno", command: [...DENO, here("node.ts")] },
  { name: "Mesher, Bun", command: ["bun", here("node.ts")] },
];

/** A database engine. */
export interface Engine {
  readonly name: string;
  readonly kind: "sqlite" | "postgres";
  /** SQLite's `synchronous`. PostgreSQL uses its defaults: each commit waits for the disk. */
  readonly sync: "full" | "normal";
}

/** All database engines. */
export const ENGINES: readonly Engine[] = [
  { name: "SQLite", kind: "sqlite", sync: "full" },
  { name: "SQLite, NORMAL", kind: "sqlite", sync: "normal" },
  { name: "PostgreSQL", kind: "postgres", sync: "full" },
];

/** A way to send events. */
export interface Way {
  readonly name: string;
  readonly path: string;
  /** Number of events in one request. */
  readonly per: number;
  /** Further arguments of the load client. */
  readonly args: readonly string[];
}

/** All ways to send events. */
export const WAYS: readonly Way[] = [
  { name: "one a POST", path: "/api/v1/events", per: 1, args: ["conns=32"] },
  { name: "bulk of 50", path: "/api/v1/events/bulk", per: 50, args: ["conns=16"] },
  { name: "WebSocket", path: "/ingest", per: 1, args: ["socket=1", "conns=8", "window=16"] },
];
