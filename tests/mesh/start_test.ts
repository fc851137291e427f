import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkCookie, CookieError } from "../../lib/mesh/cookie.ts";
import { NodeNameError } from "../../lib/mesh/name.ts";
import { ListenError } from "../../lib/host/host.ts";
import { NodeOptionError, type NodeOptions } from "../../lib/node_options.ts";
import { startNode } from "../../lib/start.ts";
import { hostWith, withNodes } from "../kit/mesh.ts";
import { COOKIE, testKeys } from "../kit/keys.ts";
import { test } from "../kit/test.ts";

/** Invalid options, each with the class and a part of the message of the error. */
const WRONG: readonly (readonly [
  options: NodeOptions,
  error: new (...args: never[]) => Error,
  code: string,
  words: string,
])[] = [
  [{ name: "a" }, NodeNameError, "badname", 'not a node name: "a"; write name@host:port'],
  [{ name: "" }, NodeNameError, "badname", 'not a node name: ""'],
  [{ seeds: ["a@h:1", "b"] }, NodeNameError, "badname", 'not a node name: "b"'],
  [{ cookie: "" }, CookieError, "badcookie", "the cookie is empty"],
  [
    { cookie: 5 as never },
    CookieError,
    "badcookie",
    "the cookie is not a string but of type number",
  ],
  [{ cookie: [null] as never }, CookieError, "badcookie", "the cookie is not a string but null"],
  [{ cookie: "x".repeat(1025) }, CookieError, "badcookie", "longer than 1024"],
  [
    { name: "a@127.0.0.1:0", cookie: "weak", listen: { hostname: "0.0.0.0" } },
    CookieError,
    "badcookie",
    "too easy to guess",
  ],
  ...[
    "a secret that every node of the cluster has", // the README's example
    "changeme changeme changeme",
    "0123456789abcdef0123456789abcdef",
  ].map((cookie): (typeof WRONG)[number] => [
    { name: "a@127.0.0.1:0", cookie, listen: { hostname: "0.0.0.0" } },
    CookieError,
    "badcookie",
    "too easy to guess",
  ]),
  [
    { name: "a@10.0.0.7:9000" },
    NodeOptionError,
    "badoption",
    'a@10.0.0.7:9000 would listen beyond this machine: if this is intended, set listen: { hostname: "10.0.0.7" }',
  ],
  [{ name: "a@0.0.0.0:0" }, NodeOptionError, "badoption", "beyond this machine"],
  [{ pingInterval: 9 }, NodeOptionError, "badoption", "option pingInterval is 9: use 10 to"],
  [{ pingInterval: NaN }, NodeOptionError, "badoption", "option pingInterval is NaN"],
  [{ pingTimeout: Infinity }, NodeOptionError, "badoption", "option pingTimeout is Infinity"],
  [
    { pingInterval: 100, pingTimeout: 100 },
    NodeOptionError,
    "badoption",
    "option pingTimeout (100) must be more than pingInterval (100)",
  ],
  [{ queueBytesMax: 0 }, NodeOptionError, "badoption", "option queueBytesMax is 0: use 1024 bytes"],
  [{ queueBytesMax: -1 }, NodeOptionError, "badoption", "option queueBytesMax is -1"],
  [{ queueBytesMax: NaN }, NodeOptionError, "badoption", "option queueBytesMax is NaN"],
  [{ queueBytesMax: Infinity }, NodeOptionError, "badoption", "queueBytesMax is Infinity"],
  [
    { seed: ["a@h:1"] } as NodeOptions,
    NodeOptionError,
    "badoption",
    'there is no option "seed": did you mean seeds?',
  ],
  [
    5 as NodeOptions,
    NodeOptionError,
    "badoption",
    "options are an object such as { name: … }, not 5",
  ],
  [
    { logLevel: "loud" as "info" },
    NodeOptionError,
    "badoption",
    'option logLevel is "loud": use "silent" or one of debug, info, warn, error',
  ],
];

test("startNode reports an invalid option before it opens anything", async () => {
  const host = hostWith(() => ({
    listen: () => Promise.reject(new Error("listen was called")),
    secretFile: () => "a cookie from a file",
  }));
  for (const [options, ErrorClass, code, words] of WRONG) {
    const error = await assertRejects(() => startNode(options, host));
    assert(error instanceof ErrorClass, `${error}`);
    assertEquals((error as Error & { code: string }).code, code);
    assertStringIncludes(error.message, words);
  }
});

test("startNode rejects with a ListenError if a port is in use or invalid", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const taken = await assertRejects(() => start(a.name.replace("a@", "b@")), ListenError);
    assertMatch(taken.code, /EADDRINUSE|AddrInUse/);
    for (const port of [-1, 65536, 1.5, NaN]) {
      const error = await assertRejects(
        () => start("c", { listen: { hostname: "127.0.0.1", port } }),
      );
      assert(error instanceof NodeOptionError, `port ${port}: ${error}`);
      assertStringIncludes(error.message, `option listen.port is ${port}`);
    }
  });
});

test("startNode listens at the given address, under the given name", async () => {
  await withNodes(async (start) => {
    const a = await start("a@node1.example:9000", { listen: { hostname: "127.0.0.1", port: 0 } });
    assertEquals(a.name, "a@node1.example:9000");
  });
});

test("startNode without a name uses a generated name and a port that the system chooses", async () => {
  const { mesh, system } = await startNode(
    { cookie: COOKIE, logLevel: "silent" },
    undefined,
    testKeys,
  );
  assertMatch(mesh.name, /^node-[0-9a-f]{6}@127\.0\.0\.1:[1-9]\d+$/);
  system.stop();
  await mesh.stop();
});

test("startNode creates nodes whose log lines begin with the actual name", async () => {
  await withNodes(async (start) => {
    const a = await start("a");
    const b = await start("b", { seeds: [a.name] });
    await b.mesh.connect(a.name);
    b.mesh.log.warn("something else");
    assert(b.lines.length >= 2);
    for (const { line } of b.lines) assert(line.startsWith(`${b.name}: `), line);
  });
});

test("startNode creates a missing cookie file that only its owner can read, and reads an existing file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "firn-"));
  try {
    const cookieFile = join(folder, "sub", "cookie");
    const a = await startNode({ cookieFile, logLevel: "silent" });
    assertEquals(statSync(cookieFile).mode & 0o777, 0o600);
    const cookie = readFileSync(cookieFile, "utf8").trim();
    checkCookie(cookie, false);
    const b = await startNode({ cookieFile, logLevel: "silent" });
    await b.mesh.connect(a.mesh.name);
    assertEquals(readFileSync(cookieFile, "utf8").trim(), cookie);
    for (const { system } of [a, b]) system.stop();
    await Promise.all([a.mesh.stop(), b.mesh.stop()]);
    writeFileSync(cookieFile, "\n");
    await assertRejects(() => startNode({ cookieFile }), CookieError, "empty");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
