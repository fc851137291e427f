/**
 * The fixtures of the storage contract: two organisations in an empty storage, and helpers for its
 * tests.
 */
import { assert } from "@std/assert";
import type { EventOutcome } from "../../../mesher/storage/events.ts";
import type { Project } from "../../../mesher/storage/projects.ts";
import type { Result } from "../../../mesher/storage/result.ts";
import type { Storage } from "../../../mesher/storage/storage.ts";
import type { User } from "../../../mesher/storage/users.ts";
import { test } from "../../kit/test.ts";

/** An empty storage for one test. */
export interface Opened {
  /** Opens the storage. Each call opens another connection to the same data. */
  open(): Promise<Storage>;
  /** Deletes the storage. */
  drop(): Promise<void>;
}

/** A database engine. */
export interface Engine {
  readonly name: string;
  /** Whether a second `open` sees the same data. */
  readonly shared: boolean;
  fresh(now: () => number): Promise<Opened>;
}

/** Milliseconds per day. */
export const DAY_MS = 86_400_000;
/** Milliseconds per hour. */
export const HOUR_MS = 3_600_000;
/** Noon of the current day, so that the hours after it are on the same day. */
export const NOON: number = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;

/** Returns the value of a result. Fails if the result is a rejection. */
export function valueOf<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return result.value;
}

/** An organisation with its owner and a project. */
export interface Party {
  readonly orgId: string;
  readonly owner: User;
  readonly project: Project;
}

/** Creates an organisation with an owner and a project. */
export async function party(storage: Storage, name: string): Promise<Party> {
  const owner = valueOf(
    await storage.createUser({
      email: `${name}@example.org`,
      displayName: name,
      passwordHash: "hash",
    }),
  );
  const org = valueOf(
    await storage.createOrganisation({ name, slug: name, ownerId: owner.id }),
  );
  const project = valueOf(
    await storage.createProject({ orgId: org.id, name: "Shop", slug: "shop", platform: "deno" }),
  );
  return { orgId: org.id, owner, project };
}

/** The fixtures of one test. */
export interface World {
  readonly storage: Storage;
  readonly opened: Opened;
  readonly a: Party;
  readonly b: Party;
  /** The storage's clock. */
  readonly clock: { now: number };
}

/** Declares a test of an engine. */
export type Promised = (what: string, body: (world: World) => Promise<void>) => void;

/** Returns a function that declares tests of this engine, each with new fixtures. */
export function promisesOf(engine: Engine): Promised {
  return (what, body) =>
    test(`Storage on ${engine.name} ${what}`, async () => {
      const clock = { now: NOON };
      const opened = await engine.fresh(() => clock.now);
      const storage = await opened.open();
      try {
        const [a, b] = [await party(storage, "anna"), await party(storage, "bert")];
        await body({ storage, opened, a, b, clock });
      } finally {
        await storage.close();
        await opened.drop();
      }
    });
}

/** Returns the outcome of each event. */
export function kinds(outcomes: readonly EventOutcome[]): EventOutcome["kind"][] {
  return outcomes.map(({ kind }) => kind);
}

/** Returns the issue of an event that was stored. */
export function issueOf(outcome: EventOutcome | undefined): string {
  assert(outcome?.kind === "stored", `outcome ${outcome?.kind}`);
  return outcome.issueId;
}
