import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { SeededRandom } from "../../lib/base/random.ts";
import {
  checkCookie,
  COOKIE_LENGTH_MAX,
  CookieError,
  makeCookie,
  weakness,
} from "../../lib/mesh/cookie.ts";
import { isLong, test } from "../kit/test.ts";

const STRONG: readonly string[] = [
  "5b1e0c97d24fa86d3379c0e15a8f42bd", // 32 hex digits
  "5B1E0C97D24FA86D3379C0E15A8F42BD",
  "Zk3vQ9sXw2LpTb7RcYh5Ng", // 22 letters and digits
  "q83vEjRWeJCr0Yf+/xKUag==", // base64 with its padding
  "vQ-x3_Zk9sXw2LpTb7RcYh5NgEwqP0tJm6KdUyBfA1s",
];

const WEAK: readonly string[] = [
  "secret",
  "monster",
  "a secret that every node of the cluster has",
  "changeme changeme changeme",
  "correct horse battery staple and then some",
  "CorrectHorseBatteryStaple1",
  "Tr0ub4dor-and-C0rrectH0rse-9",
  "MyClusterIsTheBestOfAll2026",
  "WinterIsComing2026InTheNorth",
  "ProductionNodesOnly77Server",
  "P4ssw0rdOfTh3Firn-Xq9",
  "0123456789abcdef0123456789abcdef",
  "0123456789ABCDEF0123456789ABCDEF",
  "fedcba9876543210fedcba9876543210",
  "abcdefghijklmnopqrstuvwxyz",
  "ABCDEFGHIJKLMNOPqrstuvwxyz0123456789",
  "QWERTYuiopASDFGHjkl1234567890",
  "123456789012345678901234567890123456789",
  "5b1e0c97d24fa86d3379c0e15a8f42b", // one digit short
  "Zk3vQ9sXw2LpTb7RcYh5N", // one character short
  "Zk3vQ9sXw2LpTb7RcYh5N==", // padding does not count
  "5b1e0c975b1e0c975b1e0c975b1e0c97",
  "Zk3vQ9sXZk3vQ9sXZk3vQ9sX",
  "deadbeefcafebabefeedfacebaadf00d",
  "5b1e0c97-d24f-4a86-9379-c0e15a8f42bd", // a UUID: 122 bits
  "a".repeat(1000),
  "abababab".repeat(100),
  "\u043f\u0430\u0440\u043e\u043b\u044c".repeat(10),
];

test("checkCookie accepts strong cookies everywhere, and weak cookies only on loopback", () => {
  for (const cookie of STRONG) {
    checkCookie(cookie, false);
    checkCookie(cookie, true);
  }
  for (const cookie of WEAK) checkCookie(cookie, true);
});

test("checkCookie rejects a weak cookie beyond loopback, without the cookie in the error", () => {
  for (const cookie of WEAK) {
    const error = assertThrows(() => checkCookie(cookie, false), CookieError, "too easy to guess");
    assertEquals(error.code, "badcookie");
    assertEquals(`${error.message}${error.stack}`.includes(cookie), false, cookie);
  }
});

test("checkCookie rejects an empty cookie and a too long cookie, even on loopback", () => {
  const long = Buffer.from(new SeededRandom(9).bytes(COOKIE_LENGTH_MAX / 2)).toString("hex");
  for (const loopback of [false, true]) {
    assertThrows(() => checkCookie("", loopback), CookieError, "empty");
    checkCookie(long, loopback);
    const error = assertThrows(() => checkCookie(`${long}z`, loopback), CookieError, "longer than");
    assertEquals(error.message.includes(long.slice(0, 8)), false);
  }
});

test("makeCookie returns strong, distinct cookies that need no quoting", () => {
  const random = new SeededRandom(5);
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const cookie = makeCookie(random);
    assertMatch(cookie, /^[A-Za-z0-9_-]{43}$/);
    checkCookie(cookie, false);
    seen.add(cookie);
  }
  assertEquals(seen.size, 200);
});

/** Number of generated cookies of each kind; 2,000 with FIRN_LONG=1. */
const COOKIES = isLong ? 2_000 : 1_000;

test("weakness rejects at most 1 in 1000 of the shortest generated cookies", () => {
  const random = new SeededRandom(6);
  const ways = [
    (bytes: Uint8Array): string => bytes.toHex(),
    (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64"),
    (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url"),
  ];
  for (const way of ways) {
    for (const length of [16, 32, 256]) {
      let rejected = 0;
      for (let i = 0; i < COOKIES; i++) if (weakness(way(random.bytes(length)))) rejected++;
      assertEquals(rejected <= COOKIES / 1000, true, `${rejected} of ${COOKIES}, ${length} bytes`);
    }
  }
});

test("checkCookie rejects a value that is not a string, without the value in the error", () => {
  for (const value of [5, null, undefined, {}, new Uint8Array(32), true, 5n]) {
    for (const loopback of [false, true]) {
      assertThrows(() => checkCookie(value, loopback), CookieError, "the cookie is not a string");
    }
  }
});
