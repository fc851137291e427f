/**
 * A cluster of processes, its faults, and the checks after them.
 *
 *     faults ─▶ heal: all connected again ─▶ rest: the workload ends, and the checkers run
 *       ─▶ monitored actors exit: signals are checked ─▶ all actors exit: leaks are checked
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "../../../lib/base/random.ts";
import { pick } from "../../kit/seeds.ts";
import { NodeProcess, type Runtime } from "../../kit/process.ts";
import type { View } from "../../sim/checkers/checker.ts";
import { checkLeft, type Left } from "../../sim/checkers/leaks.ts";
import { type Incarnation, judge, type Verdict } from "./judge.ts";
import { Network } from "./network.ts";
import type { ChaosOptions } from "./node.ts";
import { type Fault, plan } from "./plan.ts";

/** Short ping timeouts, so that some faults last longer than the timeout and others do not. */
const SHORT_TIMEOUTS = { pingInterval: 300, pingTimeout: 1_200 } as const;

/** The maximum duration of an orderly stop, in milliseconds. */
const STOP_MS = 15_000;

/**
 * Maximum number of rounds of messages that must arrive. A round is repeated if a session was lost
 * during it, which may happen on a busy machine without a fault.
 */
const ROUNDS_MAX = 10;

/** The maximum time in milliseconds for an answer of a node. */
const ANSWER_MS = 20_000;

/** The maximum time in milliseconds until the mesh is complete again. */
const WHOLE_MS = 60_000;

/** The settings of the chaos. */
export interface ChaosSettings {
  readonly shorts: readonly string[];
  /** The runtimes; each incarnation runs on a random one. */
  readonly runtimes: readonly Runtime[];
  readonly seed: number;
  /** The duration of the faults, in milliseconds. */
  readonly ms: number;
  /** Time limit for the promises to hold after the last fault, in milliseconds. */
  readonly settleMs: number;
  /** The defects of the tested build: keys of `BROKEN`. */
  readonly sabotage: readonly string[];
  /** Called with a progress line every few seconds. */
  readonly progress: (line: string) => void;
}

/** The result of a run: the violated promises, and counts. */
export interface Outcome {
  /** Descriptions of the violations, by the name of the promise. */
  readonly broken: ReadonlyMap<string, string>;
  readonly faults: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
}

/** A node, with its current or last incarnation. */
interface Member {
  readonly short: string;
  /** The number of its incarnations so far. */
  count: number;
  /** The current incarnation; `undefined` while the node is down. */
  process: NodeProcess | undefined;
  incarnation: Incarnation | undefined;
  /** Settles once its last start has completed. */
  started: Promise<void>;
}

/** Runs the faults, and then the checks. Returns the violated promises. Throws any other error. */
export async function runChaos(settings: ChaosSettings): Promise<Outcome> {
  const cluster = new Cluster(settings, await Network.open(settings.shorts));
  let isGood = false;
  try {
    const outcome = await cluster.run();
    isGood = outcome.broken.size === 0 || settings.sabotage.length > 0;
    return outcome;
  } finally {
    await cluster.end(isGood);
  }
}

class Cluster {
  readonly #settings: ChaosSettings;
  readonly #network: Network;
  readonly #folder: string;
  readonly #random: SeededRandom;
  readonly #members: Member[];
  readonly #incarnations: Incarnation[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #began = Date.now();
  #received = Date.now();
  /** The first error that is not a violated promise, for example the unexpected exit of a node. */
  #failure: Error | undefined;

  constructor(settings: ChaosSettings, network: Network) {
    this.#settings = settings;
    this.#network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "firn-chaos-"));
    this.#random = new SeededRandom(settings.seed);
    this.#members = settings.shorts.map((short) => ({
      short,
      count: 0,
      process: undefined,
      incarnation: undefined,
      started: Promise.resolve(),
    }));
  }

  async run(): Promise<Outcome> {
    const { shorts, ms } = this.#settings;
    const steps = plan(this.#random, shorts, ms);
    for (const member of this.#members) this.#start(member);
    await this.#untilWhole();
    const began = Date.now();
    for (const { atMs, fault } of steps) {
      await sleep(Math.max(0, began + atMs - Date.now()));
      await this.#do(fault);
      this.#tell(`${Math.round((Date.now() - began) / 1000)} of ${ms / 1000} s`);
    }
    this.#network.heal();
    for (const member of this.#members) {
      await member.started;
      member.process?.signal("SIGCONT");
      if (member.process === undefined) this.#start(member);
    }
    await this.#untilWhole();
    return await this.#look();
  }

  /** Stops all processes. With `isGood`, the journals are deleted. */
  async end(isGood: boolean): Promise<void> {
    await Promise.all(this.#members.map(({ started }) => started.catch(() => {})));
    for (const member of this.#members) {
      const process = member.process;
      member.process = undefined;
      await process?.kill();
    }
    await this.#network.close();
    if (isGood) rmSync(this.#folder, { recursive: true });
    else this.#settings.progress(`the journals are in ${this.#folder}`);
  }

  // The methods that follow cause faults.

  async #do(fault: Fault): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#faults[fault.kind] = (this.#faults[fault.kind] ?? 0) + 1;
    switch (fault.kind) {
      case "heal":
        return this.#network.heal();
      case "cut":
        return this.#network.cut(fault.from, fault.to);
      case "block":
        this.#network.block(fault.to, fault.from);
        return this.#network.block(fault.from, fault.to);
      case "blockOneWay":
        return this.#network.block(fault.from, fault.to);
    }
    const member = this.#members.find(({ short }) => short === fault.node)!;
    await member.started;
    switch (fault.kind) {
      case "restart":
        return this.#start(member);
      case "kill":
        return await this.#lose(member).kill();
      case "stop":
        return await this.#stop(member);
      case "pause":
        return member.process!.signal("SIGSTOP");
      case "resume":
        return member.process!.signal("SIGCONT");
    }
  }

  /** Starts an incarnation without waiting for it, because other faults continue. */
  #start(member: Member): void {
    const { short } = member;
    const { shorts, seed, runtimes, sabotage } = this.#settings;
    const incarnation: Incarnation = {
      incarnation: `${short}${++member.count}`,
      journal: join(this.#folder, `${short}${member.count}.jsonl`),
      isOver: false,
    };
    const names = Object.fromEntries(shorts.map((short) => [short, this.#network.nameOf(short)]));
    const options: ChaosOptions = {
      ...SHORT_TIMEOUTS,
      incarnation: incarnation.incarnation,
      journal: incarnation.journal,
      name: names[short]!,
      listen: { hostname: "127.0.0.1", port: 0 },
      seeds: shorts.filter((other) => other !== short).map((other) => names[other]!),
      short,
      seed: seed + 1_000 * member.count + shorts.indexOf(short),
      names,
      routes: this.#network.routesOf(short),
      sabotage,
    };
    const start = async (): Promise<void> => {
      const process = await NodeProcess.start(
        pick(this.#random, runtimes),
        incarnation.incarnation,
        options,
        "chaos/node.ts",
      );
      this.#network.lead(
        short,
        Number(process.received.find(({ event }) => event === "ready")!["port"]),
      );
      this.#incarnations.push(incarnation);
      member.process = process;
      member.incarnation = incarnation;
      process.ended.then((status) => {
        if (member.process !== process) return;
        this.#failure ??= new Error(`${incarnation.incarnation} exited unexpectedly: ${status}`);
      });
    };
    member.started = start();
    member.started.catch((error) => this.#failure ??= error);
  }

  /** Records that an incarnation is about to end. */
  #lose(member: Member): NodeProcess {
    const process = member.process!;
    member.process = undefined;
    member.incarnation!.isOver = true;
    this.#network.lead(member.short, undefined);
    return process;
  }

  async #stop(member: Member): Promise<void> {
    const { incarnation } = member;
    const process = this.#lose(member);
    process.ask("stop").catch(() => {});
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<"late">((wake) => timer = setTimeout(() => wake("late"), STOP_MS));
    const status = await Promise.race([process.ended, late]);
    clearTimeout(timer!);
    if (status === 0) return;
    await process.kill();
    throw new Error(
      `${incarnation!.incarnation} did not stop properly: ${status} after ${STOP_MS} ms`,
    );
  }

  // The methods that follow check the promises after the faults.

  /** Waits until each node has a reply from the current incarnation of each other node. */
  async #untilWhole(): Promise<void> {
    await Promise.all(this.#members.map(({ started }) => started));
    const expected = JSON.stringify(
      this.#members.map(({ incarnation }) => incarnation!.incarnation),
    );
    const deadline = Date.now() + WHOLE_MS;
    for (;;) {
      const all = await this.#ask<string[]>("lives");
      if (all.every((incarnations) => JSON.stringify(incarnations) === expected)) return;
      if (Date.now() > deadline) {
        throw new Error(`the mesh is not whole after ${WHOLE_MS} ms: ${JSON.stringify(all)}`);
      }
      this.#tell("until all nodes are connected");
      await sleep(100);
    }
  }

  /** Checks the promises after the faults. Leaks are checked last, and only if nothing is broken. */
  async #look(): Promise<Outcome> {
    const found = new Map((await this.#rest()).broken);
    // All monitored actors exit, so each link and monitor has now received its signals.
    await this.#ask("endTargets");
    const ended = await this.#settled(Infinity, ["messages", "signals", "rooms"]);
    for (const [promise, what] of ended.broken) found.set(promise, what);
    if (found.size === 0) {
      await this.#ask("stopTree").catch((error) => found.set("children", error.message));
    }
    if (found.size === 0) {
      await this.#ask("clear");
      const left = await this.#leftovers();
      if (left !== undefined) found.set("leaks", left);
    }
    const counts = { ...ended.counts, "bytes through the network": this.#network.bytes };
    return { broken: found, faults: this.#faults, counts };
  }

  /**
   * Ends the workload, and makes the nodes send messages that every member must receive. Repeats
   * this if a session was lost in the meantime.
   */
  async #rest(): Promise<Verdict> {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const since = Date.now();
      await this.#ask("rest", { round });
      const verdict = await this.#settled(since);
      if (verdict.lost === 0) return verdict;
      await this.#untilWhole();
    }
    throw new Error(`sessions were lost ${ROUNDS_MAX} times, though nothing was wrong`);
  }

  /**
   * Returns the verdict when the journals no longer grow and nothing is violated, or when the time
   * is up.
   */
  async #settled(since: number, only?: readonly string[]): Promise<Verdict> {
    const deadline = Date.now() + this.#settings.settleMs;
    for (let before = -1;;) {
      const views = await this.#ask<View>("view");
      const verdict = judge(this.#incarnations, views, since);
      const broken = new Map(
        [...verdict.broken].filter(([promise]) => only?.includes(promise) ?? true),
      );
      const isStill = verdict.entries === before;
      if (isStill && (broken.size === 0 || verdict.lost > 0) || Date.now() > deadline) {
        return { ...verdict, broken };
      }
      before = verdict.entries;
      this.#tell(`until all is at rest: ${JSON.stringify(Object.fromEntries(broken))}`);
      await sleep(500);
    }
  }

  /** Returns the remaining state of idle nodes, if it does not disappear. */
  async #leftovers(): Promise<string | undefined> {
    const deadline = Date.now() + this.#settings.settleMs;
    for (;;) {
      try {
        const lefts = await this.#ask<Left>("left");
        for (const [i, left] of lefts.entries()) {
          checkLeft(this.#members[i]!.incarnation!.incarnation, left);
        }
        const count = this.#members.length;
        const { open } = this.#network;
        if (open !== count * (count - 1) / 2) {
          throw new Error(`there are ${open} connections between ${count} nodes`);
        }
        return undefined;
      } catch (error) {
        if (Date.now() > deadline) return (error as Error).message;
        this.#tell(`until nothing is left: ${(error as Error).message}`);
      }
      await sleep(200);
    }
  }

  /** Sends a command to all nodes. Throws if one exits or does not answer. */
  async #ask<T>(what: string, details: Record<string, unknown> = {}): Promise<T[]> {
    return await Promise.all(this.#members.map(async ({ process, incarnation }) => {
      const ended = process!.ended.then((status) => {
        throw new Error(`${incarnation!.incarnation} ended by itself: ${status}`);
      });
      let timer: ReturnType<typeof setTimeout>;
      const late = new Promise<never>((_, failed) => {
        timer = setTimeout(() => {
          failed(new Error(`${incarnation!.incarnation} did not ${what} within ${ANSWER_MS} ms`));
        }, ANSWER_MS);
      });
      try {
        return await Promise.race([process!.ask<T>(what, details), ended, late]);
      } finally {
        clearTimeout(timer!);
      }
    }));
  }

  /** Reports progress every few seconds. */
  #tell(what: string): void {
    if (Date.now() - this.#received < 5_000) return;
    this.#received = Date.now();
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    const up = this.#members.filter(({ process }) => process !== undefined).length;
    const faults = Object.entries(this.#faults).map(([kind, count]) => `${count} ${kind}`);
    this.#settings.progress(`${seconds} s: ${what}; ${up} up; ${faults.join(", ")}`);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
