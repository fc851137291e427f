/**
 * A node in its own process. At the test's commands it starts counters and watchers, registers global
 * names, and sends floods of messages. Except for cheap keys, it uses only the public API.
 */
import process from "node:process";
import { type Call, Down, Exit, NodeChange, type Pid, type Self } from "../../mod.ts";
import { startCheaply } from "../kit/keys.ts";
import { takeCommands, tell } from "../kit/child_commands.ts";

interface Command {
  readonly do: string;
  readonly name: string;
  readonly node: string;
  readonly count: number;
}

/** Counts its messages, and replies with the count or its pid. */
function counter(self: Self<unknown>): (message: unknown) => void {
  let count = 0;
  return (message) => {
    const call = message as Call<string, unknown>;
    if (call?.request === "count") call.reply(count);
    else if (call?.request === "who") call.reply(self.pid);
    else count++;
  };
}

function reasonOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/**
 * Runs an actor that links to `who`, monitors `who` and its node, and reports each signal and node
 * change that it receives.
 */
async function watcher(self: Self<unknown>, who: Pid, tag: string): Promise<void> {
  self.trapExit = true;
  self.link(who);
  self.monitor(who);
  self.monitorNode(who.node);
  for await (const message of self) {
    if (message instanceof Exit) {
      tell({ event: "received", tag, what: `EXIT ${reasonOf(message.reason)}` });
    } else if (message instanceof Down) {
      tell({ event: "received", tag, what: `DOWN ${reasonOf(message.reason)}` });
    } else if (message instanceof NodeChange) {
      tell({ event: "received", tag, what: message.type });
    }
  }
}

takeCommands<Command>(async (options) => {
  // Starts without waiting for sessions, because each is reported to the listeners below.
  const node = await startCheaply({ joinTimeout: 0, ...options });
  for (const event of ["nodeup", "nodedown", "pressure"] as const) {
    node.on(event, (details) => tell({ event, ...details }));
  }
  node.expose("counter", counter);
  const workers: Pid[] = [];
  tell({ event: "ready", name: node.name, url: "", pid: process.pid });

  return async (command) => {
    const { name } = command;
    const there = { name, node: command.node };
    switch (command.do) {
      case "peers":
        return node.peers();
      case "actors":
        return node.actors().length;
      case "counter":
        return String(node.spawnWith({ name }, counter));
      case "count":
        return await node.call(there, "count").then((count) => count, (error) => error.code);
      case "watch": {
        const who = await node.call(there, "who") as Pid;
        node.spawn(watcher, who, name);
        return String(who);
      }
      case "spawn": {
        const pid = await node.spawn({ node: command.node, fn: "counter" })
          .catch((error) => error.code);
        if (typeof pid === "string") return pid;
        workers.push(pid as Pid);
        node.spawn(watcher, pid as Pid, "spawned");
        return "ok";
      }
      case "worker":
        workers.push(node.spawn(counter) as Pid);
        return true;
      case "end":
        for (const pid of workers.splice(0)) node.exit(pid, "kill");
        return true;
      case "flood": {
        const before = node.pressure(command.node);
        for (let i = 0; i < command.count; i++) {
          node.send(there, { type: "flood", i, text: "sixty-four bytes of text, or thereabouts" });
        }
        return { before, after: node.pressure(command.node) };
      }
      case "pressure":
        return node.pressure(command.node);
      case "register": {
        const pid = node.spawn(counter);
        return await node.global.register(name, pid);
      }
      case "whereis":
        return node.global.whereis(name)?.key;
      case "names":
        return node.global.names();
      case "memory":
        for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
        return process.memoryUsage().rss;
      case "stop":
        await node.stop();
        return true;
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
