/**
 * Runs a whole cluster in one process, with faults, from a seed: `@firn/firn/sim`.
 *
 * The environment of nodes is simulated: time, timers, randomness, the network, and the order in
 * which ready events run. One number, the seed, therefore replays a whole run, on Deno and on Bun
 * alike. Everything else is real: codec, handshake, sessions, actors, supervisors, names, rooms.
 *
 * Not simulated are TLS (certificates have names and an issuer, but no signature), WebSockets,
 * files, other processes, and execution time: code takes no virtual time.
 *
 * Longer than 400 lines: half of it is the documented interface of a simulation.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { type Random, SeededRandom } from "./base/random.ts";
import { utf8 } from "./base/bytes.ts";
import { makeSimulatedLeaf } from "./mesh/certificate.ts";
import type { ClusterKeys } from "./mesh/identity.ts";
import type { LeaveOptions } from "./leave.ts";
import { Node } from "./node.ts";
import { guard, type Violation } from "./sim/guard.ts";
import { type LinkOptions, Network } from "./sim/network.ts";
import { SimHost } from "./sim/sim_host.ts";
import { Trace, type TraceLine, traceText } from "./sim/trace.ts";
import { type Event, World } from "./sim/world.ts";
import type { NodeOptions } from "./node_options.ts";
import { type Parts, startNode } from "./start.ts";

export { SeededRandom, traceText };
export type { LinkOptions, Random, TraceLine };

/** Options of a simulation. */
export interface SimulateOptions {
  /** Seed of all random decisions. Default 1. */
  readonly seed?: number | undefined;
  /** Maximum virtual time of the run, in milliseconds. Default one hour. */
  readonly limit?: number | undefined;
  /** Maximum number of events of the run. Default 10 million. */
  readonly steps?: number | undefined;
  /** Keeps the whole trace instead of its last thousand lines. Default: false. */
  readonly trace?: boolean | undefined;
  /** Default properties of the path between two machines. */
  readonly link?: LinkOptions | undefined;
  /** Makes the run fail if code uses the real clock, randomness or network. Default true. */
  readonly guard?: boolean | undefined;
}

/** The result of a simulation. */
export interface SimulationResult<T> {
  /** The value that the body returned or resolved with. */
  readonly value: T;
  /**
   * A hash of all events. Runs with equal hashes had equal events. Equal seeds produce equal
   * hashes.
   */
  readonly hash: string;
  /** Number of events that ran. */
  readonly steps: number;
  /** The virtual time that the run took, in milliseconds. */
  readonly ms: number;
  /** The last thousand events, or all of them with the option `trace`. */
  readonly trace: readonly TraceLine[];
}

/**
 * A simulation failed. The message contains the seed that replays it; `cause` is the original
 * error.
 *
 * @example
 * ```ts
 * import { simulate, SimulationError } from "@firn/firn/sim";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(
 *   () => simulate({ seed: 7 }, (sim) => sim.until("pigs fly", () => false, { within: 100 })),
 *   SimulationError,
 * );
 * assertEquals(error.seed, 7);
 * ```
 */
export class SimulationError extends Error {
  /** Name of the error class. */
  override readonly name = "SimulationError";
  /** Stable code: `"simulation"`. */
  readonly code = "simulation";
  /** The seed that replays the run. */
  readonly seed: number;
  /** The last events before the failure. */
  readonly trace: readonly TraceLine[];

  /** Internal: created by the runtime. */
  constructor(seed: number, what: string, trace: readonly TraceLine[], cause?: unknown) {
    super(`seed ${seed}: ${what}`, { cause });
    this.seed = seed;
    this.trace = trace;
  }
}

/** The port on which every simulated node listens. */
const PORT = 9100;

/** The cookie of every simulated node. */
const COOKIE = "the cookie of a simulation";

const LIMIT_MS = 3_600_000;
const STEPS_MAX = 10_000_000;

/** One simulated node: its options, and its current incarnation. */
interface Member {
  readonly options: NodeOptions;
  host: SimHost;
  node: Node | undefined;
  parts: Parts | undefined;
}

/** A running simulation: the operations that a body may use. */
export interface Simulation {
  /** Random values for the body, determined by the seed. */
  readonly random: SeededRandom;
  /** The current virtual time: milliseconds since the beginning. */
  readonly now: number;
  /** The short names of all nodes that were started, in the order of their first start. */
  readonly names: string[];
  /** Returns a node by its short name. Undefined if it is not running. */
  node(short: string): Node | undefined;
  /** Starts a node on a separate machine. Its full name is `short@short.sim:9100`. */
  start(short: string, options?: NodeOptions): Promise<Node>;
  /** Restarts a node that crashed or was stopped: a new incarnation with the same options. */
  restart(short: string): Promise<Node>;
  /** Stops a node gracefully, as `node.stop` does. */
  stop(short: string): Promise<void>;
  /** Makes a node leave the cluster, as `node.leave` does, and then removes it. */
  leave(short: string, options?: LeaveOptions): Promise<void>;
  /** Turns a machine off: the node disappears, and its peers are not notified. */
  crash(short: string): void;
  /** Kills a node's process. Its system closes the connections, so its peers are notified. */
  kill(short: string): void;
  /** Pauses a node: none of its events run until it is resumed. */
  pause(short: string): void;
  /** Resumes a node: the events that it missed run now. */
  resume(short: string): void;
  /**
   * Sets by how many milliseconds the wall clock of a machine is ahead of the virtual time. The
   * setting also applies after the machine is restarted.
   */
  skew(short: string, ms: number): void;
  /** Sets the properties of the path between two nodes, in both directions. */
  link(a: string, b: string, options: LinkOptions): void;
  /**
   * Blocks all data from each node of `from` to each node of `to`; without `oneWay`, also in the
   * other direction.
   */
  partition(
    some: readonly string[],
    others: readonly string[],
    options?: { readonly oneWay?: boolean },
  ): void;
  /** Removes all partitions, and delivers the data that they held back. */
  heal(): void;
  /** Breaks all open connections between two nodes. They may connect again. */
  cut(a: string, b: string): void;
  /** Advances virtual time by `ms` milliseconds. */
  run(ms: number): Promise<void>;
  /**
   * Advances time until a condition is true. Rejects if that takes longer than `within`. Default:
   * one minute.
   */
  until(
    what: string,
    condition: () => boolean,
    options?: { readonly within?: number },
  ): Promise<void>;
  /** Adds a line to the trace. */
  note(what: string): void;
}

class Cluster implements Simulation {
  /** Random values for the body, determined by the seed. */
  readonly random: SeededRandom;
  readonly #world: World;
  readonly #network: Network;
  readonly #members = new Map<string, Member>();
  readonly #skews = new Map<string, number>();
  readonly #conditions = new Set<Condition>();

  /** Internal: created by the runtime. */
  constructor(world: World, network: Network) {
    this.#world = world;
    this.#network = network;
    this.random = new SeededRandom(world.random.uint32());
  }

  /** The current virtual time: milliseconds since the beginning. */
  get now(): number {
    return this.#world.now;
  }

  /** The short names of all nodes that were started, in the order of their first start. */
  get names(): string[] {
    return [...this.#members.keys()];
  }

  /** Returns a node by its short name. Undefined if it is not running. */
  node(short: string): Node | undefined {
    return this.#members.get(short)?.node;
  }

  /** Returns the parts of a node, for Firn's own tests. */
  partsOf(short: string): Parts | undefined {
    return this.#members.get(short)?.parts;
  }

  /** Starts a node on a separate machine. Its full name is `short@short.sim:9100`. */
  start(short: string, options: NodeOptions = {}): Promise<Node> {
    const known = this.#members.get(short);
    if (known?.node !== undefined) return Promise.reject(new Error(`${short} is up`));
    return this.#start(short, options);
  }

  /** Restarts a node that crashed or was stopped: a new incarnation with the same options. */
  restart(short: string): Promise<Node> {
    const { options, node } = this.#member(short);
    if (node !== undefined) this.kill(short);
    return this.#start(short, options);
  }

  /** Stops a node gracefully, as `node.stop` does. */
  async stop(short: string): Promise<void> {
    const member = this.#member(short);
    const { node, host } = member;
    if (node === undefined) return;
    member.node = undefined;
    this.#note(short, "stops");
    await node.stop();
    host.vanish(true);
  }

  /** Makes a node leave the cluster, as `node.leave` does, and then removes it. */
  async leave(short: string, options?: LeaveOptions): Promise<void> {
    const member = this.#member(short);
    const { node, host } = member;
    if (node === undefined) return;
    member.node = undefined;
    this.#note(short, "leaves");
    await node.leave(options);
    host.vanish(true);
  }

  /** Turns a machine off: the node disappears, and its peers are not notified. */
  crash(short: string): void {
    this.#vanish(short, false, "crashes");
  }

  /** Kills a node's process. Its system closes the connections, so its peers are notified. */
  kill(short: string): void {
    this.#vanish(short, true, "is killed");
  }

  /** Pauses a node: none of its events run until it is resumed. */
  pause(short: string): void {
    this.#note(short, "is paused");
    this.#member(short).host.isHeld = true;
  }

  /** Resumes a node: the events that it missed run now. */
  resume(short: string): void {
    this.#note(short, "goes on");
    this.#world.release(this.#member(short).host);
  }

  /**
   * Sets by how many milliseconds the wall clock of a machine is ahead of the virtual time. The
   * setting also applies after the machine is restarted.
   */
  skew(short: string, ms: number): void {
    this.#note(short, `its clock is off by ${ms} ms`);
    this.#skews.set(short, ms);
    const host = this.#members.get(short)?.host;
    if (host !== undefined) host.skewMs = ms;
  }

  /** Sets the properties of the path between two nodes, in both directions. */
  link(a: string, b: string, options: LinkOptions): void {
    this.#network.set(address(a), address(b), options);
  }

  /**
   * Blocks all data from each node of `from` to each node of `to`; without `oneWay`, also in the
   * other direction.
   */
  partition(
    some: readonly string[],
    others: readonly string[],
    { oneWay = false }: { readonly oneWay?: boolean } = {},
  ): void {
    this.#note("", `partition ${some.join(" ")} ${oneWay ? "->" : "|"} ${others.join(" ")}`);
    for (const a of some) {
      for (const b of others) {
        this.#network.block(address(a), address(b));
        if (!oneWay) this.#network.block(address(b), address(a));
      }
    }
  }

  /** Removes all partitions, and delivers the data that they held back. */
  heal(): void {
    this.#note("", "heals");
    this.#network.heal();
  }

  /** Breaks all open connections between two nodes. They may connect again. */
  cut(a: string, b: string): void {
    this.#note("", `cut ${a} - ${b}`);
    this.#network.reset(address(a), address(b));
  }

  /** Advances virtual time by `ms` milliseconds. */
  run(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.after(ms, undefined, "", resolve));
  }

  /**
   * Advances time until a condition is true. Rejects if that takes longer than `within`. Default:
   * one minute.
   */
  until(
    what: string,
    condition: () => boolean,
    { within = 60_000 }: { readonly within?: number } = {},
  ): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting: Condition = {
        isMet: condition,
        resolve: () => {
          this.#world.cancel(late);
          resolve();
        },
      };
      const late: Event = this.#world.after(within, undefined, "", () => {
        this.#conditions.delete(waiting);
        reject(new Error(`waited ${within} ms without success until ${what}`));
      });
      this.#conditions.add(waiting);
    });
  }

  /** Adds a line to the trace. */
  note(what: string): void {
    this.#note("", what);
  }

  /** Internal: called after each event. Ends the calls of `until` whose condition is true. */
  happened(): void {
    for (const condition of this.#conditions) {
      if (!condition.isMet()) continue;
      this.#conditions.delete(condition);
      condition.resolve();
    }
  }

  /** Internal: stops all running nodes. */
  async close(): Promise<void> {
    this.#network.heal();
    for (const [short, { host }] of this.#members) {
      if (host.isHeld) this.resume(short);
    }
    await Promise.all([...this.#members.keys()].map((short) => this.stop(short)));
  }

  async #start(short: string, options: NodeOptions): Promise<Node> {
    const host = new SimHost(this.#world, this.#network, short, address(short));
    host.skewMs = this.#skews.get(short) ?? 0;
    const member: Member = { options, host, node: undefined, parts: undefined };
    this.#members.set(short, member);
    this.#note(short, "starts");
    const parts = await startNode(
      {
        name: `${short}@${address(short)}:${PORT}`,
        listen: { hostname: address(short) },
        cookie: COOKIE,
        logLevel: "silent",
        ...options,
        seeds: typeof options.seeds === "function"
          ? options.seeds
          : options.seeds?.map((seed) => seed.includes("@") ? seed : fullName(seed)),
      },
      host,
      keysOf,
    );
    const node = Node.of(parts);
    member.parts = parts;
    if (host.isGone) parts.system.scheduler.halt();
    if (this.#members.get(short) === member) member.node = node;
    return node;
  }

  #vanish(short: string, notifiesPeers: boolean, what: string): void {
    const member = this.#member(short);
    if (member.host.isGone) return;
    this.#note(short, what);
    member.node = undefined;
    member.host.vanish(notifiesPeers);
    member.parts?.system.scheduler.halt();
  }

  #member(short: string): Member {
    const member = this.#members.get(short);
    if (member === undefined) throw new Error(`no node was started as ${JSON.stringify(short)}`);
    return member;
  }

  #note(node: string, what: string): void {
    this.#world.trace.add(this.#world.now, node, what);
  }
}

interface Condition {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
}

/**
 * Returns the full name of a simulated node.
 *
 * @example
 * ```ts
 * import { fullName, simulate } from "@firn/firn/sim";
 * import { assertEquals } from "@std/assert";
 *
 * await simulate({ seed: 1 }, async (sim) => {
 *   assertEquals((await sim.start("a")).name, fullName("a"));
 * });
 * ```
 */
export function fullName(short: string): string {
  return `${short}@${address(short)}:${PORT}`;
}

/**
 * Runs `body` in a simulation. Rejects with {@linkcode SimulationError} if `body` throws, if it
 * waits although there are no more events, or if it exceeds a limit.
 *
 * @example A name that outlives its node
 * ```ts
 * import { simulate } from "@firn/firn/sim";
 * import { assertEquals } from "@std/assert";
 *
 * const { ms } = await simulate({ seed: 7 }, async (sim) => {
 *   const a = await sim.start("a");
 *   const b = await sim.start("b", { seeds: ["a"] });
 *   await sim.until("all nodes are connected", () => a.peers().length === 1 && b.peers().length === 1);
 *   assertEquals(await a.global.register("cart", a.spawn(() => () => {})), true);
 *   sim.crash("a"); // a power failure: its peers are not notified
 *   await sim.until("b gave it up", () => b.global.whereis("cart") === undefined);
 * });
 * assertEquals(ms > 15_000 && ms < 20_000, true); // the deadline; in real time some milliseconds
 * ```
 */
export async function simulate<T>(
  options: SimulateOptions,
  body: (sim: Simulation) => Promise<T>,
): Promise<SimulationResult<T>> {
  const { seed = 1, limit = LIMIT_MS, steps = STEPS_MAX } = options;
  const trace = new Trace(options.trace ?? false);
  const world = new World(new SeededRandom(seed), trace);
  const network = new Network(world, options.link);
  const sim = new Cluster(world, network);
  const fail = (what: string, cause?: unknown): SimulationError =>
    new SimulationError(seed, `${what}, at ${world.now.toFixed(3)} ms`, trace.lines, cause);
  const violations: Violation[] = [];
  const unguard = options.guard === false
    ? () => {}
    : guard((violation) => violations.push(violation));
  try {
    const check = (): void => {
      if (violations.length === 0) return;
      const { what, replacement, where } = violations[0]!;
      throw fail(`${what} is not simulated: use ${replacement}\n${where}\n`);
    };
    const value = await drive(world, sim, limit, steps, fail, check, body(sim));
    await drive(world, sim, Infinity, Infinity, fail, check, sim.close());
    return { value, hash: trace.hash, steps: world.steps, ms: world.now, trace: trace.lines };
  } finally {
    unguard();
  }
}

/** Runs events until a promise is settled. */
async function drive<T>(
  world: World,
  sim: Cluster,
  limit: number,
  steps: number,
  fail: (what: string, cause?: unknown) => SimulationError,
  check: () => void,
  promise: Promise<T>,
): Promise<T> {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  promise.then((value) => outcome = { value }, (error) => outcome = { error });
  for (await settled(); outcome === undefined; await settled()) {
    check();
    try {
      if (!world.step()) throw new Error("there are no more events, and the body still waits");
      sim.happened();
    } catch (error) {
      throw fail(String(error), error);
    }
    if (world.failure !== undefined) {
      throw fail(`a listener failed: ${world.failure.error}`, world.failure.error);
    }
    if (world.now > limit) throw fail(`more than ${limit} ms have passed`);
    if (world.steps > steps) throw fail(`more than ${steps} events have happened`);
  }
  check();
  if ("error" in outcome) throw fail(String(outcome.error), outcome.error);
  return outcome.value;
}

/** Resolves at the end of the turn, after all promises that need no further event have settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function address(short: string): string {
  return `${short}.sim`;
}

/**
 * Returns the keys that belong to a cookie. The authority is only a text, because the simulation
 * has no TLS.
 */
function keysOf(cookie: string): Promise<ClusterKeys> {
  const issuer = `authority of ${cookie}\n`;
  return Promise.resolve({
    authority: { pem: issuer } as ClusterKeys["authority"],
    proofKey: utf8(`proof key of ${cookie}`),
    leaf: (name) => makeSimulatedLeaf(name, issuer),
  });
}

// The types in the signatures of `Node`, exported so that the documentation of this entry point is
// complete.
export type * from "./exports/actor.ts";
export type * from "./exports/cluster.ts";
export type * from "./exports/node.ts";
export type * from "./exports/observe.ts";
export type * from "./exports/otp.ts";
export type * from "./exports/term.ts";
export type * from "./exports/ws.ts";
