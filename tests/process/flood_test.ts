/**
 * A peer that has stopped reading, and a million messages for it: memory stays bounded, and a
 * warning is logged.
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
  test(`a million sends (${one}, ${other}) to a suspended node use bounded memory, and the sender continues to run`, async () => {
    await withNodes(async (start) => {
      const options = { queueBytesMax: LIMIT, pingInterval: 5_000, pingTimeout: 60_000 };
      const a = await start(one, "a", options, "api_child.ts");
      const b = await start(other, "b", { ...options, seeds: [a.name] }, "api_child.ts");
      await untilWhole(a, b);
      await b.ask("counter", { name: "sink" });
      const there = { name: "sink", node: b.name };
      // Compiles code and fills caches before memory is measured.
      await a.ask("flood", { ...there, count: 20_000 });
      await until("they came", async () => await a.ask("count", there) === 20_000);
      const before = await a.ask<number>("memory");
      b.signal("SIGSTOP");
      const { after } = await a.ask<{ after: Pressure }>("flood", { ...there, count: SENDS });
      assert(after.queued <= LIMIT, `${after.queued} bytes wait`);
      assert(after.high);
      assert(after.dropped > SENDS / 2, `${after.dropped} were dropped`);
      await until("it was told", () => a.count("pressure") === 1);
      const grown = await a.ask<number>("memory") - before;
      assert(grown < 10 * LIMIT, `grew by ${Math.round(grown / 2 ** 20)} MiB`);
      b.signal("SIGCONT");
      // Messages that were not dropped arrive, and then messages are sent normally again.
      const sent = 20_000 + SENDS - after.dropped;
      await until("the rest came", async () => await a.ask("count", there) === sent, 30_000);
      await until("the pressure is off", () => a.count("pressure") === 2);
      assertEquals((await a.ask<Pressure>("pressure", there)).high, false);
      assertEquals([a.count("nodedown"), b.count("nodedown")], [0, 0]);
    });
  });
}
