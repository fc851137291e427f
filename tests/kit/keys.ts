import { deriveKeys } from "../../lib/mesh/identity.ts";
import type { ClusterKeys } from "../../lib/mesh/identity.ts";

/** The cookie that tests use; on loopback any will do. */
export const COOKIE = "a cookie for tests";

let keys: Promise<ClusterKeys> | undefined;

/** The keys of {@linkcode COOKIE}: derived once, because it takes some tenths of a second. */
export function testKeys(): Promise<ClusterKeys> {
  return keys ??= deriveKeys(COOKIE);
}
