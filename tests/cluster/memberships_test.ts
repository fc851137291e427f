/** Tests the index of the groups that one actor has joined. */
import { assert, assertEquals } from "@std/assert";
import { Memberships } from "../../lib/cluster/memberships.ts";
import { test } from "../kit/test.ts";

test("Memberships.take finds a membership without reading the others", () => {
  let reads = 0;
  const memberships = new Memberships(() => false);
  for (let i = 0; i < 10_000; i++) {
    memberships.add({
      get scope() {
        reads++;
        return "s";
      },
      get group() {
        reads++;
        return `g${i}`;
      },
    });
  }
  reads = 0;
  for (let i = 9_999; i >= 5_000; i--) {
    assert(memberships.take("s", `g${i}`) !== undefined);
    assertEquals(memberships.take("s", `g${i}`), undefined);
  }
  assertEquals(reads, 0);
  assertEquals([...memberships.rows()].length, 5_000);
});

test("Memberships.take returns each membership of a group once, the latest first", () => {
  const memberships = new Memberships<{ scope: string; group: string; number: number }>(() =>
    false
  );
  for (const number of [1, 2, 3]) memberships.add({ scope: "s", group: "g", number });
  memberships.add({ scope: "sg", group: "", number: 4 });
  const taken = [1, 2, 3, 4].map(() => memberships.take("s", "g")?.number);
  assertEquals(taken, [3, 2, 1, undefined]);
  assertEquals([...memberships.rows()].map(({ number }) => number), [4]);
  assertEquals(memberships.take("sg", "")?.number, 4);
  assert(memberships.isEmpty);
});
