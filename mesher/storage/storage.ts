/**
 * The one storage interface. `sqlite.ts` and `postgres.ts` implement it and one contract suite runs on
 * both; nothing else in Mesher knows which it talks to.
 *
 * Every noun has two files of its name: here what is kept of it and what may be asked (`alerts.ts`), and
 * under `sql/` how the database is asked (`sql/alerts.ts`).
 *
 * **Scope.** Whatever a person asks for is asked with an organisation's id, and rows of another
 * organisation are as if they did not exist: null, an empty page, `false`. Methods without an
 * organisation are the system's own (ingest, alert evaluation, retention) and say so. Ids that are not
 * UUIDs name nothing, and are not errors.
 *
 * **Time** is in milliseconds since the epoch, everywhere. **Text** may hold anything: storage stores NUL
 * and lone surrogates as U+FFFD and the rest as it is.
 *
 * **Failure.** Expected refusals are values (`Result`). Anything else (the database is away, the disk is
 * full) rejects with a `StorageError`, whose `retry` says whether the same call may succeed later;
 * every write may be tried again without harm.
 *
 * @module
 */
import type { Activities } from "./activity.ts";
import type { AlertRules } from "./alert_rules.ts";
import type { Alerts } from "./alerts.ts";
import type { ApiKeys } from "./api_keys.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Events } from "./events.ts";
import type { Invitations } from "./invitations.ts";
import type { Issues } from "./issues.ts";
import type { Merges } from "./merges.ts";
import type { Organisations } from "./organisations.ts";
import type { Projects } from "./projects.ts";
import type { Sessions } from "./sessions.ts";
import type { Totals } from "./totals.ts";
import type { Upkeep } from "./upkeep.ts";
import type { Users } from "./users.ts";

/** All of it. */
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
    Activities,
    Events,
    Dashboard,
    AlertRules,
    Alerts,
    Totals,
    Upkeep {
  /** The same storage, whose reads reject when the signal is aborted: a client has hung up. */
  until(signal: AbortSignal): Storage;
}
