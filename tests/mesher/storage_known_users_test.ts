/** Tests the cache of users that the batch writer of PostgreSQL does not insert again. */
import { assert, assertEquals } from "@std/assert";
import { KnownUsers, USERS_MAX, USERS_MS_MAX } from "../../mesher/storage/known_users.ts";
import { test } from "../kit/test.ts";

test("KnownUsers.has is true for a user of an issue for an hour", () => {
  const users = new KnownUsers();
  const [one, two] = [{ fingerprint: "one" }, { fingerprint: "two" }];
  assert(!users.has(one, "issue", "anna", USERS_MS_MAX * 2));
  users.add(one, "issue", "anna");
  const known = (now: number) =>
    ([[one, "issue", "anna"], [two, "issue", "anna"], [one, "other", "anna"], [
      one,
      "issue",
      "bert",
    ]] as const).map(([row, issueId, user]) => users.has(row, issueId, user, now));
  assertEquals(known(USERS_MS_MAX * 3), [true, false, false, false]);
  assertEquals(known(USERS_MS_MAX * 3 + 1), [false, false, false, false]);
  users.add(one, "issue", "anna");
  assertEquals(known(USERS_MS_MAX), [false, false, false, false], "the clock was set back");
});

test("KnownUsers forgets all users when it is full", () => {
  const users = new KnownUsers();
  const row = { fingerprint: "one" };
  users.has(row, "issue", "0", 1);
  for (let i = 0; i < USERS_MAX; i++) users.add(row, "issue", String(i));
  assert(users.has(row, "issue", "0", 1));
  users.add(row, "issue", "more");
  assert(users.has(row, "issue", "more", 1));
  assert(!users.has(row, "issue", "0", 1));
});
