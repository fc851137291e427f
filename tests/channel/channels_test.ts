/** Tests channels on two nodes of one process, with Firn's own client over real WebSockets. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Channel, channel, ChannelError } from "@firn/firn/channels";
import { ChannelClientError, Socket } from "@firn/firn/client";
import type { Node, Self } from "@firn/firn";
import type { ChannelServeOptions } from "../../lib/channel/mount.ts";
import { COOKIE, startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";

/** Runs `body` with two connected nodes that serve channels, and closes its sockets at the end. */
async function withTwo(
  serve: ChannelServeOptions<{ user: string }>,
  body: (
    nodes: [Node, Node],
    connect: (at: 0 | 1, user?: string) => Socket,
  ) => Promise<void>,
): Promise<void> {
  const start = (name: string, seeds: string[]) =>
    startCheaply({ name: `${name}@127.0.0.1:0`, cookie: COOKIE, seeds, logLevel: "silent" });
  await using a = await start("a", []);
  await using b = await start("b", [a.name]);
  const servers = await Promise.all([a, b].map((node) =>
    node.serve<{ user: string }>({
      ...serve,
      channelUser: ({ user }) => user || undefined,
      upgrade: (request) => ({
        data: { user: new URL(request.url).searchParams.get("user") ?? "" },
      }),
    })
  ));
  const sockets: Socket[] = [];
  const connect = (at: 0 | 1, user = ""): Socket => {
    const socket = new Socket(`${servers[at]!.url}socket`, { params: { user }, maxDelay: 100 });
    sockets.push(socket);
    return socket;
  };
  try {
    await body([a, b], connect);
  } finally {
    for (const socket of sockets) socket.close();
    await until(
      "all connections have ended",
      () => servers.every(({ connections }) => connections === 0),
    );
  }
}

function room() {
  return channel("room:*", {
    join(socket: { topic: string }, params: { name?: string }) {
      if (socket.topic === "room:secret") {
        throw new ChannelError("unauthorized", "no", { need: "key" });
      }
      if (socket.topic === "room:broken") throw new Error("crash requested");
      return { welcome: params.name ?? "" };
    },
    on: {
      say(payload: { text: string }, socket) {
        socket.broadcast("said", payload);
        return payload.text.length;
      },
      others: (payload: unknown, socket) => void socket.broadcastFrom("said", payload),
      refuse: () => {
        throw new ChannelError("nope", "not that", { why: "tested" });
      },
      crash: () => {
        throw new Error("crash requested");
      },
      later: async (payload: number) => {
        await new Promise((wake) => setTimeout(wake, 1));
        return payload + 1;
      },
      echo: (payload: unknown) => payload,
    },
    events: {} as { said: { text: string } },
  });
}

test("Socket.channel receives replies to its pushes, and the broadcasts of other clients and nodes", async () => {
  await withTwo({ channels: [room()] }, async ([a], connect) => {
    const [one, two] = [connect(0), connect(1)].map((socket) =>
      socket.channel<ReturnType<typeof room>>("room:1", { name: "x" })
    ) as [ReturnType<typeof typed>, ReturnType<typeof typed>];
    const observed: unknown[][] = [[], []];
    [one, two].forEach((each, i) => each.on("said", (payload) => observed[i]!.push(payload)));
    assertEquals(await Promise.all([one.ready(), two.ready()]), [{ welcome: "x" }, {
      welcome: "x",
    }]);
    assertEquals(await one.push("say", { text: "hello" }), 5);
    await until(
      "both clients have received the message",
      () => observed.every(({ length }) => length === 1),
    );
    await two.push("others", { text: "not me" });
    await until("the other client has received the message", () => observed[0]!.length === 2);
    a.channels.broadcast("room:1", "said", { text: "from a node" });
    await until(
      "both clients have received the message of the node",
      () => observed[1]!.length === 2 && observed[0]!.length === 3,
    );
    assertEquals(observed[1], [{ text: "hello" }, { text: "from a node" }]);
    assertEquals(await one.push("later", 41), 42);
    const bytes = await one.push("echo", new Uint8Array([1, 2, 255]));
    assertEquals(bytes, new Uint8Array([1, 2, 255]));
    await a.channels.broadcast("room:1", "said", new Uint8Array([7]));
    await until(
      "both clients have received bytes",
      () => observed.every((each) => each.at(-1) instanceof Uint8Array),
    );
  });
});

/** Used only for its return type. */
function typed(socket: Socket) {
  return socket.channel<ReturnType<typeof room>>("room:1", { name: "x" });
}

test("Socket.channel rejects joins and pushes with the code and details of the channel", async () => {
  await withTwo({ channels: [room()] }, async (_nodes, connect) => {
    const socket = connect(0);
    const code = async (wait: Promise<unknown>): Promise<unknown[]> => {
      const error = await assertRejects(() => wait, ChannelClientError);
      return [error.code, error.details];
    };
    assertEquals(await code(socket.channel("room:secret").ready()), [
      "unauthorized",
      { reason: "unauthorized", need: "key" },
    ]);
    assertEquals((await code(socket.channel("nothing").ready()))[0], "unmatched topic");
    const one = socket.channel("room:1");
    assertEquals(await code(one.push("refuse")), ["nope", { reason: "nope", why: "tested" }]);
    assertEquals((await code(one.push("unknown")))[0], "unmatched event");
    let joins = 0;
    one.when("joined", () => joins++);
    one.push("crash");
    await until("the channel has rejoined", () => joins === 1);
    assertEquals(await one.push("say", { text: "again" }), 5);
    one.leave();
    assertEquals((await code(one.push("say", { text: "too late" })))[0], "left");
  });
});

test("Socket prints rejections that the program does not await, with their topic and event", async () => {
  const lines: string[] = [];
  const printer = console;
  const { warn } = printer;
  printer.warn = (line: string) => lines.push(line);
  try {
    await withTwo({ channels: [room()] }, async (_nodes, connect) => {
      const socket = connect(0);
      socket.channel("rooms:1");
      socket.channel("room:secret");
      const awaited = connect(1).channel("room:secret");
      const error = await assertRejects(() => awaited.ready(), ChannelClientError);
      assertEquals(error.message, "join of room:secret: unauthorized");
      socket.channel("room:1").push("shout", 1);
      await until("all rejections are printed", () => lines.length === 3);
      assertEquals(lines.sort(), [
        "join of room:secret: unauthorized",
        "join of rooms:1: unmatched topic",
        "shout to room:1: unmatched event",
      ]);
    });
  } finally {
    printer.warn = warn;
  }
});

test("Channels counts and lists the users of all nodes", async () => {
  await withTwo({ channels: [room()] }, async ([a, b], connect) => {
    const sockets = [connect(0, "ann"), connect(1, "ann"), connect(1, "bob")];
    const joined = sockets.map((socket) => socket.channel("room:1"));
    await Promise.all(joined.map((each) => each.ready()));
    await until("a counts all members", async () => (await a.channels.count("room:1")).count === 3);
    const { clients, missing } = await b.channels.list("room:1");
    assertEquals(clients.map(({ user }) => user).sort(), ["ann", "ann", "bob"]);
    assertEquals(missing, []);
    assertEquals(await a.channels.user("ann").count(), { count: 2, missing: [] });
    const observed: unknown[] = [];
    for (const each of joined) each.on("note", (payload) => observed.push(payload));
    a.channels.user("ann").push("room:1", "note", 1);
    await until("both sockets of ann have received it", () => observed.length === 2);
    const invited: string[] = [];
    sockets[2]!.on("invite", ({ topic }) => invited.push(topic));
    a.channels.user("bob").invite("room:2");
    await until("bob has received the invitation", () => invited.length === 1);
    a.channels.user("bob").leave("room:1");
    await until("bob has been removed", () => joined[2]!.state === "left");
    const codes: number[] = [];
    for (const socket of sockets) socket.on("close", ({ code }) => codes.push(code));
    b.channels.user("ann").disconnect({ code: 4001, reason: "bye" });
    await until("both sockets of ann are disconnected", () => codes.length === 2);
    assertEquals(codes, [4001, 4001]);
    assertEquals(observed, [1, 1]);
  });
});

test("presence of a channel has the users of all nodes, and keeps a user that reconnects in the grace period", async () => {
  const lobby: Channel = channel("lobby", {
    presence: { grace: 2_000 },
    join: (socket, params: { name: string }) => socket.track(params.name, { from: socket.topic }),
  });
  await withTwo({ channels: [lobby] }, async ([a, b], connect) => {
    const ann = connect(0, "ann");
    const seen = connect(1, "bob").channel("lobby", { name: "bob" });
    const mine = ann.channel("lobby", { name: "ann" });
    await until(
      "both clients see both users",
      () => [mine, seen].every(({ presence }) => presence.size === 2),
    );
    assertEquals(Object.keys(a.channels.presence("lobby")).sort(), ["ann", "bob"]);
    const keys: string[][] = [];
    seen.when("presence", (presence) => keys.push([...presence.keys()].sort()));
    const ref = seen.presence.get("ann")![0]!.phx_ref;
    a.channels.user("ann").disconnect();
    await until(
      "ann is present again",
      () => seen.presence.get("ann")!.some((m) => m.phx_ref !== ref),
    );
    await until("ann's former presence is removed", () => seen.presence.get("ann")!.length === 1);
    assert(keys.every((each) => each.join() === "ann,bob"));
    ann.close();
    await until("ann has left", () => seen.presence.size === 1);
    // The presence of any actor can be tracked, until the actor exits.
    const actor = b.spawn((_self: Self<string>) => () => {});
    b.channels.track("lobby", "robot", { kind: "actor" }, actor);
    await until("the actor is present", () => seen.presence.has("robot"));
    assertEquals(a.channels.presence("lobby")["robot"]?.metas[0]?.["kind"], "actor");
    b.exit(actor, "kill");
    await until("the actor is not present", () => !seen.presence.has("robot"));
    await until("everywhere", () => a.channels.presence("lobby")["robot"] === undefined);
  });
});

test("channel rejects joins and pushes with invalid payloads or at too high a rate", async () => {
  const text = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) =>
        typeof value === "string" ? { value } : { issues: [{ message: "not a text" }] },
    },
  };
  const strict = channel("strict:*", {
    params: text,
    schemas: { say: text },
    on: { say: (payload: string) => payload.length, free: () => 0 },
    rate: { events: 3, per: 60_000 },
  });
  await withTwo({ channels: [strict] }, async (_nodes, connect) => {
    const socket = connect(0);
    const bad = await assertRejects(
      () => socket.channel<Channel>("strict:1", { no: "text" }).ready(),
      ChannelClientError,
    );
    assertEquals([bad.code, bad.details["issues"]], ["invalid", ["not a text"]]);
    const good = socket.channel<typeof strict>("strict:1", "text");
    assertEquals(await good.push("say", "four"), 4);
    const issue = await assertRejects(() => good.push("say", 4 as never), ChannelClientError);
    assertEquals(issue.code, "invalid");
    assertEquals(await good.push("free"), 0);
    const fast = await assertRejects(() => good.push("free"), ChannelClientError);
    assertEquals(fast.code, "rate_limited");
  });
});

test("ChannelError keeps its code if its details cannot be sent", async () => {
  const odd = channel("odd:*", {
    async state() {
      await Promise.resolve();
      return { count: 1 };
    },
    join(socket) {
      if (socket.topic === "odd:join") throw new ChannelError("nojoin", "no", { size: 5n });
    },
    schemas: {
      checked: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: () => ({ issues: [{ message: 5n as never }] }),
        },
      },
    },
    on: {
      count: (_payload: unknown, socket) => socket.state.count,
      details() {
        throw new ChannelError("nodetails", "no", { size: 5n });
      },
      later: () => Promise.reject(new ChannelError("nolater", "no", { size: 5n })),
      checked: () => 0,
    },
  });
  const stateless = channel("stateless", {
    state: () => Promise.reject(new Error("no state as requested")),
  });
  const reasoned = channel("reasoned", {
    state: () => Promise.reject(new ChannelError("noreason")),
  });
  const lines: string[] = [];
  await using node = await startCheaply({
    logLevel: "error",
    log: ({ line }) => void lines.push(line),
  });
  const server = await node.serve({ channels: [odd, stateless, reasoned] });
  const socket = new Socket(`${server.url}socket`);
  const code = async (wait: Promise<unknown>): Promise<string> =>
    (await assertRejects(() => wait, ChannelClientError)).code;
  // The client joins again after a crash.
  const crashed = socket.channel("stateless");
  crashed.ready().catch(() => {});
  await until("the failed join is logged", () => lines.join().includes("no state as requested"));
  crashed.leave();
  assertEquals(await code(socket.channel("reasoned").ready()), "noreason");
  assertEquals(await code(socket.channel("odd:join").ready()), "nojoin");
  const one = socket.channel<typeof odd>("odd:1");
  assertEquals(await one.push("count"), 1);
  assertEquals(await code(one.push("details")), "nodetails");
  assertEquals(await code(one.push("later")), "nolater");
  assertEquals(await code(one.push("checked")), "invalid");
  // The client is still in the topic.
  assertEquals(await one.push("count"), 1);
  for (const name of ["nojoin", "nodetails", "nolater", "invalid"]) {
    const of = lines.filter((line) => line.includes(`the details of the error ${name}`));
    assertEquals(of.length, 1, name);
  }
  socket.close();
});

test("Channels.track rejects metadata with bigints or cycles with the code badpayload", async () => {
  await using node = await startCheaply({ logLevel: "silent" });
  node.channels.define(channel("present", { presence: true }));
  const pid = node.spawn(() => () => {});
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  for (const meta of [{ size: 5n }, cycle]) {
    const error = assertThrows(
      () => node.channels.track("present", "key", meta, pid),
      ChannelError,
    );
    assertEquals(error.code, "badpayload");
  }
  assertEquals(node.channels.presence("present"), {});
});

test("Channels.broadcast rejects with a code for a value that cannot be sent", async () => {
  await withTwo({ channels: [room()] }, async ([a]) => {
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    for (
      const [topic, event, payload, code] of [
        ["none", "x", 1, "nochannel"],
        ["", "x", 1, "badtopic"],
        ["room:1", "", 1, "badtopic"],
        ["room:1", "x", 1n, "badpayload"],
        ["room:1", "x", cyclic, "badpayload"],
        ["room:1", "x", "x".repeat(17_000_000), "toolarge"],
      ] as const
    ) {
      const error = await assertRejects(
        () => a.channels.broadcast(topic, event, payload),
        ChannelError,
      );
      assertEquals(error.code, code);
    }
    assertThrows(() => channel("a*b"), ChannelError);
    assertThrows(() => channel("a", { jion: () => {} } as never), ChannelError);
  });
});

test("Channels closes the connection of a malformed message with the code 1008", async () => {
  await withTwo({ channels: [room()] }, async (_nodes, connect) => {
    const other = connect(0).channel("room:1");
    await other.ready();
    let url = "";
    const socket = connect(0);
    await new Promise<void>((open) => socket.on("open", (event) => (url = event.url, open())));
    for (
      const bad of [
        "",
        "{}",
        "[1]",
        '["1","1",5,"x",{}]',
        '["1",1,"t","x",{}]',
        new Uint8Array([0, 9]),
      ]
    ) {
      const raw = new WebSocket(`${url}?vsn=2.0.0`);
      await new Promise((open) => raw.onopen = open);
      raw.send(bad);
      const { code } = await new Promise<CloseEvent>((closed) => raw.onclose = closed);
      assertEquals(code, 1008);
    }
    assertEquals(await other.push("say", { text: "still here" }), 10);
    const old = new WebSocket(`${url}?vsn=1.0.0`);
    await new Promise((failed) => old.onerror = failed);
  });
});

test("Socket limits the effect of a mistake to its own topic, push or listener", async () => {
  const printed: unknown[] = [];
  const { error, warn } = console;
  const print = (words: unknown): void => void printed.push(words);
  Object.assign(console, { error: print, warn: print });
  try {
    await using node = await startCheaply({ cookie: COOKIE, logLevel: "silent" });
    const echo = channel("room:*", { on: { echo: (payload: unknown) => payload } });
    const server = await node.serve({ channels: [echo] });
    const socket = new Socket(`${server.url}socket`);
    const boom = (): never => {
      throw new Error("a listener");
    };
    let closed = 0;
    socket.on("close", () => void closed++);
    socket.on("open", boom);
    const room = socket.channel("room:1");
    room.when("joined", boom);
    const codeOf = (promise: Promise<unknown>): Promise<string> =>
      promise.then(() => "ok", ({ code }) => code);
    // All of these pushes wait for the connection.
    const before = [1, 10n, 2].map((payload) => codeOf(room.push("echo", payload)));
    assertEquals(await Promise.all(before), ["ok", "badpayload", "ok"]);
    for (const topic of ["", `room:${"x".repeat(300)}`, "room:\ud800"]) {
      assertEquals(await codeOf(socket.channel(topic).ready()), "unmatched topic");
    }
    assertEquals(await codeOf(socket.channel("room:2", boom).ready()), "badparams");
    assertEquals(await codeOf(socket.channel("room:3", 10n).ready()), "badpayload");
    for (const event of ["", "x".repeat(300)]) {
      assertEquals(await codeOf(room.push(event)), "unmatched event");
      const bytes = codeOf(room.push(event, new Uint8Array(1)));
      assertEquals(await bytes, event === "" ? "unmatched event" : "badpayload");
    }
    let said = 0;
    room.on("said", boom);
    room.on("said", () => void said++);
    await node.channels.broadcast("room:1", "said");
    assertEquals(await room.push("echo", 3), 3);
    assertEquals([said, closed], [1, 0]);
    socket.close();
    const errors = printed.filter((each) => each instanceof Error).map(({ message }) => message);
    assertEquals(errors, ["a listener", "a listener", "a listener"]);
  } finally {
    Object.assign(console, { error, warn });
  }
});
