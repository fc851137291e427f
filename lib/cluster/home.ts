/**
 * Implements homes, which place actors by key. Each key of a kind has one actor, which runs on the
 * home of the key: one of the nodes that offer the kind. Shards and the history of channels use
 * homes. `home_actor.ts` has the protocol, `rendezvous.ts` the placement.
 *
 *     call(key) ─▶ its actor is on this node ─▶ the actor
 *             └──▶ else ─▶ the kind's actor on the home ─▶ starts the actor on demand ─▶ the actor
 *
 * Guarantees, per kind:
 * - A key has at most one actor on nodes that are connected: a call waits until this node has
 *   exchanged lists of keys with each connected node. With `quorum`, a key has at most one actor in
 *   total. After a partition, the actor on the home stays; the other one is stopped, and its state
 *   is discarded.
 * - Keys move only when nodes join or leave: 1/n of the keys for each node that joins or leaves, if
 *   n nodes offer the kind (`rendezvous.ts`).
 * - Messages for a key that moves are held back or forwarded, in order, and handled at most once.
 *
 * @module
 */
import type { CallOptions } from "../actor/call.ts";
import { ArgumentError, NameError, NodeStoppedError, NoProcError } from "../actor/errors.ts";
import type { Self } from "../actor/self.ts";
import type { System } from "../actor/system.ts";
import type { Call } from "../actor/call.ts";
import { timerMs } from "../actor/timer.ts";
import type { Emitter } from "../base/emitter.ts";
import { INTENSITY, Intensity, PERIOD_MS } from "../otp/intensity.ts";
import { revive } from "../otp/remote_errors.ts";
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import type { GroupChange, NameChange } from "./changes.ts";
import type { GroupTable } from "./groups.ts";
import { HomeActor } from "./home_actor.ts";
import type { HomePorts, HomeRules } from "./home_rules.ts";
import type { Keyed } from "./home_member.ts";
import { checkQuorum, type Quorum } from "./quorum.ts";
import { type Registry, RESERVED } from "./registry.ts";
import { WEIGHT_MAX } from "./rendezvous.ts";
import { isKey, KEY_BYTES_MAX } from "./rows.ts";
import type { Incarnation } from "./singleton_definition.ts";

/** The scope of the groups of nodes that offer a kind. */
const SCOPE = `${RESERVED}home`;

/** Default of `movesPerSecond`. */
const MOVES_PER_SECOND = 1_000;

/** Options of a kind on the node that offers it. */
export interface HomeOptions {
  /**
   * Starts the actor of a key, linked with `self`, the kind's actor. `incarnation` has the state
   * that was handed over, and with `quorum` a fencing token.
   */
  readonly start: (
    self: Self,
    key: string,
    incarnation: Omit<Incarnation, "handover">,
  ) => Pid<never> | Promise<Pid<never>>;
  /**
   * Returns the state of a key that moves, or a promise of it. The next home starts the actor with
   * this state. Default: no state.
   */
  readonly handover?: ((pid: Pid<never>, key: string) => unknown) | undefined;
  /**
   * Makes the actor of a key exit. If it has not exited after 5 s, it is killed. Default: sends the
   * exit signal "shutdown".
   */
  readonly stop?: ((pid: Pid<never>, key: string) => void) | undefined;
  /** Relative share of keys of this node, an integer from 1 to 100. Default 1. */
  readonly weight?: number | undefined;
  /**
   * Number of keys per second that are moved to a joining node. In addition, keys that are called
   * on that node move at once. Default 1000.
   */
  readonly movesPerSecond?: number | undefined;
  /**
   * Milliseconds without a message after which the actor of a key is stopped. Default `Infinity`.
   */
  readonly passivateAfter?: number | undefined;
  /** Whether a crashed actor is restarted at once. Default: it is restarted by the next message. */
  readonly restart?: boolean | undefined;
  /**
   * Maximum number of crashes of a key within `period`. When it is exceeded, waiting calls are
   * rejected. Default 3.
   */
  readonly intensity?: number | undefined;
  /** Time window of `intensity`, in milliseconds. Default 5000, as for supervisors. */
  readonly period?: number | undefined;
  /**
   * Number of nodes that must grant a key to its home, or `"majority"`. It must be the same on all
   * nodes. Default: no quorum is needed.
   */
  readonly quorum?: Quorum | undefined;
}

/** Events of homes. */
export interface HomeEvents {
  /** This node has handed a key over to another. */
  moved: { readonly kind: string; readonly key: string; readonly to: string };
  /** The actor of a key crashed too often. It is started again only by the next message. */
  keygivenup: { readonly kind: string; readonly key: string; readonly reason: ExitReason };
}

/** Statistics of a kind on this node. */
export interface HomeCounts {
  /** Number of actors that run, or are being started, stopped or moved. */
  readonly actors: number;
  /** Number of actors that were started. */
  readonly started: number;
  /** Number of actors that were passivated. */
  readonly passivated: number;
  /** Number of keys that were handed over to other nodes. */
  readonly movedOut: number;
  /** Number of keys that were taken over from other nodes. */
  readonly movedIn: number;
}

/** The handle through which a node calls the actors of a kind, on any node: see `Homes`. */
export class HomeKind {
  /** The name of the kind. */
  readonly kind: string;
  readonly #system: System;
  readonly #actor: HomeActor;

  /** Internal: see `Homes`. */
  constructor(kind: string, system: System, actor: HomeActor) {
    this.kind = kind;
    this.#system = system;
    this.#actor = actor;
  }

  /**
   * Returns the home of a key among the nodes known to offer the kind. Undefined if no node offers
   * the kind.
   */
  nodeOf(key: string): string | undefined {
    return this.#actor.nodeOf(key);
  }

  /** Returns the nodes known to offer the kind. */
  nodes(): string[] {
    return this.#actor.nodes();
  }

  /** Returns the keys whose actors are on this node. */
  keys(): string[] {
    return [...this.#actor.residents.values()].filter(({ pid }) => pid !== undefined)
      .map(({ key }) => key);
  }

  /** Returns the actor of a key, if it is on this node. */
  whereis(key: string): Pid<never> | undefined {
    return this.#actor.residents.get(key)?.pid;
  }

  /** Returns the statistics of this node. */
  counts(): HomeCounts {
    return { actors: this.#actor.residents.size, ...this.#actor.counts };
  }

  /** Calls the actor of a key. Starts the actor if it does not run. Rejects as `Node.call` does. */
  call<R>(key: string, request: unknown, options?: CallOptions): Promise<R> {
    if (!isKey(key)) return this.#system.rejected(badKey(this.kind, key), this.#system.running);
    const target = this.#actor.target(key);
    if (target === undefined) {
      const words = `${this.kind} ${JSON.stringify(key)}: no node offers the kind`;
      return this.#system.rejected(new NoProcError(words), this.#system.running);
    }
    const { pid, isDirect } = target;
    const answer = this.#system.call(
      pid as Pid<never> as Pid<Call<unknown, R>>,
      isDirect ? request : { $key: key, body: request },
      options,
    );
    return pid.home.local ? answer : revive(answer);
  }

  /** Sends a message to the actor of a key. Starts the actor if it does not run. */
  cast(key: string, message: unknown): void {
    if (!isKey(key)) throw badKey(this.kind, key);
    const target = this.#actor.target(key);
    if (target === undefined) return;
    const { pid, isDirect } = target;
    const to = pid as Pid<never> as Pid<unknown>;
    this.#system.send(to, isDirect ? message : { $key: key, body: message } satisfies Keyed);
  }

  /**
   * Stops offering the kind. Resolves when all keys have moved to other nodes, with their state.
   */
  leave(): Promise<void> {
    return new Promise((done) => this.#actor.leave(done));
  }
}

/** The kinds that one node offers or calls. */
export class Homes {
  readonly #system: System;
  readonly #groups: GroupTable;
  readonly #registry: Registry;
  readonly #peers: () => string[];
  readonly #actors = new Set<HomeActor>();
  readonly #events: Emitter<HomeEvents>;
  readonly #warn: (words: string) => void;
  readonly #kinds = new Map<string, HomeKind>();

  /** Internal: use `node.homes`. */
  constructor(
    system: System,
    groups: GroupTable,
    registry: Registry,
    peers: () => string[],
    events: Emitter<HomeEvents>,
    warn: (words: string) => void,
  ) {
    this.#system = system;
    this.#groups = groups;
    this.#registry = registry;
    this.#peers = peers;
    this.#events = events;
    this.#warn = warn;
  }

  /**
   * Offers a kind: this node becomes the home of its share of the keys.
   *
   * @throws {NameError} `code` "taken": this node already takes part; "badname": the name is empty
   *   or too long.
   * @throws {ArgumentError} `code` "badarg": an option is invalid.
   */
  offer(kind: string, options: HomeOptions): HomeKind {
    const { weight = 1, movesPerSecond = MOVES_PER_SECOND, passivateAfter = Infinity } = options;
    const { intensity = INTENSITY, period = PERIOD_MS, quorum, restart = false } = options;
    if (!(Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX)) {
      throw new ArgumentError(
        `${kind}: weight is ${weight}: use an integer from 1 to ${WEIGHT_MAX}`,
      );
    }
    if (!(movesPerSecond > 0)) {
      throw new ArgumentError(`${kind}: movesPerSecond is ${movesPerSecond}: use more than 0`);
    }
    if (!(passivateAfter >= 1)) {
      throw new ArgumentError(`${kind}: passivateAfter is ${passivateAfter}: use 1 ms or more`);
    }
    if (passivateAfter !== Infinity) timerMs(passivateAfter);
    checkQuorum(quorum);
    new Intensity(intensity, period);
    const { start, handover, stop } = options;
    const rules = { weight, movesPerSecond, passivateAfter, restart, intensity, period };
    return this.#take(kind, {
      ...rules,
      start,
      ...handover && { handover },
      ...stop && { stop },
    }, quorum);
  }

  /** Returns a handle that only calls the actors of a kind, without offering it. */
  use(kind: string): HomeKind {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    return this.#take(kind, {
      weight: 0,
      movesPerSecond: 1,
      passivateAfter: Infinity,
      restart: false,
      intensity: INTENSITY,
      period: PERIOD_MS,
      start: () => this.#system.deadPid(),
    }, undefined);
  }

  /** Internal: called when a session with a node has opened. */
  connected(node: string): void {
    for (const actor of this.#actors) actor.connected(node);
  }

  /** Stops offering all kinds. Resolves when all keys have moved. */
  leave(): Promise<unknown> {
    return Promise.all([...this.#kinds.values()].map((home) => home.leave()));
  }

  #take(kind: string, rules: HomeRules, quorum?: Quorum): HomeKind {
    if (!isKey(kind)) {
      const words = `a kind's name has 1 to ${KEY_BYTES_MAX} bytes: ${JSON.stringify(kind)}`;
      throw new NameError("badname", words);
    }
    if (this.#kinds.has(kind)) {
      throw new NameError("taken", `this node takes part in ${JSON.stringify(kind)} already`);
    }
    // The new actor first runs in a later turn, when `actor` has been initialised.
    const pid = this.#system.spawn<unknown, []>(undefined, undefined, function home() {
      return (message: unknown) => actor.handle(message);
    }, []);
    const self = this.#system.actorOf(pid);
    if (self === undefined) throw new NodeStoppedError(this.#system.home.node, `no ${kind} there`);
    const actor = new HomeActor(self, rules, this.#ports(kind, quorum));
    this.#actors.add(actor);
    actor.begin();
    const home = new HomeKind(kind, this.#system, actor);
    this.#kinds.set(kind, home);
    this.#system.whenEnded(pid).then(() => {
      this.#kinds.delete(kind);
      this.#actors.delete(actor);
    });
    return home;
  }

  #ports(kind: string, quorum: Quorum | undefined): HomePorts {
    const registry = this.#registry;
    const prefix = `${RESERVED}${kind}${RESERVED}`;
    return {
      kind,
      join: (pid) => {
        this.#groups.join(SCOPE, kind, pid);
        return () => void this.#groups.leave(SCOPE, kind, pid);
      },
      peers: this.#peers,
      synced: (node) => registry.synced(node),
      monitor: (pid: Pid<GroupChange>) => void this.#groups.monitor(SCOPE, kind, pid),
      lock: quorum === undefined ? undefined : {
        keyOf: (name) => name.slice(prefix.length),
        acquire: (key, pid) =>
          isKey(prefix + key)
            ? registry.register(prefix + key, pid, "keep", { quorum, yieldsAfterPause: true })
            : Promise.reject(badKey(kind, key)),
        token: (key) => registry.ours(prefix + key)?.token,
        release: (key) => void registry.unregister(prefix + key),
        watch: (key, pid: Pid<NameChange>) => registry.monitor(prefix + key, pid),
      },
      moved: (key, to) => {
        if (this.#events.has("moved")) this.#events.emit("moved", { kind, key, to });
      },
      givenUp: (key, reason) => {
        if (this.#events.has("keygivenup")) this.#events.emit("keygivenup", { kind, key, reason });
      },
      warn: this.#warn,
    };
  }
}

function badKey(kind: string, key: string): ArgumentError {
  const words =
    `a key has 1 to ${KEY_BYTES_MAX} bytes, and together with its kind no more with a quorum`;
  return new ArgumentError(`${kind}: ${words}: ${JSON.stringify(key)}`);
}
