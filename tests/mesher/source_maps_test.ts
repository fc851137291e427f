// deno-lint-ignore-file no-console
/**
 * Tests source maps that `sentry-cli` of npm uploads, of a bundle built with esbuild, and hostile
 * bundles. Without access to the npm registry, the tests with `sentry-cli` are skipped with a
 * message.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { arch, platform, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { BundleError, readBundle } from "../../mesher/maps/bundle.ts";
import { SourceMaps } from "../../mesher/maps/maps.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { test, until } from "../kit/test.ts";
import { providePackage } from "./driver.ts";
import { party } from "./contract/world.ts";
import { onStage, type Stage } from "./end_to_end_kit.ts";
import { eventWith } from "./event.ts";

const run = promisify(execFile);

/** Installs a package of npm into a folder. Returns the reason if that is not possible. */
async function install(folder: string, ...packages: string[]): Promise<string | undefined> {
  try {
    await run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", ...packages], {
      timeout: 60_000,
    });
    return undefined;
  } catch (error) {
    return `npm cannot install: ${(error as Error).message.split("\n")[0]}`;
  }
}

const noZip = await providePackage("fflate@0.8.3");
const noAgents = await providePackage("bowser@2.15.1");
const tools = mkdtempSync(join(tmpdir(), "mesher-maps-"));
const whyNot = noZip ?? noAgents ??
  await install(
    tools,
    `@sentry/cli-${platform()}-${arch()}@3.8.0`,
    `@esbuild/${platform()}-${arch()}@0.25.0`,
  );
if (whyNot !== undefined) console.log(`source_maps_test: skipped, ${whyNot}`);
const cli = join(tools, `node_modules/@sentry/cli-${platform()}-${arch()}/bin/sentry-cli`);
const esbuild = join(tools, `node_modules/@esbuild/${platform()}-${arch()}/bin/esbuild`);
const clean = (): void => rmSync(tools, { recursive: true, force: true });
if (whyNot !== undefined) clean();

const SOURCE = `
export function chargeCustomer(order: { total: number } | null): number {
  // The price is needed.
  return order!.total;
}
export function checkoutCart(): number {
  return chargeCustomer(null);
}
try {
  checkoutCart();
} catch (error) {
  console.log((error as Error).stack);
}
`;

/** Builds a minified bundle. Returns its folder. */
async function built(name: string): Promise<string> {
  const folder = mkdtempSync(join(tools, "build-"));
  writeFileSync(join(folder, "checkout.ts"), SOURCE);
  const args = ["checkout.ts", "--bundle", "--minify", "--sourcemap", "--format=iife"];
  await run(esbuild, [...args, `--outfile=dist/${name}`], { cwd: folder });
  return folder;
}

/** Returns the frames of the error that a minified bundle throws, with URLs as in a browser. */
async function thrown(folder: string, name: string): Promise<readonly object[]> {
  const { stdout } = await run("node", [join(folder, "dist", name)]);
  const lines = [...stdout.matchAll(/at (?:(\S+) \()?(?:file:\/\/)?(\/[^:\n]+):(\d+):(\d+)\)?/g)];
  const url = `https://shop.example/assets/${name}`;
  return lines.filter(([, , path]) => path!.endsWith(name)).map(([, fn, , line, column]) => ({
    filename: url,
    abs_path: url,
    function: fn ?? "?",
    lineno: Number(line),
    colno: Number(column),
    in_app: true,
  })).toReversed();
}

/** Returns a function that runs `sentry-cli` with a token of the first user. */
async function cliOn({ app, user }: Stage): Promise<(...args: string[]) => Promise<string>> {
  const { token } = (await user.post("/api/v1/tokens", { label: "ci" })).json;
  const org = (await user.get("/api/v1/orgs")).json[0].slug;
  return async (...args) => {
    const env = {
      ...process.env,
      SENTRY_URL: `${app.url}/`,
      SENTRY_AUTH_TOKEN: token,
      SENTRY_ORG: org,
      SENTRY_PROJECT: "default",
    };
    try {
      const { stdout, stderr } = await run(cli, args, { env, timeout: 30_000 });
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`sentry-cli ${args.join(" ")}: ${stdout}${stderr}`);
    }
  };
}

/** Sends an event; returns it as the API shows it. */
// deno-lint-ignore no-explicit-any -- arbitrary JSON
async function shown(stage: Stage, event: Record<string, unknown>): Promise<any> {
  const key = `Sentry sentry_version=7, sentry_key=${stage.first.key}`;
  const sent = await stage.sender.as({ "x-sentry-auth": key }).post("/api/1/store/", event);
  assertEquals(sent.status, 200, JSON.stringify(sent.json));
  let got = sent;
  await until("the event is stored", async () => {
    const id = sent.json.id.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    got = await stage.user.get(`/api/v1/events/${id}`);
    return got.status === 200;
  });
  return got.json.event;
}

const exceptionWith = (frames: readonly object[]) => ({
  platform: "javascript",
  exception: { values: [{ type: "TypeError", value: "x is null", stacktrace: { frames } }] },
});

/** Returns the properties of stack frames that the tests check. */
function placesOf(event: {
  exception: readonly { frames: readonly Record<string, unknown>[] }[];
}): unknown {
  return event.exception[0]!.frames.slice(-2)
    .map((frame) => [frame["file"], frame["function"], frame["line"], frame["context"]]);
}

const ORIGINAL = [
  ["checkout.ts", "checkoutCart", 7, "  return chargeCustomer(null);"],
  ["checkout.ts", "chargeCustomer", 4, "  return order!.total;"],
];

test(
  "Frames get their original source from source maps that sentry-cli uploads",
  {
    ignore: whyNot !== undefined,
  },
  async () => {
    try {
      await onStage(async (stage) => {
        const call = await cliOn(stage);
        assert(/@/.test(await call("info")), "info names the user");
        // Finds source maps by the debug ids that the CLI writes into the files.
        const folder = await built("app.min.js");
        await call("sourcemaps", "inject", join(folder, "dist"));
        await call("sourcemaps", "upload", join(folder, "dist"));
        const frames = await thrown(folder, "app.min.js");
        assert(frames.length >= 2);
        const code = readFileSync(join(folder, "dist/app.min.js"), "utf8");
        const debugId = /debugId=([0-9a-f-]{36})/.exec(code)![1]!;
        const debug_meta = {
          images: [{
            type: "sourcemap",
            code_file: "https://shop.example/assets/app.min.js",
            debug_id: debugId,
          }],
        };
        const event = await shown(stage, { ...exceptionWith(frames), debug_meta });
        assertEquals(placesOf(event), ORIGINAL);
        const last = event.exception[0].frames.at(-1);
        assertEquals(last.contextBefore.at(-1), "  // The price is needed.");
        assertEquals(last.minified.file, "https://shop.example/assets/app.min.js");
        // Finds source maps by release and URL.
        const other = await built("main.min.js");
        await call("releases", "new", "shop@1.2");
        await call(
          ...["sourcemaps", "upload", "--release", "shop@1.2", "--url-prefix", "~/assets"],
          join(other, "dist"),
        );
        await call("releases", "finalize", "shop@1.2");
        const plain = exceptionWith(await thrown(other, "main.min.js"));
        assertEquals(placesOf(await shown(stage, { ...plain, release: "shop@1.2" })), ORIGINAL);
        const unknown = await shown(stage, { ...plain, release: "shop@1.3" });
        assertEquals(
          unknown.exception[0].frames.at(-1).file,
          "https://shop.example/assets/main.min.js",
        );
        const { data } = (await stage.user.get("/api/v1/projects/default/releases")).json;
        const versions = data.map(({ version }: { version: string }) => version);
        assertEquals(versions.toSorted(), ["shop@1.2", "shop@1.3"]);
        assert(/shop@1.2/.test(await call("releases", "list")), "it lists releases");
        // Uploading the same files again changes nothing.
        await call("sourcemaps", "upload", join(folder, "dist"));
      });
    } finally {
      clean();
    }
  },
);

test("getEvent returns the browser and system from the User-Agent unless the event names them", {
  ignore: noAgents !== undefined,
}, async () => {
  await onStage(async (stage) => {
    const agent =
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
      "Chrome/126.0.0.0 Safari/537.36";
    const request = { headers: { "User-Agent": agent } };
    const { contexts } = await shown(stage, { message: "m", request });
    assertEquals([contexts.browser.name, contexts.client_os.name], ["Chrome", "Windows"]);
    const own = await shown(stage, { message: "m", request, contexts: { browser: { name: "X" } } });
    assertEquals([own.contexts.browser, own.contexts.client_os.name], [{ name: "X" }, "Windows"]);
  });
});

test("readBundle rejects decompression bombs and malformed bundles", {
  ignore: noZip !== undefined,
}, async () => {
  const { zipSync } = await import("fflate@0.8.3");
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const given = { release: null, dist: null };
  const refused = (zip: Uint8Array, words: string) =>
    assertRejects(() => readBundle(zip, given), BundleError, words);
  await refused(new Uint8Array(100), "no manifest");
  await refused(zipSync({ "a.js": text(1) }), "no manifest");
  await refused(zipSync({ "manifest.json": text([]) }), "no manifest");
  const bomb = zipSync({ "manifest.json": text({}), "a.js": new Uint8Array(40_000_000) }, {
    level: 1,
  });
  assert(bomb.length < 1_000_000);
  await refused(bomb, "too large");
  const many = Object.fromEntries(Array.from({ length: 4_100 }, (_, i) => [`${i}`, text(i)]));
  await refused(zipSync(many), "more than 4000 files");
  const cutOff = zipSync({ "manifest.json": text({ files: "x".repeat(5_000) }) });
  await refused(cutOff.subarray(0, 60), "the bundle");
  const files = {
    "../../etc/passwd": {
      type: "source_map",
      url: "../../../etc/passwd",
      headers: { "debug-id": "no" },
    },
    "__proto__": { type: "source_map", url: "~/x" },
    "missing": { type: "source_map", url: "~/y" },
    "odd": 5,
  };
  const odd = zipSync({ "manifest.json": text({ files }), "../../etc/passwd": text(1) });
  const found = await readBundle(odd, given);
  assertEquals(found.map(({ url, debugId }) => [url, debugId]), [["../../../etc/passwd", null]]);
});

test(
  "A source map of 30 MB is parsed on another thread",
  { ignore: noZip !== undefined },
  async () => {
    const storage = await openSqlite({ path: ":memory:" });
    const maps = new SourceMaps(storage, () => {});
    try {
      const { project } = await party(storage, "anna");
      const map = JSON.stringify({
        version: 3,
        sources: ["big.ts"],
        names: [],
        sourcesContent: ["const value = compute(1, 2);\n".repeat(830_000)],
        mappings: `AAAA${",CAAC".repeat(200)};`.repeat(6_000),
      });
      assert(map.length > 29_000_000, `${map.length}`);
      const add = async (name: string, content: string) => {
        const part = { debugId: null, release: "1", dist: null };
        const files = [
          {
            ...part,
            kind: "minified_source" as const,
            url: `~/${name}`,
            mapUrl: `~/${name}.map`,
            content: gzipSync("x"),
          },
          {
            ...part,
            kind: "source_map" as const,
            url: `~/${name}.map`,
            mapUrl: null,
            content: gzipSync(content, { level: 1 }),
          },
        ];
        const checksum = createHash("sha1").update(name).digest("hex");
        assert((await storage.addArtifacts(project.id, checksum, files)).ok);
      };
      await add("big.js", map);
      await add(
        "small.js",
        JSON.stringify({ version: 3, sources: ["s.ts"], names: [], mappings: "AAAA" }),
      );
      const eventOf = (name: string) =>
        eventWith({
          release: "1",
          exceptions: [{
            type: "E",
            value: "v",
            module: null,
            handled: null,
            frames: [{
              file: `https://x.example/${name}`,
              function: null,
              module: null,
              line: 1,
              column: 1,
              inApp: true,
              context: null,
              contextBefore: [],
              contextAfter: [],
            }],
          }],
        });
      const placeIn = async (name: string) =>
        (await maps.exceptionsOf(project.id, eventOf(name)))[0]!.frames[0]!;
      let [turns, worst, last] = [0, 0, performance.now()];
      const timer = setInterval(() => {
        const now = performance.now();
        worst = Math.max(worst, now - last);
        last = now;
        turns++;
      }, 2);
      // The first requests come at once, before the thread has imported the library.
      const [frame, ...others] = await Promise.all(
        ["big.js", "small.js", "small.js", "big.js"].map(placeIn),
      );
      clearInterval(timer);
      assertEquals([frame!.file, frame!.line], ["big.ts", 1]);
      assertEquals(others.map(({ file }) => file), ["s.ts", "s.ts", "big.ts"]);
      assertEquals(frame!.context, "const value = compute(1, 2);");
      // Timers have run in the meantime. They would not have run if this thread had parsed the map.
      assert(turns > 20, `${turns} turns`);
      if (process.env["FIRN_LONG"] === "1") assert(worst < 50, `${worst} ms without a turn`);
    } finally {
      await maps.close();
      await storage.close();
    }
  },
);

test(
  "An invalid source map leaves the frames unchanged",
  { ignore: noZip !== undefined },
  async () => {
    const { zipSync } = await import("fflate@0.8.3");
    await onStage(async (stage) => {
      const { user } = stage;
      const org = (await user.get("/api/v1/orgs")).json[0].slug;
      const api = `/api/0/organizations/${org}`;
      const text = (value: unknown) =>
        new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
      const maps: Record<string, unknown> = {
        none: "no json",
        old: { version: 2 },
        wild: {
          version: 3,
          sources: [],
          names: [],
          mappings: "AAAA;AA99A,ggggB;gggggggggggggggggggggggggC",
        },
        beyond: { version: 3, sources: ["a"], names: [], mappings: "AAgggBA" },
      };
      const files: Record<string, object> = {};
      const contents: Record<string, Uint8Array> = {};
      for (const [name, map] of Object.entries(maps)) {
        files[`${name}.js`] = {
          type: "minified_source",
          url: `~/${name}.js`,
          headers: { sourcemap: `${name}.js.map` },
        };
        files[`${name}.map`] = { type: "source_map", url: `~/${name}.js.map` };
        contents[`${name}.js`] = text("x");
        contents[`${name}.map`] = text(map);
      }
      const zip = zipSync({ "manifest.json": text({ release: "1", files }), ...contents });
      const sha1 = createHash("sha1").update(zip).digest("hex");
      const ask = (checksum: string, chunks: string[]) =>
        user.post(`${api}/artifactbundle/assemble`, { checksum, chunks, projects: ["default"] });
      assertEquals((await ask(sha1, [sha1])).json.missingChunks, [sha1]);
      const form = (name: string, bytes: Uint8Array) => {
        const body = new FormData();
        body.set("file", new Blob([bytes as BlobPart]), name);
        return body;
      };
      const upload = async (name: string) => {
        const response = await fetch(`${user.url}${api}/chunk-upload/`, {
          method: "POST",
          headers: user.headers,
          body: form(name, zip),
        });
        await response.body?.cancel();
        return response.status;
      };
      assertEquals(await upload("0".repeat(40)), 400);
      assertEquals(await upload(sha1), 200);
      assertEquals((await ask("0".repeat(40), [sha1])).json.state, "error");
      assertEquals((await ask(sha1, [sha1])).json.missingChunks, [sha1], "the chunks are deleted");
      assertEquals(await upload(sha1), 200);
      assertEquals((await ask(sha1, [sha1])).json.state, "ok");
      assertEquals((await ask("../../etc/passwd", [sha1])).status, 400);
      const frames = Object.keys(maps).map((name) => ({
        abs_path: `https://x.example/${name}.js`,
        filename: `https://x.example/${name}.js`,
        function: "f",
        lineno: 1,
        colno: 1,
      }));
      const event = await shown(stage, { ...exceptionWith(frames), release: "1" });
      assertEquals(
        event.exception[0].frames.slice(0, 3).map(({ file }: { file: string }) => file),
        frames.slice(0, 3).map(({ filename }) => filename),
      );
      // The content of a source map is read only once, even if the map is invalid.
      const { storage } = stage.app.mesher;
      const { organisations: [organisation] } = (await user.get("/api/v1/me")).json;
      const detail = (await storage.event(organisation.id, event.id))!;
      let reads = 0;
      const cached = new SourceMaps({
        ...storage,
        artifactContent: (id) => (reads++, storage.artifactContent(id)),
      }, () => {});
      const counts: number[] = [];
      for (let i = 0; i < 2; i++) {
        await cached.exceptionsOf(detail.projectId, detail.event);
        counts.push(reads);
      }
      await cached.close();
      assertEquals(counts, [8, 8]);
      // After `close`, the frames are returned as they were sent.
      assertEquals(
        await cached.exceptionsOf(detail.projectId, detail.event),
        detail.event.exceptions,
      );
    });
  },
);
