/**
 * Workers that nodes of one process expose and that supervisors on other nodes start. Their starts
 * and exits are recorded.
 */
import { Call } from "../../lib/actor/call.ts";
import { Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Restarting } from "../../lib/actor/report.ts";
import { systemOf } from "../../lib/actor/system.ts";
import type { LocalChildSpec } from "../../lib/otp/child.ts";
import type { RemoteStarter } from "../../lib/otp/service.ts";
import type { Starter } from "../../lib/otp/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { type Start, type TestNode, untilWhole, withNodes } from "../kit/mesh.ts";
import { until } from "../kit/test.ts";
import { LATE_MS, type Stopping, word } from "./family.ts";

/**
 * How a worker reacts to a shutdown signal. With "ignores", a worker traps exits and ignores them.
 */
export type Manner = Stopping | "ignores";

/** The nodes of a test, and a record of the starts and exits of their workers. */
export class RemoteWorkers {
  /** The starts and exits in order: "start a@b", "end a@b shutdown", …. */
  record: string[] = [];
  /** The "restart" events of all nodes. */
  readonly received: Restarting[] = [];
  readonly #ids = new Map<Pid, string>();
  readonly #start: Start;

  constructor(start: Start) {
    this.#start = start;
  }

  /** Starts a node and connects it with `others`. It exposes "worker" unless `exposes` is false. */
  async node(short: string, others: readonly TestNode[] = [], exposes = true): Promise<TestNode> {
    const seeds = others.map(({ name }) => name);
    const hasty = { pingInterval: 50, pingTimeout: 5_000 };
    const node = await this.#start(short, { seeds, ...hasty });
    const letter = short[0]!;
    node.events.on("exit", ({ pid, reason }) => {
      const id = this.#ids.get(pid);
      if (id === undefined) return;
      this.#ids.delete(pid);
      this.record.push(`end ${id} ${word(reason)}`);
    });
    node.events.on("restart", (event) => this.received.push(event));
    if (exposes) this.expose(node, letter);
    for (const other of others) await untilWhole([node, other]);
    return node;
  }

  /** Exposes a worker function on a node. */
  expose(node: TestNode, letter: string, name = "worker"): void {
    const worker = (self: Self, id: string, manner: Manner = "atOnce") => {
      this.#ids.set(self.pid as Pid, `${id}@${letter}`);
      this.record.push(`start ${id}@${letter}`);
      return work(self, manner);
    };
    node.remote.spawner.expose(name, worker as never);
  }

  /** Returns the spec of a local child that behaves like a worker. */
  local(id: string, manner: Manner = "atOnce"): LocalChildSpec {
    const start = (self: Self): Pid<never> => {
      const pid = self.spawnLink(work, manner);
      this.#ids.set(pid as Pid, `${id}@here`);
      this.record.push(`start ${id}@here`);
      return pid;
    };
    return { id, start };
  }

  /** Returns the starts and exits since the last call. */
  news(): string[] {
    const { record } = this;
    this.record = [];
    return record;
  }

  /** The workers that are alive, on any node. */
  get living(): string[] {
    return [...this.#ids.values()].sort();
  }

  /** Returns the pid of the worker with this name, `a@b`. */
  pid(id: string): Pid<unknown> {
    for (const [pid, name] of this.#ids) if (name === id) return pid as Pid<unknown>;
    throw new Error(`${id} is not alive`);
  }

  /** Makes a worker crash. */
  crash(id: string): void {
    const pid = this.pid(id);
    systemOf(pid).send(pid, "crash");
  }

  /** Waits until exactly these workers are alive. */
  untilLiving(...ids: string[]): Promise<void> {
    return until(`${ids.join(" ")} live`, () => this.living.join() === [...ids].sort().join())
      .catch((error) => {
        throw new Error(`${error.message}; living: ${this.living}; record: ${this.record}`);
      });
  }
}

/**
 * Runs `body` with {@linkcode RemoteWorkers}, and stops the nodes that it started when `body` has
 * ended.
 */
export function withRemoteWorkers(body: (world: RemoteWorkers) => Promise<void>): Promise<void> {
  return withNodes((start) => body(new RemoteWorkers(start)));
}

/** Returns an external caller of a node, which spawns, sends and calls. */
export function starter({ system }: TestNode): Starter & RemoteStarter {
  return {
    spawn:
      ((what: never, ...args: never[]) =>
        typeof what === "function"
          ? system.spawn(undefined, undefined, what, args)
          : system.spawnAt(system.externalCaller, what, false, undefined, args)) as never,
    send: (to, message) => system.sendTo(to, message),
    call: (to, request, options) => system.call(to, request, options),
  };
}

/** Runs a worker that reacts to exits in the given manner. */
export function work(self: Self, manner: Manner): (message: unknown) => void {
  if (manner !== "atOnce") self.trapExit = true;
  return (message) => {
    if (message === "crash") throw new Error("boom");
    if (message === "leave") self.exit("normal");
    if (message instanceof Call) message.reply(message.request);
    if (!(message instanceof Exit) || manner === "ignores" || manner === "never") return;
    if (manner === "crashes") throw new Error("boom");
    if (manner === "late") {
      const { system } = self.pid.home as { system: { sendAfter: (...all: unknown[]) => void } };
      system.sendAfter(self.pid, "leave", LATE_MS);
    }
  };
}
