/**
 * Nodes on an in-memory network whose connections can be held and cut. Nodes are identified by
 * index.
 */
import type { Self } from "../../lib/actor/self.ts";
import type { Host } from "../../lib/host/host.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { MemoryFaults } from "../kit/memory_faults.ts";
import { hostWith, type Start, type TestNode, untilWhole, withNodes } from "../kit/mesh.ts";
import { until } from "../kit/test.ts";

const PORT = 3000;

/** Several nodes and the network between them. */
export class TestCluster {
  readonly faults: MemoryFaults = new MemoryFaults();
  readonly nodes: TestNode[] = [];
  readonly #start: Start;

  constructor(start: Start) {
    this.#start = start;
  }

  /** Starts a node that is not connected to others. */
  async add(change: (host: Host) => Host = (host) => host): Promise<TestNode> {
    const port = PORT + this.nodes.length;
    const node = await this.#start(
      `n${this.nodes.length}@127.0.0.1:${port}`,
      {},
      change(this.faults.host(port)),
    );
    this.nodes.push(node);
    return node;
  }

  /** Connects all nodes with each other. */
  async meet(): Promise<void> {
    for (const one of this.nodes) {
      for (const other of this.nodes) {
        if (one.name < other.name) await one.mesh.connect(other.name);
      }
    }
    await untilWhole(this.nodes);
    await this.settled();
  }

  /**
   * Waits until all messages in transit have arrived. Each session delivers in order, so a round
   * trip is enough.
   */
  async settled(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await Promise.all(
        this.nodes.map((node) => node.global.register(`settled ${node.name}`, idle(node))),
      );
      for (const { global, name } of this.nodes) global.unregister(`settled ${name}`);
    }
    await until(
      "the names are removed",
      () =>
        this.nodes.every(({ global }) =>
          !global.names().some((name) => name.startsWith("settled"))
        ),
    );
  }

  /** Delivers the data held for one node from another, and waits until it has been handled. */
  async pass(to: number, from: number): Promise<void> {
    // A write is flushed at the end of its turn, and arrives in a later one.
    for (let i = 0; i < 4; i++) {
      await turn();
      this.faults.passTo(PORT + to, PORT + from);
    }
    await turn();
  }

  cut(one: number, other: number): void {
    this.faults.cut(PORT + one, PORT + other);
  }

  heal(one: number, other: number): void {
    this.faults.heal(PORT + one, PORT + other);
  }
}

/** Runs `body` with a cluster, and stops its nodes. */
export async function withCluster(
  count: number,
  body: (cluster: TestCluster, ...nodes: TestNode[]) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const cluster = new TestCluster(start);
    for (let i = 0; i < count; i++) await cluster.add();
    try {
      await body(cluster, ...cluster.nodes);
    } finally {
      cluster.faults.clear();
    }
  });
}

/** Runs everything that is ready to run. */
export function turn(): Promise<void> {
  return new Promise((wake) => setTimeout(wake, 0));
}

/** Spawns an actor that does nothing. */
export function idle(node: TestNode): Pid {
  return node.system.spawn(undefined, undefined, () => () => {}, []) as Pid;
}

/** Spawns an actor that records what it receives. */
export function recorder<M>(node: TestNode, log: M[]): Pid<M> {
  return node.system.spawn(undefined, undefined, (self: Self<M>) => {
    self.trapExit = true;
    return (message: M) => void log.push(message);
  }, []) as Pid<M>;
}

/** Sends a message as the runtime would. */
export function sendMessage(from: TestNode, to: TestNode, tag: number, body: Uint8Array): void {
  from.mesh.session(to.name)!.sendData(encodeFrame(tag, body));
}

/** Returns for each node the key of the actor that it finds under a name. */
export function found(nodes: readonly TestNode[], name: string): (string | undefined)[] {
  return nodes.map(({ global }) => global.whereis(name)?.key);
}

/**
 * Waits until all nodes find this actor under a name. `undefined` waits until they find no actor.
 */
export function untilFound(
  nodes: readonly TestNode[],
  name: string,
  pid: Pid<never> | undefined,
): Promise<void> {
  return until(
    `all nodes find ${pid?.key} under ${name}`,
    () => found(nodes, name).every((key) => key === pid?.key),
  );
}

/** Returns a host whose clock runs faster than the real one. */
export function fastHost(host: Host, factor: number): Host {
  return hostWith((real) => ({
    clock: {
      now: () => real.clock.now() * factor,
      wall: () => real.clock.wall(),
      after: (ms, task) => real.clock.after(ms / factor, task),
      every: (ms, task) => real.clock.every(ms, task),
    },
  }), host);
}

/** Encodes bytes as hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
