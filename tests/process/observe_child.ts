/**
 * A node in a process of its own that develops faults on request, for the tests of what an operator sees.
 */
import process from "node:process";
import { Node } from "../../lib/node.ts";
import type { Self } from "../../lib/actor/self.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { now, takeOrders, tell } from "../kit/orders.ts";

const counter = service<{
  state: number;
  call: { get(): number };
  cast: { add(n: number): void };
}>({
  name: "counter",
  init: () => 0,
  call: { get: (n) => [n, n] },
  cast: { add: (sum, n) => sum + n },
});

takeOrders(async (options) => {
  const node = await Node.start(options);
  await Supervisor.start(node, {
    children: [{ id: "hits", start: (self) => counter.startAs("hits", self) }],
  });
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  // deno-lint-ignore require-await -- throws become rejections
  return async (order) => {
    switch (order.do) {
      case "peers":
        return node.peers();
      case "fill": {
        const pid = node.spawnWith({ name: "full" }, async (self: Self<number>) => {
          await self.receive({ match: (n) => n < 0 });
        });
        for (let n = 0; n < Number(order["messages"]); n++) node.send(pid, n);
        return true;
      }
      default:
        throw new Error(`unknown order ${order.do}`);
    }
  };
});
