/**
 * Tests the relay over NATS with a genuine nats-server and `@nats-io/transport-node`, on three
 * nodes: in place of a mesh, and between two meshes. Skipped without nats-server or the npm
 * packages.
 */
import { assert, assertEquals } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { join } from "node:path";
import type { NodeOptions } from "../../lib/node_options.ts";
import { NodeProcess, PAIRS, untilWhole } from "../kit/process.ts";
import { freePort } from "../kit/mesh.ts";
import { importPackage } from "../kit/npm.ts";
import { runtime, test, until } from "../kit/test.ts";
import type { NatsOptions } from "./nats_child.ts";

/** Returns the reason why the tests are skipped, or the command of the server. */
async function serverCommand(): Promise<string | undefined> {
  const command = ["nats-server", "/usr/sbin/nats-server"]
    .find((name) => spawnSync(name, ["--version"]).status === 0);
  try {
    for (const name of ["@nats-io/transport-node@3.4.0", "@nats-io/jetstream@3.4.0"]) {
      // `bun test` cannot fetch the dependencies of a package; the nodes run under `bun run`, which
      // can.
      if (runtime === "deno") await importPackage(name);
      else if (spawnSync(process.execPath, ["-e", `import "${name}"`]).status !== 0) {
        throw new Error(name);
      }
    }
    if (command !== undefined) return command;
  } catch { /* reported below */ }
  // deno-lint-ignore no-console -- reports why the test is skipped
  console.log("skipped: it needs nats-server, and @nats-io/transport-node from npm");
  return undefined;
}

/** A nats-server with JetStream that can be killed and restarted. */
class NatsServer {
  readonly port: number;
  readonly #command: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "firn-nats-"));
  #process: ChildProcess | undefined;

  constructor(command: string, port: number) {
    this.#command = command;
    this.port = port;
  }

  start(): void {
    const args = ["-a", "127.0.0.1", "-p", `${this.port}`, "-js", "-sd", this.#folder];
    this.#process = spawn(this.#command, args, { stdio: "ignore" });
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const gone = new Promise((exit) => child.once("exit", exit));
    child.kill("SIGKILL");
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

type Made = (
  short: string,
  options: NodeOptions & { nats: Partial<NatsOptions["nats"]> },
) => Promise<NodeProcess>;

/** Runs `body` with a server and a function that starts nodes, alternately on both runtimes. */
async function withNats(body: (start: Made, server: NatsServer) => Promise<void>): Promise<void> {
  const command = await serverCommand();
  if (command === undefined) return;
  for (const pair of PAIRS) {
    const server = new NatsServer(command, await freePort());
    const nodes: NodeProcess[] = [];
    server.start();
    try {
      await body(async (short, options) => {
        const nats = { ...options.nats, port: server.port };
        const runtime = pair[nodes.length % 2]!;
        const all = { ...options, nats } as NatsOptions;
        const node = await NodeProcess.start(runtime, short, all, "nats_child.ts");
        nodes.push(node);
        await until("the client of the node has joined", () => node.count("joined") > 0);
        await node.ask("announced");
        return node;
      }, server);
    } finally {
      await Promise.all(nodes.map((node) => node.kill()));
      await server.end();
    }
  }
}

const received = (node: NodeProcess) => node.ask<string[]>("received");

/**
 * Broadcasts until each node has received a text. Returns how often the other nodes received it.
 */
async function reaches(from: NodeProcess, nodes: readonly NodeProcess[], text: string) {
  await from.ask("broadcast", { text });
  for (const node of nodes) {
    await until(`${text} has arrived`, async () => (await received(node)).includes(text));
  }
}

test("natsRelay delivers the broadcasts of rooms through restarts of a node and of NATS", async () => {
  await withNats(async (start, server) => {
    const a = await start("a", { nats: {} });
    const b = await start("b", { nats: {} });
    const c = await start("c", { nats: {} });
    await reaches(a, [a, b, c], "one");
    await reaches(b, [a, b, c], "two");
    await a.ask("broadcast", { text: "none here", room: "another" });

    await c.kill();
    await reaches(b, [a, b], "three");
    const again = await start("c", { nats: {} });
    await reaches(again, [a, b, again], "four");

    await server.kill();
    await until(
      "a is disconnected from NATS",
      () => a.warnings().some((line) => line.includes("is disconnected")),
    );
    await a.ask("broadcast", { text: "kept while disconnected" });
    server.start();
    await until(
      "all nodes are connected to NATS again",
      () =>
        [a, b, again].every((node) =>
          node.warnings().some((line) => line.includes("connected again"))
        ),
    );
    // The clients have sent their subscriptions again, but the server may not have read them yet.
    await Promise.all([a, b, again].map((node) => node.ask("announced")));
    await reaches(b, [a, b, again], "five");
    const lines = ["one", "two", "three", "four", "kept while disconnected", "five"];
    for (const node of [a, b]) {
      const all = await received(node);
      for (const line of lines.filter((line) => line !== "kept while disconnected")) {
        assertEquals(all.filter((text) => text === line).length, 1, `${line} of ${all}`);
      }
      assert(!all.includes("none here"));
    }
    await a.ask("stop");
  });
});

test("natsRelay drops messages that exceed its queue while NATS is down", async () => {
  await withNats(async (start, server) => {
    const a = await start("a", { nats: { queueBytesMax: 100_000 } });
    const b = await start("b", { nats: {} });
    await server.kill();
    await until(
      "a is disconnected from NATS",
      () => a.warnings().some((line) => line.includes("is disconnected")),
    );
    await a.ask("many", { text: "1000" });
    await until(
      "the full queue is reported",
      () => a.warnings().some((line) => line.includes("wait for NATS")),
    );
    server.start();
    await until(
      "the node is connected to NATS again",
      () =>
        [a, b].every((node) => node.warnings().some((line) => line.includes("connected again"))),
    );
    await Promise.all([a, b].map((node) => node.ask("announced")));
    await reaches(a, [a, b], "after it");
    const there = (await received(b)).length;
    assert(there >= 1 && there <= 101, `${there} of 1001`);
    assertEquals((await received(a)).length, 1001);
  });
});

test("natsRelay with JetStream delivers each event of a history in order to a mesh that was down", async () => {
  await withNats(async (start) => {
    const a1 = await start("a1", { nats: { mesh: "a", jetstream: true } });
    const a2 = await start("a2", { nats: { mesh: "a", jetstream: true }, seeds: [a1.name] });
    const b = await start("b", { nats: { mesh: "b", jetstream: true } });
    await untilWhole(a1, a2);
    await reaches(b, [a1, a2, b], "a room over both meshes");
    const texts = Array.from({ length: 30 }, (_, i) => `${i}`);
    for (const text of texts.slice(0, 10)) await a1.ask("keep", { text });
    const kept = async (node: NodeProcess) =>
      (await received(node)).filter((line) => line.startsWith("kept ")).map((line) =>
        line.slice(5)
      );
    await until("b has ten events", async () => (await kept(b)).length === 10);

    await b.kill();
    for (const text of texts.slice(10, 20)) await a2.ask("keep", { text });
    // The first node of mesh a receives the events of other meshes; without it, the second node
    // does.
    await a1.kill();
    await until(
      "a2 is alone in its mesh",
      async () => (await a2.ask<string[]>("peers")).length === 0,
    );
    for (const text of texts.slice(20)) await a2.ask("keep", { text });
    const b2 = await start("b", { nats: { mesh: "b", jetstream: true } });
    await until("b has the remaining events", async () => (await kept(b2)).length >= 20);
    assertEquals(await kept(b2), texts.slice(10));
    await b2.ask("keep", { text: "of b" });
    await until("a2 has the event", async () => (await kept(a2)).at(-1) === "of b");
    assertEquals(await kept(a2), [...texts, "of b"]);
  });
});

if (process.env["FIRN_LONG"] === "1" && runtime === "deno") {
  test("natsRelay with JetStream delivers an unconfirmed event again before later events", async () => {
    await withNats(async (start, { port }) => {
      const a = await start("a", { nats: { mesh: "a", jetstream: true } });
      const b = await start("b", { nats: { mesh: "b", jetstream: true } });
      await reaches(b, [a, b], "a room over both meshes");
      await b.kill();
      const texts = ["0", "1", "2"];
      for (const text of texts) await a.ask("keep", { text });
      // Receives the first event in place of the killed node, and confirms nothing.
      // deno-lint-ignore no-explicit-any -- the packages have no types here
      const load = async (name: string) => await importPackage(`@nats-io/${name}@3.4.0`) as any;
      const nats = await (await load("transport-node")).connect({ servers: `127.0.0.1:${port}` });
      try {
        const { jetstream, jetstreamManager } = await load("jetstream");
        const stream = "firn_events";
        for await (const { name } of (await jetstreamManager(nats)).consumers.list(stream)) {
          if (!name.startsWith("b_")) continue;
          const consumer = await jetstream(nats).consumers.get(stream, name);
          assert(await consumer.next({ expires: 10_000 }) !== null);
        }
        const b2 = await start("b", { nats: { mesh: "b", jetstream: true } });
        const kept = async () => (await received(b2)).filter((line) => line.startsWith("kept "));
        await until("b has the events", async () => (await kept()).length >= 3);
        assertEquals(await kept(), texts.map((text) => `kept ${text}`));
      } finally {
        await nats.close();
      }
    });
  });
}
