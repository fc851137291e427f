/**
 * The rows of the scaling table: each measures one operation at one size. The nodes are connected
 * by TLS on loopback. If the size is the number of nodes, each node runs in a separate process.
 *
 * @module
 */
import process from "node:process";
import { Node } from "../../lib/node.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { Members } from "./members.ts";
import { COOKIE, until } from "./nodes.ts";

/** The measured cost of an operation. */
export interface Cost {
  readonly name: string;
  /** The theoretical minimum of the growth of the cost with the size. */
  readonly least: Growth;
  /** The value in `unit`. */
  readonly value: number;
  readonly unit: string;
  /**
   * The longest time in milliseconds for which a timer of 1 ms was delayed; undefined if it was not
   * measured.
   */
  readonly blocked?: number | undefined;
}

/** The growth of a cost with the size. */
export type Growth = "constant" | "n" | "n²";

/** A group of rows, measured at the same sizes, in ascending order. */
export interface Row {
  readonly name: string;
  readonly sizes: readonly number[];
  measure(size: number): Promise<Cost[]>;
}

/** Measures work of `count` units. The result is CPU time per unit. */
async function cost(
  name: string,
  least: Growth,
  unit: string,
  count: number,
  work: () => unknown,
): Promise<Cost> {
  await new Promise((wake) => setTimeout(wake, 20));
  let blocked = 0;
  let at = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    blocked = Math.max(blocked, now - at);
    at = now;
  }, 1);
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  // Waits until the timer is called once more, which ends the last delay.
  await new Promise((wake) => setTimeout(wake, 5));
  clearInterval(timer);
  return { name, least, value: (user + system) / count, unit: `µs per ${unit}`, blocked };
}

function startNode(seeds: readonly string[] = []): Promise<Node> {
  return Node.start({
    name: "here@127.0.0.1:0",
    cookie: COOKIE,
    seeds,
    logLevel: "silent",
    warnings: { eventLoopDelay: Infinity },
  });
}

function idle(): (message: unknown) => void {
  return () => {};
}

/** Creates the rows of a cluster with one process per node. */
function clusterRow(sizes: readonly number[], times: number, idleMs: number): Row {
  const members = new Members();
  const [first, second] = [0, 1].map((i) => () => members.all[i]!);
  return {
    name: "nodes",
    sizes,
    measure: async (count) => {
      const costs: Cost[] = [];
      const had = members.all.length;
      const before = had === 0 ? 0 : await members.cpu();
      await members.grow(Math.max(2, had + 1));
      const sum = await members.cpu();
      if (had > 0) {
        const own = await members.all[had]!.ask<number>("cpu");
        costs.push({
          name: "a node joins, all others",
          least: "n",
          value: (sum - own - before) / 1000,
          unit: "ms of CPU",
        });
      }
      await members.grow(count);
      if (had === 0) await second!().ask("room");
      // Waits until the effects of the join, such as gossip, are over.
      await new Promise((wake) => setTimeout(wake, Math.min(3_000, idleMs)));
      const [cpuBefore, bytesBefore] = [await members.cpu(), members.bytes()];
      const began = performance.now();
      await new Promise((wake) => setTimeout(wake, idleMs));
      const seconds = (performance.now() - began) / 1000;
      const bytes = members.bytes();
      const idle = (await members.cpu() - cpuBefore) / seconds;
      costs.push({
        name: "idle, one node",
        least: "n",
        value: idle / 1000 / count,
        unit: "ms of CPU per s",
      });
      if (bytes !== undefined && bytesBefore !== undefined) {
        costs.push({
          name: "idle, one node",
          least: "n",
          value: (bytes - bytesBefore) / seconds / count,
          unit: "bytes sent per s",
        });
      }
      const operation = async (name: string, least: Growth, work: () => Promise<unknown>) => {
        const [from, at] = [await members.cpu(), performance.now()];
        await work();
        const used = await members.cpu() - from - idle * (performance.now() - at) / 1000;
        costs.push({ name, least, value: used / times, unit: "µs of CPU, all nodes" });
      };
      await operation(
        "broadcast, one node with a member",
        "constant",
        () => Promise.all([first!().ask("broadcast", times), second!().ask("received", times)]),
      );
      await operation("register a global name", "n", () => first!().ask("register", times));
      await operation("join and leave a group", "n", async () => {
        await first!().ask("group", times);
        await members.each("grouped", 1);
      });
      await first!().ask("ungroup");
      await members.each("grouped", 0);
      if (count === sizes.at(-1)) members.kill();
      return costs;
    },
  };
}

/** Returns rooms that this program flushes. */
function makeRooms(): { readonly rooms: Rooms; flush(): void } {
  const tasks: (() => void)[] = [];
  return {
    rooms: new Rooms({ atFlush: (task) => tasks.push(task) }),
    flush() {
      for (const task of tasks.splice(0)) task();
    },
  };
}

/** Creates the row of a broadcast to members that only receive frames. */
function membersRow(sizes: readonly number[], times: number): Row {
  return {
    name: "members of a room, without sockets",
    sizes,
    measure: async (count) => {
      const { rooms, flush } = makeRooms();
      for (let i = 0; i < count; i++) rooms.join("room", { sendShared() {} });
      return [
        await cost("broadcast", "n", "broadcast", times, () => {
          for (let i = 0; i < times; i++) {
            rooms.broadcast("room", "x".repeat(64));
            flush();
          }
        }),
      ];
    },
  };
}

/** Creates the row of a broadcast to one room among many. */
function roomsRow(sizes: readonly number[], times: number): Row {
  return {
    name: "rooms",
    sizes,
    measure: async (count) => {
      const { rooms, flush } = makeRooms();
      for (let i = 0; i < count; i++) rooms.join(`room ${i}`, { sendShared() {} });
      const member = { sendShared(): void {} };
      return [
        await cost("broadcast to one", "constant", "broadcast", times, () => {
          for (let i = 0; i < times; i++) {
            rooms.broadcast(`room ${i % count}`, "x".repeat(64));
            flush();
          }
        }),
        await cost("join and leave one", "constant", "pair", times, () => {
          for (let i = 0; i < times; i++) {
            rooms.join(`room ${i % count}`, member);
            rooms.leave(`room ${i % count}`, member);
          }
        }),
      ];
    },
  };
}

/**
 * Creates the rows of names. Nodes in other processes register up to 250,000 names each while this
 * node is connected. Then a second node of this process joins, looks names up, and loses the other
 * nodes.
 */
function namesRow(sizes: readonly number[]): Row {
  const MOST = 250_000;
  return {
    name: "global names",
    sizes,
    measure: async (count) => {
      const members = new Members();
      await members.grow(Math.ceil(count / MOST));
      const seeds = members.all.map(({ name }) => name);
      const here = await startNode(seeds);
      const each = count / members.all.length;
      const last = `n${members.all.length - 1} ${each - 1}`;
      const isComplete = (node: Node): boolean =>
        seeds.every((_, i) => node.global.whereis(`n${i} ${each - 1}`) !== undefined);
      const costs: Cost[] = [];
      const before = await members.cpu();
      costs.push(
        await cost("a node receives their registrations", "constant", "name", count, async () => {
          await members.each("registerMany", each);
          await until(() => isComplete(here));
        }),
      );
      costs.push({
        name: "register, in windows of 500",
        least: "constant",
        value: (await members.cpu() - before) / count,
        unit: "µs per name, nodes with names",
      });
      await here.stop();
      let late!: Node;
      costs.push(
        await cost("a node joins and receives them", "constant", "name", count, async () => {
          late = await startNode(seeds);
          await until(() => isComplete(late));
        }),
      );
      costs.push(
        await cost("whereis", "constant", "lookup", 100_000, () => {
          for (let i = 0; i < 100_000; i++) late.global.whereis(`n0 ${i * 7 % each}`);
        }),
      );
      costs.push(
        await cost("all of them are lost", "constant", "name", count, async () => {
          members.kill();
          await until(() => late.global.whereis(last) === undefined && late.peers().length === 0);
          // Waits until the rest of the names, which are removed in portions, is gone.
          await new Promise((wake) => setTimeout(wake, 200 + count / 500));
        }),
      );
      await late.stop();
      return costs;
    },
  };
}

/** Creates the row of the children of one supervisor. */
function childrenRow(sizes: readonly number[], times: number): Row {
  return {
    name: "children of a supervisor",
    sizes,
    measure: async (count) => {
      const node = await startNode();
      const start = (self: Self) => self.spawnLink(idle);
      const children = Array.from({ length: count }, (_, i) => ({ id: `${i}`, start }));
      let tree!: Supervisor;
      const costs = [
        await cost("start all, static", "constant", "child", count, async () => {
          tree = await Supervisor.start(node, { children });
        }),
      ];
      costs.push(
        await cost("startChild and terminateChild", "constant", "pair", times, async () => {
          for (let i = 0; i < times; i++) {
            await tree.startChild({ id: `more ${i}`, restart: "temporary", start });
            await tree.terminateChild(`more ${i}`);
          }
        }),
      );
      const dynamic = await DynamicSupervisor.start(node);
      costs.push(
        await cost("startChild, dynamic", "constant", "child", count, async () => {
          for (let i = 0; i < count; i++) await dynamic.startChild({ start });
        }),
      );
      costs.push(
        await cost("stop all, dynamic", "constant", "child", count, async () => {
          node.exit(dynamic.pid, "shutdown");
          await until(() => !node.isAlive(dynamic.pid));
        }),
      );
      await node.stop();
      return costs;
    },
  };
}

/** Returns all rows. With `tiny`, they have small sizes and only show that they run. */
export function rows(tiny: boolean): Row[] {
  const [times, idleMs] = tiny ? [2, 20] : [500, 10_000];
  return [
    clusterRow(tiny ? [2] : [2, 5, 10, 20, 30], times, idleMs),
    membersRow(tiny ? [10] : [10, 100, 1_000, 10_000], times),
    roomsRow(tiny ? [10] : [10, 1_000, 100_000], tiny ? 10 : 100_000),
    namesRow(tiny ? [1_000] : [1_000, 10_000, 100_000, 1_000_000]),
    childrenRow(tiny ? [100] : [100, 1_000, 10_000, 30_000], times),
  ];
}
