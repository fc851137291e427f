/**
 * The page's files, and nothing else's.
 */
import { assert, assertEquals } from "@std/assert";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageFile } from "../../mesher/http/page.ts";
import { test } from "../kit/test.ts";

test("pageFile serves what is in its folder, and nothing around it, by whatever path", async () => {
  const around = mkdtempSync(join(tmpdir(), "page-"));
  try {
    const folder = join(around, "page");
    mkdirSync(join(folder, "css"), { recursive: true });
    writeFileSync(join(around, "secret.js"), "secret");
    writeFileSync(join(folder, "index.html"), "the page");
    writeFileSync(join(folder, "css", "a.css"), "css");
    writeFileSync(join(folder, ".hidden.js"), "secret");
    writeFileSync(join(folder, "data.db"), "secret");
    symlinkSync(join(around, "secret.js"), join(folder, "link.js"));
    const got = async (path: string): Promise<[number, string]> => {
      const response = await pageFile("GET", path, folder);
      return [response.status, await response.text()];
    };
    assertEquals(await got("/"), [200, "the page"]);
    assertEquals(await got("/issues/17"), [200, "the page"]);
    assertEquals(await got("/css/a.css"), [200, "css"]);
    for (
      const path of [
        "/../secret.js",
        "/%2e%2e/secret.js",
        "/..%2fsecret.js",
        "/css/..%5c..%5csecret.js",
        "/link.js",
        "/.hidden.js",
        "/data.db",
        "/nothing.js",
        "/%00.js",
        "/%.js",
      ]
    ) {
      assertEquals(await got(path), [404, "not found\n"], path);
    }
    const page = await pageFile("HEAD", "/", folder);
    assertEquals([page.status, page.body], [200, null]);
    const policy = page.headers.get("content-security-policy")!;
    assert(!policy.includes("unsafe"), policy);
    for (
      const rule of [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "require-trusted-types-for 'script'",
        "frame-ancestors 'none'",
      ]
    ) assert(policy.split("; ").includes(rule), rule);
    assertEquals((await pageFile("POST", "/", folder)).status, 405);
  } finally {
    rmSync(around, { recursive: true, force: true });
  }
});
