/**
 * The storage interface. `sqlite.ts` and `postgres.ts` implement it, and one contract suite runs on
 * both; nothing else in Mesher knows which one is used.
 *
 * Every entity has two files with its name: in this folder the stored fields and the queries
 * (`alerts.ts`), and under `sql/` their implementation (`sql/alerts.ts`).
 *
 * **Scope.** Every request of a user has an organisation's id, and rows of other organisations are
 * treated as missing: null, an empty page, `false`. Methods without an organisation are internal
 * (ingest, alert evaluation, retention) and documented as such. Ids that are not UUIDs match
 * nothing, and are not errors.
 *
 * **Time** is in milliseconds since the epoch, everywhere. **Text** may contain any characters:
 * storage replaces NUL and lone surrogates by U+FFFD and keeps the rest.
 *
 * **Failure.** Expected rejections are values (`Result`). All other failures (the database is
 * unavailable, the disk is full) reject with a `StorageError`, whose `retry` is whether a retry may
 * succeed; every write may be repeated safely.
 *
 * @module
 */
import type { Activities } from "./activity.ts";
import type { AlertRules } from "./alert_rules.ts";
import type { Alerts } from "./alerts.ts";
import type { ApiKeys } from "./api_keys.ts";
import type { Artifacts } from "./artifacts.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Events } from "./events.ts";
import type { Invitations } from "./invitations.ts";
import type { Issues } from "./issues.ts";
import type { Merges } from "./merges.ts";
import type { Organisations } from "./organisations.ts";
import type { Projects } from "./projects.ts";
import type { Releases } from "./releases.ts";
import type { Sessions } from "./sessions.ts";
import type { Totals } from "./totals.ts";
import type { Upkeep } from "./upkeep.ts";
import type { Users } from "./users.ts";

/** The storage: all queries and changes. */
export interface Storage
  extends
    Organisations,
    Users,
    Sessions,
    Invitations,
    Projects,
    ApiKeys,
    Issues,
    Merges,
    Releases,
    Activities,
    Artifacts,
    Events,
    Dashboard,
    AlertRules,
    Alerts,
    Totals,
    Upkeep {
  /**
   * Returns the same storage, whose reads reject when the signal is aborted because a client has
   * disconnected.
   */
  until(signal: AbortSignal): Storage;
}
