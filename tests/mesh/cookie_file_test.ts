import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogEntry } from "../../lib/base/log.ts";
import type { Host } from "../../lib/host/host.ts";
import { CookieError } from "../../lib/mesh/cookie.ts";
import { startNode } from "../../lib/start.ts";
import { makeHost } from "../kit/host.ts";
import { withNodes } from "../kit/mesh.ts";
import { runtime, test, until } from "../kit/test.ts";

/** Returns the error with which a node with this cookie file fails to start. */
async function refusal(cookieFile: string, host?: Host): Promise<CookieError> {
  const error = await assertRejects(() => startNode({ cookieFile, logLevel: "silent" }, host));
  assert(error instanceof CookieError, `${error}`);
  assertEquals(error.code, "cookiefile");
  assertStringIncludes(error.message, `cannot store the cookie in ${cookieFile}: `);
  assertStringIncludes(error.message, "pass the option cookie");
  assert(error.cause instanceof Error);
  return error;
}

test("startNode rejects with a CookieError that names the file and the cause", async () => {
  const folder = mkdtempSync(join(tmpdir(), "firn-cookie-"));
  try {
    const file = join(folder, "file");
    writeFileSync(file, "a secret\n", { mode: 0o644 });
    chmodSync(file, 0o644);
    assertStringIncludes((await refusal(file)).message, `chmod 600 ${file}`);
    assertStringIncludes((await refusal(join(file, "x"))).message, "not a folder");
    const inside = join(folder, "folder");
    mkdirSync(inside);
    for (const mode of [0o700, 0o755]) {
      chmodSync(inside, mode);
      assertStringIncludes((await refusal(inside)).message, "it is a folder");
    }
    // Deno opens files in /proc only with all permissions.
    if (runtime === "bun") {
      assertStringIncludes((await refusal("/proc/none/x")).message, "cannot be created");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("startNode reports a full disk, or another system error code, with the file name", async () => {
  for (
    const [code, words] of [
      ["ENOSPC", "the disk is full"],
      ["EROFS", "the file system is read-only"],
      ["EACCES", "this user may not read or write it"],
      ["EIO", "EIO: what the system says"],
    ] as const
  ) {
    const host = makeHost();
    host.secretFile = () => {
      throw Object.assign(new Error(`${code}: what the system says`), { code });
    };
    assertStringIncludes((await refusal("/somewhere/cookie", host)).message, words);
  }
});

test("Node.on logs the event whose listener throws or rejects, and still calls the other listeners", async () => {
  await withNodes(async (start) => {
    const { events, lines, system } = await start("a");
    const observed: string[] = [];
    events.on("spawn", () => {
      throw new Error("a bug");
    });
    events.on("spawn", () => Promise.reject(new Error("a bug that comes later")));
    events.on("spawn", () => void observed.push("the others are called"));
    system.spawn(undefined, undefined, () => () => {}, []);
    const errors = () => lines.filter(({ level }) => level === "error").map(({ line }) => line);
    await until("both errors are logged", () => errors().length === 2);
    assertStringIncludes(errors()[0]!, 'a listener of "spawn" failed: Error: a bug');
    assertStringIncludes(
      errors()[1]!,
      'a listener of "spawn" failed: Error: a bug that comes later',
    );
    assertEquals(observed.length, 1);
  });
});

test("A line for which NodeOptions.log throws or rejects is logged by the host", async () => {
  for (const isLate of [false, true]) {
    const host = makeHost();
    const lines: string[] = [];
    Object.assign(host, {
      log: ({ level, line }: LogEntry) => void lines.push(`${level} ${line}`),
    });
    const log = (): void => {
      const error = new Error("no disk");
      if (isLate) return Promise.reject(error) as never;
      throw error;
    };
    await withNodes(async (start) => {
      const { system } = await start("a", { log, logLevel: "error" }, host);
      system.spawn(undefined, undefined, () => {
        throw new Error("a crash");
      }, []);
      await until("the crash is logged", () => lines.some((line) => line.includes("a crash")));
      assertStringIncludes(lines[0]!, "error the option log failed: Error: no disk");
    });
  }
});
