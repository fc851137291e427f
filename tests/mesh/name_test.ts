import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  formatName,
  isLoopback,
  isNormalName,
  NAME_LENGTH_MAX,
  NodeNameError,
  normalName,
  parseName,
} from "../../lib/mesh/name.ts";
import { test } from "../kit/test.ts";

/** Valid input, and its normalised form. */
const GOOD: readonly (readonly [typed: string, normal: string])[] = [
  ["a@h:1", "a@h:1"],
  ["alpha@10.0.0.7:9000", "alpha@10.0.0.7:9000"],
  ["alpha@10.0.0.7", "alpha@10.0.0.7:9000"],
  ["beta@Node2.Example:9001", "beta@node2.example:9001"],
  ["Beta@h:09001", "Beta@h:9001"],
  ["a_b.c-D9@h:65535", "a_b.c-D9@h:65535"],
  ["a@h:0", "a@h:0"],
  ["gamma@[fd00::7]:9000", "gamma@[fd00::7]:9000"],
  ["gamma@[FD00::7]", "gamma@[fd00::7]:9000"],
  ["a@[::ffff:10.0.0.7]:1", "a@[::ffff:10.0.0.7]:1"],
  ["a@[10.0.0.7]:1", "a@10.0.0.7:1"],
  [`${"a".repeat(64)}@${"h".repeat(180)}:65535`, `${"a".repeat(64)}@${"h".repeat(180)}:65535`],
];

const BAD: readonly string[] = [
  "",
  "@",
  "a",
  "a@",
  "@h",
  "@h:1",
  "a@:1",
  "a@h:",
  "a@h:65536",
  "a@h:99999",
  "a@h:100000",
  "a@h:-1",
  "a@h:+1",
  "a@h:1.5",
  "a@h:0x1",
  "a@h:1 ",
  " a@h:1",
  "a@h:1\n",
  "a\n@h:1",
  "a@h\n:1",
  "a@h:1\r\nb@h:2",
  "a@h\0:1",
  "a b@h:1",
  "a@b@h:1",
  "a@h/x:1",
  "a@h?x:1",
  "a@h#x:1",
  "a@h:1/x",
  "a@h%00:1",
  "a@::1:9000",
  "a@[::1",
  "a@::1]:1",
  "a@[]:1",
  "a@[:]:1",
  "a@[::1%eth0]:1",
  "a@[h]:1",
  "a@[[::1]]:1",
  "<b>@h:1",
  'a"@h:1',
  "a'@h:1",
  "a;b@h:1",
  "a,b@h:1",
  "a@h,b@h:1",
  "ä@h:1",
  "a@ä:1",
  "a@h:１",
  "\u202ea@h:1",
  `${"a".repeat(65)}@h:1`,
  `a@${"h".repeat(181)}:1`,
  `a@[${":".repeat(46)}]:1`,
  "a".repeat(1_000_000),
];

test("normalName returns the normalised form of a name", () => {
  for (const [typed, normal] of GOOD) {
    assertEquals(normalName(typed), normal);
    assertEquals(normalName(normal), normal);
    assertEquals(isNormalName(typed), typed === normal, typed);
    assertEquals(isNormalName(normal), true, normal);
    assertEquals(formatName(parseName(typed)!), normal);
  }
});

test("parseName returns the parts, with the host without brackets", () => {
  assertEquals(parseName("alpha@Host.Example"), {
    short: "alpha",
    hostname: "host.example",
    port: 9000,
  });
  assertEquals(parseName("g@[FD00::7]:1"), { short: "g", hostname: "fd00::7", port: 1 });
});

test("parseName, isNormalName and normalName reject malformed names", () => {
  for (const text of BAD) {
    const shown = JSON.stringify(text.slice(0, 80));
    assertEquals(parseName(text), undefined, shown);
    assertEquals(isNormalName(text), false, shown);
    const error = assertThrows(() => normalName(text), NodeNameError, "not a node name: ");
    assertEquals(error.code, "badname");
  }
});

test("normalName explains the format of a name in one line for any input", () => {
  const error = assertThrows(() => normalName("a\nb: all is well"), NodeNameError);
  assertStringIncludes(error.message, '"a\\nb: all is well"');
  assertStringIncludes(error.message, "write name@host:port");
  assertEquals(error.message.includes("\n"), false);
});

test("parseName rejects names over the length limit", () => {
  const name = `${"a".repeat(64)}@${"h".repeat(180)}`;
  assertEquals(parseName(`${name}:123456789`), undefined);
  for (const [, normal] of GOOD) assertEquals(normal.length <= NAME_LENGTH_MAX, true);
});

test("isLoopback is true for loopback addresses, and false for similar names", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) {
    assertEquals(isLoopback(host), true, host);
  }
  const others = [
    "",
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "1127.0.0.1",
    "127.0.0",
    "127.0.0.1.example",
    "127.0.0.1.1",
    "x127.0.0.1",
    "localhost.example",
    "notlocalhost",
    "127.0.0.1\n",
    "::11",
    "fe80::1",
  ];
  for (const host of others) assertEquals(isLoopback(host), false, host);
});
