/**
 * A model of two nodes that may dial each other at any moment. It uses two real {@linkcode Peers}
 * and, in place of sockets, queues from which a schedule takes one message at a time.
 *
 *     NAME ─▶   ◀─ CHALLENGE   REPLY(last session) ─▶   ◀─ ACK or DUPLICATE   CLOSE either way
 *
 * {@linkcode everyRun} tries every order of message arrivals, starts and, if configured, one broken
 * connection.
 */
import { assert } from "@std/assert";
import { type DialPlan, DialQueue } from "../../lib/mesh/dial_queue.ts";
import { Peers } from "../../lib/mesh/peers.ts";

type Message =
  | { readonly kind: "NAME" | "CHALLENGE" | "ACK" | "DUPLICATE" | "CLOSE" }
  | { readonly kind: "REPLY"; readonly lastSession: bigint };

/** A connection of the model: two queues of messages in transit. */
interface Wire {
  readonly id: bigint;
  readonly initiator: Side;
  readonly responder: Side;
  readonly toDialler: Message[];
  readonly toAcceptor: Message[];
  /** The sides that have closed the connection. They no longer send and receive. */
  readonly closed: Set<Side>;
}

/** A node of the model, which is one side of the connections. */
export class Side {
  readonly name: string;
  creation = 1;
  peers: Peers;
  /** The pending dial of this side. */
  dial: Wire | undefined;
  session: Wire | undefined;
  /** Number of times that a session was established. */
  ups = 0;
  other!: Side;

  constructor(name: string) {
    this.name = name;
    this.peers = new Peers(name, () => 0.5);
  }
}

/** A step that a schedule may take next. */
interface Choice {
  readonly what: string;
  readonly act: () => void;
}

/** The initial state of the model. */
export interface Setting {
  /** Whether one connection may break, once and at any moment. */
  readonly breaks?: boolean;
  /** Whether closing loses sent messages that the peer has not read. */
  readonly closeLoses?: boolean;
  /**
   * Number of advances of the clock before which every order of steps is tried. After them, only
   * one order is tried. Default: 1.
   */
  readonly rounds?: number;
  /** The nodes that dial on their own. */
  readonly dials: readonly ("a" | "b")[];
  /** Called before the run, for example to establish a session. */
  readonly before?: (world: World) => void;
}

/** Both nodes and the connections between them. */
export class World {
  readonly a: Side = new Side("a@h:1");
  readonly b: Side = new Side("b@h:1");
  now = 0;
  readonly trail: string[] = [];
  readonly #setting: Setting;
  readonly #wires: Wire[] = [];
  #lastId = 0n;
  #broken = false;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.a.other = this.b;
    this.b.other = this.a;
    setting.before?.(this);
    for (const who of setting.dials) this[who].peers.add(this[who].other.name, "seed", this.now);
  }

  /** Establishes a session on both sides. */
  join(): void {
    const wire = this.#wire(this.a);
    for (const side of [this.a, this.b]) this.#up(side, wire);
    this.a.ups = this.b.ups = 0;
  }

  /** Makes `side` lose its session, which the other side has not detected yet. */
  lose(side: Side): void {
    const wire = side.session!;
    this.#say(wire, side, { kind: "CLOSE" });
    this.#down(side, wire);
  }

  /** Restarts `side`, which the other side has not detected yet. */
  restart(side: Side): void {
    const wire = side.session!;
    side.session = undefined;
    side.creation++;
    side.peers = new Peers(side.name, () => 0.5);
    this.#say(wire, side, { kind: "CLOSE" });
  }

  /**
   * Returns the possible next steps in a fixed order, or an empty list if no step is possible at
   * the current time.
   */
  choices(): Choice[] {
    const found: Choice[] = [];
    for (const side of [this.a, this.b]) {
      if (planOf(side.peers, this.now).names.length === 0) continue;
      found.push({ what: `${side.name} dials`, act: () => this.#dial(side) });
    }
    for (const wire of this.#wires) {
      for (const side of [wire.initiator, wire.responder]) {
        const queue = side === wire.initiator ? wire.toDialler : wire.toAcceptor;
        if (queue.length === 0) continue;
        const what = `${side.name} reads ${queue[0]!.kind} of ${wire.id}`;
        found.push({ what, act: () => this.#receive(side, wire, queue.shift()!) });
      }
    }
    if (this.#setting.breaks && !this.#broken) {
      for (const wire of this.#wires) {
        if (!this.#alive(wire)) continue;
        found.push({ what: `${wire.id} breaks`, act: () => this.#break(wire) });
      }
    }
    return found;
  }

  /** Advances the time to the next scheduled action. Returns `false` if none is scheduled. */
  pass(): boolean {
    const at = Math.min(...[this.a, this.b].map(({ peers }) => planOf(peers, this.now).wakeAt));
    if (at === Infinity) return false;
    this.now = Math.max(this.now, at);
    return true;
  }

  #wire(initiator: Side): Wire {
    const wire = {
      id: ++this.#lastId,
      initiator,
      responder: initiator.other,
      toDialler: [],
      toAcceptor: [],
      closed: new Set<Side>(),
    };
    this.#wires.push(wire);
    return wire;
  }

  #alive(wire: Wire): boolean {
    const { initiator, responder } = wire;
    return initiator.dial === wire || initiator.session === wire || responder.session === wire;
  }

  #break(wire: Wire): void {
    this.#broken = true;
    for (const side of [this.a, this.b]) wire.closed.add(side);
    wire.toDialler.splice(0, Infinity, { kind: "CLOSE" });
    wire.toAcceptor.splice(0, Infinity, { kind: "CLOSE" });
  }

  #say(wire: Wire, from: Side, message: Message): void {
    const [queue, mine] = from === wire.initiator
      ? [wire.toAcceptor, wire.toDialler]
      : [wire.toDialler, wire.toAcceptor];
    if (wire.closed.has(from)) return;
    if (message.kind === "CLOSE") {
      wire.closed.add(from);
      mine.length = 0;
      if (this.#setting.closeLoses) queue.length = 0;
    }
    if (!wire.closed.has(from.other)) queue.push(message);
  }

  #dial(side: Side): void {
    side.peers.dialing(side.other.name, this.now);
    side.dial = this.#wire(side);
    this.#say(side.dial, side, { kind: "NAME" });
  }

  #receive(side: Side, wire: Wire, message: Message): void {
    switch (message.kind) {
      case "NAME":
        return this.#say(wire, side, { kind: "CHALLENGE" });
      case "CHALLENGE":
        assert(side.dial === wire, "a challenge for a dial that was given up");
        return this.#say(wire, side, {
          kind: "REPLY",
          lastSession: side.peers.proving(side.other.name),
        });
      case "REPLY":
        return this.#replied(side, wire, message.lastSession);
      case "ACK":
        assert(side.dial === wire, "an ack for a dial that was given up");
        side.dial = undefined;
        return this.#up(side, wire);
      case "DUPLICATE":
        side.dial = undefined;
        side.peers.yielded(side.other.name, this.now);
        return this.#say(wire, side, { kind: "CLOSE" });
      case "CLOSE":
        if (side.dial === wire) {
          side.dial = undefined;
          side.peers.failed(side.other.name, this.now);
        } else if (side.session === wire) this.#down(side, wire);
        return;
    }
  }

  /** Handles a REPLY as the mesh does. */
  #replied(side: Side, wire: Wire, lastSession: bigint): void {
    const { other, peers } = side;
    let verdict = peers.decide(other.name, other.creation, lastSession);
    if (verdict === "probe") {
      // The former incarnation does not answer the ping.
      verdict = peers.decide(other.name, other.creation, lastSession, side.session!.id);
      assert(verdict === "replace", `after the probe: ${verdict}`);
    }
    if (verdict === "duplicate") {
      this.#say(wire, side, { kind: "DUPLICATE" });
      return this.#say(wire, side, { kind: "CLOSE" });
    }
    if (verdict === "replace" && side.session !== undefined) {
      this.#say(side.session, side, { kind: "CLOSE" });
      this.#down(side, side.session);
    }
    if (side.dial !== undefined) {
      this.#say(side.dial, side, { kind: "CLOSE" });
      side.dial = undefined;
      peers.yielded(other.name, this.now);
    }
    this.#say(wire, side, { kind: "ACK" });
    this.#up(side, wire);
  }

  #up(side: Side, wire: Wire): void {
    assert(side.session === undefined, `${side.name} has a session already`);
    side.session = wire;
    side.ups++;
    side.peers.up(side.other.name, wire.id, side.other.creation, this.now);
  }

  #down(side: Side, wire: Wire): void {
    assert(side.session === wire, "another session");
    side.session = undefined;
    side.peers.down(side.other.name, "lost", this.now);
  }
}

function planOf(peers: Peers, now: number): DialPlan {
  return new DialQueue(peers).next(now);
}

/**
 * Runs a setting in every possible order to its end, calls `check` after each run, and returns the
 * number of runs.
 */
export function everyRun(setting: Setting, check: (world: World) => void): number {
  let runs = 0;
  let prefix: number[] = [];
  for (;;) {
    const world = new World(setting);
    const taken: number[] = [];
    const open: number[] = [];
    try {
      for (let pauses = 0; pauses < 4; pauses++) {
        for (;;) {
          const choices = world.choices();
          if (choices.length === 0) break;
          const index = prefix[taken.length] ?? 0;
          const choice = choices[index]!;
          taken.push(index);
          open.push(pauses < (setting.rounds ?? 1) ? choices.length : 1);
          world.trail.push(choice.what);
          choice.act();
        }
        if (!world.pass()) break;
        world.trail.push(`at ${world.now}`);
      }
      check(world);
    } catch (error) {
      throw new Error(`after: ${world.trail.join("; ")}`, { cause: error });
    }
    runs++;
    let last = taken.length - 1;
    while (last >= 0 && taken[last]! + 1 >= open[last]!) last--;
    if (last < 0) return runs;
    prefix = [...taken.slice(0, last), taken[last]! + 1];
  }
}
