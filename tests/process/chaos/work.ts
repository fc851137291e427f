/**
 * The workload of a node for the promises during faults: it sends, monitors, registers, broadcasts
 * and supervises, with its own actors and with known actors of other nodes. Nodes exchange pids in
 * messages, so some known pids belong to earlier incarnations.
 */
import type { Call } from "../../../lib/actor/call.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { SeededRandom } from "../../../lib/base/random.ts";
import type { Node } from "../../../lib/node.ts";
import { Supervisor } from "../../../lib/otp/supervisor.ts";
import type { Pid } from "../../../lib/term/pid.ts";
import { pick } from "../../kit/seeds.ts";
import {
  acquaintance,
  child,
  listener,
  type Numbered,
  sink,
  spoken,
  target,
  watcher,
} from "../../sim/actors.ts";
import type { Tell, Ways } from "../../sim/checkers/checker.ts";
import { NAMES } from "../../sim/checkers/names.ts";

/** The maximum number of known pids of each kind. A new one then replaces a random one. */
const KNOWN_MAX = 48;

/** The kinds of relations between actors. */
const WAYS: readonly Ways[] = ["link", "monitor", "both"];

/**
 * The number of messages and lines that each node sends to all others while there are no faults.
 */
const OWED = 20;

/** A message that announces an actor of a node to another. */
interface News {
  readonly what: "sink" | "target" | "acquaintance";
  readonly short: string;
  readonly pid: Pid;
}

/** The parts of a node that the workload uses. */
export interface Workplace {
  readonly node: Node;
  /** All nodes by their short names, including this one. */
  readonly names: Readonly<Record<string, string>>;
  readonly short: string;
  readonly incarnation: string;
  readonly random: SeededRandom;
  readonly tell: Tell;
}

/** The workload of one node. */
export class Work {
  readonly #place: Workplace;
  readonly #known: Record<News["what"], News[]> = { sink: [], target: [], acquaintance: [] };
  readonly #numbers = new Map<string, number>();
  readonly #targets: Pid[] = [];
  readonly #acquaintances: Pid[] = [];
  readonly #holders: Pid[] = [];
  /** The children that run on this node, of supervisors on any node. */
  readonly #children = new Set<Pid<string>>();
  #tree: Supervisor | undefined;
  #attempts = 0;
  #relations = 0;
  #lines = 0;
  #isResting = false;

  constructor(place: Workplace) {
    this.#place = place;
  }

  /** Starts the permanent actors of the node. */
  start(): void {
    const { node, tell, short, incarnation } = this.#place;
    node.spawnWith({ name: "hub" }, () => () => {});
    node.spawnWith(
      { name: "office" },
      (_self: Self<News | Call<"life", string>>) => (message) => {
        if ("what" in message) this.#hear(message);
        else message.reply(incarnation);
      },
    );
    const pid = node.spawnWith<Numbered, [string, Tell]>({ name: "sink" }, sink, short, tell);
    this.#hear({ what: "sink", short, pid: pid as Pid });
    node.expose("child", (self: Self<string>, id: string) => {
      this.#children.add(self.pid);
      return child(self, id, short, (fact) => {
        tell(fact);
        if (fact.kind === "ended") this.#children.delete(self.pid);
      });
    });
    // An actor whose spawn was answered after the session was lost has no owner, so it exits after
    // a timeout.
    node.expose("idle", async (self: Self) => void await self.receive({ timeout: 5_000 }));
    node.rooms.join("square", listener(tell));
  }

  /** The number of actors that `start` spawns. */
  static readonly ACTORS = 3;

  /** Performs a step: one action of each kind. */
  act(): void {
    if (this.#isResting) return;
    this.#gossip();
    this.#sendSome();
    this.#bind();
    this.#name();
    if (this.#place.random.next() < 0.5) this.#say();
    this.#supervise();
    this.#acquaint();
  }

  /**
   * Ends the workload. Messages sent from now on must arrive, and children that crash must be
   * restarted; actors monitored from now on exit later.
   */
  rest(round: number): void {
    this.#isResting = true;
    const { node, names, incarnation, tell } = this.#place;
    for (const pid of this.#children) node.send(pid, "crash");
    for (const { pid } of this.#known.target) this.#watch(pid);
    for (let i = 0; i < OWED; i++) {
      tell({ kind: "said", line: `${incarnation} ${this.#lines}`, round });
      this.#say();
      for (const [to, name] of Object.entries(names)) {
        const number = this.#number(to);
        tell({ kind: "sent", to, number, round });
        const message: Numbered = { from: incarnation, number, to: undefined, ballast: "" };
        node.send({ name: "sink", node: name }, message);
      }
    }
  }

  /** Returns which other nodes answer, with their incarnations. */
  async incarnations(): Promise<string[]> {
    const { node, names } = this.#place;
    return await Promise.all(
      Object.values(names).map((name) =>
        node.call<"life", string>({ name: "office", node: name }, "life", { timeout: 2_000 })
          .catch((error) => String(error.code))
      ),
    );
  }

  /** Exits all actors that others monitor. */
  endTargets(): void {
    for (const pid of this.#targets) this.#place.node.exit(pid, "kill");
  }

  /** Stops the supervisor of this node's tree. */
  async stopTree(): Promise<void> {
    await this.#tree?.stop();
  }

  /** Exits all actors except those spawned by `start`. */
  clear(): void {
    const { node } = this.#place;
    for (const pid of node.actors().slice(Work.ACTORS)) node.exit(pid, "kill");
  }

  #hear(news: News): void {
    const known = this.#known[news.what];
    if (known.length < KNOWN_MAX) known.push(news);
    else known[this.#place.random.below(KNOWN_MAX)] = news;
  }

  /** Announces an actor to another node: a new one, or a random known one. */
  #gossip(news?: News): void {
    const { node, names, random } = this.#place;
    const all = Object.values(this.#known).flat();
    news ??= pick(random, all);
    const short = pick(random, Object.keys(names));
    node.send({ name: "office", node: names[short]! }, news);
  }

  #announce(what: News["what"], pid: Pid): void {
    const news: News = { what, short: this.#place.short, pid };
    this.#hear(news);
    this.#gossip(news);
  }

  #number(to: string): number {
    const number = this.#numbers.get(to) ?? 0;
    this.#numbers.set(to, number + 1);
    return number;
  }

  #sendSome(): void {
    const { node, names, random, incarnation, tell } = this.#place;
    for (let i = 0; i < 8; i++) {
      const known = pick(random, this.#known.sink);
      const to = random.next() < 0.75 ? known.short : pick(random, Object.keys(names));
      // Messages by pid and by name share one sequence of numbers per sender and receiving node.
      const number = this.#number(to);
      const ballast = random.next() < 0.03 ? "x".repeat(100_000) : "";
      tell({ kind: "sent", to, number });
      if (to === known.short && random.next() < 0.75) {
        const message: Numbered = { from: incarnation, number, to: known.pid.key, ballast };
        node.send(known.pid as unknown as Pid<Numbered>, message);
      } else {
        const message: Numbered = { from: incarnation, number, to: undefined, ballast };
        node.send({ name: "sink", node: names[to]! }, message);
      }
    }
  }

  #bind(): void {
    const { node, random } = this.#place;
    const dice = random.next();
    if (dice < 0.4 || this.#known.target.length === 0) {
      const pid = node.spawn(target) as Pid;
      this.#targets.push(pid);
      this.#announce("target", pid);
    } else {
      const { pid } = pick(random, this.#known.target);
      if (dice < 0.8) this.#watch(pid);
      else node.exit(pid, random.next() < 0.5 ? "kill" : "shutdown");
    }
  }

  #watch(pid: Pid): void {
    const { node, random, incarnation, tell } = this.#place;
    // Links and monitors are also tested separately, because the signal of one can hide a missing
    // signal of the other.
    node.spawn(watcher, pid, `${incarnation}.${this.#relations++}`, pick(random, WAYS), tell);
  }

  #name(): void {
    const { node, random, tell } = this.#place;
    const name = pick(random, NAMES);
    const dice = random.next();
    if (dice < 0.5) {
      const pid = node.spawn(() => () => {}) as Pid;
      node.global.register(name, pid).then((registered) => {
        if (!registered) return node.exit(pid, "kill");
        this.#holders.push(pid);
        tell({ kind: "holds", name, pid: pid.key });
      }, () => {});
    } else if (dice < 0.7) {
      if (node.global.unregister(name)) tell({ kind: "released", name });
    } else if (dice < 0.9 && this.#holders.length > 0) {
      node.exit(pick(random, this.#holders), "kill");
    }
  }

  #say(): void {
    const { node, incarnation } = this.#place;
    node.rooms.broadcast("square", spoken(incarnation, this.#lines++));
  }

  #supervise(): void {
    const { node, names, random, incarnation, short, tell } = this.#place;
    if (this.#children.size > 0 && random.next() < 0.1) {
      node.send(pick(random, [...this.#children]), "crash");
    }
    const others = Object.keys(names).filter((other) => other !== short);
    const there = names[pick(random, others)]!;
    if (this.#attempts !== 0 || !node.peers().includes(there)) return;
    const id = `${incarnation}.${++this.#attempts}`;
    Supervisor.start(node, {
      intensity: 1_000_000,
      children: [
        { id: "home", node: node.name, fn: "child", args: [`${id} home`] },
        { id: "far", node: there, fn: "child", args: [`${id} far`], onNodeDown: "wait" },
      ],
    }).then((tree) => {
      this.#tree = tree;
      tell({ kind: "tree", tree: id });
    }, () => {
      // The other node was lost during the start: there is no tree, and there are no children.
    });
  }

  #acquaint(): void {
    const { node, names, random } = this.#place;
    const { acquaintance: known } = this.#known;
    const other = known.length > 0 ? pick(random, known).pid : undefined;
    const pid = node.spawn(acquaintance, other, () => random.next() < 0.5) as Pid;
    this.#acquaintances.push(pid);
    this.#announce("acquaintance", pid);
    node.global.register(`n${random.below(5)}`, pid).catch(() => {});
    node.groups.join("g", pid);
    const there = names[pick(random, Object.keys(names))]!;
    node.spawn({ node: there, fn: "idle" }).then(
      (spawned) => node.exit(spawned, "kill"),
      () => {},
    );
    if (random.next() < 0.5) node.exit(pick(random, this.#acquaintances), "kill");
  }
}
