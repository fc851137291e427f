/**
 * Tests channels on three processes that are killed and restarted. The clients are in this process:
 * two with WebSockets, two with event streams and requests.
 */
import { assert, assertEquals } from "@std/assert";
import { Socket } from "@firn/firn/client";
import { type NodeProcess, pairsInTurn, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

const CHILD = "channel_child.ts";
const hasty = { pingInterval: 300, pingTimeout: 1_500 };
const isLong = "Bun" in globalThis ? false : Deno.env.get("FIRN_LONG") === "1";
const ROUNDS = isLong ? 40 : 4;

for (const [one, other] of pairsInTurn(1)) {
  test(`channels (${one}, ${other}) lose no acknowledged message when nodes are killed or leave`, async () => {
    await withNodes(async (start) => {
      const kinds = [one, other, one] as const;
      const nodes: NodeProcess[] = [];
      const urls: string[] = [];
      const begin = async (i: number): Promise<void> => {
        const seeds = nodes.filter((_, at) => at !== i).map(({ name }) => name);
        nodes[i] = await start(kinds[i]!, `n${i}`, {
          ...hasty,
          seeds,
          ...nodes[i] && { name: nodes[i]!.name },
        }, CHILD);
        // Restarts on the same port, so that clients find the node.
        const port = urls[i] === undefined ? 0 : new URL(urls[i]!).port;
        urls[i] = await nodes[i]!.ask<string>("serve", { port });
      };
      for (let i = 0; i < 3; i++) await begin(i);
      await untilWhole(...nodes);
      // Each client has the URLs of all servers, and starts with a different one. The last two can
      // open no WebSocket.
      const sockets = [0, 1, 2, 3].map((i) =>
        new Socket([0, 1, 2].map((at) => `${urls[(i + at) % 3]}socket`), {
          maxDelay: 200,
          timeout: 5_000,
          ...i > 1 && { params: { events: "only" } },
        })
      );
      const transports = new Set<string>();
      sockets.forEach((socket, i) =>
        socket.on("open", ({ transport }) => transports.add(`${i > 1} ${transport}`))
      );
      try {
        const clients = sockets.map((socket, i) => {
          const got: number[] = [];
          const lost: string[] = [];
          const keys: string[] = [];
          const each = socket.channel("room:1", { name: `c${i}` });
          each.on("said", (payload) => got.push(payload as number));
          each.when("lost", ({ reason }) => lost.push(reason));
          each.when("presence", (presence) => keys.push([...presence.keys()].sort().join()));
          return { each, got, lost, keys };
        });
        await Promise.all(clients.map(({ each }) => each.ready()));
        const everybody = "c0,c1,c2,c3";
        await until(
          "all clients see all others",
          () => clients.every(({ keys }) => keys.at(-1) === everybody),
        );
        for (const { keys } of clients) keys.length = 0;
        const acknowledged: number[] = [];
        let next = 0;
        let stop = false;
        // A client can recover at most the 1,000 messages of the history, so the sender waits for the
        // slowest client.
        const slowest = () => Math.min(...clients.map(({ got }) => got.length));
        // A failed push may have been stored, so its number is not reused.
        const talk = (async () => {
          while (!stop) {
            await until(
              "no client is far behind",
              () => acknowledged.length < slowest() + 500,
            );
            const number = ++next;
            const client = clients[number % clients.length]!;
            if (await client.each.push("say", number).then(() => true, () => false)) {
              acknowledged.push(number);
            }
          }
        })();
        for (let round = 0; round < ROUNDS; round++) {
          const i = round % 3;
          const before = acknowledged.length;
          // Every second node leaves gracefully, as in a rolling restart.
          if (round % 2 === 1) await nodes[i]!.ask("leave");
          await nodes[i]!.kill();
          await until(
            "more messages are acknowledged",
            () => acknowledged.length > before + 20,
          );
          await begin(i);
          await untilWhole(...nodes);
          const after = acknowledged.length;
          await until(
            "more messages are acknowledged with the restarted node",
            () => acknowledged.length > after + 20,
          );
        }
        stop = true;
        await talk;
        await until(
          "all clients have received the last message",
          () => clients.every(({ got }) => got.includes(acknowledged.at(-1)!)),
        );
        for (const { got, lost } of clients) {
          const missing = acknowledged.filter((number) => !got.includes(number));
          assertEquals([missing, lost], [[], []]);
          assertEquals(new Set(got).size, got.length);
          assertEquals(got, clients[0]!.got);
        }
        const left = clients.flatMap(({ keys }) => keys).filter((each) => each !== everybody);
        assertEquals(left, []);
        assert(acknowledged.length > 100);
        assertEquals([...transports].sort(), ["false websocket", "true events"]);
      } finally {
        for (const socket of sockets) socket.close();
      }
    });
  });
}
