/**
 * The path prefix of the page's public URL, `MESHER_PUBLIC_URL`: a proxy may pass it on or remove
 * it.
 *
 *     https://errors.example/mesher/api/v1/me ─▶ proxy ─▶ /mesher/api/v1/me or /api/v1/me
 *
 * @module
 */
import type { Config } from "../config.ts";

/** Returns the prefix without a trailing slash; empty if there is none. */
export function basePathOf({ publicUrl }: Pick<Config, "publicUrl">): string {
  return publicUrl === null ? "" : new URL(publicUrl).pathname.replace(/\/+$/, "");
}

/** Returns a path without the prefix. */
export function withoutBase(pathname: string, base: string): string {
  return base !== "" && pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : pathname;
}
