/**
 * The guarantees of membership as stated in `lib/mesh/README.md`: for each guarantee, a function
 * runs a history from a seed, and throws if the guarantee is violated.
 */
import { NodeConnectError } from "../../lib/mesh/connect_waiters.ts";
import { FORGET_MS } from "../../lib/mesh/peers.ts";
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Incarnation, SingletonChild } from "../../lib/cluster/singleton_definition.ts";
import type { Pid } from "../../lib/term/pid.ts";
import type { Node } from "../../lib/node.ts";
import { fullName, simulate, type Simulation } from "../../lib/simulate.ts";

/**
 * Maximum time in milliseconds in which nodes become connected if they can reach each other and
 * share a peer.
 */
export const CONVERGE_MS = 75_000;

/**
 * Maximum time in milliseconds in which nodes become connected if they start at the same time and
 * can reach each other.
 */
const BOOT_MS = 1_000;

/** The default number of seeds for the guarantees that take long. */
export const COSTLY: Readonly<Record<string, number>> = { churn: 4, fairness: 6, leaving: 6 };

function require(isSo: boolean, words: string): void {
  if (!isSo) throw new Error(words);
}

function isWhole(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.peers().length === nodes.length - 1);
}

/** Starts nodes at random times. `seedsOf` returns the seeds of each node. */
function startAll(
  sim: Simulation,
  shorts: readonly string[],
  seedsOf: (short: string) => string[],
): Promise<Node[]> {
  return Promise.all(shorts.map(async (short) => {
    await sim.run(sim.random.below(50));
    return await sim.start(short, { seeds: seedsOf(short), joinTimeout: 0 });
  }));
}

function shortsOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i}`);
}

/**
 * Nodes that start at the same time, and each know one node that others also know, form a full
 * mesh.
 */
export function boots(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(2 + sim.random.below(14));
    const nodes = await startAll(
      sim,
      shorts,
      () => ["n0", shorts[sim.random.below(shorts.length)]!],
    );
    await sim.until("all nodes are connected", () => isWhole(nodes), { within: BOOT_MS });
  });
}

/**
 * Nodes that cannot dial each other for a minute or more, in one or both directions, are connected
 * afterwards.
 */
export function unreachable(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(3 + sim.random.below(5));
    for (const a of shorts.slice(1)) {
      for (const b of shorts.slice(1)) {
        if (a < b && sim.random.next() < 0.5) {
          sim.partition([a], [b], { oneWay: sim.random.next() < 0.5 });
        }
      }
    }
    const nodes = await startAll(sim, shorts, () => ["n0"]);
    await sim.run(sim.random.below(300_000));
    sim.heal();
    await sim.until("all nodes are connected", () => isWhole(nodes), { within: CONVERGE_MS });
  });
}

/** A node that no other node can dial dials the nodes that it learns of, and is thus connected. */
export function oneSided(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(3 + sim.random.below(5));
    const hidden = shorts.at(-1)!;
    // The name of the hidden node cannot be resolved, so the other nodes must wait until it dials
    // them.
    const nodes = await startAll(sim, shorts.slice(0, -1), () => ["n0"]);
    const name = "hidden@nowhere.sim:9100";
    nodes.push(await sim.start(hidden, { name, seeds: ["n0"], joinTimeout: 0 }));
    await sim.run(sim.random.below(60_000));
    const late = await sim.start("late", { seeds: ["n0"], joinTimeout: 0 });
    await sim.until("all nodes are connected", () => isWhole([...nodes, late]), { within: 5_000 });
  });
}

/** A node that has joined knows the peers, names and groups that its seeds know. */
export function joining(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(2 + sim.random.below(5));
    const nodes = await startAll(sim, shorts, () => ["n0"]);
    await sim.until("all nodes are connected", () => isWhole(nodes));
    const holder = nodes[sim.random.below(nodes.length)]!;
    const pid = holder.spawn(() => () => {});
    await holder.global.register("held", pid);
    holder.groups.join("g", pid);
    await sim.run(1_000);
    const seeds = [shorts[sim.random.below(shorts.length)]!, "nobody"];
    const late = await sim.start("late", { seeds });
    require(late.peers().length === nodes.length, `it has ${late.peers().length} peers`);
    require(late.global.whereis("held") !== undefined, "a held name is not known");
    require(late.groups.members("g").length === 1, "a group is not known");
    const isGranted = await late.global.register("held", late.spawn(() => () => {}));
    require(!isGranted, "a held name was granted again");
  });
}

/** Nodes with unique names start and stop. The other nodes forget them, and stop dialing them. */
export function churn(seed: number, lifetimes = 25): Promise<unknown> {
  return simulate({ seed, limit: 10 * FORGET_MS }, async (sim) => {
    const stay = await Promise.all(
      ["a", "b"].map((short) => sim.start(short, { seeds: ["a"], joinTimeout: 0 })),
    );
    for (let i = 0; i < lifetimes; i++) {
      const short = `pod${i}`;
      await sim.start(short, { seeds: ["a"], joinTimeout: sim.random.below(2) * 1_000 });
      await sim.run(sim.random.below(2_000));
      const dice = sim.random.below(3);
      if (dice === 0) sim.kill(short);
      else if (dice === 1) sim.crash(short);
      else await sim.stop(short);
    }
    await sim.run(60_000);
    const before = stay.map((node) => node.membership().dials);
    await sim.run(60_000);
    for (const [i, node] of stay.entries()) {
      // In the second minute, each lost node should be dialed once. Twice on average is accepted.
      const dials = node.membership().dials - before[i]!;
      require(dials <= 2 * lifetimes, `${dials} dials a minute for ${lifetimes} lost nodes`);
    }
    await sim.run(FORGET_MS);
    const after = stay.map((node) => node.membership());
    await sim.run(300_000);
    for (const [i, node] of stay.entries()) {
      const { known, dials } = node.membership();
      require(known === 1, `${node.name} knows ${known} nodes`);
      require(dials === after[i]!.dials, `${node.name} still dials lost nodes`);
    }
  });
}

/** A node that has announced its stop is not dialed again by any node. */
export function stopped(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const nodes = await startAll(sim, shortsOf(4), () => ["n0"]);
    await sim.until("all nodes are connected", () => isWhole(nodes));
    await sim.run(sim.random.below(20_000));
    const stay = nodes.slice(0, 3);
    const dialed: string[] = [];
    for (const node of stay) node.on("dial", (dial) => void dialed.push(dial.node));
    await sim.stop("n3");
    await sim.run(120_000);
    require(dialed.length === 0, `dialed ${dialed}`);
  });
}

/**
 * Of two live nodes with one name, the first remains. A node that replaces a dead one is accepted
 * at once.
 */
export function duplicates(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const nodes = await startAll(sim, shortsOf(3), () => ["n0"]);
    await sim.until("all nodes are connected", () => isWhole(nodes));
    const name = "app@app.sim:9100";
    let downs = 0;
    for (const node of nodes) node.on("nodedown", () => void downs++);
    const options = { name, seeds: ["n0", "n1", "n2"] };
    const first = await sim.start("app1", options);
    await sim.run(sim.random.below(5_000));
    for (let i = 0; i < 3; i++) {
      const error = await sim.start(`twin${i}`, options).then(() => undefined, (error) => error);
      require(error instanceof NodeConnectError && error.code === "nameinuse", `${error}`);
      require(error.message.includes("name in use by a node started at 2026-"), error.message);
    }
    await sim.run(10_000);
    require(downs === 0 && first.peers().length === 3, `${downs} sessions were lost`);
    // The first node has crashed, which no node has detected yet, or it is behind a partition.
    if (sim.random.next() < 0.5) sim.crash("app1");
    else sim.partition(["app1"], ["n0", "n1", "n2"]);
    await sim.run(sim.random.below(5_000));
    const began = sim.now;
    const second = await sim.start("app2", options);
    require(sim.now - began < 2_000, `it took ${sim.now - began} ms to replace a dead node`);
    require(second.peers().length === 3, `the successor has ${second.peers().length} peers`);
  });
}

/**
 * Clocks that are wrong by days neither keep nodes disconnected nor allow two holders of a name,
 * and they are reported.
 */
export function skewedClocks(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(2 + sim.random.below(5));
    for (const short of shorts) sim.skew(short, (sim.random.next() - 0.5) * 60 * 3_600_000);
    const nodes = await startAll(sim, shorts, () => ["n0"]);
    await sim.until("all nodes are connected", () => isWhole(nodes), { within: BOOT_MS });
    await sim.run(1_000);
    const pids = nodes.map((node) => node.spawn(() => () => {}));
    const granted = await Promise.all(nodes.map((node, i) => node.global.register("n", pids[i]!)));
    require(granted.filter((is) => is).length <= 1, `${granted} hold one name`);
    await nodes[0]!.global.register("held", pids[0]!);
    const skews = new Map<string, number>();
    nodes[0]!.on("clockskew", ({ node, skew }) => void skews.set(node, skew));
    for (const short of shorts.slice(1)) {
      const ms = (sim.random.next() < 0.5 ? -1 : 1) * (3_600_000 + sim.random.below(86_400_000));
      sim.skew("n0", 0);
      sim.skew(short, ms);
      await sim.run(5_000);
      const reported = skews.get(fullName(short));
      require(Math.abs((reported ?? 0) - ms) < 10_000, `${short}: ${ms}, reported ${reported}`);
      const other = nodes[shorts.indexOf(short)]!;
      const isGranted = await other.global.register("held", other.spawn(() => () => {}));
      require(!isGranted, `a wrong clock of ${short} has taken a name`);
      require(nodes[0]!.global.whereis("held")?.equals(pids[0]!) === true, "a name has moved");
    }
    require(isWhole(nodes), "a session was lost");
  });
}

/**
 * With many seeds that do not answer, `connect` settles, and a node that was lost and returns is
 * dialed again.
 */
export function fairness(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const silent = Array.from({ length: 100 + sim.random.below(100) }, (_, i) => `s${i}`);
    for (const short of silent) {
      await sim.start(short, { joinTimeout: 0 });
      sim.crash(short);
    }
    const live = await sim.start("live");
    await sim.start("back");
    const a = await sim.start("a", { seeds: [...silent, "back"], joinTimeout: 0 });
    await sim.until("back is up", () => a.peers().length === 1, { within: 30_000 });
    await sim.run(sim.random.below(60_000));
    const began = sim.now;
    await a.connect(live.name);
    require(sim.now - began < 1_000, `connect took ${sim.now - began} ms`);
    const deadline = sim.random.below(3_000) + 1;
    const error = await a.connect(fullName(silent[0]!), { timeout: deadline }).then(
      () => undefined,
      (error) => error,
    );
    require(error?.code === "timeout", `connect to a silent node: ${error}`);
    require(sim.now - began < deadline + 1_500, "connect settled late");
    sim.kill("back");
    await sim.run(sim.random.below(20_000));
    const again = await sim.restart("back");
    await sim.until("the node is connected again", () => again.peers().length === 1, {
      within: 30_000,
    });
  });
}

/**
 * Nodes change from one cookie to the next in three rounds, each at a random time, while sessions
 * break and nodes restart. All stay connected, and afterwards a node that has only the former
 * cookie is rejected.
 */
export function rotation(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const [former, next] = ["the former cookie", "the next cookie"];
    const shorts = shortsOf(2 + sim.random.below(5));
    const cookies = new Map<string, string[]>(shorts.map((short) => [short, [former]]));
    const reasons: string[] = [];
    const start = async (short: string): Promise<void> => {
      const cookie = cookies.get(short)!;
      const node = await sim.start(short, { seeds: ["n0", "n1"], cookie, joinTimeout: 0 });
      node.on("nodedown", ({ reason }) => void reasons.push(reason));
      node.on("refused", ({ reason }) => void reasons.push(`refused: ${reason}`));
    };
    const nodes = (): Node[] => shorts.map((short) => sim.node(short)!);
    const whole = () => sim.until("all nodes are connected", () => isWhole(nodes()));
    for (const short of shorts) await start(short);
    await whole();
    for (const round of [[former, next], [next, former], [next]]) {
      for (const short of shuffled(shorts, sim)) {
        cookies.set(short, round);
        const changed = sim.node(short)!.changeCookie(round);
        await sim.run(sim.random.below(50));
        const [one, other] = shuffled(shorts, sim) as [string, string];
        const dice = sim.random.below(4);
        if (dice === 0) sim.cut(one, other);
        else if (dice === 1) {
          sim.kill(one);
          await start(one);
        }
        await changed;
        await sim.run(sim.random.below(3_000));
      }
      await whole();
    }
    await sim.run(10_000);
    require(isWhole(nodes()), "a session was lost");
    // Allows the reasons of killed nodes and of cut sessions, which may have been cut during a
    // handshake.
    const wrong = reasons.filter((reason) => !/^(closed|refused: broken)$/.test(reason));
    require(wrong.length === 0, `${wrong}`);
    const late = await sim.start("late", { seeds: ["n0"], cookie: [former] });
    require(late.peers().length === 0, "the former cookie is still accepted");
    // A node that missed the last round loses its sessions.
    const missed = sim.node(shorts[1]!)!;
    for (const short of shorts) {
      if (short !== shorts[1]) await sim.node(short)!.changeCookie("another cookie");
    }
    await sim.until("the node has lost its sessions", () => missed.peers().length === 0, {
      within: 10_000,
    });
  });
}

/**
 * The longest time in milliseconds without a singleton when a node leaves; a message takes up to 2
 * ms.
 */
const GAP_MS = 50;

/**
 * Nodes leave and return under load. No message that a singleton has acknowledged is lost, the
 * singleton never runs twice, and it is missing only for a short time.
 */
export function leaving(seed: number): Promise<unknown> {
  return simulate({ seed }, async (sim) => {
    const shorts = shortsOf(3 + sim.random.below(4));
    const acknowledged: string[] = [];
    let applied: readonly string[] = [];
    let running = 0;
    let endedAt: number | undefined;
    const ledger = (self: Self<Call<string, true>>, { state, handover }: Incarnation) => {
      require(++running === 1, "the singleton runs twice");
      const gap = sim.now - (endedAt ?? sim.now);
      require(gap <= GAP_MS, `no singleton for ${gap} ms`);
      const entries = applied = [...(state as string[] | undefined ?? [])];
      self.signal.addEventListener("abort", () => {
        running--;
        endedAt = sim.now;
        handover(entries);
      });
      return (call: Call<string, true>) => {
        entries.push(call.request);
        call.reply(true);
      };
    };
    let isOver = false;
    const start = async (short: string): Promise<void> => {
      const node = await sim.start(short, { seeds: shorts.slice(0, 2) });
      const child: SingletonChild = {
        id: "ledger",
        start: (self, incarnation) => self.spawnLink(ledger, incarnation),
      };
      await node.global.singleton("ledger", child);
      for (let i = 0; sim.node(short) === node && !isOver; i++) {
        await sim.run(sim.random.below(30));
        const found = node.global.whereis<Pid<Call<string, true>>>("ledger");
        if (found === undefined) continue;
        const entry = `${short} ${sim.now} ${i}`;
        await node.call(found, entry, { timeout: 500 }).then(
          () => acknowledged.push(entry),
          () => {},
        );
      }
    };
    const failed: unknown[] = [];
    const begin = (short: string): void => void start(short).catch((error) => failed.push(error));
    shorts.forEach(begin);
    await sim.run(1_000);
    for (let i = 0; i < 3; i++) {
      const up = shuffled(shorts, sim).filter((short) => sim.node(short) !== undefined);
      const gone = up.slice(0, 1 + sim.random.below(shorts.length - 2));
      await Promise.all(gone.map(async (short) => {
        await sim.run(sim.random.below(3) * sim.random.below(20));
        await sim.leave(short, { timeout: 5_000 });
      }));
      await sim.run(sim.random.below(200));
      gone.forEach(begin);
      await sim.run(sim.random.below(1_000));
    }
    isOver = true;
    await sim.run(1_000);
    require(failed.length === 0, `${failed[0]}`);
    const kept = new Set(applied);
    const lost = acknowledged.filter((entry) => !kept.has(entry));
    require(lost.length === 0, `${lost.length} of ${acknowledged.length} are lost: ${lost[0]}`);
    require(acknowledged.length > 100, `only ${acknowledged.length} were acknowledged`);
  });
}

function shuffled<T>(list: readonly T[], sim: Simulation): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(sim.random.below(rest.length), 1)[0]!);
}

/** All guarantees of membership, by name. */
export const GUARANTEES: Readonly<Record<string, (seed: number) => Promise<unknown>>> = {
  boots,
  unreachable,
  oneSided,
  joining,
  churn,
  stopped,
  duplicates,
  skewedClocks,
  fairness,
  rotation,
  leaving,
};
