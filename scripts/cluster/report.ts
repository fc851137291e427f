/**
 * The messages between the demo's processes: the parent sends a node its options as one line of
 * JSON on standard input, and the node sends reports as such lines on standard output.
 *
 * @module
 */
import type { SessionEnd } from "../../lib/mesh/session.ts";

/** A node of the demo, as known to all nodes. */
export interface NodeCard {
  /** The name, `node1@127.0.0.1:port`. */
  readonly name: string;
  /** The URL of the node's page. */
  readonly page: string;
  readonly runtime: "deno" | "bun";
}

/** The options of a node's process. The process exits when its standard input ends. */
export interface Terms {
  readonly name: string;
  readonly cookie: string;
  /** The port of the page and the WebSocket. */
  readonly port: number;
  /** Whether other nodes serve the same port, each in its own process. */
  readonly reusePort?: boolean;
  /** All nodes of the demo, in order. */
  readonly nodes: readonly NodeCard[];
}

/** A report of a node's process. */
export type Report =
  | { readonly kind: "ready"; readonly pid: number; readonly version: string }
  /** The node cannot start, and exits. */
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "nodeup"; readonly node: string }
  | { readonly kind: "nodedown"; readonly node: string; readonly reason: SessionEnd }
  | { readonly kind: "refused"; readonly peer: string; readonly words: string }
  | { readonly kind: "log"; readonly line: string };

/** Parses a report. Any other output of a process becomes a line of its log. */
export function parseReport(line: string): Report {
  try {
    const value = JSON.parse(line) as Partial<Report> | null;
    if (typeof value?.kind === "string") return value as Report;
  } catch {
    // Ignores the error: the line is other output, such as a warning of the runtime.
  }
  return { kind: "log", line };
}

/** Returns a node's short name: the part before the `@`. */
export function shortName(name: string): string {
  return name.slice(0, name.indexOf("@"));
}
