/**
 * Nodes in one process, in a mesh over real loopback TLS, and functions to start them and to wait
 * for connections. Their log lines and events are stored in arrays. All nodes that a test starts
 * are stopped at its end.
 */
import type { LogLevel } from "../../lib/base/log.ts";
import type { MeshEvents } from "../../lib/mesh/mesh.ts";
import type { ClusterKeys } from "../../lib/mesh/identity.ts";
import type { Host } from "../../lib/host/host.ts";
import type { NodeOptions } from "../../lib/node_options.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { makeHost } from "./host.ts";
import { COOKIE, testKeys } from "./keys.ts";
import { until } from "./test.ts";

/** One line of a log. */
export interface Line {
  readonly level: LogLevel;
  readonly line: string;
}

/** A node that records its log and events. */
export interface TestNode extends Parts {
  readonly name: string;
  readonly lines: Line[];
  /** Events in order: `up name` and `down name reason`. */
  readonly received: string[];
  readonly refused: MeshEvents["refused"][];
}

/** Starts a node; the system chooses its port unless the name contains one. */
export type Start = (
  short: string,
  options?: NodeOptions,
  host?: Host,
  keys?: ClusterKeys,
) => Promise<TestNode>;

/** Runs `body`, and then stops every node that it started, even if it fails. */
export async function withNodes(body: (start: Start) => Promise<void>): Promise<void> {
  const nodes: TestNode[] = [];
  const start: Start = async (short, options, host, keys) => {
    const lines: Line[] = [];
    const received: string[] = [];
    const refused: MeshEvents["refused"][] = [];
    const parts = await startNode(
      {
        name: short.includes("@") ? short : `${short}@127.0.0.1:0`,
        cookie: COOKIE,
        logLevel: "debug",
        log: ({ level, line }) => void lines.push({ level, line }),
        // Does not wait, so that the listeners below are registered before the first session.
        joinTimeout: 0,
        // The limit is not reached even if the machine is busy with other tests.
        warnings: { eventLoopDelay: Infinity },
        ...options,
      },
      host ?? makeHost(),
      () => keys === undefined ? testKeys() : Promise.resolve(keys),
    );
    const { mesh } = parts;
    mesh.events.on("nodeup", ({ node }) => void received.push(`up ${node}`));
    mesh.events.on("nodedown", ({ node, reason }) => void received.push(`down ${node} ${reason}`));
    mesh.events.on("refused", (event) => void refused.push(event));
    const node = { ...parts, name: mesh.name, lines, received, refused };
    nodes.push(node);
    return node;
  };
  try {
    await body(start);
  } finally {
    for (const { system } of nodes) system.stop();
    await Promise.all(nodes.map(({ mesh }) => mesh.stop()));
  }
}

/**
 * Starts `count` nodes, each with the first as its only seed, and waits until all are connected.
 */
export async function cluster(start: Start, count: number): Promise<TestNode[]> {
  const first = await start("n0");
  const rest = await Promise.all(
    Array.from({ length: count - 1 }, (_, i) => start(`n${i + 1}`, { seeds: [first.name] })),
  );
  const nodes = [first, ...rest];
  await untilWhole(nodes);
  return nodes;
}

/** Waits until all nodes are connected with each other, with the same session on both sides. */
export async function untilWhole(nodes: readonly TestNode[]): Promise<void> {
  const whole = (): boolean =>
    nodes.every((one) => nodes.every((other) => one === other || agree(one, other)));
  try {
    await until("all nodes are connected", whole);
  } catch (error) {
    const logs = nodes.map(({ lines }) => lines.map(({ line }) => line).join("\n")).join("\n\n");
    throw new Error(`${(error as Error).message}\n${logs}`);
  }
}

/** Returns whether two nodes are connected, with the same session on both sides. */
export function agree(one: TestNode, other: TestNode): boolean {
  const here = one.mesh.session(other.name)?.met.session;
  return here !== undefined && here === other.mesh.session(one.name)?.met.session;
}

/** Waits until a node has no session with another node. */
export function untilApart(one: TestNode, other: TestNode): Promise<void> {
  return until(
    `${one.name} is disconnected from ${other.name}`,
    () => one.mesh.session(other.name) === undefined,
  );
}

/** Returns the warnings and errors that a node has logged. */
export function warnings(node: TestNode): string[] {
  return node.lines.filter(({ level }) => level === "warn" || level === "error")
    .map(({ line }) => line);
}

/** Waits until a node has rejected a peer, or was rejected. Resolves to the reason. */
export async function refusedBy(node: TestNode): Promise<string> {
  await until(`${node.name} refuses`, () => node.refused.length > 0);
  return node.refused[0]!.reason;
}

/** Joins the room "lobby" on a node. Returns a counter of received messages. */
export function listen(node: TestNode, room: string = "lobby"): () => number {
  let observed = 0;
  node.rooms.join(room, { sendShared: () => observed++ });
  return () => observed;
}

/** Returns the real host with some parts replaced. */
export function hostWith(changes: (real: Host) => Partial<Host>, real: Host = makeHost()): Host {
  const replaced = changes(real);
  return new Proxy(real, {
    get(_, name: keyof Host) {
      const value = replaced[name] ?? real[name];
      return typeof value === "function" && !(name in replaced) ? value.bind(real) : value;
    },
  });
}

/** Returns a host on which every delay of five seconds takes `ms` instead. */
export function hostWithDelay(ms: number): Host {
  const delayOf = (given: number): number => given === 5_000 ? ms : given;
  return hostWith((real) => ({
    clock: {
      now: () => real.clock.now(),
      wall: () => real.clock.wall(),
      after: (given, task) => real.clock.after(delayOf(given), task),
      every: (given, task) => real.clock.every(given, task),
    },
    listen: (options, accept) =>
      real.listen({ ...options, handshakeMs: delayOf(options.handshakeMs ?? 5_000) }, accept),
    connect: (options) => real.connect({ ...options, timeoutMs: delayOf(options.timeoutMs) }),
  }));
}

/** Creates a host that records pending timers and dials. */
export function countingHost(
  base?: Host,
): { readonly host: Host; readonly armed: ReadonlySet<string> } {
  const armed = new Set<string>();
  let last = 0;
  const host = hostWith((real) => ({
    async connect(options) {
      const id = `${++last}: dial ${options.port}`;
      armed.add(id);
      try {
        return await real.connect(options);
      } finally {
        armed.delete(id);
      }
    },
    clock: {
      now: () => real.clock.now(),
      wall: () => real.clock.wall(),
      after(ms, task) {
        const id = `${++last}: after ${ms}`;
        armed.add(id);
        const timer = real.clock.after(ms, () => {
          armed.delete(id);
          task();
        });
        return {
          cancel() {
            armed.delete(id);
            timer.cancel();
          },
        };
      },
      every(ms, task) {
        const id = `${++last}: every ${ms}`;
        armed.add(id);
        const timer = real.clock.every(ms, task);
        return {
          cancel() {
            armed.delete(id);
            timer.cancel();
          },
        };
      },
    },
  }), base);
  return { host, armed };
}

/** Returns a free port that is not reused before the test listens on it. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}
