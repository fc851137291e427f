/**
 * A node that takes part in a singleton, exposes a worker, and serves clients. It passes each
 * message to the singleton, and acknowledges it when the singleton has applied it.
 */
import process from "node:process";
import { Call } from "../../lib/actor/call.ts";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { startCheaply } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

/** Applies requests, and reports its start and its end. */
async function ledger(self: Self<Call<string, string>>): Promise<void> {
  self.trapExit = true;
  tell({ event: "begins", at: now() });
  for await (const message of self as AsyncIterable<unknown>) {
    if (message instanceof Exit) break;
    if (!(message instanceof Call)) continue;
    tell({ event: "applied", text: message.request });
    message.reply(message.request);
  }
  tell({ event: "ends", at: now() });
}

async function worker(self: Self<Call<string, string>>): Promise<void> {
  for await (const call of self) call.reply(process.pid + call.request);
}

takeCommands<Record<string, unknown>, NodeOptions>(async (options) => {
  const node = await startCheaply(options);
  for (const event of ["nodeup", "nodedown"] as const) {
    node.on(event, (details) => tell({ event, at: now(), ...details }));
  }
  node.expose("worker", worker);
  const server = await node.serve({
    async message(conn, data) {
      for (;;) {
        const found = node.global.whereis<Pid<Call<string, string>>>("ledger");
        try {
          if (found !== undefined) return void conn.send(await node.call(found, String(data)));
        } catch {
          // The singleton has moved to another node, or is about to move. The loop calls it again.
        }
        await new Promise((wake) => setTimeout(wake, 2));
      }
    },
  });
  tell({ event: "ready", at: now(), name: node.name, url: server.url, pid: process.pid });
  let supervisor: Supervisor | undefined;
  return async (command) => {
    switch (command["do"]) {
      case "peers":
        return node.peers();
      case "singleton":
        await node.global.singleton("ledger", {
          id: "ledger",
          start: (self) => self.spawnLink(ledger),
        });
        return true;
      case "supervise":
        supervisor = await Supervisor.start(node, {
          children: [{
            id: "w",
            node: String(command["node"]),
            fn: "worker",
            onNodeDown: "failover",
          }],
        });
        return true;
      case "worker":
        return (await supervisor!.whichChildren())[0]?.pid?.node;
      case "leave":
        await node.leave({ timeout: 10_000 });
        return true;
      default:
        throw new Error(`unknown command ${command["do"]}`);
    }
  };
});
