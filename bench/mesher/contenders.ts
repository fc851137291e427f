/**
 * What is compared: Mesher on both runtimes, and a plain handler that inserts each event by itself; on
 * which databases, and by which ways in.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** A file beside this one. */
export function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** A server. Its arguments are the database and `full` or `normal`. */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

const DENO = ["deno", "run", "-A", "-q", "--no-lock"];

/** The one that the others are compared with. */
export const PLAIN: Contender = { name: "plain", command: [...DENO, here("plain.ts")] };

/** All of them, in their order in a round. */
export const CONTENDERS: readonly Contender[] = [
  PLAIN,
  { name: "Mesher, Deno", command: [...DENO, here("node.ts")] },
  { name: "Mesher, Bun", command: ["bun", here("node.ts")] },
];

/** Where the events go. */
export interface Engine {
  readonly name: string;
  readonly kind: "sqlite" | "postgres";
  /** SQLite's `synchronous`. PostgreSQL runs with its defaults: each commit waits for the disk. */
  readonly sync: "full" | "normal";
}

/** All of them. */
export const ENGINES: readonly Engine[] = [
  { name: "SQLite", kind: "sqlite", sync: "full" },
  { name: "SQLite, NORMAL", kind: "sqlite", sync: "normal" },
  { name: "PostgreSQL", kind: "postgres", sync: "full" },
];

/** How events come in. */
export interface Way {
  readonly name: string;
  readonly path: string;
  /** Events in a request. */
  readonly per: number;
  /** What else the load client is told. */
  readonly args: readonly string[];
}

/** All of them. */
export const WAYS: readonly Way[] = [
  { name: "one a POST", path: "/api/v1/events", per: 1, args: ["conns=32"] },
  { name: "bulk of 50", path: "/api/v1/events/bulk", per: 50, args: ["conns=16"] },
  { name: "WebSocket", path: "/ingest", per: 1, args: ["socket=1", "conns=8", "window=16"] },
];
