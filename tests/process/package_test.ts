/**
 * Tests the npm package as users install it: built, packed, and installed in empty projects of Bun,
 * of Deno (from a registry that this test serves) and of Node, where it prints one sentence and
 * exits.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "../kit/test.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const PROGRAM = `
import { Node } from "@firn/firn";
import { RESTARTS } from "@firn/firn/otp";
import { CONFIG_BYTES_MAX } from "@firn/firn/otp/config";
import { simulate } from "@firn/firn/sim";
const node: Node = await Node.start({ logLevel: "silent" });
const greeted = Promise.withResolvers<string>();
node.send(node.spawn((self) => { void self; return (message: unknown) => greeted.resolve(String(message)); }), "hello");
console.log(await greeted.promise, typeof simulate, RESTARTS.length, CONFIG_BYTES_MAX > 0);
await node.stop();
`;

/** A program that imports names, which Node resolves before it runs a module. */
const NODE_PROGRAM = `
import { Node } from "@firn/firn";
import { RESTARTS } from "@firn/firn/otp";
console.log(Node, RESTARTS);
`;

/** Runs a program, and resolves to its exit status and all its output. */
async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  return await new Promise((resolve) => {
    child.on("error", (error) => resolve({ code: null, output: error.message }));
    child.on("close", (code) => resolve({ code, output }));
  });
}

async function has(command: string): Promise<boolean> {
  return (await run(command, ["--version"], ROOT)).code === 0;
}

/** Serves one package as npm's registry does. */
async function withRegistry(
  folder: string,
  tarball: string,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const bytes = readFileSync(tarball);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    if (path.endsWith(".tgz")) return void response.end(bytes);
    if (path !== `/${manifest.name}`) return void response.writeHead(404).end("{}");
    const dist = {
      tarball: `http://${request.headers.host}/package.tgz`,
      integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
      shasum: createHash("sha1").update(bytes).digest("hex"),
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({
      name: manifest.name,
      "dist-tags": { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist } },
    }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const CAN_PACK = await has("npm") && await has("deno") && await has("bun");

// Ignored on Bun, because on Deno it already installs the package for both runtimes.
test(
  "The package installs from its tarball and runs on Bun and Deno",
  {
    ignore: !CAN_PACK || "Bun" in globalThis,
    timeout: 180_000,
  },
  async () => {
    const home = mkdtempSync(join(tmpdir(), "firn-package-"));
    try {
      const folder = join(home, "package");
      const built = await run("deno", ["run", "-A", "scripts/package.ts", folder], ROOT);
      assertEquals(built.code, 0, built.output);
      const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!);
      for (const project of ["bun", "deno", "node"]) {
        mkdirSync(join(home, project));
        writeFileSync(join(home, project, "program.ts"), PROGRAM);
        writeFileSync(join(home, project, "program.mjs"), NODE_PROGRAM);
      }
      const bun = join(home, "bun");
      writeFileSync(join(bun, "package.json"), '{"type":"module"}');
      const added = await run("bun", ["add", tarball], bun);
      assertEquals(added.code, 0, added.output);
      const onBun = await run("bun", ["program.ts"], bun);
      assertEquals(onBun, { code: 0, output: "hello function 3 true\n" });

      await withRegistry(folder, tarball, async (url) => {
        const deno = join(home, "deno");
        const env = { NPM_CONFIG_REGISTRY: url, DENO_DIR: join(home, "cache"), NO_COLOR: "1" };
        const added = await run("deno", ["add", "npm:@firn/firn"], deno, env);
        assertEquals(added.code, 0, added.output);
        // Runs with type checking, which needs complete declarations.
        const onDeno = await run("deno", ["run", "--check", "-A", "program.ts"], deno, env);
        assertMatch(onDeno.output, /^hello function 3 true$/m);
        assertEquals(onDeno.code, 0, onDeno.output);
      });

      const node = join(home, "node");
      writeFileSync(join(node, "package.json"), '{"type":"module"}');
      const installed = await run("npm", ["install", "--no-audit", "--no-fund", tarball], node);
      assertEquals(installed.code, 0, installed.output);
      // The client of channels runs everywhere, so bundlers for browsers must find it.
      const client = 'console.log(typeof (await import("@firn/firn/client")).Socket);\n';
      writeFileSync(join(node, "client.mjs"), client);
      assertEquals(await run("node", ["client.mjs"], node), { code: 0, output: "function\n" });
      const onNode = await run("node", ["program.mjs"], node);
      assertEquals(onNode.code, 1);
      assertMatch(
        onNode.output,
        /Error: Firn runs on Deno \(2\.9 or later\) and Bun \(1\.4 or later\)/,
      );
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
);
