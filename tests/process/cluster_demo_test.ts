// deno-lint-ignore-file no-console -- reports why a test is skipped
/** Tests the demo cluster from outside: its options, its output, its protocol, and its exit. */
import { connect, createServer } from "node:net";
import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MESSAGE_CHARS_MAX } from "../../scripts/cluster/protocol.ts";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { runtime, test, until } from "../kit/test.ts";
import { Demo, DEMO_COMMAND, endAll, Guest, isAlive, isMixed, type NodeLine } from "./demo.ts";

const MIXED: readonly string[] = isMixed ? ["--bun"] : [];

async function untilGone(nodes: readonly NodeLine[]): Promise<void> {
  await until("every process has exited", () => !nodes.some(({ pid }) => isAlive(pid)));
}

/** Returns the status line with which a server answers a WebSocket request. */
async function upgradeAnswer(url: string): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const answer = await new Promise<string>((resolve) =>
    socket.once("data", (bytes) => resolve(`${bytes}`))
  );
  const closed = new Promise((closed) => socket.once("close", closed));
  socket.destroy();
  await closed;
  return answer;
}

test("cluster.ts --once --json runs one round, prints a line for each node, and exits", async () => {
  await using demo = Demo.start(["--once", "--json", "--port", "0", ...MIXED]);
  assertEquals(await demo.ended, 0, demo.err);
  const nodes = demo.lines();
  assertEquals(nodes.map(({ name }) => name.split("@")[0]), ["node1", "node2", "node3"]);
  for (const { name, address, url, page, pid } of nodes) {
    assertEquals(name.split("@")[1], address);
    assertMatch(url, /^ws:\/\/127\.0\.0\.1:\d+\/ws$/);
    assertEquals(page, url.replace("ws:", "http:").replace(/ws$/, ""));
    assert(pid > 0 && !isAlive(pid));
  }
  const expected = isMixed ? ["deno", "deno", "bun"] : [runtime, runtime, runtime];
  assertEquals(nodes.map((node) => node.runtime), expected);
  const verdict = demo.err.trimEnd().split("\n").at(-1)!;
  assertMatch(
    verdict,
    /Verified in .* s: 3 nodes in one mesh, (\d+) of \1 messages delivered once/,
  );
  assert(!demo.err.includes("\x1b"), "colours are used without a terminal");
});

test("cluster.ts accepts any WebSocket client", async () => {
  await using demo = Demo.start(["--json", "--port", "0", ...MIXED]);
  const nodes = await demo.nodes(3);
  const [one, two, three] = nodes;
  await using ada = await Guest.at(one!.url);
  await using grace = await Guest.at(three!.url);

  for (const guest of [ada, grace]) {
    guest.say({ type: "join", room: "tea" });
    assertEquals(await guest.next(), { type: "joined", room: "tea" });
  }
  const hello = { type: "message", room: "tea", data: ["hello", 1], from: one!.name } as const;
  ada.say({ type: "broadcast", room: "tea", data: ["hello", 1] });
  assertEquals(await ada.next(), hello);
  assertEquals(await grace.next(), hello);

  // This message is sent to all except the sender, so the sender's next message is the reply to
  // `leave`.
  ada.say({ type: "broadcastFrom", room: "tea", data: "psst" });
  ada.say({ type: "leave", room: "tea" });
  assertEquals(await grace.next(), { ...hello, data: "psst" });
  assertEquals(await ada.next(), { type: "left", room: "tea" });
  grace.say({ type: "broadcast", room: "tea", data: "who is here?" });
  assertEquals(await grace.next(), { ...hello, data: "who is here?", from: three!.name });

  const wrong: unknown[] = [
    "no JSON",
    { type: "shout" },
    { type: "join", room: "x".repeat(300) },
    { type: "broadcast", room: "tea", data: "x".repeat(MESSAGE_CHARS_MAX) },
    new Uint8Array([1, 2, 3]),
  ];
  for (const what of wrong) {
    ada.say(what);
    assertEquals((await ada.next()).type, "error");
  }

  ada.say({ type: "watch" });
  const status = await ada.next();
  assert(status.type === "status" && status.node === one!.name && status.pid === one!.pid);
  assertEquals(
    status.nodes.map(({ name, up }) => [name, up]),
    nodes.map(({ name }) => [name, true]),
  );
  process.kill(two!.pid, "SIGKILL");
  const after = await ada.next();
  assert(after.type === "status");
  assertEquals(after.nodes.map(({ up }) => up), [true, false, true]);
  assertEquals(after.nodes[1]!.reason, "closed");
  await until("the demo reports the exit", () => demo.err.includes("was ended by SIGKILL"));

  demo.signal("SIGTERM");
  assertEquals(await demo.ended, 0, demo.err);
  await untilGone(nodes);
});

test("cluster.ts serves the page and the health of each node, and answers unknown paths with 404", async () => {
  await using demo = Demo.start(["--json", "--nodes", "2", "--port", "0", ...MIXED]);
  const nodes = await demo.nodes(2);
  for (const { name, page, pid } of nodes) {
    const html = await fetch(page);
    assertStringIncludes(html.headers.get("content-type")!, "text/html");
    assertStringIncludes(await html.text(), "<title>Firn demo cluster</title>");
    const health = await (await fetch(`${page}health`)).json();
    assertEquals([health.ok, health.node, health.pid], [true, name, pid]);
    assertEquals(health.peers, nodes.map((node) => node.name).filter((peer) => peer !== name));
    for (const [path, status] of [["ws", 426], ["favicon.ico", 404], ["../etc/passwd", 404]]) {
      const answer = await fetch(`${page}${path}`);
      await answer.body?.cancel();
      assertEquals(answer.status, status);
    }
  }
  const [{ url }] = nodes as [NodeLine];
  assertMatch(await upgradeAnswer(url), /^HTTP\/1\.1 101 /);
  assertMatch(await upgradeAnswer(url.replace(/ws$/, "other")), /^HTTP\/1\.1 404 /);
  demo.signal("SIGINT");
  assertEquals(await demo.ended, 0, demo.err);
  await untilGone(nodes);
});

test("cluster.ts stops all its processes on a signal, including a suspended process", async () => {
  await using demo = Demo.start(["--json", "--port", "0", ...MIXED]);
  const nodes = await demo.nodes(3);
  await until("the demo runs without a keyboard", () => demo.err.includes("no keyboard"));
  process.kill(nodes[1]!.pid, "SIGSTOP");
  demo.signal("SIGTERM");
  assertEquals(await demo.ended, 0, demo.err);
  await untilGone(nodes);
});

test("cluster.ts leaves no process behind when it is killed", async () => {
  await using demo = Demo.start(["--json", "--port", "0", ...MIXED]);
  const nodes = await demo.nodes(3);
  for (const { pid } of nodes) assert(isAlive(pid));
  demo.signal("SIGKILL");
  assertEquals(await demo.ended, "SIGKILL");
  await untilGone(nodes);
});

test("cluster.ts exits when the task runner that started it is killed", async () => {
  const command = [...DEMO_COMMAND, "--json", "--port", "0", ...MIXED];
  // A task runner (sh) waits for the process that it started, and prints its own process id.
  const runner = `${command.map((word) => `'${word}'`).join(" ")} & echo "runs as $!" >&2; wait`;
  await using demo = Demo.run("sh", ["-c", runner], { INIT_CWD: process.cwd() });
  const nodes = await demo.nodes(3);
  for (const { pid } of nodes) assert(isAlive(pid));
  const pid = Number(/runs as (\d+)/.exec(demo.err)![1]);
  demo.signal("SIGKILL");
  try {
    await untilGone(nodes);
    await until(
      "the demo reports that every process has exited",
      () => demo.err.includes("every process has ended"),
    );
  } finally {
    endAll([pid]);
  }
  assertEquals(await demo.ended, "SIGKILL");
});

test("cluster.ts reports an invalid option in one line, and exits with status 2", async () => {
  const wrong = [
    ["--frob"],
    ["lobby"],
    ["--nodes", "0"],
    ["--nodes", "10"],
    ["--nodes", "three"],
    ["--port", "http"],
    ["--port", "65535"],
    ["--port"],
  ];
  for (const args of wrong) {
    await using demo = Demo.start(args);
    assertEquals(await demo.ended, 2, args.join(" "));
    assertEquals(demo.out, "");
    assertMatch(demo.err, /^cluster: .*(no such option|takes a number).*\n$/);
  }
  await using help = Demo.start(["--help"]);
  assertEquals(await help.ended, 0);
  for (const option of ["--nodes", "--once", "--bun", "--port", "--json"]) {
    assertStringIncludes(help.out, option);
  }
});

test("cluster.ts reports the port that is in use, and exits with status 1", async () => {
  const server = createServer();
  await new Promise<void>((open) => server.listen(0, "127.0.0.1", open));
  const { port } = server.address() as { port: number };
  // Starts only one node, which needs only this port: other programs may use the next ports.
  await using demo = Demo.start(["--nodes", "1", "--port", `${port}`]);
  assertEquals(await demo.ended, 1);
  await new Promise((closed) => server.close(closed));
  assertStringIncludes(demo.err, `port ${port} is taken`);
  assertEquals(demo.err.trimEnd().split("\n").length, 1, demo.err);
});

test("cluster.ts explains how to install the other runtime if it is missing", async () => {
  const nowhere = { DENO_BIN: "/nowhere/deno", BUN_BIN: "/nowhere/bun" };
  await using demo = Demo.start(["--bun", "--port", "0"], nowhere);
  assertEquals(await demo.ended, 1);
  assertMatch(demo.err, /^cluster: there is no (Deno|Bun) at \/nowhere\/.*install it.*\n$/);
});

const script = process.platform === "linux" ? findProgram("script") : undefined;
if (script === undefined) {
  console.log("cluster_demo_test: no script(1) here, so keys are not tested");
}

test("cluster.ts reacts to keys on a terminal, and prints their effects", {
  ignore: script === undefined,
}, async () => {
  const command = [...DEMO_COMMAND, "--port", "0"].map((word) => `'${word}'`).join(" ");
  const args = ["--quiet", "--return", "--command", command, "/dev/null"];
  await using demo = Demo.run(script!, args, { TERM: "xterm", NO_COLOR: "" });
  const shows = (what: RegExp): Promise<void> =>
    until(`the output shows ${what}`, () => what.test(plain()));
  /** Returns the output without colours. */
  const plain = (): string => {
    // deno-lint-ignore no-control-regex -- removes control sequences
    return demo.out.replace(/\x1b\[\d*m/g, "");
  };
  await shows(/q +quit/);
  assertStringIncludes(demo.out, "\x1b[32m");
  demo.type("2");
  await shows(/node1 +lost node2: closed/);
  await shows(/node3 +lost node2: closed/);
  demo.type("2");
  await shows(/node2 +is connected again: all 3 receive all/);
  demo.type("m");
  await shows(/quit[^]*node3 says “hello from node3”( +\d+){3}/);
  demo.type("p1");
  await shows(/node2 +lost node1: timeout/);
  await shows(/node3 +lost node1: timeout/);
  demo.type("p1");
  await shows(/node1 +is connected again: all 3 receive all/);
  demo.type("q");
  assertEquals(await demo.ended, 0, demo.out);
  assertStringIncludes(demo.out, "every process has ended");
});
