/**
 * Tests the cache of keys: a busy client never waits for the database, and a revoked key is
 * rejected in time.
 */
import { assertEquals } from "@std/assert";
import { newSecret } from "../../mesher/domain/secret.ts";
import { Keys } from "../../mesher/pipeline/keys.ts";
import type { Project } from "../../mesher/storage/projects.ts";
import { test, until } from "../kit/test.ts";

test("Keys refreshes an entry before it expires, and returns the old entry meanwhile", async () => {
  let now = 0;
  let project: Project | null = { id: "p" } as Project;
  const asked: (() => void)[] = [];
  const keys = new Keys({
    projectByKey: async () => {
      await new Promise<void>((answer) => asked.push(answer));
      return project === null ? null : { project, keyId: "k" };
    },
  }, () => now);
  const { secret } = newSecret("key");
  const first = keys.project(secret);
  asked[0]!();
  assertEquals((await first)?.id, "p");
  now = 1_500;
  // Two requests for a key whose refresh is due cause one lookup, and neither waits for it.
  assertEquals((await keys.project(secret))?.id, "p");
  assertEquals((await keys.project(secret))?.id, "p");
  assertEquals(asked.length, 2);
  project = null;
  asked[1]!();
  await until("the new result is used", async () => await keys.project(secret) === null);
  // A key that was not used for a long time is looked up before it is used.
  now = 10_000;
  project = { id: "q" } as Project;
  const late = keys.project(secret);
  assertEquals(asked.length, 3);
  asked[2]!();
  assertEquals((await late)?.id, "q");
});

test("Keys ignores the result of a lookup that began before the key was forgotten", async () => {
  let now = 0;
  let id = "old";
  const answers: (() => void)[] = [];
  const keys = new Keys({
    projectByKey: async () => {
      const project = { id } as Project;
      await new Promise<void>((answer) => answers.push(answer));
      return { project, keyId: "k" };
    },
  }, () => now);
  const { secret } = newSecret("key");
  const first = keys.project(secret);
  answers[0]!();
  await first;
  now = 1_500;
  await keys.project(secret);
  keys.forget();
  id = "new";
  const fresh = keys.project(secret);
  answers[2]!();
  assertEquals((await fresh)?.id, "new");
  // The lookup that began before `forget` completes last, and must have no effect.
  answers[1]!();
  await new Promise((wake) => setTimeout(wake, 0));
  assertEquals((await keys.project(secret))?.id, "new");
});
