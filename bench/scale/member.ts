// deno-lint-ignore-file no-console -- its parent reads the lines
/**
 * A node of the scaling table, in a separate process. Reads one command per line, and prints one
 * line when the command is done. Ends when its standard input ends.
 *
 *     deno run -A bench/scale/member.ts n1 [seed]
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers";
import { Node } from "../../lib/node.ts";
import { COOKIE, until } from "./nodes.ts";

const [name, ...seeds] = process.argv.slice(2);
const node = await Node.start({
  name: `${name}@127.0.0.1:0`,
  cookie: COOKIE,
  seeds,
  logLevel: "silent",
  warnings: { eventLoopDelay: Infinity },
});
const actor = node.spawn(() => () => {});
let received = 0;
let registered = 0;

const turn = (): Promise<void> => new Promise((next) => setImmediate(next));

/** The commands. Each may have a number as argument; the result is printed. */
const COMMANDS: Readonly<Record<string, (count: number) => unknown>> = {
  /** Returns the CPU time of this process, in microseconds. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  peers: (count) => until(() => node.peers().length === count),
  async room() {
    node.rooms.join("room", {
      sendShared: (frames, room) => received += room.messages(frames).length,
    });
    await node.rooms.announced();
  },
  async broadcast(count) {
    for (let i = 0; i < count; i++) {
      node.rooms.broadcast("room", "x".repeat(64));
      await turn();
    }
  },
  async received(count) {
    await until(() => received >= count);
    received = 0;
  },
  async register(count) {
    for (let i = 0; i < count; i++) await node.global.register(`${name} ${registered++}`, actor);
  },
  async registerMany(count) {
    for (let i = 0; i < count; i += 500) {
      const window = Array.from(
        { length: Math.min(500, count - i) },
        () => node.global.register(`${name} ${registered++}`, actor),
      );
      await Promise.all(window);
    }
  },
  async group(count) {
    for (let i = 0; i < count; i++) {
      node.groups.join("group", actor);
      await turn();
      node.groups.leave("group", actor);
      await turn();
    }
    node.groups.join("done", actor);
  },
  grouped: (count) => until(() => node.groups.members("done").length === count),
  ungroup: () => node.groups.leave("done", actor),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [command, argument] = line.split(" ") as [string, string | undefined];
  console.log(JSON.stringify(await COMMANDS[command]!(Number(argument ?? 0)) ?? null));
}).on("close", () => process.exit(0));
console.log(JSON.stringify(node.name));
