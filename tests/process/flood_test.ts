/**
 * Tests a million messages to a peer that has stopped reading: memory stays bounded, and a warning
 * is logged.
 */
import { assert, assertEquals } from "@std/assert";
import { PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

interface Pressure {
  readonly queued: number;
  readonly limit: number;
  readonly dropped: number;
  readonly high: boolean;
}

const LIMIT = 8 * 1024 * 1024;
const SENDS = 1_000_000;

for (const [one, other] of PAIRS) {
  test(`a million messages (${one}, ${other}) to a suspended node use a bounded amount of memory`, async () => {
    await withNodes(async (start) => {
      const options = { queueBytesMax: LIMIT, pingInterval: 5_000, pingTimeout: 60_000 };
      const a = await start(one, "a", options, "api_child.ts");
      const b = await start(other, "b", { ...options, seeds: [a.name] }, "api_child.ts");
      await untilWhole(a, b);
      await b.ask("counter", { name: "sink" });
      const there = { name: "sink", node: b.name };
      // Sends messages once before memory is measured, so that code is compiled and caches are
      // filled.
      await a.ask("flood", { ...there, count: 20_000 });
      await until("all messages have arrived", async () => await a.ask("count", there) === 20_000);
      const before = await a.ask<number>("memory");
      b.signal("SIGSTOP");
      const { after } = await a.ask<{ after: Pressure }>("flood", { ...there, count: SENDS });
      assert(after.queued <= LIMIT, `${after.queued} bytes are queued`);
      assert(after.high);
      assert(after.dropped > SENDS / 2, `${after.dropped} were dropped`);
      await until("the pressure is reported", () => a.count("pressure") === 1);
      const grown = await a.ask<number>("memory") - before;
      assert(grown < 10 * LIMIT, `grew by ${Math.round(grown / 2 ** 20)} MiB`);
      b.signal("SIGCONT");
      // The messages that were not dropped arrive, and later messages are sent normally.
      const sent = 20_000 + SENDS - after.dropped;
      await until(
        "the remaining messages have arrived",
        async () => await a.ask("count", there) === sent,
      );
      await until("the end of the pressure is reported", () => a.count("pressure") === 2);
      assertEquals((await a.ask<Pressure>("pressure", there)).high, false);
      assertEquals([a.count("nodedown"), b.count("nodedown")], [0, 0]);
    });
  });
}
