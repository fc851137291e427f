/**
 * Caches which releases are stored, so that a batch writer does not insert them again. Releases are
 * only deleted with their project.
 *
 * @module
 */
import { KnownKeys } from "./known_keys.ts";
import type { EventColumns } from "./rows.ts";

/** Maximum number of known releases. When it is exceeded, all known releases are removed. */
const RELEASES_MAX = 10_000;

/** A cache of the releases of all projects that are stored. */
export class KnownReleases {
  readonly #keys = new KnownKeys(RELEASES_MAX);

  has(row: Pick<EventColumns, "projectId" | "release">): boolean {
    return this.#keys.has(releaseKey(row));
  }

  add(row: Pick<EventColumns, "projectId" | "release">): void {
    this.#keys.add(releaseKey(row));
  }

  forget(): void {
    this.#keys.forget();
  }
}

/** Returns the key of an event's release. */
export function releaseKey(row: Pick<EventColumns, "projectId" | "release">): string {
  return `${row.projectId}/${row.release}`;
}
