import { assertEquals } from "@std/assert";
import { clientKey } from "../../lib/host/client_key.ts";
import { Unproven } from "../../lib/host/unproven.ts";
import { test } from "../kit/test.ts";

/** Adds `count` connections of a client. Removes and returns those that `add` has returned. */
function flood(unproven: Unproven<string>, address: string, count: number): string[] {
  const ended: string[] = [];
  for (let i = 0; i < count; i++) {
    const oldest = unproven.add(`${address} ${i}`, address);
    if (oldest === undefined) continue;
    unproven.delete(oldest);
    ended.push(oldest);
  }
  return ended;
}

test("Unproven.add returns the oldest connection of a client that has more than half of the places", () => {
  const unproven = new Unproven<string>(8);
  assertEquals(unproven.add("other", "192.0.2.2"), undefined);
  assertEquals(flood(unproven, "192.0.2.1", 7), ["192.0.2.1 0", "192.0.2.1 1", "192.0.2.1 2"]);
  assertEquals([...unproven].length, 5);
});

test("Unproven.add returns the oldest connection of the client with the most if all places are taken", () => {
  const unproven = new Unproven<string>(8);
  flood(unproven, "192.0.2.1", 4);
  flood(unproven, "192.0.2.2", 3);
  assertEquals(unproven.add("first", "192.0.2.3"), undefined);
  assertEquals(unproven.size, 8);
  assertEquals(flood(unproven, "192.0.2.4", 3), ["192.0.2.1 0", "192.0.2.1 1", "192.0.2.4 0"]);
  assertEquals([...unproven].includes("first"), true);
});

test("Unproven counts the addresses of one IPv6 /64 as one client", () => {
  const unproven = new Unproven<string>(8);
  for (let i = 1; i <= 4; i++) assertEquals(unproven.add(`v6 ${i}`, `2001:db8::${i}`), undefined);
  assertEquals(unproven.add("v6 5", "2001:db8:0:0:ffff::1"), "v6 1");
  assertEquals(unproven.add("elsewhere", "2001:db8:0:1::1"), undefined);
});

test("Unproven.delete frees a place", () => {
  const unproven = new Unproven<string>(2);
  assertEquals(unproven.add("a", "192.0.2.1"), undefined);
  unproven.delete("a");
  unproven.delete("a");
  assertEquals(unproven.size, 0);
  assertEquals(unproven.add("b", "192.0.2.1"), undefined);
});

test("clientKey maps the addresses of an IPv6 /64 network to one key, and keeps other addresses", () => {
  assertEquals(clientKey("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(clientKey("2001:db8::1"), "2001:db8:0:0::/64");
  assertEquals(clientKey("fe80::1%eth0"), "fe80:0:0:0::/64");
  assertEquals(clientKey("machine"), "machine");
});
