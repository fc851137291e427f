import { deriveKeys } from "../../lib/mesh/identity.ts";
import type { ClusterKeys } from "../../lib/mesh/identity.ts";

/** The cookie of tests; on loopback, any cookie is accepted. */
export const COOKIE = "a cookie for tests";

let keys: Promise<ClusterKeys> | undefined;

/**
 * The keys of {@linkcode COOKIE}, which are derived only once because this takes some tenths of a
 * second.
 */
export function testKeys(): Promise<ClusterKeys> {
  return keys ??= deriveKeys(COOKIE);
}
