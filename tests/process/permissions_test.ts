/**
 * Tests the permissions that each program needs on Deno: none may request more than its set in
 * `deno.json`.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Node } from "../../lib/node.ts";
import { runtime, test } from "../kit/test.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Skips the tests on Bun, which has no permissions. */
const ignore = runtime !== "deno";

interface Outcome {
  readonly output: string;
  readonly code: number | null;
}

/** Runs Deno without prompts until it exits, or stops it after it has printed `last`. */
function run(args: readonly string[], last?: RegExp, env: object = {}): Promise<Outcome> {
  // Deno's node:child_process adds -A to a Deno without --allow flags, even after `env`, so a test
  // must pass at least one flag.
  const command = [process.execPath, "run", "--no-check", "--no-prompt", ...args];
  const child = spawn("env", command, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  let isSent = false;
  const take = (bytes: Uint8Array): void => {
    output += new TextDecoder().decode(bytes);
    // Sends the signal only once, because a second signal would kill a program that is stopping
    // gracefully.
    if (isSent || !last?.test(output)) return;
    isSent = true;
    child.kill("SIGTERM");
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((ended) => child.on("close", (code) => ended({ output, code })));
}

/** Runs `body` with a folder outside the project. */
async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "firn-permissions-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const NODES = `
import { Node } from ${JSON.stringify(pathToFileURL(join(ROOT, "mod.ts")).href)};
const cookie = "5b1e0c97d24fa86d3379c0e15a8f42bd";
await using a = await Node.start({ name: "a@127.0.0.1:0", cookie });
await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, seeds: [a.name] });
const server = await a.serve({ port: 0, fetch: () => new Response("served") });
console.log(await (await fetch(server.url.replace("ws", "http"))).text(), b.peers().length);
`;

test("a node needs only --allow-net for its addresses if its name and cookie are given", {
  ignore,
}, async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "nodes.ts");
    await writeFile(file, NODES);
    const { output, code } = await run(["--no-config", "--allow-net=127.0.0.1", file]);
    assertEquals([code, output.includes("served 1")], [0, true], output);
  });
});

const LISTENING = `
import { ListenError, Node } from ${JSON.stringify(pathToFileURL(join(ROOT, "mod.ts")).href)};
const cookie = "5b1e0c97d24fa86d3379c0e15a8f42bd";
try {
  await (await Node.start({ name: "a@127.0.0.1:0", cookie })).stop();
} catch (error) {
  console.log(error instanceof ListenError, error.code, error.message);
}
`;

for (
  const [title, flags] of [["no permission to listen", ["--allow-env=FIRN_NONE"]], [
    "--allow-net of another address",
    [
      "--allow-net=127.0.0.9",
    ],
  ]] as const
) {
  test(`Node.start with ${title} rejects with a ListenError without prompting`, {
    ignore,
  }, async () => {
    await withFolder(async (folder) => {
      const file = join(folder, "listening.ts");
      await writeFile(file, LISTENING);
      const { output, code } = await run(["--no-config", ...flags, file]);
      assertEquals([code, output.includes("true NotCapable")], [0, true], output);
      assert(/--allow-net/.test(output), output);
    });
  });
}

test("Mesher runs with the permission set mesher", { ignore }, async () => {
  await withFolder(async (folder) => {
    const env = {
      DATABASE_URL: join(folder, "mesher.db"),
      MESHER_FIRST_LOGIN: join(folder, "login.txt"),
      MESHER_HTTP_PORT: "0",
      MESHER_WS_PORT: "0",
    };
    const { output } = await run(["-P=mesher", "mesher/main.ts"], /Mesher is ready/, env);
    assert(output.includes("Mesher is ready") && !output.includes("NotCapable"), output);
  });
});

test("the demo runs with the permission set cluster, and its nodes with the permission set demo", {
  ignore,
}, async () => {
  const { output, code } = await run(["-P=cluster", "scripts/cluster.ts", "--once"]);
  assertEquals(code, 0, output);
});

test("the echo server runs with the permission set echo", { ignore }, async () => {
  const { output } = await run(["-P=echo", "scripts/echo.ts", "--port", "0"], /Echoing on/);
  assert(output.includes("Echoing on"), output);
});

test("the simulator runs with the permission set sim", { ignore }, async () => {
  const { output, code } = await run(["-P=sim", "scripts/sim.ts", "--seeds", "1"]);
  assertEquals(code, 0, output);
});

test(
  "deno task shell finds the cookie in the home folder",
  { ignore },
  async () => {
    await withFolder(async (folder) => {
      const cookieFile = join(folder, ".firn.cookie");
      await using node = await Node.start({
        name: "a@127.0.0.1:0",
        cookieFile,
        logLevel: "silent",
      });
      const args = ["-P=shell", "scripts/shell.ts", node.name, "--json", "nodes"];
      const { output, code } = await run(args, undefined, { HOME: folder });
      assertEquals([code, output.includes(node.name)], [0, true], output);
    });
  },
);
