import { assertEquals, assertNotEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { SeededRandom } from "../../lib/base/random.ts";
import { deriveKeys, makeCreation } from "../../lib/mesh/identity.ts";
import { COOKIE } from "../kit/keys.ts";
import { test } from "../kit/test.ts";

test("deriveKeys derives the same keys from a cookie on every node and runtime", async () => {
  assertEquals(COOKIE, "a cookie for tests");
  const { authority, proofKey } = await deriveKeys(COOKIE);
  // Computed independently, with scrypt and HKDF of another language.
  const proof = "93aaf15c7eeb6a01ec74948d5827057a3ba559d4d81e95ff4fc75ed62d70ce09";
  assertEquals(proofKey.toHex(), proof);
  const digest = createHash("sha256").update(authority.pem).digest("hex");
  assertEquals(digest, "56e9e5d7c98bc38db5e218c7ba1aca2790193ac836b7efc5b1a8341793c98974");
});

test("deriveKeys derives different keys from similar cookies", async () => {
  const mine = await deriveKeys(COOKIE);
  for (const cookie of [`${COOKIE} `, COOKIE.toUpperCase()]) {
    const other = await deriveKeys(cookie);
    assertNotEquals(other.proofKey.toHex(), mine.proofKey.toHex());
    assertNotEquals(other.authority.pem, mine.authority.pem);
  }
});

test("makeCreation returns any u32 except 0", () => {
  const fixed = (hex: string) => ({ bytes: () => Uint8Array.fromHex(hex), next: () => 0 });
  assertEquals(makeCreation(fixed("00000000")), 1);
  assertEquals(makeCreation(fixed("01020304")), 0x04030201);
  assertEquals(makeCreation(fixed("ffffffff")), 0xffffffff);
  const random = new SeededRandom(3);
  const made = new Set(Array.from({ length: 1000 }, () => makeCreation(random)));
  assertEquals(made.size, 1000);
});

test("makeCreation reads the random bytes at any offset in their buffer", () => {
  const memory = Uint8Array.fromHex("aaaaaaaa01020304bbbbbbbb");
  const random = { bytes: () => memory.subarray(4, 8), next: () => 0 };
  assertEquals(makeCreation(random), 0x04030201);
});
