/** Keys of cookies for tests, without scrypt, which takes a quarter of a second. */
import { createHash } from "node:crypto";
import { type ClusterKeys, keysOf } from "../../lib/mesh/identity.ts";
import { Node } from "../../lib/node.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { startNode } from "../../lib/start.ts";

/** The cookie of tests; on loopback, any cookie is accepted. */
export const COOKIE = "a cookie for tests";

/** Derives keys from a cookie by a plain hash. Nodes with such keys connect only with each other. */
export function cheapKeys(cookie: string): Promise<ClusterKeys> {
  return keysOf(createHash("sha256").update(cookie).digest());
}

/** Starts a node with such keys. */
export async function startCheaply(options: NodeOptions = {}): Promise<Node> {
  return Node.of(await startNode(options, undefined, cheapKeys));
}

let keys: Promise<ClusterKeys> | undefined;

/** Such keys of {@linkcode COOKIE}. */
export function testKeys(): Promise<ClusterKeys> {
  return keys ??= cheapKeys(COOKIE);
}
