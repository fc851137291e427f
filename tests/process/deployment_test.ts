// deno-lint-ignore-file no-console -- prints the measured rates
/**
 * Tests a deployment: three nodes leave and return one after the other, while clients send messages.
 *
 * With `FIRN_LONG=1` there are 2,000 clients, and the rate of reconnections is asserted. Otherwise
 * there are 90, and each must wait as long as its node requested, because on a busy machine late
 * timers raise the rate.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { Socket } from "@firn/firn/client";
import { type NodeProcess, pairsInTurn, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

const isLong = process.env["FIRN_LONG"] === "1";
const CLIENTS = isLong ? 2_000 : 90;
const ROOMS = isLong ? 20 : 3;
/** Interval between the messages of a client in each room, in milliseconds. */
const SAY_MS = isLong ? 1_000 : 100;
/** Options of `leave`. They allow `batchSize` reconnections per `batchInterval`. */
const LEAVE = isLong
  ? { batchSize: 100, batchInterval: 500 }
  : { batchSize: 4, batchInterval: 200 };
const PER_SECOND = LEAVE.batchSize * 1_000 / LEAVE.batchInterval;
/**
 * Factor by which the rate may exceed the limit: on a busy machine timers are late, so that several
 * reconnections happen at once.
 */
const TOLERANCE = 1.25;

/** Returns the maximum number of these times in any window of one second. */
function peakOf(times: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! >= 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

for (const [one, other] of pairsInTurn(0)) {
  test(`channels (${one}, ${other}) lose no acknowledged message during a deployment that limits reconnections`, async () => {
    await withNodes(async (start) => {
      const kinds = [one, other, one] as const;
      const nodes: NodeProcess[] = [];
      const urls: string[] = [];
      const begin = async (i: number): Promise<void> => {
        const seeds = nodes.filter((_, at) => at !== i).map(({ name }) => name);
        const name = nodes[i] && { name: nodes[i]!.name };
        nodes[i] = await start(kinds[i]!, `n${i}`, { seeds, ...name }, "channel_child.ts");
        const port = urls[i] === undefined ? 0 : new URL(urls[i]!).port;
        urls[i] = await nodes[i]!.ask<string>("serve", { port });
      };
      for (let i = 0; i < 3; i++) await begin(i);
      await untilWhole(...nodes);
      const opened: number[] = [];
      const early: number[] = [];
      const lost: string[] = [];
      const clients = Array.from({ length: CLIENTS }, (_, i) => {
        const order = [0, 1, 2].map((at) => `${urls[(i + at) % 3]}socket`);
        const socket = new Socket(order, { timeout: 30_000 });
        let appointed = 0;
        socket.on("close", ({ retryIn }) => appointed = performance.now() + (retryIn ?? 0));
        socket.on("open", () => {
          const now = performance.now();
          opened.push(now);
          if (now < appointed - 2) early.push(appointed - now);
        });
        const room = socket.channel(`room:${i % ROOMS}`);
        const got: number[] = [];
        room.on("said", (number) => got.push(number as number));
        room.when("lost", ({ reason }) => lost.push(reason));
        return { socket, room, got };
      });
      try {
        await Promise.all(clients.map(({ room }) => room.ready()));
        const acknowledged = Array.from({ length: ROOMS }, (): number[] => []);
        let stop = false;
        const talks = acknowledged.map(async (numbers, i) => {
          for (let number = 1; !stop; number++) {
            const pause = new Promise((wake) => setTimeout(wake, SAY_MS));
            // The clients of the room take turns to send messages.
            const at = i + ROOMS * (number % Math.floor(CLIENTS / ROOMS));
            if (await clients[at]!.room.push("say", number).then(() => true, () => false)) {
              numbers.push(number);
            }
            await pause;
          }
        });
        const peaks: number[] = [];
        for (let i = 0; i < 3; i++) {
          opened.length = 0;
          await nodes[i]!.ask("leave", { options: LEAVE });
          await nodes[i]!.kill();
          await until(
            "all clients are connected",
            () => clients.every(({ room }) => room.state === "joined"),
          );
          peaks.push(peakOf(opened));
          assert(opened.length >= CLIENTS / 4, `${opened.length} have reconnected`);
          await begin(i);
          await untilWhole(...nodes);
        }
        stop = true;
        await Promise.all(talks);
        await until(
          "all clients have the last message",
          () => clients.every(({ got }, i) => got.includes(acknowledged[i % ROOMS]!.at(-1)!)),
        );
        for (const [i, { got }] of clients.entries()) {
          const missing = acknowledged[i % ROOMS]!.filter((number) => !got.includes(number));
          assertEquals([missing, got], [[], clients[i % ROOMS]!.got]);
          assertEquals(new Set(got).size, got.length);
        }
        assertEquals(lost, []);
        const messages = acknowledged.reduce((sum, { length }) => sum + length, 0);
        console.log(
          `${CLIENTS} clients, limit ${PER_SECOND}/s: at most ${peaks.join(", ")} reconnections ` +
            `in a second; ${messages} messages acknowledged, none missing`,
        );
        assertEquals(early, []);
        assert(
          !isLong || peaks.every((peak) => peak <= PER_SECOND * TOLERANCE),
          `${peaks} of ${PER_SECOND}`,
        );
        assert(messages >= ROOMS * 10);
      } finally {
        for (const { socket } of clients) socket.close();
        await until("all sockets are closed", async () => {
          const counts = await Promise.all(nodes.map((node) => node.ask("connections")));
          return counts.every((count) => count === 0);
        });
      }
    });
  });
}
