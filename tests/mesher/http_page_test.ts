/** Tests that the page's files are served, and no others. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PageFiles } from "../../mesher/http/page.ts";
import { test } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { headOf, rawAsk } from "./hostile_kit.ts";

/** Requests a file, optionally with the entity tag of a cached version. */
function look(
  files: PageFiles,
  path: string,
  { method = "GET", has }: { method?: string; has?: string } = {},
): Promise<Response> {
  const headers = new Headers(has === undefined ? {} : { "if-none-match": has });
  return files.answer(new Request(`http://localhost${path}`, { method, headers }), path);
}

test("PageFiles serves only files of its folder, whatever the path", async () => {
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
    const files = new PageFiles(folder);
    const got = async (path: string): Promise<[number, string]> => {
      const request = new Request("http://localhost/");
      const response = await files.answer(request, path);
      return [response.status, await response.text()];
    };
    assertEquals(await got("/"), [200, "the page"]);
    // The links of the page are relative, so all other paths redirect to the page's only URL.
    for (const [path, up] of [["/issues/17", "../"], ["/issues", "./"], ["/a/b/c", "../../"]]) {
      const response = await files.answer(new Request("http://localhost/"), path!);
      assertEquals([response.status, response.headers.get("location")], [302, up!]);
    }
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
    const page = await look(files, "/", { method: "HEAD" });
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
    assertEquals((await look(files, "/", { method: "POST" })).status, 405);
  } finally {
    rmSync(around, { recursive: true, force: true });
  }
});

test("PageFiles answers 304 to a client that has the current version of a file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "page-"));
  try {
    writeFileSync(join(folder, "index.html"), "the page");
    writeFileSync(join(folder, "app.js"), "old");
    const files = new PageFiles(folder);
    const first = await look(files, "/app.js");
    const tag = first.headers.get("etag")!;
    assertMatch(tag, /^"[\w-]{43}"$/);
    assertEquals([first.headers.get("cache-control"), await first.text()], ["no-cache", "old"]);
    const page = (await look(files, "/")).headers.get("etag")!;
    assertEquals((await look(files, "/", { has: page })).status, 304);
    assert(page !== tag);
    for (
      const [has, status] of [
        [tag, 304],
        [`W/${tag}`, 304],
        [`"other", ${tag}`, 304],
        [`"other",W/${tag} ,"more"`, 304],
        ["*", 304],
        [page, 200],
        [tag.slice(1, -1), 200],
        [tag.slice(0, -1), 200],
        [tag.toUpperCase(), 200],
        [`w/${tag}`, 200],
        [`"${tag}"`, 200],
        ['"', 200],
        ["W/", 200],
        [",".repeat(5_000), 200],
        ["", 200],
      ] as const
    ) {
      for (const method of ["GET", "HEAD"]) {
        const got = await look(files, "/app.js", { method, has });
        const isSent = status === 200 && method === "GET";
        assertEquals([has, got.status, await got.text()], [has, status, isSent ? "old" : ""]);
        // Each response has its type, caching rules and security policy.
        assertEquals([got.headers.get("etag"), got.headers.get("cache-control")], [
          tag,
          "no-cache",
        ]);
        assert(got.headers.has("content-security-policy"));
        assertEquals(got.headers.get("content-length"), status === 200 ? "3" : null);
      }
    }
    assertEquals((await look(files, "/app.js", { method: "POST", has: tag })).status, 405);
    assertEquals((await look(files, "/none.js", { has: "*" })).status, 404);
    // A new version of the same length is detected by its content.
    const touch = (ms: number): void => utimesSync(join(folder, "app.js"), ms / 1000, ms / 1000);
    writeFileSync(join(folder, "app.js"), "new");
    touch(1_000_000);
    const second = await look(files, "/app.js", { has: tag });
    assertEquals([second.status, await second.text()], [200, "new"]);
    assert(second.headers.get("etag") !== tag);
    touch(2_000_000);
    const third = await look(files, "/app.js", { has: second.headers.get("etag")! });
    assertEquals(third.status, 304);
    writeFileSync(join(folder, "app.js"), "old");
    touch(3_000_000);
    assertEquals((await look(files, "/app.js", { has: tag })).status, 304);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("A node answers 304 without a body to a client that has the current page", async () => {
  await onStage(async ({ app }) => {
    const names = ["/", "/main.js", "/css/base.css", "/favicon.svg"];
    for (const path of names) {
      const first = await fetch(app.url + path);
      const [tag, body] = [first.headers.get("etag")!, await first.text()];
      assert(body.length > 0);
      const raw = await rawAsk(app.url, headOf(`GET ${path}`, { "if-none-match": tag }));
      assertEquals([path, raw.status, raw.body], [path, 304, ""]);
      assert(raw.head.toLowerCase().includes(`etag: ${tag}`.toLowerCase()), raw.head);
      const head = await rawAsk(app.url, headOf(`HEAD ${path}`));
      assertEquals([head.status, head.body], [200, ""]);
      const length = new TextEncoder().encode(body).length;
      assert(head.head.toLowerCase().includes(`content-length: ${length}`), head.head);
    }
    // Responses that change with each request have no entity tag.
    const api = await fetch(`${app.url}/health`, { headers: { "if-none-match": "*" } });
    assertEquals([api.status, api.headers.get("etag")], [200, null]);
    await api.body?.cancel();
  });
});
