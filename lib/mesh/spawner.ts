/**
 * Spawns actors on other nodes, and on this node for other nodes. Only functions that are exposed
 * by name can be spawned.
 *
 *     spawn ─▶ SPAWN ─▶ exposed? allowed? ─▶ spawned, linked, monitored ─▶ SPAWNED ─▶ the pid
 *       └─ timeout, or the caller has exited: an actor that is spawned later is killed
 *
 * Longer than 400 lines: it has both sides of a spawn, which share its limits.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { type ActorRef, attach, type Chained, detach } from "../actor/actor_ref.ts";
import { ActorExitError, ArgumentError } from "../actor/errors.ts";
import type { RemoteSpawn } from "../actor/remote.ts";
import type { ActorFunction } from "../actor/self.ts";
import { tie, watch } from "../actor/signals.ts";
import type { System } from "../actor/system.ts";
import { timeoutMs } from "../actor/timer.ts";
import type { WheelTimer } from "../actor/wheel.ts";
import { utf8 } from "../base/bytes.ts";
import { SaltedMap } from "../base/salted_map.ts";
import type { ExitReason } from "../term/exit.ts";
import { type Pid, Ref } from "../term/pid.ts";
import { ALLOW_ALL, type Authorization } from "./authorization.ts";
import { SPAWN_FLAG, SPAWN_STATUS } from "./message.ts";
import type { Outbound } from "./outbound.ts";

/** Default time limit for spawning an actor on another node, in milliseconds. */
const SPAWN_TIMEOUT_MS = 5_000;

/**
 * Time after which an owned actor that has not ended is killed, in milliseconds. It begins when the
 * session with the owner has ended, or when this node leaves the cluster.
 */
const OWNED_GRACE_MS = 5_000;

/** Maximum length of the name of an exposed function, in bytes. */
const EXPOSED_NAME_BYTES_MAX = 255;

/**
 * Restricts which nodes may spawn an exposed function: a list of names, or a function that returns
 * true for allowed nodes.
 */
export interface ExposeOptions {
  /** Default: every node of the cluster. */
  readonly allow?: readonly string[] | ((node: string) => boolean) | undefined;
}

/**
 * The reason why a spawn on another node failed.
 *
 * - `"notexposed"`: the node does not expose a function of that name;
 * - `"refused"`: the node does not allow this node to spawn the function;
 * - `"limit"`: the node cannot spawn actors any more, because it is stopping;
 * - `"timeout"`: the node has not answered in time;
 * - `"noconnection"`: there is no session with the node, or the session was lost.
 */
export type SpawnFailure =
  | "notexposed"
  | "refused"
  | "limit"
  | "timeout"
  | "noconnection";

/**
 * The error of a failed spawn on another node.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { SpawnError } from "@firn/firn/node";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const cookie = "the same on every node";
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ cookie, seeds: [a.name], logLevel: "silent" });
 * const error = await assertRejects(() => b.spawn({ node: a.name, fn: "nothing" }), SpawnError);
 * assertEquals(error.code, "notexposed");
 * ```
 */
export class SpawnError extends Error {
  /** Name of the error class. */
  override readonly name = "SpawnError";
  /**
   * `"notexposed"`: the node does not expose a function of that name; `"refused"`: the node does
   * not allow this node to spawn the function; `"limit"`: the node is stopping; `"timeout"`: the
   * node has not answered in time; `"noconnection"`: there is no session with the node, or it was
   * lost.
   */
  readonly code: SpawnFailure;

  /** Creates the error from the code, the target and the reason. */
  constructor(code: SpawnFailure, { node, fn }: RemoteSpawn, words: string) {
    super(`cannot spawn ${JSON.stringify(fn)} on ${node}: ${words}`);
    this.code = code;
  }
}

/** The fields of a SPAWN message. */
export interface SpawnRow {
  readonly request: number;
  readonly from: number;
  readonly flags: number;
  readonly name: string;
  readonly ref: number;
  readonly args: unknown[];
}

interface ExposedEntry {
  readonly fn: ActorFunction<never, never[]>;
  readonly allow: (node: string) => boolean;
}

/** A spawn on another node that waits for its reply. */
class PendingSpawn implements WheelTimer, Chained {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly target: RemoteSpawn;
  readonly nodeLink: Outbound;
  readonly from: ActorRef;
  readonly flags: number;
  readonly ref: Ref | undefined;
  /** Whether the caller no longer waits. */
  isOver = false;
  readonly #system: System;
  readonly #resolve: (pid: Pid) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    system: System,
    target: RemoteSpawn,
    nodeLink: Outbound,
    from: ActorRef,
    flags: number,
    ref: Ref | undefined,
    resolve: (pid: Pid) => void,
    reject: (error: Error) => void,
  ) {
    this.#system = system;
    this.target = target;
    this.nodeLink = nodeLink;
    this.from = from;
    this.flags = flags;
    this.ref = ref;
    this.#resolve = resolve;
    this.#reject = reject;
    attach(this, from);
  }

  fire(): void {
    this.fail("timeout", `no answer in ${this.target.timeout ?? SPAWN_TIMEOUT_MS} ms`);
  }

  fail(code: SpawnFailure, words: string): void {
    if (this.#settle()) this.#reject(new SpawnError(code, this.target, words));
  }

  /** Rejects the spawn, because the caller has exited. */
  drop(reason: ExitReason): void {
    if (this.#settle()) this.#reject(new ActorExitError(this.from.pid as Pid, reason));
  }

  done(pid: Pid): void {
    if (this.#settle()) this.#resolve(pid);
  }

  #settle(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.#system.wheel.remove(this);
    detach(this, this.from);
    return true;
  }
}

/**
 * A local actor that a remote actor owns. This object is in the list of the owner. After the session
 * with the owner has ended, it serves as the timer that kills the actor.
 */
class OwnedActor implements WheelTimer, Chained {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly #lost: () => void;
  readonly #actor: Actor;

  constructor(lost: () => void, actor: Actor) {
    this.#lost = lost;
    this.#actor = actor;
  }

  /** Called when the session with the owner has ended. Starts the grace period. */
  drop(): void {
    if (this.#actor.isAlive) this.#lost();
  }

  /** Kills the actor after the grace period. */
  fire(): void {
    this.#actor.end("killed");
  }
}

/** Exposes functions of one node, and spawns functions on other nodes. */
export class Spawner {
  /** Called when an exposed function is added or removed. */
  changed: (added: boolean, name: string) => void = () => {};
  authorization: Pick<Authorization, "allows"> = ALLOW_ALL;
  readonly #system: System;
  readonly #exposed = new Map<string, ExposedEntry>();
  /** The last name under which each function was exposed, for reports. */
  readonly #names = new WeakMap<object, string>();
  readonly #pending = new Map<number, PendingSpawn>();
  /** Local actors owned by actors of other nodes. */
  readonly #owned = new Set<Actor>();
  #requests = 0;
  /** Whether other nodes may no longer spawn functions here. */
  #isClosed = false;

  constructor(system: System) {
    this.#system = system;
  }

  /** Returns the names under which other nodes may spawn functions here. */
  names(): string[] {
    return this.#isClosed ? [] : [...this.#exposed.keys()];
  }

  /**
   * Returns whether a function of that name is exposed. Spawns by this node itself remain possible
   * after `close`.
   */
  has(name: string): boolean {
    return this.#exposed.has(name);
  }

  /** Returns the name under which a function is exposed or was last exposed. */
  nameOf(fn: object): string | undefined {
    return this.#names.get(fn);
  }

  /** Exposes a function to other nodes. Replaces a function with the same name. */
  expose(name: string, fn: ActorFunction<never, never[]>, { allow }: ExposeOptions = {}): void {
    const length = utf8(name).length;
    if (length === 0 || length > EXPOSED_NAME_BYTES_MAX || !name.isWellFormed()) {
      throw new ArgumentError(
        `the name of an exposed function has ${length} bytes: use 1 to ${EXPOSED_NAME_BYTES_MAX}`,
      );
    }
    const isAllowed = typeof allow === "function"
      ? allow
      : (node: string) => allow === undefined || allow.includes(node);
    const isNew = !this.#exposed.has(name);
    this.#names.set(fn, name);
    this.#exposed.set(name, { fn, allow: isAllowed });
    if (isNew && !this.#isClosed) this.changed(true, name);
  }

  /** Stops exposing a function. Returns whether it was exposed. */
  unexpose(name: string): boolean {
    if (!this.#exposed.delete(name)) return false;
    if (!this.#isClosed) this.changed(false, name);
    return true;
  }

  /**
   * Stops exposing functions to other nodes. Supervisors of this node can still restart children
   * here. Otherwise their failed restarts would exceed the intensity.
   */
  close(): void {
    this.#isClosed = true;
    for (const name of this.#exposed.keys()) this.changed(false, name);
  }

  /** Spawns on another node. `nodeLink` is the link to that node, if there is one. */
  spawn(
    nodeLink: Outbound | undefined,
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Promise<Pid> {
    return new Promise((resolve, reject) => {
      const timeout = timeoutMs(target.timeout ?? SPAWN_TIMEOUT_MS);
      if (target.node === this.#system.home.node) {
        return resolve(this.#spawnHere(from, target, link, ref, args));
      }
      if (nodeLink === undefined) {
        return reject(new SpawnError("noconnection", target, "no session with it"));
      }
      const request = ++this.#requests;
      const flags = (link ? SPAWN_FLAG.LINK : 0) | (ref === undefined ? 0 : SPAWN_FLAG.MONITOR) |
        (target.owned ? SPAWN_FLAG.OWNED : 0);
      // This call precedes the registration of the spawn, because it throws if the arguments cannot
      // be sent.
      nodeLink.spawn(request, from.pid.id, flags, target.fn, ref?.id ?? 0, args);
      const pending = new PendingSpawn(
        this.#system,
        target,
        nodeLink,
        from,
        flags,
        ref,
        resolve,
        reject,
      );
      this.#pending.set(request, pending);
      if (timeout !== Infinity) this.#system.setTimer(pending, timeout);
    });
  }

  /** Spawns an exposed function on this node. */
  #spawnHere(
    from: ActorRef,
    target: RemoteSpawn,
    link: boolean,
    ref: Ref | undefined,
    args: readonly unknown[],
  ): Pid {
    const exposed = this.#exposed.get(target.fn);
    if (exposed === undefined) throw new SpawnError("notexposed", target, WORDS["notexposed"]!);
    if (!this.#allows(exposed, target.node)) {
      throw new SpawnError("refused", target, WORDS["refused"]!);
    }
    const pid = this.#system.spawn(undefined, undefined, exposed.fn, args as never[]);
    const actor = this.#system.find(pid.id);
    if (actor === undefined) throw new SpawnError("limit", target, WORDS["limit"]!);
    if (link) tie(actor, from);
    if (ref !== undefined) watch({ ref, watcher: from, target: actor });
    return pid as Pid;
  }

  /** Handles a SPAWN of another node. */
  asked(nodeLink: Outbound, { request, from, flags, name, ref, args }: SpawnRow): void {
    const exposed = this.#isClosed ? undefined : this.#exposed.get(name);
    if (exposed === undefined) return this.#refuse(nodeLink, request, "notexposed");
    const { node } = nodeLink.home;
    if (!this.#allows(exposed, node) || !this.authorization.allows(node, "spawn", name)) {
      return this.#refuse(nodeLink, request, "refused");
    }
    if (this.#system.isStopping) return this.#refuse(nodeLink, request, "limit");
    const pid = this.#system.spawn(undefined, undefined, exposed.fn, args as never[]);
    const actor = this.#system.find(pid.id) as Actor | undefined;
    if (actor === undefined) return this.#refuse(nodeLink, request, "limit");
    // `allow`, or a listener called by the spawn, may have ended the session.
    if (!nodeLink.isOpen) return actor.end("noconnection");
    if (flags & SPAWN_FLAG.LINK) tie(actor, nodeLink.remoteActor(from));
    if (flags & SPAWN_FLAG.OWNED) this.#own(nodeLink.remoteActor(from), actor);
    if (flags & SPAWN_FLAG.MONITOR) {
      nodeLink.monitors++;
      const watcher = nodeLink.remoteActor(from);
      watcher.monitors ??= new SaltedMap(nodeLink.salt);
      watch({ ref: new Ref(nodeLink.home, ref), watcher, target: actor });
    }
    nodeLink.spawned(request, 0, pid.id, "normal");
  }

  /** Kills a local actor {@linkcode OWNED_GRACE_MS} after the session with its owner has ended. */
  #own(owner: ActorRef, actor: Actor): void {
    const owned = new OwnedActor(() => this.#system.setTimer(owned, OWNED_GRACE_MS), actor);
    attach(owned, owner);
    this.#owned.add(actor);
    this.#system.whenEnded(actor.pid as Pid).then(() => {
      this.#owned.delete(actor);
      detach(owned, owner);
      this.#system.wheel.remove(owned);
    });
  }

  /**
   * Ends the local actors owned by supervisors of other nodes with "shutdown", so that the
   * supervisors start them elsewhere. An actor that does not end is killed after
   * {@linkcode OWNED_GRACE_MS}.
   */
  async endOwned(): Promise<void> {
    const ends = Array.from(this.#owned, async (actor) => {
      const pid = actor.pid as Pid;
      const ended = this.#system.end(pid, "shutdown");
      const killed = (): Error => {
        this.#system.exit(pid, "kill");
        return new Error("killed");
      };
      await this.#system.within(ended, OWNED_GRACE_MS, killed).catch(() => {});
    });
    await Promise.all(ends);
  }

  /** Handles a SPAWNED of another node. */
  answered(nodeLink: Outbound, request: number, status: number, id: number): void {
    const pending = this.#pending.get(request);
    if (pending?.nodeLink !== nodeLink) return;
    this.#pending.delete(request);
    const { from, flags, ref } = pending;
    if (status !== 0) {
      const code = (SPAWN_STATUS[status] ?? "refused") as SpawnFailure;
      return pending.fail(code, WORDS[code] ?? code);
    }
    if (pending.isOver) return nodeLink.exitSignal(this.#system.pid, id, "kill");
    if (flags & SPAWN_FLAG.LINK) tie(from, nodeLink.remoteActor(id));
    if (ref !== undefined) watch({ ref, watcher: from, target: nodeLink.remoteActor(id) });
    pending.done(nodeLink.pid(id));
  }

  /** Called when a session has ended: rejects its pending spawns, in steps. */
  *lost(nodeLink: Outbound): Generator<number, void> {
    for (const [request, pending] of this.#pending) {
      if (pending.nodeLink !== nodeLink) continue;
      this.#pending.delete(request);
      pending.fail("noconnection", "the session with it was lost");
      yield 1;
    }
  }

  #allows(exposed: ExposedEntry, node: string): boolean {
    try {
      return exposed.allow(node);
    } catch {
      return false;
    }
  }

  #refuse(nodeLink: Outbound, request: number, why: SpawnFailure): void {
    const status = (SPAWN_STATUS as readonly string[]).indexOf(why);
    nodeLink.spawned(request, status, 0, "normal");
  }
}

const WORDS: Readonly<Record<string, string>> = {
  notexposed: "it exposes no function of that name",
  refused: "it does not allow this node to spawn it",
  limit: "it does not spawn actors, because it is stopping",
};
