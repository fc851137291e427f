/** Keys derived from cookies for tests, without scrypt, which takes a quarter of a second. */
import { createHash } from "node:crypto";
import { type ClusterKeys, keysOf } from "../../lib/mesh/identity.ts";
import { Node } from "../../lib/node.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { startNode } from "../../lib/start.ts";

/** The cookie of tests. It is weak, which nodes accept on loopback. */
export const COOKIE = "a cookie for tests";

/** Derives keys from a cookie by a plain hash. Nodes with such keys connect only with each other. */
export function cheapKeys(cookie: string): Promise<ClusterKeys> {
  return keysOf(createHash("sha256").update(cookie).digest());
}

/** Starts a node whose keys are derived by {@linkcode cheapKeys}. */
export async function startCheaply(options: NodeOptions = {}): Promise<Node> {
  return Node.of(await startNode(options, undefined, cheapKeys));
}

let keys: Promise<ClusterKeys> | undefined;

/** Returns the cheap keys of {@linkcode COOKIE}, which are derived once. */
export function testKeys(): Promise<ClusterKeys> {
  return keys ??= cheapKeys(COOKIE);
}
