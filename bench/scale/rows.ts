/**
 * The rows of the scaling table: each measures one operation at one size, in this process. Nodes are
 * real ones, connected by TLS on loopback.
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { Node } from "../../lib/node.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Self } from "../../lib/actor/self.ts";
import { Rooms } from "../../lib/ws/rooms.ts";

/** The measured cost of an operation. */
export interface Cost {
  readonly name: string;
  /** CPU time of the process, in microseconds per unit of the row. */
  readonly cpu: number;
  /** The longest time in milliseconds for which a timer of 1 ms was delayed. */
  readonly blocked: number;
}

/** A row: an operation, the sizes at which it is measured, and its theoretical minimum. */
export interface Row {
  readonly name: string;
  readonly sizes: readonly number[];
  /** The unit of the CPU time. */
  readonly per: string;
  /** The growth with the size that no implementation can avoid. */
  readonly least: string;
  measure(size: number): Promise<Cost[]>;
}

const COOKIE = "0123456789abcdef0123456789abcdef";

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((wake) => setTimeout(wake, 2));
}

/** Measures work of `count` units. */
async function cost(name: string, count: number, work: () => unknown): Promise<Cost> {
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
  // Waits for the next call of the timer, which ends the last delay.
  await new Promise((wake) => setTimeout(wake, 5));
  clearInterval(timer);
  return { name, cpu: (user + system) / count, blocked };
}

async function withNodes<T>(count: number, body: (nodes: Node[]) => Promise<T>): Promise<T> {
  const nodes: Node[] = [];
  const start = (i: number): Promise<Node> =>
    Node.start({
      name: `n${i}@127.0.0.1:0`,
      cookie: COOKIE,
      seeds: nodes.slice(0, 1).map(({ name }) => name),
      logLevel: "silent",
      warnings: { eventLoopDelay: Infinity },
    });
  try {
    for (let i = 0; i < count; i++) nodes.push(await start(i));
    await until(() => nodes.every((node) => node.peers().length === count - 1));
    return await body(nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

function idle(): (message: unknown) => void {
  return () => {};
}

/** Creates the row of a cluster. Its CPU time is that of all nodes together. */
function clusterRow(sizes: readonly number[], times: number, idleMs: number): Row {
  return {
    name: "nodes",
    sizes,
    per: "operation, all nodes",
    least: "idle n² (each pair is checked); the others n; a broadcast the nodes with members",
    measure: (count) =>
      withNodes(count, async (nodes) => {
        const [first, second] = nodes as [Node, Node];
        const costs: Cost[] = [];
        costs.push(
          await cost("idle for a second", idleMs / 1000, () =>
            new Promise((wake) =>
              setTimeout(wake, idleMs)
            )),
        );
        let received = 0;
        second.rooms.join("room", {
          sendShared: (frames, room) => received += room.messages(frames).length,
        });
        await second.rooms.announced();
        costs.push(
          await cost("broadcast, one node with a member", times, async () => {
            for (let i = 0; i < times; i++) {
              first.rooms.broadcast("room", "x".repeat(64));
              await new Promise((turn) => setImmediate(turn));
            }
            await until(() => received === times);
          }),
        );
        const actor = first.spawn(idle);
        costs.push(
          await cost("register a global name", times, async () => {
            for (let i = 0; i < times; i++) await first.global.register(`name ${i}`, actor);
          }),
        );
        costs.push(
          await cost("join and leave a group", times, async () => {
            for (let i = 0; i < times; i++) {
              first.groups.join("group", actor);
              await until(() => nodes.every((node) => node.groups.members("group").length === 1));
              first.groups.leave("group", actor);
              await until(() => nodes.every((node) => node.groups.members("group").length === 0));
            }
          }),
        );
        let late: Node | undefined;
        costs.push(
          await cost("a node joins", 1, async () => {
            late = await Node.start({
              name: "late@127.0.0.1:0",
              cookie: COOKIE,
              seeds: [first.name],
              logLevel: "silent",
            });
            await until(() => nodes.every((node) => node.peers().length === count));
          }),
        );
        await late?.stop();
        return costs;
      }),
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
    name: "members of a room",
    sizes,
    per: "broadcast, without the sockets",
    least: "n: a write for each",
    measure: async (count) => {
      const { rooms, flush } = makeRooms();
      for (let i = 0; i < count; i++) rooms.join("room", { sendShared() {} });
      return [
        await cost("broadcast", times, () => {
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
    per: "operation",
    least: "constant",
    measure: async (count) => {
      const { rooms, flush } = makeRooms();
      for (let i = 0; i < count; i++) rooms.join(`room ${i}`, { sendShared() {} });
      const member = { sendShared(): void {} };
      return [
        await cost("broadcast to one", times, () => {
          for (let i = 0; i < times; i++) {
            rooms.broadcast(`room ${i % count}`, "x".repeat(64));
            flush();
          }
        }),
        await cost("join and leave one", times, () => {
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
 * Creates the row of names: a node joins nodes with up to 250,000 names each, looks names up, and
 * loses the nodes.
 */
function namesRow(sizes: readonly number[]): Row {
  const MOST = 250_000;
  return {
    name: "global names",
    sizes,
    per: "name",
    least: "constant",
    measure: (count) =>
      withNodes(Math.ceil(count / MOST), async (nodes) => {
        const costs: Cost[] = [];
        costs.push(
          await cost("register, in windows of 500", count, async () => {
            for (const [n, node] of nodes.entries()) {
              const actor = node.spawn(idle);
              const mine = Math.min(MOST, count - n * MOST);
              for (let i = 0; i < mine; i += 500) {
                const window = Array.from({ length: Math.min(500, mine - i) }, (_, k) =>
                  node.global.register(`${n} ${i + k}`, actor));
                await Promise.all(window);
              }
            }
          }),
        );
        let late!: Node;
        costs.push(
          await cost("a node joins and receives them", count, async () => {
            late = await Node.start({
              name: "late@127.0.0.1:0",
              cookie: COOKIE,
              seeds: nodes.map(({ name }) =>
                name
              ),
              logLevel: "silent",
              warnings: { eventLoopDelay: Infinity },
            });
            await until(() => late.global.names().length === count);
          }),
        );
        costs.push(
          await cost("whereis", 10_000, () => {
            for (let i = 0; i < 10_000; i++) late.global.whereis(`0 ${i % Math.min(count, MOST)}`);
          }),
        );
        costs.push(
          await cost("all of them are lost", count, async () => {
            for (const { name } of nodes) late.disconnect(name);
            await until(() => late.global.names().length === 0);
          }),
        );
        await late.stop();
        return costs;
      }),
  };
}

/** Creates the row of the children of one supervisor. */
function childrenRow(sizes: readonly number[], times: number): Row {
  return {
    name: "children of a supervisor",
    sizes,
    per: "child",
    least: "constant",
    measure: (count) =>
      withNodes(1, async ([node]) => {
        const start = (self: Self) => self.spawnLink(idle);
        const children = Array.from({ length: count }, (_, i) => ({ id: `${i}`, start }));
        let tree!: Supervisor;
        const costs = [
          await cost("start all", count, async () => {
            tree = await Supervisor.start(node!, { children });
          }),
        ];
        costs.push(
          await cost("startChild and terminateChild", times, async () => {
            for (let i = 0; i < times; i++) {
              await tree.startChild({ id: `more ${i}`, restart: "temporary", start });
              await tree.terminateChild(`more ${i}`);
            }
          }),
        );
        const dynamic = await DynamicSupervisor.start(node!);
        costs.push(
          await cost("startChild of a dynamic one", count, async () => {
            for (let i = 0; i < count; i++) await dynamic.startChild({ start });
          }),
        );
        costs.push(
          await cost("stop a dynamic one", count, async () => {
            node!.exit(dynamic.pid, "shutdown");
            await until(() => !node!.isAlive(dynamic.pid));
          }),
        );
        return costs;
      }),
  };
}

/** Returns all rows. With `tiny`, they have small sizes and only show that they run. */
export function rows(tiny: boolean): Row[] {
  const [times, idleMs] = tiny ? [2, 20] : [200, 5_000];
  return [
    clusterRow(tiny ? [2, 3] : [2, 5, 10, 20, 30], times, idleMs),
    membersRow(tiny ? [10] : [10, 100, 1_000, 10_000], times),
    roomsRow(tiny ? [10] : [10, 1_000, 100_000], tiny ? 10 : 100_000),
    namesRow(tiny ? [1_000] : [1_000, 10_000, 100_000, 1_000_000]),
    childrenRow(tiny ? [100] : [100, 1_000, 10_000, 30_000], times),
  ];
}
