import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import {
  chanceBits,
  checkCookie,
  COOKIE_BITS_MIN,
  COOKIE_LENGTH_MAX,
  CookieError,
  makeCookie,
} from "../../lib/mesh/cookie.ts";
import { test } from "../kit/test.ts";

const STRONG: readonly string[] = [
  "0123456789abcdef0123456789abcdef", // 32 hex digits
  "0123456789ABCDEF0123456789ABCDEF",
  "123456789012345678901234567890123456789", // 39 digits
  "Zk3vQ9sXw2LpTb7RcYh5Ng", // 22 letters and digits
  "correct horse battery staple and then some",
];

const WEAK: readonly string[] = [
  "secret",
  "monster",
  "0123456789abcdef0123456789abcde", // one digit short
  "12345678901234567890123456789012345678", // 38 digits: the 39th would make 128 bits
  "Zk3vQ9sXw2LpTb7RcYh5N", // one character short
  "a".repeat(1000),
  "abababab".repeat(100),
  "abcdefg".repeat(100), // 7 different characters
];

test("checkCookie lets strong cookies pass anywhere, and any on this machine", () => {
  for (const cookie of STRONG) {
    checkCookie(cookie, false);
    checkCookie(cookie, true);
  }
  for (const cookie of WEAK) checkCookie(cookie, true);
});

test("checkCookie refuses a weak cookie beyond this machine, and never repeats it", () => {
  for (const cookie of WEAK) {
    const error = assertThrows(() => checkCookie(cookie, false), CookieError, "too easy to guess");
    assertEquals(error.code, "badcookie");
    assertEquals(`${error.message}${error.stack}`.includes(cookie), false, cookie);
  }
});

test("checkCookie refuses an empty cookie and an endless one, even on this machine", () => {
  const long = "0123456789abcdef".repeat(COOKIE_LENGTH_MAX / 16);
  for (const loopback of [false, true]) {
    assertThrows(() => checkCookie("", loopback), CookieError, "empty");
    checkCookie(long, loopback);
    const error = assertThrows(() => checkCookie(`${long}z`, loopback), CookieError, "longer than");
    assertEquals(error.message.includes("0123"), false);
  }
});

test("makeCookie makes cookies that are strong, need no quotes, and differ", () => {
  const random = new SeededRandom(5);
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const cookie = makeCookie(random);
    assertMatch(cookie, /^[A-Za-z0-9_-]{43}$/);
    assert(chanceBits(cookie) >= COOKIE_BITS_MIN, cookie);
    checkCookie(cookie, false);
    seen.add(cookie);
  }
  assertEquals(seen.size, 200);
});

test("chanceBits counts by length and by kinds of characters", () => {
  assertEquals(chanceBits(""), 0);
  assertEquals(chanceBits("0123456"), 0);
  assertEquals(chanceBits("01234567"), 8 * Math.log2(10));
  assertEquals(chanceBits("0123456f"), 8 * 4);
  assertEquals(chanceBits("0123456F"), 8 * 4);
  assertEquals(chanceBits("abcdefgh"), 8 * Math.log2(26));
  assertEquals(chanceBits("abcdefGH"), 8 * Math.log2(52));
  assertEquals(chanceBits("ghijklM7"), 8 * Math.log2(62));
  assertEquals(chanceBits("ghijkM7!"), 8 * Math.log2(82));
});
