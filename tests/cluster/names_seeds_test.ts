/**
 * Tests names and groups of five nodes over an in-memory network, with real sessions: random
 * registers, unregisters, actor exits, node crashes, partitions and heals; sessions deliver in
 * independent order. Once the network settles, all nodes agree, every name refers to a live actor,
 * and every conflict had one winner. `FIRN_SEEDS=1000` runs more seeds, `FIRN_SEED=n` replays one.
 */
import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../lib/base/random.ts";
import type { OnConflict } from "../../lib/cluster/lost_name.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { MemoryFaults } from "../kit/memory_faults.ts";
import { type Start, type TestNode, withNodes } from "../kit/mesh.ts";
import { pick, seeds } from "../kit/seeds.ts";
import { test, until } from "../kit/test.ts";

const COUNT = 5;
const PORT = 2000;
const NAMES = ["x", "y"];
const GROUPS = ["g", "h"];

/** The outcome of one call of `register`. */
interface Attempt {
  readonly name: string;
  readonly node: string;
  readonly key: string;
  /**
   * Whether the actor is on another node: in this case, the name is also removed when the session
   * with that node ends.
   */
  readonly isFar: boolean;
  state: "pending" | "true" | "false" | "lost" | "withdrawn";
}

class TestCluster {
  readonly faults = new MemoryFaults();
  readonly nodes: (TestNode | undefined)[] = Array(COUNT).fill(undefined);
  readonly attempts: Attempt[] = [];
  /** All actors that were started, each with the index of its node. */
  readonly actors: { readonly at: number; readonly pid: Pid }[] = [];
  readonly log: string[] = [];
  readonly #start: Start;
  readonly #random: () => SeededRandom;

  constructor(start: Start, random: () => SeededRandom) {
    this.#start = start;
    this.#random = random;
  }

  get live(): TestNode[] {
    return this.nodes.filter((node) => node !== undefined);
  }

  async open(at: number): Promise<void> {
    const port = PORT + at;
    const options = { logLevel: "silent" as const };
    const node = await this.#start(
      `n${at}@127.0.0.1:${port}`,
      options,
      this.faults.host(port),
    );
    this.nodes[at] = node;
    node.mesh.events.on("nodedown", ({ node: other }) => this.log.push(`n${at} lost ${other}`));
    node.system.events.on("exit", ({ pid }) => this.#withdrawn(pid.key));
    (node.mesh.events as unknown as typeof node.events).on("nameconflict", ({ name, loser }) => {
      this.log.push(`n${at} conflict ${name} ${loser}`);
      for (const attempt of this.#held(name, loser.key, node.name)) attempt.state = "lost";
    });
  }

  #held(name: string, key: string, node: string): Attempt[] {
    return this.attempts.filter((one) =>
      one.name === name && one.key === key && one.node === node &&
      (one.state === "true" || one.state === "pending")
    );
  }

  #withdrawn(key: string): void {
    for (const one of this.attempts) {
      if (one.key === key && (one.state === "true" || one.state === "pending")) {
        one.state = "withdrawn";
      }
    }
  }

  async crash(at: number): Promise<void> {
    const node = this.nodes[at]!;
    this.nodes[at] = undefined;
    this.log.push(`crash n${at}`);
    this.faults.kill(PORT + at);
    node.system.stop();
    await node.mesh.stop();
  }

  spawn(at: number): Pid {
    const pid = this.nodes[at]!.system.spawn(undefined, undefined, () => () => {}, []) as Pid;
    this.actors.push({ at, pid });
    return pid;
  }

  /** Returns an actor of the node with the index `at`: a new or an existing one. */
  actor(at: number): Pid {
    const mine = this.actors.filter((one) =>
      one.at === at && this.nodes[at]!.system.isAlive(one.pid)
    );
    const random = this.#random();
    return mine.length === 0 || random.below(2) === 0 ? this.spawn(at) : pick(random, mine).pid;
  }

  register(at: number, name: string, pid: Pid): void {
    const random = this.#random();
    const node = this.nodes[at]!;
    const known = this.attempts.find((one) =>
      one.name === name && one.key === pid.key && one.node === node.name &&
      (one.state === "pending" || one.state === "true")
    );
    // Skips the call if the actor has requested the name before: the second call would resolve to
    // the same value, for the same entry.
    if (known !== undefined) return;
    const onConflict = pick<OnConflict>(random, ["exit", "keep", () => {}, () => "keep"]);
    const attempt: Attempt = {
      name,
      node: node.name,
      key: pid.key,
      isFar: !pid.home.local,
      state: "pending",
    };
    this.attempts.push(attempt);
    this.log.push(`n${at} registers ${name} ${pid.key}`);
    node.global.register(name, pid, { onConflict }).then((registered) => {
      this.log.push(`n${at} ${name} ${pid.key}: ${registered}`);
      if (attempt.state === "pending") attempt.state = registered ? "true" : "false";
    }, () => attempt.state = "withdrawn");
  }

  unregister(at: number, name: string): void {
    const node = this.nodes[at]!;
    this.log.push(`n${at} unregisters ${name}`);
    if (!node.global.unregister(name)) return;
    for (const one of this.attempts) {
      if (one.node !== node.name || one.name !== name) continue;
      if (one.state === "true" || one.state === "pending") one.state = "withdrawn";
    }
  }

  async act(): Promise<void> {
    const random = this.#random();
    const up = this.nodes.flatMap((node, at) => node === undefined ? [] : [at]);
    const at = pick(random, up);
    const node = this.nodes[at]!;
    const other = (at + 1 + random.below(COUNT - 1)) % COUNT;
    switch (random.below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        return this.register(at, pick(random, NAMES), this.actor(at));
      case 7: {
        // Registers an actor of another node, which this node finds by one of its names.
        const far = node.global.whereis(pick(random, NAMES)) as Pid | undefined;
        if (far !== undefined && !far.home.local) this.register(at, pick(random, NAMES), far);
        return;
      }
      case 8:
        return this.unregister(at, pick(random, NAMES));
      case 9:
      case 10: {
        const pid = this.actor(at);
        this.log.push(`n${at} ends ${pid.key}`);
        return node.system.exit(pid, "kill");
      }
      case 11:
        if (up.length > 2 && random.below(4) === 0) return await this.crash(at);
        return;
      case 12: {
        const down = this.nodes.indexOf(undefined);
        if (down >= 0) await this.open(down);
        return;
      }
      case 13:
        this.log.push(`cut n${at} n${other}`);
        return this.faults.cut(PORT + at, PORT + other);
      case 14: {
        // Partitions the network in two.
        const side = this.nodes.map(() => random.below(2));
        this.log.push(`partition ${side}`);
        for (let i = 0; i < COUNT; i++) {
          for (let j = 0; j < i; j++) {
            if (side[i] !== side[j]) this.faults.cut(PORT + i, PORT + j);
          }
        }
        return;
      }
      case 15:
      case 16:
        this.log.push(`heal n${at} n${other}`);
        this.faults.heal(PORT + at, PORT + other);
        node.mesh.connect(`n${other}@127.0.0.1:${PORT + other}`).catch(() => {});
        return;
      case 17:
      case 18:
        return node.groups.join("s", pick(random, GROUPS), this.actor(at));
      case 19:
        return void node.groups.leave("s", pick(random, GROUPS), this.actor(at));
      default: {
        const passes = 1 + random.below(8);
        for (let i = 0; i < passes; i++) {
          if (!this.faults.pass((count) => random.below(count))) await turn();
        }
      }
    }
  }

  /** Removes all faults, and waits until all nodes are connected and all calls have settled. */
  async settle(): Promise<void> {
    this.faults.clear();
    for (let at = 0; at < COUNT; at++) if (this.nodes[at] === undefined) await this.open(at);
    await until("all nodes are connected", async () => {
      let whole = true;
      for (const one of this.live) {
        for (const other of this.live) {
          if (one === other || one.mesh.session(other.name) !== undefined) continue;
          whole = false;
          one.mesh.connect(other.name).catch(() => {});
        }
      }
      for (let i = 0; i < 10; i++) await turn();
      return whole;
    });
    await until(
      "all calls have settled",
      () => this.attempts.every(({ state }) => state !== "pending"),
    );
    // When every node has answered, all messages that were sent before have arrived.
    await until("all nodes agree", () => {
      const views = this.live.map((node) => this.view(node));
      return views.every((view) => view === views[0]);
    }, 3_000);
  }

  view({ global, groups }: TestNode): string {
    const names = NAMES.map((name) => `${name}: ${global.whereis(name)?.key}`);
    const members = GROUPS.map((group) =>
      groups.members("s", group).map(({ key }) => key).sort().join()
    );
    return JSON.stringify([[...global.names()].sort(), names, members]);
  }

  isAlive(key: string): boolean {
    return this.live.some(({ system }) => system.pids().some((pid) => pid.key === key));
  }

  /** Checks the invariants. */
  check(): void {
    for (const name of NAMES) {
      const found = this.live[0]!.global.whereis(name)?.key;
      const all = this.attempts.filter((one) => one.name === name);
      const holders = all.filter(({ state, isFar }) => state === "true" && !isFar);
      const isFar = all.some((one) => one.state === "true" && one.isFar && one.key === found);
      const wanted = found === undefined || (isFar && holders.length === 0) ? [] : [found];
      assertEquals(holders.map(({ key }) => key), wanted, name);
      if (found !== undefined) assertEquals(this.isAlive(found), true, `${name} leads to ${found}`);
      const freed = all.some((one) => one.state === "withdrawn" || one.isFar);
      if (all.length > 0 && !freed) assertEquals(holders.length, 1, `no holder of ${name}`);
    }
    for (const group of GROUPS) {
      for (const { key } of this.live[0]!.groups.members("s", group)) {
        assertEquals(this.isAlive(key), true, `${key} is in ${group}`);
      }
      const local = this.live.flatMap(({ groups }) => groups.localMembers("s", group));
      assertEquals(
        this.live[0]!.groups.members("s", group).map(({ key }) => key).sort(),
        local.map(({ key }) => key).sort(),
        group,
      );
    }
  }

  /** Ends all actors, and checks that no state is left. */
  async clear(): Promise<void> {
    for (const { system } of this.live) {
      for (const pid of system.pids()) system.exit(pid, "kill");
    }
    const empty = JSON.stringify([[], NAMES.map((name) => `${name}: undefined`), ["", ""]]);
    await until(
      "all names and members are removed",
      () => this.live.every((node) => this.view(node) === empty),
    );
    this.attempts.length = 0;
    this.actors.length = 0;
    this.log.length = 0;
  }
}

/** Runs everything that is ready to run. */
function turn(): Promise<void> {
  return new Promise((wake) => setTimeout(wake, 0));
}

test(
  "Global and Groups: five nodes agree on all names and members after random faults",
  {
    timeout: 600_000,
  },
  async () => {
    await withNodes(async (start) => {
      let random!: SeededRandom;
      const cluster = new TestCluster(start, () => random);
      await seeds(60, 60, async (chance, size) => {
        random = chance;
        try {
          await cluster.settle();
          cluster.faults.isHeld = true;
          for (let i = 0; i < size; i++) {
            await cluster.act();
            if (random.below(3) === 0) await turn();
          }
          await cluster.settle();
          cluster.check();
          await cluster.clear();
        } catch (error) {
          const views = cluster.live.map((node) => `${node.name} ${cluster.view(node)}`).join("\n");
          throw new Error(`${(error as Error).message}\n${cluster.log.join("\n")}\n${views}`);
        }
      });
    });
  },
);
