/** The tests that every storage must pass. `storage_test.ts` runs them on each engine. */
import { accountsContract } from "./contract/accounts.ts";
import { alertsContract } from "./contract/alerts.ts";
import { artifactsContract } from "./contract/artifacts.ts";
import { hostileContract } from "./contract/hostile.ts";
import { issuesContract } from "./contract/issues.ts";
import { lifeContract } from "./contract/life.ts";
import { listsContract } from "./contract/lists.ts";
import { mergesContract } from "./contract/merges.ts";
import { projectsContract } from "./contract/projects.ts";
import { teamsContract } from "./contract/teams.ts";
import { releasesContract } from "./contract/releases.ts";
import { writingContract } from "./contract/writing.ts";
import { type Engine, promisesOf } from "./contract/world.ts";

/** Declares the tests for one engine. */
export function storageContract(engine: Engine): void {
  const promise = promisesOf(engine);
  accountsContract(promise);
  projectsContract(promise);
  teamsContract(promise);
  writingContract(promise, engine);
  issuesContract(promise);
  mergesContract(promise, engine);
  releasesContract(promise);
  artifactsContract(promise);
  listsContract(promise);
  alertsContract(promise);
  hostileContract(promise);
  lifeContract(promise, engine);
}
