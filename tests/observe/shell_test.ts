/** Tests the shell on two nodes, and hidden nodes. */
import { PassThrough, Writable } from "node:stream";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { Self } from "../../lib/actor/self.ts";
import { Node } from "../../lib/node.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { completions } from "../../lib/observe/shell_commands.ts";
import { shell } from "../../lib/shell.ts";
import { COOKIE } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

const counter = service<{ state: number; call: { get(): number }; cast: { add(n: number): void } }>(
  {
    name: "counter",
    init: () => 0,
    call: { get: (n) => [n, n] },
    cast: { add: (sum, n) => sum + n },
  },
);

/** A stream that collects the written text. */
class Text extends Writable {
  text = "";
  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += `${chunk}`;
    done();
  }
}

async function withCluster(body: (a: Node, b: Node) => Promise<void>): Promise<void> {
  const options = { cookie: COOKIE, logLevel: "silent", observe: "control" } as const;
  await using a = await Node.start({ ...options, name: "alpha@127.0.0.1:0" });
  await using b = await Node.start({ ...options, name: "beta@127.0.0.1:0", seeds: [a.name] });
  await until("the nodes are connected", () => a.peers().length === 1 && b.peers().length === 1);
  await Supervisor.start(a, {
    children: [{ id: "hits", start: (self) => counter.startAs("hits", self) }],
  });
  await body(a, b);
}

/** Runs commands. Returns the exit status and the written text. */
async function run(
  target: Node,
  commands: readonly string[],
  json = false,
): Promise<{ status: number; text: string }> {
  const output = new Text();
  const node = { cookie: COOKIE };
  const status = await shell({ target: target.name, commands, json, output, node });
  return { status, text: output.text };
}

test("shell shows nodes, trees, actors and states, and evaluates expressions", async () => {
  await withCluster(async (a, b) => {
    counter.cast(counter.at(a, "hits")).add(42);
    const { status, text } = await run(a, [
      "nodes",
      "tree",
      "top handled",
      "info hits",
      "state hits",
      "stats beta",
      "log 3",
      "1 + 1",
      "(await node.stats({ node: current })).actors",
    ]);
    for (
      const words of [
        a.name,
        b.name,
        "└─ hits <",
        "by must be one of",
        "counter",
        "42",
        "eventLoop",
      ]
    ) assertStringIncludes(text, words);
    assertEquals(text.trim().split("\n").slice(-2), ["2", "2"]);
    assertEquals(status, 1, "top handled is no order");
  });
});

test("shell --json writes one line per result, with pids as text", async () => {
  await withCluster(async (a) => {
    const { status, text } = await run(a, ["nodes", "tree", "info hits", "info nothing"], true);
    const [nodes, tree, info, error] = text.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(nodes.length, 2);
    assertEquals(tree[0].children[0].id, "hits");
    assert(info.pid.includes(a.name) && info.names[0] === "hits");
    assertStringIncludes(error.error, "there is no actor nothing");
    assertEquals(status, 1);
  });
});

test("shell traces, suspends and kills an actor by its name, number or pid", async () => {
  await withCluster(async (a) => {
    const before = a.whereis("hits")!;
    const timer = setInterval(() => counter.cast(counter.at(a, "hits")).add(1), 10);
    try {
      const { text, status } = await run(a, [
        "trace hits 2",
        `suspend ${before.id}`,
        `info <0.${before.id}>`,
        "resume hits",
        "kill hits",
      ]);
      assertStringIncludes(text, "cast add");
      assertStringIncludes(text, "args: [1]");
      assertStringIncludes(text, "suspended");
      assertEquals(status, 0);
    } finally {
      clearInterval(timer);
    }
    await until("the actor is restarted", () => ![undefined, before].includes(a.whereis("hits")));
  });
});

test("shell reads commands from its input, and can switch to another node", async () => {
  await withCluster(async (a, b) => {
    const output = new Text();
    const input = new PassThrough();
    const node = { cookie: COOKIE };
    const ended = shell({ target: a.name, input, output, node });
    input.write("use beta\nstats\nhelp\nleave\n");
    await until("beta has left", () => a.peers().length === 0);
    input.end("exit\n");
    assertEquals(await ended, 0);
    assertStringIncludes(output.text, `node          ${b.name}`);
    assertStringIncludes(output.text, "kill ACTOR");
  });
});

test("shell connects through the address if the node's name is unknown", async () => {
  await withCluster(async (a) => {
    const target = a.name.replace("alpha", "*");
    const output = new Text();
    const node = { cookie: COOKIE };
    assertEquals(await shell({ target, commands: ["nodes", "info hits"], output, node }), 0);
    assertStringIncludes(output.text, a.name);
  });
});

test("shell reports the reason why a node cannot be reached", async () => {
  await withCluster(async (a) => {
    const at = a.name.slice(a.name.indexOf("@") + 1);
    const other = "another-0123456789abcdef0123456789abcdef";
    const cases: [target: string, cookie: string, words: RegExp][] = [
      ["none@127.0.0.1:9", COOKIE, /listens/],
      [`gamma@${at}`, COOKIE, new RegExp(`use the name ${a.name}`)],
      [a.name, other, /another cookie/],
      [
        `*@${at}`,
        other,
        /no node answered at 127.0.0.1:\d+: is one running there, with this cookie/,
      ],
      ["alpha", COOKIE, /write name@host:port/],
      [at, COOKIE, /with a name it is node@/],
    ];
    for (const [target, cookie, words] of cases) {
      const error = await assertRejects(() => shell({ target, commands: [], node: { cookie } }));
      assertMatch((error as Error).message, words, target);
    }
  });
});

test("completions returns commands for the first word, and node names or sort orders for the second", () => {
  const node = { peers: () => ["alpha@127.0.0.1:1", "beta@127.0.0.1:2"] };
  const context = { node: node as never, current: "alpha@127.0.0.1:1" };
  assertEquals(completions(context, "st"), ["stats", "state"]);
  assertEquals(completions(context, "top t"), ["time", "timers"]);
  assertEquals(completions(context, "use al"), ["alpha@127.0.0.1:1", "alpha"]);
});

test("a hidden node is not listed or gossiped, and does not count in a quorum", async () => {
  await withCluster(async (a, b) => {
    await using hidden = await Node.start({ cookie: COOKIE, logLevel: "silent", hidden: true });
    await hidden.connect(a.name);
    assertEquals(hidden.peers(), [a.name]);
    assertEquals([a.peers(), b.peers()], [[b.name], [a.name]]);
    const pid = a.spawn((_self: Self<string>) => () => {});
    // The majority of two nodes is two, because the hidden node does not count.
    assertEquals(await a.global.register("one", pid, { quorum: "majority" }), true);
    await until("beta knows the name", () => b.global.whereis("one") !== undefined);
    assertEquals(hidden.global.names(), []);
    let got = 0;
    hidden.rooms.join("lobby", { sendShared: () => got++ });
    b.rooms.join("lobby", { sendShared: () => got += 10 });
    // alpha learns of beta's room shortly after it was joined.
    await until("beta has received the broadcast", () => {
      if (got < 10) a.rooms.broadcast("lobby", "hello");
      return got >= 10;
    });
    assertEquals((await hidden.stats({ node: a.name })).node, a.name);
    assertEquals(got % 10, 0);
  });
});
