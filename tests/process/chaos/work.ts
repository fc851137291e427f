/**
 * The work that a node does for the promises while things fail: it sends, watches, names, says, supervises,
 * with its own actors and with those of others that it has heard of. Pids go from node to node in messages,
 * so those of lives long gone are among them.
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

/** So many pids of each kind are known; a new one takes the place of any. */
const KNOWN_MAX = 48;

/** How actors are bound to others. */
const WAYS: readonly Ways[] = ["link", "monitor", "both"];

/** Messages and lines that each node sends to all when nothing is wrong. */
const OWED = 20;

/** What a node tells others of its actors. */
interface News {
  readonly what: "sink" | "target" | "acquaintance";
  readonly short: string;
  readonly pid: Pid;
}

/** Where the work is done. */
export interface Workplace {
  readonly node: Node;
  /** All nodes by their short names, this one among them. */
  readonly names: Readonly<Record<string, string>>;
  readonly short: string;
  readonly life: string;
  readonly random: SeededRandom;
  readonly tell: Tell;
}

/** A node's work. */
export class Work {
  readonly #place: Workplace;
  readonly #known: Record<News["what"], News[]> = { sink: [], target: [], acquaintance: [] };
  readonly #numbers = new Map<string, number>();
  readonly #targets: Pid[] = [];
  readonly #acquaintances: Pid[] = [];
  readonly #holders: Pid[] = [];
  /** Children that run here, of any node's supervisors. */
  readonly #children = new Set<Pid<string>>();
  #tree: Supervisor | undefined;
  #attempts = 0;
  #bonds = 0;
  #lines = 0;
  #isResting = false;

  constructor(place: Workplace) {
    this.#place = place;
  }

  /** Puts up what the node has all its life. */
  start(): void {
    const { node, tell, short, life } = this.#place;
    node.spawnWith({ name: "hub" }, () => () => {});
    node.spawnWith(
      { name: "office" },
      (_self: Self<News | Call<"life", string>>) => (message) => {
        if ("what" in message) this.#hear(message);
        else message.reply(life);
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
    // One whose spawn is answered when the session is lost already is nobody's: it ends by itself.
    node.expose("idle", async (self: Self) => void await self.receive({ timeout: 5_000 }));
    node.rooms.join("square", listener(tell));
  }

  /** The actors that `start` put up. */
  static readonly ACTORS = 3;

  /** Some time has passed: does something of everything. */
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
   * No more work. What is said now must arrive, children that crash now must come back, and those who are
   * watched from now on are told to end later.
   */
  rest(round: number): void {
    this.#isResting = true;
    const { node, names, life, tell } = this.#place;
    for (const pid of this.#children) node.send(pid, "crash");
    for (const { pid } of this.#known.target) this.#watch(pid);
    for (let i = 0; i < OWED; i++) {
      tell({ kind: "said", line: `${life} ${this.#lines}`, round });
      this.#say();
      for (const [to, name] of Object.entries(names)) {
        const number = this.#number(to);
        tell({ kind: "sent", to, number, round });
        const message: Numbered = { from: life, number, to: undefined, ballast: "" };
        node.send({ name: "sink", node: name }, message);
      }
    }
  }

  /** Whether each other node answers, and in which life. */
  async lives(): Promise<string[]> {
    const { node, names } = this.#place;
    return await Promise.all(
      Object.values(names).map((name) =>
        node.call<"life", string>({ name: "office", node: name }, "life", { timeout: 2_000 })
          .catch((error) => String(error.code))
      ),
    );
  }

  /** Ends everybody whom others watch. */
  endTargets(): void {
    for (const pid of this.#targets) this.#place.node.exit(pid, "kill");
  }

  /** Stops the supervisor. */
  async stopTree(): Promise<void> {
    await this.#tree?.stop();
  }

  /** Ends all but what was there at the beginning. */
  clear(): void {
    const { node } = this.#place;
    for (const pid of node.actors().slice(Work.ACTORS)) node.exit(pid, "kill");
  }

  #hear(news: News): void {
    const known = this.#known[news.what];
    if (known.length < KNOWN_MAX) known.push(news);
    else known[this.#place.random.below(KNOWN_MAX)] = news;
  }

  /** Tells another node of an actor: of a new one, or of any that this node has heard of. */
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
    const { node, names, random, life, tell } = this.#place;
    for (let i = 0; i < 8; i++) {
      const known = pick(random, this.#known.sink);
      const to = random.next() < 0.75 ? known.short : pick(random, Object.keys(names));
      // A number for each pair, by pid or by name alike.
      const number = this.#number(to);
      const ballast = random.next() < 0.03 ? "x".repeat(100_000) : "";
      tell({ kind: "sent", to, number });
      if (to === known.short && random.next() < 0.75) {
        const message: Numbered = { from: life, number, to: known.pid.key, ballast };
        node.send(known.pid as unknown as Pid<Numbered>, message);
      } else {
        const message: Numbered = { from: life, number, to: undefined, ballast };
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
    const { node, random, life, tell } = this.#place;
    // Each by itself, too: the signal of a link may stand for that of a monitor beside it.
    node.spawn(watcher, pid, `${life}.${this.#bonds++}`, pick(random, WAYS), tell);
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
    const { node, life } = this.#place;
    node.rooms.broadcast("square", spoken(life, this.#lines++));
  }

  #supervise(): void {
    const { node, names, random, life, short, tell } = this.#place;
    if (this.#children.size > 0 && random.next() < 0.1) {
      node.send(pick(random, [...this.#children]), "crash");
    }
    const others = Object.keys(names).filter((other) => other !== short);
    const there = names[pick(random, others)]!;
    if (this.#attempts !== 0 || !node.peers().includes(there)) return;
    const id = `${life}.${++this.#attempts}`;
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
      // Its node was lost meanwhile: no tree, no children.
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
