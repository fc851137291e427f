/**
 * Conformance suite for actors: links, monitors, exits, calls, names and messages. The same
 * scenarios, with the same expected results, run with both actors on one node, on two nodes of one
 * process, and on two processes.
 *
 * The actors of a scenario are puppets, spawned by function name on the node that the scenario
 * chooses. A puppet executes orders and records what it receives. A clerk actor on each node
 * returns these records and the exit reasons. Records are compared as text, in which pids and
 * references are replaced by the labels that the scenario assigned.
 */
import { assertEquals } from "@std/assert";
import type { ActorFunction, Self } from "../../lib/actor/self.ts";
import { Call } from "../../lib/actor/call.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { ActorName, RemoteSpawn } from "../../lib/actor/remote.ts";
import type { System } from "../../lib/actor/system.ts";
import type { RemoteNodes } from "../../lib/mesh/remote_nodes.ts";
import type { ExitReason } from "../../lib/term/exit.ts";
import { Pid, Ref } from "../../lib/term/pid.ts";
import { test, until } from "../kit/test.ts";

/** A command for a puppet. */
interface Order {
  readonly order: string;
  readonly args: unknown[];
}

/** A request to a puppet. `ask` determines how the puppet answers. */
interface PuppetRequest {
  readonly ask: "echo" | "refuse" | "twice" | "exit" | "throw" | "hold";
  readonly value?: unknown;
}

/** The exit reason of a puppet, or its state. */
type End = { readonly ended: ExitReason } | "alive" | "unknown";

type Notes = unknown[][];

/** The parts of a node that the conformance suite uses. */
export interface Stage {
  readonly system: System;
  readonly remote: RemoteNodes;
}

/** Exposes the puppet functions on a node and starts its clerk. */
export function prepareStage({ system, remote }: Stage): void {
  const notes = new Map<string, Notes>();
  const ends = new Map<number, ExitReason>();
  const ids = new Map<string, number>();
  system.events.on("exit", ({ pid, reason }) => void ends.set(pid.id, reason));
  const puppet = (self: Self<unknown>, label: string, trap: boolean) => {
    const written: Notes = [];
    notes.set(label, written);
    ids.set(label, self.pid.id);
    if (trap) self.trapExit = true;
    return puppetHandler(self, written);
  };
  const { spawner } = remote;
  spawner.expose("puppet", puppet as unknown as ActorFunction<never, never[]>);
  spawner.expose("dies", dies as unknown as ActorFunction<never, never[]>);
  system.spawn(undefined, { name: "clerk" }, (self: Self<unknown>) => {
    return (message) => {
      if (!(message instanceof Call)) return;
      const [what, ...args] = message.request as [string, ...unknown[]];
      if (what === "notes") message.reply(notes.get(args[0] as string) ?? []);
      else if (what === "size") message.reply(system.size);
      else if (what === "end") message.reply(endOf(ids.get(args[0] as string), ends));
      else if (args.length === 0) message.reply("there");
      else {
        const [node, ...rest] = args as string[];
        self.call({ name: "clerk", node: node! }, ["pass", ...rest]).then(
          (value) => message.reply(value),
          (error) => message.refuse(error),
        );
      }
    };
  }, []);
}

function endOf(id: number | undefined, ends: ReadonlyMap<number, ExitReason>): End {
  if (id === undefined) return "unknown";
  return ends.has(id) ? { ended: ends.get(id) } : "alive";
}

/** Exits in its first turn. */
function dies(self: Self<unknown>, reason: ExitReason): void {
  self.exit(reason);
}

function isOrder(value: unknown): value is Order {
  return typeof value === "object" && value !== null && "order" in value;
}

function puppetHandler(self: Self<unknown>, written: Notes): (message: unknown) => unknown {
  const held: Call[] = [];
  return (message) => {
    if (isOrder(message)) return void act(self, message, written, held);
    if (message instanceof Call) {
      if (isOrder(message.request)) {
        const done = act(self, message.request, written, held);
        if (!(done instanceof Promise)) return message.reply(done);
        return done.then((value) => message.reply(value), (error) => message.refuse(error));
      }
      return answer(self, message as Call<PuppetRequest>, written, held);
    }
    if (message instanceof Exit) written.push(["exit", message.from, message.reason]);
    else if (message instanceof Down) {
      written.push(["down", message.ref, message.pid, message.reason]);
    } else written.push(["got", message]);
  };
}

function answer(
  self: Self<unknown>,
  call: Call<PuppetRequest>,
  written: Notes,
  held: Call[],
): void {
  const { ask, value } = call.request;
  switch (ask) {
    case "echo":
      return call.reply(value);
    case "refuse":
      return call.refuse(value);
    case "twice":
      call.reply(1);
      call.reply(2);
      return call.refuse(3);
    case "exit":
      return self.exit(value as ExitReason);
    case "throw":
      throw new TypeError(String(value));
    case "hold":
      written.push(["asked", value]);
      held.push(call as Call);
      return;
  }
}

/** Executes an order. Returns the reply if the order was a call. */
function act(self: Self<unknown>, { order, args }: Order, written: Notes, held: Call[]): unknown {
  const [to, value, more] = args as [Pid<unknown>, unknown, unknown];
  switch (order) {
    case "link":
      return self.link(to);
    case "unlink":
      return self.unlink(to);
    case "monitor":
      return self.monitor(to as Pid<unknown> | ActorName);
    case "demonitor":
      return self.demonitor(args[0] as Ref, { flush: value === true });
    case "exit":
      return self.exit(args[0] as ExitReason);
    case "exitTo":
      return self.exit(to, value as ExitReason);
    case "send":
      return self.send(to as Pid<unknown> | ActorName, value);
    case "trap":
      self.trapExit = args[0] as boolean;
      return;
    case "register":
      return self.register(args[0] as string);
    case "echoIsSelf":
      return to === self.pid;
    case "answer":
      for (const call of held.splice(0)) call.reply(args[0]);
      return;
    case "burst":
      return burst(self, to, value as ActorName, more as number);
    case "spawn":
      return self.spawn(args[0] as RemoteSpawn, ...args.slice(1));
    case "spawnLink":
      return self.spawnLink(args[0] as RemoteSpawn, ...args.slice(1));
    case "spawnMonitor":
      return self.spawnMonitor(args[0] as RemoteSpawn, ...args.slice(1));
    case "flush":
      return flush(self, to);
    case "call": {
      const { timeout, abort } = (more ?? {}) as { timeout?: number; abort?: string };
      const cancel = new AbortController();
      self.call(to, value, { timeout, signal: cancel.signal }).then(
        (reply) => written.push(["reply", reply]),
        (error) => written.push(["failed", ...failure(error)]),
      );
      if (abort !== undefined) cancel.abort(abort);
      return;
    }
    default:
      throw new Error(`no order: ${order}`);
  }
}

/** Returns those parts of a failed call's error that are the same for local and remote actors. */
function failure(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [error];
  const { name, code, reason } = error as { name: string; code?: string; reason?: unknown };
  return code === undefined ? [error] : reason === undefined ? [name, code] : [name, code, reason];
}

/** Sends messages by pid and by name, with exit signals between them, in one turn. */
function burst(self: Self<unknown>, to: Pid<unknown>, name: ActorName, count: number): void {
  for (let i = 0; i < count; i++) {
    self.send(i % 2 === 0 ? to : name, i);
    if (i % 10 === 9) self.exit(to, `after ${i}`);
  }
}

/** Removes a `Down` that is already in the mailbox, by `demonitor` with `flush`. */
async function flush(self: Self<unknown>, to: Pid<unknown>): Promise<unknown> {
  const ref = self.monitor(to);
  const before = self.length;
  self.exit(to, "kill");
  while (self.length === before) await new Promise((wake) => setTimeout(wake, 1));
  return [self.length - before, self.demonitor(ref, { flush: true }), self.length - before];
}

/** Compares long lists of lines and shows the first difference. */
function assertLines(actual: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((line, i) => line !== actual[i]);
  if (at < 0) return assertEquals(actual.length, expected.length);
  const part = (lines: readonly string[]) =>
    lines.slice(at, at + 3).map((line) => line.slice(0, 99));
  assertEquals([at, ...part(actual)], [at, ...part(expected)]);
}

/** The scenario's side of a puppet: sends orders to the puppet, and reads its records. */
export class Puppet {
  readonly label: string;
  readonly pid: Pid<unknown>;
  readonly node: string;
  readonly #scene: Scene;
  readonly #key: string;

  constructor(scene: Scene, key: string, label: string, pid: Pid<unknown>, node: string) {
    this.#scene = scene;
    this.#key = key;
    this.label = label;
    this.pid = pid;
    this.node = node;
  }

  /** Sends an order and returns its result. */
  do<T = unknown>(order: string, ...args: unknown[]): Promise<T> {
    const { system } = this.#scene;
    return system.call<Order, T>(this.pid as never, { order, args: args.map(plain) });
  }

  /** Sends an order to which the puppet does not reply. */
  tell(order: string, ...args: unknown[]): void {
    this.#scene.system.send(this.pid, { order, args: args.map(plain) });
  }

  /** Returns what the puppet has received, one line per message, after all traffic has settled. */
  async notes(): Promise<string[]> {
    await this.#scene.settle();
    return await this.peek();
  }

  /** Returns what the puppet has received up to now. */
  async peek(): Promise<string[]> {
    const notes = await this.#scene.clerk<Notes>(this.node, "notes", this.#key);
    return notes.map((words) => words.map((word) => this.#scene.text(word)).join(" "));
  }

  /** Returns the exit reason, or "alive". */
  async end(): Promise<string> {
    await this.#scene.settle();
    const end = await this.#scene.clerk<End>(this.node, "end", this.#key);
    return typeof end === "string" ? end : this.#scene.text(end.ended);
  }
}

/** Returns the pid of a puppet, or the value itself if it is not a puppet. */
function plain(value: unknown): unknown {
  return value instanceof Puppet ? value.pid : value;
}

/** The nodes on which scenarios run. */
export interface World {
  /** The system from which the test sends its orders. */
  readonly system: System;
  /** The names of the two nodes. They are equal if both sides are one node. */
  readonly nodes: readonly [here: string, there: string];
}

let scenes = 0;

/**
 * The puppets of one scenario, which are actors that follow the test's orders, and the labels that
 * stand for their pids.
 */
export class Scene {
  readonly system: System;
  readonly here: string;
  readonly there: string;
  readonly #number = ++scenes;
  readonly #names = new Map<string, string>();

  constructor({ system, nodes }: World) {
    this.system = system;
    [this.here, this.there] = nodes;
  }

  /** Spawns a puppet on a node. */
  async puppet(node: string, label: string, options: { trap?: boolean } = {}): Promise<Puppet> {
    const { trap = false } = options;
    const key = `${this.#number} ${label}`;
    const { system } = this;
    const there = { node, fn: "puppet" };
    const pid = await system.spawnAt<unknown>(system.externalCaller, there, false, undefined, [
      key,
      trap,
    ]);
    this.name(label, pid);
    const puppet = new Puppet(this, key, label, pid, node);
    // Waits for the first turn of the puppet.
    await puppet.do("echoIsSelf", pid);
    return puppet;
  }

  /** Spawns a puppet on each node; the second one traps exits. */
  async pair(): Promise<[Puppet, Puppet]> {
    return [await this.puppet(this.here, "A"), await this.puppet(this.there, "B", { trap: true })];
  }

  /** Returns the pid of a puppet that has exited. */
  async dead(node: string): Promise<Pid<unknown>> {
    const puppet = await this.puppet(node, "dead");
    puppet.tell("exit", "normal");
    assertEquals(await puppet.end(), "normal");
    return puppet.pid;
  }

  /** Returns a name that is unique to this scenario. */
  word(word: string): string {
    return `${word} ${this.#number}`;
  }

  /** Sets the label by which records show a pid or a reference. */
  name<T extends Pid<unknown> | Ref>(label: string, handle: T): T {
    this.#names.set(keyOf(handle), label);
    return handle;
  }

  clerk<T>(node: string, ...request: unknown[]): Promise<T> {
    return this.system.call<unknown, T>({ name: "clerk", node }, request);
  }

  /**
   * Waits until all messages in transit, and all messages that they cause, have arrived. The calls
   * made here take the same route as these messages, so they arrive after them.
   */
  async settle(): Promise<void> {
    const { here, there } = this;
    await this.clerk(here, "pass", there, here, there, here, there, here);
    await this.clerk(there, "pass", here, there, here, there, here, there);
  }

  /** Returns a value as text that is the same on all nodes. */
  text(value: unknown): string {
    if (value instanceof Pid) {
      return this.#names.get(keyOf(value)) ?? (value.id === 0 ? "nobody" : "a stranger");
    }
    if (value instanceof Ref) return this.#names.get(keyOf(value)) ?? "a reference";
    if (value instanceof Error) {
      const stack = value.stack?.includes(value.message) ? "" : " without a stack";
      const cause = value.cause === undefined ? "" : ` because ${this.text(value.cause)}`;
      return `${value.name}(${value.message})${stack}${cause}`;
    }
    if (Array.isArray(value)) return `[${value.map((item) => this.text(item)).join(" ")}]`;
    if (value instanceof Map) return `Map${this.text([...value])}`;
    if (value instanceof Set) return `Set${this.text([...value])}`;
    if (value instanceof Uint8Array) return `bytes ${value.toHex()}`;
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).map(([key, item]) => `${key}: ${this.text(item)}`);
      return `{${entries.join(", ")}}`;
    }
    return typeof value === "bigint" ? `${value}n` : String(value);
  }
}

function keyOf(handle: Pid<unknown> | Ref): string {
  return `${handle instanceof Ref ? "reference" : "pid"} ${handle.key}`;
}

/** Exit reasons of every kind. */
const REASONS: readonly ExitReason[] = [
  "normal",
  "shutdown",
  { shutdown: ["because", 1] },
  "kill",
  "killed",
  "noproc",
  "noconnection",
  "any text",
  "",
  new Error("boom", { cause: new TypeError("why") }),
  new RangeError("too far"),
  { code: 7, list: [1, { two: 2n }] },
  42,
  null,
  undefined,
  true,
];

type Play = (scene: Scene) => Promise<void>;

const LINKS: Record<string, Play> = {
  async "a linked actor that traps exits receives an exit with each reason"(scene) {
    for (const reason of REASONS) {
      for (const [one, other] of [[scene.here, scene.there], [scene.there, scene.here]]) {
        const a = await scene.puppet(one!, "A");
        const b = await scene.puppet(other!, "B", { trap: true });
        await b.do("link", a);
        a.tell("exit", reason);
        assertEquals(await b.notes(), [`exit A ${scene.text(reason)}`]);
        assertEquals([await a.end(), await b.end()], [scene.text(reason), "alive"]);
        b.tell("exit", "normal");
      }
    }
  },
  async "a linked actor that does not trap exits exits with the reason, unless it is normal"(
    scene,
  ) {
    for (const reason of REASONS) {
      const a = await scene.puppet(scene.here, "A");
      const b = await scene.puppet(scene.there, "B");
      await a.do("link", b);
      await scene.settle();
      b.tell("exit", reason);
      const expected = reason === "normal" ? "alive" : scene.text(reason);
      assertEquals([await b.end(), await a.end()], [scene.text(reason), expected]);
    }
  },
  async "an exit propagates along a chain of links between the nodes, up to an actor that traps exits"(
    scene,
  ) {
    const chain = [];
    for (let i = 0; i < 6; i++) {
      const node = i % 2 === 0 ? scene.here : scene.there;
      chain.push(await scene.puppet(node, `P${i}`, { trap: i === 5 }));
      if (i > 0) await chain[i]!.do("link", chain[i - 1]);
    }
    await scene.settle();
    chain[0]!.tell("exit", { broke: 1 });
    assertEquals(await chain[5]!.notes(), ["exit P4 {broke: 1}"]);
    for (const link of chain.slice(0, 5)) assertEquals(await link.end(), "{broke: 1}");
  },
  async "a pid in an exit reason refers to the same actor on every node"(scene) {
    const [a, b] = await scene.pair();
    await a.do("link", b);
    a.tell("exit", { linked: a.pid, reason: { linked: b.pid, reason: new Error("deep") } });
    const expected = "exit A {linked: A, reason: {linked: B, reason: Error(deep)}}";
    assertEquals(await b.notes(), [expected]);
  },
  async "a link with an actor that has exited causes an exit with noproc"(scene) {
    const dead = await scene.dead(scene.there);
    const a = await scene.puppet(scene.here, "A");
    const b = await scene.puppet(scene.here, "B", { trap: true });
    await b.do("link", dead);
    a.tell("link", dead);
    assertEquals(await b.notes(), ["exit dead noproc"]);
    assertEquals(await a.end(), "noproc");
    // B has no link to the actor that had already exited, so `unlink` removes nothing.
    await b.do("link", await scene.puppet(scene.there, "C"));
    await b.do("unlink", dead);
    assertEquals(await b.notes(), ["exit dead noproc"]);
  },
  async "link called from both sides creates one link"(scene) {
    const [a, b] = await scene.pair();
    await Promise.all([a.do("link", b), a.do("link", b), b.do("link", a), b.do("link", a)]);
    await scene.settle();
    a.tell("exit", "once");
    assertEquals(await b.notes(), ["exit A once"]);
  },
  async "link with itself has no effect"(scene) {
    const [, b] = await scene.pair();
    await b.do("link", b);
    assertEquals(await b.notes(), []);
    await b.do("unlink", b);
    await b.do("link", b);
    b.tell("exit", "bye");
    assertEquals(await b.end(), "bye");
  },
  async "unlink by either side removes the link on both"(scene) {
    for (const who of [0, 1]) {
      const pair = await scene.pair();
      const [a, b] = pair;
      await a.do("link", b);
      await scene.settle();
      await pair[who]!.do("unlink", pair[1 - who]);
      await scene.settle();
      a.tell("exit", "unheard");
      assertEquals(await b.notes(), []);
      const [c, d] = await scene.pair();
      await d.do("link", c);
      await scene.settle();
      await [c, d][who]!.do("unlink", [c, d][1 - who]);
      await scene.settle();
      d.tell("exit", "unheard");
      assertEquals([await d.end(), await c.end()], ["unheard", "alive"]);
    }
  },
  async "unlink takes effect at once, whatever is in transit"(scene) {
    const a = await scene.puppet(scene.here, "A");
    const b = await scene.puppet(scene.there, "B", { trap: true });
    // A links and unlinks in one turn; B exits after that.
    a.tell("link", b);
    a.tell("unlink", b);
    await a.do("unlink", b);
    b.tell("exit", "unheard");
    assertEquals([await b.end(), await a.end()], ["unheard", "alive"]);
  },
  async "link after unlink creates a new link"(scene) {
    const [a, b] = await scene.pair();
    for (let i = 0; i < 3; i++) {
      await a.do("link", b);
      await a.do("unlink", b);
    }
    await a.do("link", b);
    await scene.settle();
    a.tell("exit", "heard");
    assertEquals(await b.notes(), ["exit A heard"]);
  },
  async "spawnLink links atomically, so the exit of an actor that ends at once is received"(scene) {
    const b = await scene.puppet(scene.here, "B", { trap: true });
    const pid = await b.do<Pid<unknown>>("spawnLink", { node: scene.there, fn: "dies" }, "at once");
    scene.name("C", pid);
    assertEquals(await b.notes(), ["exit C at once"]);
    const a = await scene.puppet(scene.here, "A");
    a.tell("spawnLink", { node: scene.there, fn: "dies" }, new Error("too"));
    assertEquals(await a.end(), "Error(too)");
  },
};

const MONITORS: Record<string, Play> = {
  async "a monitor reports an exit once, with its reason and pid"(scene) {
    for (const reason of REASONS) {
      const [a, b] = await scene.pair();
      scene.name("r", await a.do<Ref>("monitor", b));
      b.tell("exit", reason);
      assertEquals(await a.notes(), [`down r B ${scene.text(reason)}`]);
      assertEquals(await a.end(), "alive");
    }
  },
  async "each monitor of the same actor reports, with its own reference"(scene) {
    const [a, b] = await scene.pair();
    for (const label of ["r1", "r2", "r3"]) scene.name(label, await a.do<Ref>("monitor", b));
    b.tell("exit", 1);
    assertEquals(await a.notes(), ["down r1 B 1", "down r2 B 1", "down r3 B 1"]);
  },
  async "a monitor of an actor that has exited reports noproc"(scene) {
    const dead = await scene.dead(scene.there);
    const a = await scene.puppet(scene.here, "A");
    scene.name("r", await a.do<Ref>("monitor", dead));
    assertEquals(await a.notes(), ["down r dead noproc"]);
  },
  async "a monitor by name monitors the actor that has the name at that time"(scene) {
    const [a, b] = await scene.pair();
    const name = scene.word("watched");
    await b.do("register", name);
    scene.name("r", await a.do<Ref>("monitor", { name, node: scene.there }));
    b.tell("exit", { gone: true });
    assertEquals(await a.notes(), ["down r B {gone: true}"]);
  },
  async "a monitor by an unknown name reports noproc"(scene) {
    const a = await scene.puppet(scene.here, "A");
    const name = scene.word("nobody");
    scene.name("r", await a.do<Ref>("monitor", { name, node: scene.there }));
    assertEquals(await a.notes(), ["down r nobody noproc"]);
  },
  async "demonitor removes a monitor, and returns whether there was one"(scene) {
    const [a, b] = await scene.pair();
    const name = scene.word("watched");
    await b.do("register", name);
    const one = scene.name("one", await a.do<Ref>("monitor", b));
    const two = scene.name("two", await a.do<Ref>("monitor", b));
    const named = await a.do<Ref>("monitor", { name, node: scene.there });
    assertEquals(await a.do("demonitor", one), true);
    assertEquals(await a.do("demonitor", one), false);
    assertEquals(await a.do("demonitor", named, true), true);
    b.tell("exit", "bye");
    assertEquals(await a.notes(), ["down two B bye"]);
    assertEquals(await a.do("demonitor", two), false);
  },
  async "demonitor with flush removes a Down from the mailbox"(scene) {
    const [a, b] = await scene.pair();
    assertEquals(await a.do("flush", b), [1, false, 0]);
    assertEquals(await a.notes(), []);
    assertEquals(await b.end(), "killed");
  },
  async "the monitors of an actor end when it exits"(scene) {
    const [a, b] = await scene.pair();
    await a.do("monitor", b);
    a.tell("exit", "first");
    await scene.settle();
    b.tell("exit", "second");
    assertEquals([await a.end(), await b.end(), await a.notes()], ["first", "second", []]);
  },
  async "spawnMonitor monitors atomically, so the exit of an actor that ends at once is reported"(
    scene,
  ) {
    const a = await scene.puppet(scene.here, "A");
    const there = { node: scene.there, fn: "dies" };
    const [pid, ref] = await a.do<[Pid<unknown>, Ref]>("spawnMonitor", there, { at: "once" });
    scene.name("C", pid);
    scene.name("r", ref);
    assertEquals(await a.notes(), ["down r C {at: once}"]);
  },
};

const EXITS: Record<string, Play> = {
  async "exit is a message to an actor that traps exits, unless the reason is kill"(scene) {
    for (const reason of REASONS) {
      const [a, b] = await scene.pair();
      await a.do("exitTo", b, reason);
      const isKill = reason === "kill";
      assertEquals(await b.notes(), isKill ? [] : [`exit A ${scene.text(reason)}`]);
      assertEquals(await b.end(), isKill ? "killed" : "alive");
      assertEquals(await a.end(), "alive");
    }
  },
  async "exit ends an actor that does not trap exits, unless the reason is normal"(scene) {
    for (const reason of REASONS) {
      const a = await scene.puppet(scene.here, "A");
      const b = await scene.puppet(scene.there, "B");
      await a.do("exitTo", b, reason);
      const expected = reason === "normal"
        ? "alive"
        : reason === "kill"
        ? "killed"
        : scene.text(reason);
      assertEquals(await b.end(), expected);
    }
  },
  async "actors linked with a killed actor receive the reason killed"(scene) {
    const [a, b] = await scene.pair();
    const c = await scene.puppet(scene.there, "C");
    await a.do("link", b);
    await a.do("link", c);
    await scene.settle();
    await b.do("exitTo", a, "kill");
    assertEquals(await a.end(), "killed");
    assertEquals([await b.notes(), await c.end()], [["exit A killed"], "killed"]);
  },
  async "exit to an actor that has exited has no effect"(scene) {
    const dead = await scene.dead(scene.there);
    const [a] = await scene.pair();
    await a.do("exitTo", dead, "kill");
    assertEquals([await a.notes(), await a.end()], [[], "alive"]);
  },
  async "a handler that throws ends its actor with the error"(scene) {
    const [a, b] = await scene.pair();
    await b.do("link", a);
    await scene.settle();
    a.tell("no such thing");
    assertEquals(await b.notes(), ["exit A Error(no order: no such thing)"]);
  },
};

const CALLS: Record<string, Play> = {
  async "a call resolves to the reply, by pid and by name"(scene) {
    const [a, b] = await scene.pair();
    const name = scene.word("server");
    await b.do("register", name);
    const value = { list: [1, new Map([["key", b.pid]])], bytes: Uint8Array.of(1, 2) };
    await a.do("call", b, { ask: "echo", value });
    await a.do("call", { name, node: scene.there }, { ask: "echo", value: undefined });
    assertEquals(await a.notes(), [
      "reply {list: [1 Map[[key B]]], bytes: bytes 0102}",
      "reply undefined",
    ]);
  },
  async "a refused call rejects with the given value, and errors stay errors"(scene) {
    const [a, b] = await scene.pair();
    const error = new RangeError("no", { cause: new Error("deeper") });
    await a.do("call", b, { ask: "refuse", value: error });
    await a.do("call", b, { ask: "refuse", value: { not: "an error" } });
    assertEquals(await a.notes(), [
      "failed RangeError(no) because Error(deeper)",
      "failed {not: an error}",
    ]);
  },
  async "only the first reply to a call takes effect"(scene) {
    const [a, b] = await scene.pair();
    await a.do("call", b, { ask: "twice" });
    assertEquals(await a.notes(), ["reply 1"]);
  },
  async "a call of an actor that has exited, or of an unknown name, rejects with noproc"(scene) {
    const dead = await scene.dead(scene.there);
    const [a] = await scene.pair();
    await a.do("call", dead, { ask: "echo" });
    await a.do("call", { name: scene.word("nobody"), node: scene.there }, { ask: "echo" });
    assertEquals(await a.notes(), ["failed NoProcError noproc", "failed NoProcError noproc"]);
  },
  async "a call of an actor that exits rejects with its reason"(scene) {
    for (const reason of REASONS) {
      const [a, b] = await scene.pair();
      await a.do("call", b, { ask: "hold", value: 1 });
      await a.do("call", b, { ask: "exit", value: reason });
      await a.do("call", b, { ask: "echo", value: 2 });
      const because = reason === undefined ? "" : ` ${scene.text(reason)}`;
      const failed = `failed CallExitError exit${because}`;
      const [first, second, third] = await a.notes();
      assertEquals([first, second], [failed, failed]);
      // The third call may have been sent before or after A learned of the exit. Both errors are
      // correct.
      if (third !== failed) assertEquals(third, "failed NoProcError noproc");
    }
  },
  async "a call of an actor that throws or is killed rejects with that reason"(scene) {
    const [a, b] = await scene.pair();
    const c = await scene.puppet(scene.there, "C");
    await a.do("call", b, { ask: "throw", value: "oh" });
    await scene.settle();
    await a.do("call", c, { ask: "hold", value: "work" });
    await scene.settle();
    await a.do("exitTo", c, "kill");
    assertEquals(await a.notes(), [
      "failed CallExitError exit TypeError(oh)",
      "failed CallExitError exit killed",
    ]);
  },
  async "a call that is not answered in time rejects, and a late reply is dropped"(scene) {
    const [a, b] = await scene.pair();
    await a.do("call", b, { ask: "hold", value: "late" }, { timeout: 20 });
    await until("the call has failed", async () => (await a.peek()).length > 0);
    await b.do("answer", "too late");
    assertEquals(await b.notes(), ["asked late"]);
    assertEquals(await a.notes(), ["failed CallTimeoutError timeout"]);
  },
  async "an aborted call rejects with the signal's reason, and a late reply is dropped"(scene) {
    const [a, b] = await scene.pair();
    await a.do("call", b, { ask: "hold", value: 1 }, { abort: "given up" });
    assertEquals(await b.notes(), ["asked 1"]);
    await b.do("answer", "too late");
    assertEquals(await a.notes(), ["failed given up"]);
  },
  async "calls may be answered in any order, each with its own reply"(scene) {
    const [a, b] = await scene.pair();
    await a.do("call", b, { ask: "hold", value: "first" });
    await a.do("call", b, { ask: "echo", value: "second" });
    assertEquals(await a.notes(), ["reply second"]);
    await b.do("answer", "third");
    assertEquals(await a.notes(), ["reply second", "reply third"]);
  },
  async "the calls of an actor end when it exits"(scene) {
    const [a, b] = await scene.pair();
    await a.do("call", b, { ask: "hold", value: 1 });
    assertEquals(await b.notes(), ["asked 1"]);
    a.tell("exit", "tired");
    assertEquals(await a.notes(), ["failed ActorExitError exit tired"]);
    await b.do("answer", "too late");
    assertEquals([await a.end(), await b.end()], ["tired", "alive"]);
  },
};

const NAMES: Record<string, Play> = {
  async "a message to a name reaches the actor that has the name on arrival"(scene) {
    const [a, b] = await scene.pair();
    const c = await scene.puppet(scene.there, "C");
    const name = scene.word("post");
    const to = { name, node: scene.there };
    await a.do("send", to, "nobody is there");
    await b.do("register", name);
    await a.do("send", to, "for B");
    await scene.settle();
    b.tell("exit", "normal");
    await scene.settle();
    await a.do("send", to, "nobody again");
    await scene.settle();
    await c.do("register", name);
    await a.do("send", to, "for C");
    assertEquals([await b.notes(), await c.notes()], [["got for B"], ["got for C"]]);
  },
  async "names may be in any script, and long"(scene) {
    const [a, b] = await scene.pair();
    for (const word of ["ünï ✓ 名前 🜂", "x".repeat(1000), " "]) {
      const name = scene.word(word);
      await b.do("register", name);
      await a.do("send", { name, node: scene.there }, name.length);
    }
    assertEquals((await b.notes()).length, 3);
  },
};

const MESSAGES: Record<string, Play> = {
  async "messages by pid and by name, and exit signals, arrive in the order in which they were sent"(
    scene,
  ) {
    const [a, b] = await scene.pair();
    const name = scene.word("order");
    await b.do("register", name);
    await b.do("monitor", a);
    await b.do("link", a);
    await scene.settle();
    await a.do("burst", b, { name, node: scene.there }, 1000);
    a.tell("burst", b, { name, node: scene.there }, 5);
    a.tell("exit", "last");
    const expected: string[] = [];
    for (let i = 0; i < 1000; i++) {
      expected.push(`got ${i}`);
      if (i % 10 === 9) expected.push(`exit A after ${i}`);
    }
    for (let i = 0; i < 5; i++) expected.push(`got ${i}`);
    expected.push("down a reference A last", "exit A last");
    await until(
      "all messages have been handled",
      async () => (await b.peek()).length === expected.length,
    );
    assertLines(await b.notes(), expected);
  },
  async "large and small messages arrive in the order in which they were sent"(scene) {
    const [a, b] = await scene.pair();
    const name = scene.word("sizes");
    await b.do("register", name);
    const to = [b, { name, node: scene.there }];
    const expected: string[] = [];
    for (let i = 0; i < 20; i++) {
      const length = i % 3 === 0 ? 300_000 : 1;
      a.tell("send", to[i % 2], "x".repeat(length));
      expected.push(`got ${"x".repeat(length)}`);
    }
    a.tell("exitTo", b, "end");
    expected.push("exit A end");
    await until(
      "all messages have arrived",
      async () => (await b.peek()).length === expected.length,
    );
    assertLines(await b.notes(), expected);
  },
  async "a message to an actor that has exited is dropped"(scene) {
    const dead = await scene.dead(scene.there);
    const [a, b] = await scene.pair();
    await a.do("send", dead, "hello");
    await a.do("send", b, "you then");
    assertEquals([await a.notes(), await b.notes()], [[], ["got you then"]]);
    assertEquals(await a.end(), "alive");
  },
  async "a pid within a term refers to the same actor"(scene) {
    const [a, b] = await scene.pair();
    const c = await scene.puppet(scene.here, "C");
    const term = { deep: [new Map([[1, new Set([a.pid, b.pid, c.pid])]])], x: { y: c.pid } };
    await a.do("send", b, term);
    const text = "{deep: [Map[[1 Set[A B C]]]], x: {y: C}}";
    assertEquals(await b.notes(), [`got ${text}`]);
    // A pid received within a term reaches the same actor.
    await b.do("send", c, ["back", term.x.y]);
    assertEquals(await c.notes(), ["got [back C]"]);
  },
  async "a pid that is sent back to its node is the local pid"(scene) {
    for (const node of [scene.here, scene.there]) {
      const a = await scene.puppet(node, "A", { trap: true });
      assertEquals(await a.do("echoIsSelf", a), true);
      await a.do("link", a);
      await a.do("send", { name: "clerk", node: scene.there }, a.pid);
      await a.do("send", a, a.pid);
      assertEquals(await a.notes(), ["got A"]);
    }
  },
  async "terms of all kinds arrive unchanged"(scene) {
    const [a, b] = await scene.pair();
    const terms = [undefined, null, true, -0, 1.5, 2n ** 70n, "té", [], {}, [[[1]]], new Date(5)];
    for (const term of terms) await a.do("send", b, term);
    await a.do("send", b, new TypeError("an error is a message like any other"));
    assertEquals(await b.notes(), [
      ...terms.map((term) => `got ${scene.text(term)}`),
      "got TypeError(an error is a message like any other)",
    ]);
  },
};

/** The scenarios by subject. */
const SUITE: Record<string, Record<string, Play>> = {
  Links: LINKS,
  Monitors: MONITORS,
  Exits: EXITS,
  Calls: CALLS,
  Names: NAMES,
  Messages: MESSAGES,
};

/** Declares the suite: one test per subject, run with the two nodes in both orders. */
export function conform(
  where: string,
  withWorld: (body: (world: World) => Promise<void>) => Promise<void>,
): void {
  for (const [subject, plays] of Object.entries(SUITE)) {
    test(`${subject} behave as specified ${where}`, async () => {
      await withWorld(async ({ system, nodes: [near, far] }) => {
        const sides: (readonly [string, string])[] = near === far
          ? [[near, far]]
          : [[near, far], [far, near]];
        for (const nodes of sides) {
          for (const [name, play] of Object.entries(plays)) {
            try {
              await play(new Scene({ system, nodes }));
            } catch (error) {
              const side = nodes[0] === near ? "" : " (nodes exchanged)";
              throw new Error(`${name}${side}: ${(error as Error).message}`, { cause: error });
            }
          }
        }
      });
    });
  }
}
