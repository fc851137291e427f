/**
 * A node in its own process with faults that the test requests, for the tests of the tools of
 * operators.
 */
import process from "node:process";
import { Node } from "../../lib/node.ts";
import type { Self } from "../../lib/actor/self.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

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

takeCommands(async (options) => {
  const node = await Node.start(options);
  await Supervisor.start(node, {
    children: [{ id: "hits", start: (self) => counter.startAs("hits", self) }],
  });
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  // deno-lint-ignore require-await -- thrown errors become rejections
  return async (command) => {
    switch (command.do) {
      case "peers":
        return node.peers();
      case "deadlock": {
        // Starts an actor that calls an actor of another node, which calls back.
        const { name, other, node: where } = command as unknown as Record<string, string>;
        node.spawnWith({ name: name! }, (self: Self) => async (message) => {
          if (typeof message !== "string") return;
          await self.call({ name: other!, node: where! }, { type: "check" }, { timeout: 120_000 });
        });
        return true;
      }
      case "tell":
        node.send(String(command["name"]), "go");
        return true;
      case "leak": {
        // Sets one timer per reminder, and cancels none.
        const pid = node.spawnWith({ name: "reminders" }, () => (_: unknown) => {});
        let timers = 0;
        const more = setInterval(() => {
          if (++timers > 2_000) clearInterval(more);
          else node.sendInterval(pid as never, "remind" as never, 60_000);
        }, 5);
        return true;
      }
      case "loop": {
        // Starts an actor whose handler computes for too long.
        const pid = node.spawnWith({ name: "report" }, () => (_: { type: string }) => {
          for (const end = performance.now() + 400; performance.now() < end;);
        });
        let left = Number(command["times"]);
        const more = setInterval(() => {
          if (--left < 0) clearInterval(more);
          else node.send(pid as never, { type: "compute" } as never);
        }, 700);
        return true;
      }
      case "flood": {
        // Sends more data than the other node reads.
        const text = "x".repeat(64 * 1024);
        const to = { name: "hits", node: String(command["node"]) };
        let left = 20;
        const more = setInterval(() => {
          if (--left < 0) clearInterval(more);
          else node.send(to, text);
        }, 20);
        return true;
      }
      case "crash": {
        const pid = node.spawn(() => (_: { type: string; text: string }) => {
          throw new Error("crash requested");
        });
        node.send(pid, { type: "boom", text: "a secret" });
        return true;
      }
      case "fill": {
        const pid = node.spawnWith({ name: "full" }, async (self: Self<number>) => {
          await self.receive({ match: (n) => n < 0 });
        });
        for (let n = 0; n < Number(command["messages"]); n++) node.send(pid, n);
        return true;
      }
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
