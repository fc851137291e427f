/**
 * Question: what does a broadcast cost, from the call until the last member has received it?
 *
 * One iteration is one turn: one message, or a burst of eight, to a room of 10, 200 or 1000
 * members. The members are sockets on loopback in a second process that only counts bytes. On a
 * machine with two cores both processes are busy, and with many members most of their time is spent
 * in the kernel's loopback. Divide by members and messages for one delivery. Bursts show the effect
 * of writing the frames of a turn at once.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { headerLength } from "../../lib/ws/frame.ts";
import type { Connection } from "../../lib/ws/connection.ts";
import { serve } from "../../lib/ws/server.ts";
import { systemHost } from "../../lib/start.ts";
import { bench, benches, size } from "../kit.ts";

const ROOMS: readonly number[] = [size(10, 2), size(200, 5), size(1000, 10)];
const PAYLOADS = [64, 1024];
const BURSTS = [1, 8];

await benches("bench/ws/broadcast_bench.ts", ["net", "read", "run"], async () => {
  const host = systemHost();
  let control: Connection<string> | undefined;
  let began: () => void = () => {};
  let arrived: () => void = () => {};

  const server = await serve<string>(host, {
    idleTimeout: 0,
    upgrade: (request) => ({ data: new URL(request.url).pathname.slice(1) }),
    open(conn) {
      if (conn.data !== "control") return conn.join(conn.data);
      control = conn;
      began();
    },
    message: () => arrived(),
  });

  const readers = host.spawn({
    runtime: host.runtime,
    file: fileURLToPath(new URL("readers.ts", import.meta.url)),
    args: [String(server.port), ...ROOMS.map(String)],
  });
  await new Promise<void>((begin) => began = begin);

  let expected = 0;

  for (const members of ROOMS) {
    for (const payload of PAYLOADS) {
      const message = "x".repeat(payload);
      const group = `${payload} B to ${members} members`;
      for (const burst of BURSTS) {
        bench(`${burst} a turn: ${group}`, { group, baseline: burst === 1 }, async () => {
          expected += members * burst * (headerLength(payload) + payload);
          control!.send(String(expected));
          const all = new Promise<void>((arrive) => arrived = arrive);
          for (let i = 0; i < burst; i++) server.rooms.broadcast(String(members), message);
          await all;
        });
      }
    }
  }

  // On Bun, the listening server keeps the process alive.
  if (host.runtime === "bun") {
    bench("stop", { group: "the end", n: 1, warmup: 0 }, async () => {
      await server.stop();
      await readers.ended;
    });
  }
});
