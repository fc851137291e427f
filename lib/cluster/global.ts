/**
 * Global names: each is registered on one node, and found on all of them in memory.
 *
 *     register ─▶ our entry ─▶ REGISTER to all peers ─▶ all have said OK ─▶ true
 *                                   │                       └─ TAKEN by one that holds it ─▶ taken back, false
 *     a session is up ─▶ SYNC: our names          a session is over ─▶ its names go
 *
 * A node says only what it owns itself, so nobody removes a name but who registered it. After a race or
 * a partition two nodes may hold one name: all name the same winner, and the other takes its own back.
 *
 * A peer that knows of another holder may be behind: that one has let go of the name, and we know it
 * already. So its TAKEN counts only if we cannot ask the holder ourselves; else its OK comes later,
 * when it has heard of it too.
 *
 * @module
 */
import { type Chained, hang, unhang } from "../actor/cell.ts";
import { ArgumentError, NameError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Watchers } from "../actor/watchers.ts";
import type { WheelTimer } from "../actor/wheel.ts";
import type { Emitter } from "../base/emitter.ts";
import type { LocalChildSpec } from "../otp/child.ts";
import type { Pid } from "../term/pid.ts";
import { type NameChange, nameChange } from "./changes.ts";
import { type NameChanged, type NameEntry, NameTable } from "./names.ts";
import {
  isKey,
  KEY_BYTES_MAX,
  type NameRow,
  type PeerLine,
  readRegister,
  readRegistered,
  readSync,
  readUnregister,
  REGISTERED,
  sendRegister,
  sendRegistered,
  sendSync,
  sendSynced,
  sendUnregister,
  STAMP_MAX,
} from "./rows.ts";
import { type Singleton, type SingletonOptions, startSingleton } from "./singleton.ts";
import { Telling } from "./telling.ts";

/**
 * A node may have so many names. To register one more is refused; a peer that says it has more breaks a
 * rule, which ends its session.
 */
export const NAMES_MAX: number = 2 ** 18;

/** Before others have a turn, a peer is told of so many names. */
const PORTION_COUNT = 2048;

/** A resolver may take this long to settle a conflict. Then the actor ends all the same. Milliseconds. */
const RESOLVE_MS_MAX = 30_000;

/** `connect` waits no longer for the peer's names. Milliseconds. */
const SYNC_MS_MAX = 5_000;

/** Names that begin with this are the runtime's own, and are shown to nobody. */
const RESERVED = "\0";

/** Two nodes held one name; this node's lost it. */
export interface NameConflict {
  /** Which. */
  readonly name: string;
  /** Who has lost the name. */
  readonly loser: Pid;
  /** Who keeps it. */
  readonly winner: Pid;
}

/**
 * What becomes of an actor that loses its name: `"exit"` ends it with `{ nameConflict, winner }`; `"keep"`
 * lets it live on, nameless. A function may hand its state to the winner first: the actor ends when
 * what it gives is settled, unless that is `"keep"`, and after 30 seconds at the latest.
 */
export type OnConflict =
  | "exit"
  | "keep"
  | ((conflict: NameConflict) => unknown);

/** How to register. */
export interface GlobalOptions {
  /** Default "exit". */
  readonly onConflict?: OnConflict | undefined;
}

/** What is told of global names. */
export interface GlobalEvents {
  /** A global name has appeared, moved or gone. */
  name: { readonly name: string; readonly pid: Pid | undefined };
  /** An actor of this node has lost its global name to another. */
  nameconflict: NameConflict;
}

/** A name of ours. */
class Own implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly number: number;
  readonly entry: NameEntry;
  readonly onConflict: OnConflict;
  readonly #ended: () => void;
  /** As long as peers are asked. */
  asking: Asking | undefined = undefined;
  /** Waits for the end of its actor no more. */
  unwatch: () => void = () => {};

  constructor(number: number, entry: NameEntry, onConflict: OnConflict, ended: () => void) {
    this.number = number;
    this.entry = entry;
    this.onConflict = onConflict;
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}

/** Peers that have not said OK to a REGISTER yet. */
interface Asking {
  readonly request: number;
  /** Whom each believes to have the name, if it has said so: it will say OK when that one has not. */
  readonly waiting: Map<string, string | undefined>;
  readonly done: (registered: boolean) => void;
  readonly promise: Promise<boolean>;
}

/** A node that there is a session with. */
interface Peer {
  readonly line: PeerLine;
  /** How far it has been told of our names. */
  readonly telling: Telling<Own>;
  /** OKs that it will get, by name: as soon as its entry wins here. */
  readonly owed: Map<string, { readonly entry: NameEntry; readonly request: number }>;
  /** It has told of all its names. */
  readonly synced: Promise<void>;
  readonly whenSynced: () => void;
}

/** The time of a resolver is over. */
class Patience implements WheelTimer {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/** The global names, as one node has them. */
export class Global {
  readonly #system: System;
  readonly #events: Emitter<GlobalEvents>;
  readonly #wall: () => number;
  readonly #namesMax: number;
  readonly #table = new NameTable();
  /** In the order of their numbers. */
  readonly #own = new Map<string, Own>();
  readonly #asking = new Map<number, Own>();
  readonly #peers = new Map<string, Peer>();
  readonly #watchers = new Watchers();
  readonly #singletons = new Map<string, Singleton>();
  #numbers = 0;
  #requests = 0;
  /** No stamp that is known is later. */
  #stamp = 0;

  /** For the runtime: programs get theirs from their node. `wall` is the time of day, in milliseconds. */
  constructor(
    system: System,
    events: Emitter<GlobalEvents>,
    wall: () => number,
    namesMax: number = NAMES_MAX,
  ) {
    this.#namesMax = namesMax;
    this.#system = system;
    this.#events = events;
    this.#wall = wall;
  }

  /**
   * Registers an actor under a name on all nodes. Resolves when all connected nodes have answered: to
   * true, and every one of them finds it; or to false, since another holds the name. Until then nodes
   * may find it already. It ends with its actor. One that has the name already keeps it.
   *
   * @throws {NameError} `code` "badname": it is empty, longer than 255 bytes, or begins with NUL.
   * @throws {NoProcError} `code` "noproc": the actor is not there.
   * @throws {ArgumentError} `code` "badarg": this node has as many names as it may, 262,144.
   */
  register(name: string, pid: Pid<never>, options: GlobalOptions = {}): Promise<boolean> {
    if (isName(name)) return this.#register(name, pid, options.onConflict ?? "exit");
    return Promise.reject(badName(name));
  }

  /** Who is registered under a name, on whatever node. What it takes as messages, is for the caller to know. */
  whereis<M = never>(name: string): Pid<M> | undefined {
    return this.#table.find(name)?.pid as Pid<M> | undefined;
  }

  /** Frees a name that was registered on this node. Whether it was. */
  unregister(name: string): boolean {
    const own = isName(name) ? this.#own.get(name) : undefined;
    if (own === undefined) return false;
    this.#withdraw(own);
    return true;
  }

  /** All names of all nodes, in the order in which they became known here. */
  names(): string[] {
    return this.#table.names().filter((name) => !name.startsWith(RESERVED));
  }

  /**
   * Sends an actor a `NameChange` now and whenever the name appears, moves or goes. Gives what stops
   * that; it also ends with the actor.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   */
  monitor(name: string, pid: Pid<NameChange>): () => void {
    const actor = this.#system.find(pid.id);
    if (actor === undefined || !actor.pid.equals(pid)) throw new NoProcError(pid);
    this.#watchers.add(name, actor);
    actor.deliver(nameChange(name, this.#table.find(name)?.pid));
    return () => void this.#watchers.remove(name, actor);
  }

  /**
   * Has exactly one child run in the cluster, under a global name: on one of the nodes that ask for it,
   * and on another of them when that one is lost or stops. Resolves when it is to be found here.
   *
   * While nodes are apart each side runs one. When they meet again, the later one is stopped, in order.
   *
   * @throws {NameError} `code` "badname": it is empty, longer than 254 bytes, or begins with NUL;
   * "taken": this node takes part already.
   *
   * @example
   * ```ts
   * import { type Call, Node, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = "the same on every node";
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await b.connect(a.name);
   *
   * const clock = (_self: Self<Call<"where", string>>, node: Node) => (call: Call<"where", string>) =>
   *   call.reply(node.name);
   * for (const node of [a, b]) {
   *   await node.global.singleton("clock", {
   *     id: "clock",
   *     start: (self) => self.spawnLink(clock, node),
   *   });
   * }
   * const find = () => b.global.whereis<Call<"where", string>>("clock");
   * assertEquals(await b.call(find()!, "where"), a.name);
   * await a.stop();
   * while (find() === undefined) await new Promise((wake) => setTimeout(wake, 5));
   * assertEquals(await b.call(find()!, "where"), b.name);
   * ```
   */
  singleton(
    name: string,
    child: LocalChildSpec,
    options: SingletonOptions = {},
  ): Promise<Singleton> {
    const lock = RESERVED + name;
    if (!isName(name) || !isKey(lock)) return Promise.reject(badName(name));
    if (this.#singletons.has(name)) {
      const words = `this node takes part in the singleton ${JSON.stringify(name)} already`;
      return Promise.reject(new NameError("taken", words));
    }
    const singleton = startSingleton(this.#system, name, child, options, {
      holder: () => this.#table.find(lock)?.pid,
      lock: (pid) => this.#register(lock, pid, "keep"),
      unlock: () => void (this.#own.has(lock) && this.#withdraw(this.#own.get(lock)!)),
      monitor: (pid) => [lock, name].forEach((key) => this.monitor(key, pid)),
      // As old as the lock: who wins the one in a conflict wins the other.
      register: (pid) => this.#register(name, pid, "keep", this.#own.get(lock)?.entry.stamp),
      whereis: () => this.whereis(name),
    });
    this.#singletons.set(name, singleton);
    this.#system.whenEnded(singleton.pid).then(() => this.#singletons.delete(name));
    return singleton.settled.then(() => singleton);
  }

  /** Resolves when a peer has told of all its names, or its session is over, or it takes too long. */
  synced(node: string): Promise<void> {
    const peer = this.#peers.get(node);
    if (peer === undefined) return Promise.resolve();
    const late = (): Error => new Error(`${node} takes long to tell of its names`);
    return this.#system.within(peer.synced, SYNC_MS_MAX, late).catch(() => {});
  }

  /**
   * A session is up.
   *
   * @internal
   */
  up(line: PeerLine): void {
    let whenSynced!: () => void;
    const synced = new Promise<void>((resolve) => whenSynced = resolve);
    const telling = new Telling(this.#own.values(), this.#numbers);
    this.#peers.set(line.home.node, { line, telling, owed: new Map(), synced, whenSynced });
  }

  /**
   * Tells a peer of more of our names. False: of all of them.
   *
   * @internal
   */
  tell(line: PeerLine): boolean {
    const telling = this.#peer(line)?.telling;
    if (telling === undefined || telling.isOver) return false;
    sendSync(line, telling.next(PORTION_COUNT).map(({ entry }) => entry), this.#me);
    if (!telling.isDone) return true;
    telling.isOver = true;
    sendSynced(line);
    return false;
  }

  /**
   * A session is over: its names go, and its answers are not waited for.
   *
   * @internal
   */
  down(line: PeerLine): void {
    const { node } = line.home;
    const peer = this.#peer(line);
    if (peer === undefined) return;
    this.#peers.delete(node);
    peer.whenSynced();
    for (const own of [...this.#asking.values()]) {
      const { waiting } = own.asking!;
      if ([...waiting.values()].includes(node)) this.#withdraw(own);
      else this.#agreed(own, node);
    }
    for (const change of this.#table.drop(node)) this.#apply(change);
  }

  /**
   * A REGISTER. A returned text is the rule that it broke.
   *
   * @internal
   */
  registering(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegister(line, body);
    if (row === undefined) return "a malformed REGISTER";
    if (row.owner !== line.home.node) return "a REGISTER of another node's name";
    const peer = this.#peer(line);
    if (peer === undefined) return undefined;
    const { name, request } = row;
    const entry = this.#learn(row, row.owner);
    if (entry === undefined) return this.#tooMany();
    const winner = this.#table.find(name);
    if (winner === undefined || winner === entry) sendRegistered(line, request, REGISTERED.OK);
    else {
      if (winner.owner !== this.#me) peer.owed.set(name, { entry, request });
      sendRegistered(line, request, REGISTERED.TAKEN, winner.owner);
    }
    return undefined;
  }

  /**
   * A REGISTERED.
   *
   * @internal
   */
  registered(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegistered(body);
    if (row === undefined) return "a malformed REGISTERED";
    const own = this.#asking.get(row.request);
    const { node } = line.home;
    if (!own?.asking?.waiting.has(node)) return undefined;
    if (row.status === REGISTERED.OK) this.#agreed(own, node);
    else if (row.owner === node || !this.#peers.has(row.owner)) this.#withdraw(own);
    else own.asking.waiting.set(node, row.owner);
    return undefined;
  }

  /**
   * An UNREGISTER.
   *
   * @internal
   */
  unregistering(line: PeerLine, body: Uint8Array): string | undefined {
    const name = readUnregister(body);
    if (name === undefined) return "a malformed UNREGISTER";
    const peer = this.#peer(line);
    if (peer === undefined) return undefined;
    peer.owed.delete(name);
    this.#apply(this.#table.remove(line.home.node, name));
    return undefined;
  }

  /**
   * A SYNC.
   *
   * @internal
   */
  sync(line: PeerLine, body: Uint8Array): string | undefined {
    const rows = readSync(line, body);
    if (rows === undefined) return "a malformed SYNC";
    if (rows.some(({ owner }) => owner !== line.home.node)) return "a SYNC of another node's names";
    const peer = this.#peer(line);
    if (peer === undefined) return undefined;
    if (rows.length === 0) peer.whenSynced();
    for (const row of rows) {
      if (this.#learn(row, row.owner) === undefined) return this.#tooMany();
    }
    return undefined;
  }

  get #me(): string {
    return this.#system.home.node;
  }

  /** Who is behind a line, as long as its session is up. */
  #peer(line: PeerLine): Peer | undefined {
    const peer = this.#peers.get(line.home.node);
    return peer?.line === line ? peer : undefined;
  }

  #now(): number {
    const now = Math.max(Math.floor(this.#wall() * 1000), this.#stamp + 1);
    return this.#stamp = Math.min(now, STAMP_MAX);
  }

  #register(
    name: string,
    pid: Pid<never>,
    onConflict: OnConflict,
    stamp?: number,
  ): Promise<boolean> {
    const held = this.#table.find(name);
    if (held !== undefined) return this.#again(held, pid);
    const cell = this.#system.signals.who(pid);
    if (typeof cell === "string") return Promise.reject(new NoProcError(pid));
    if (this.#own.size >= this.#namesMax) {
      cell.released();
      const words = `this node has ${this.#namesMax} global names already`;
      return Promise.reject(new ArgumentError(words));
    }
    const entry: NameEntry = {
      name,
      owner: this.#me,
      pid: cell.pid as Pid,
      stamp: stamp ?? this.#now(),
    };
    const own = new Own(++this.#numbers, entry, onConflict, () => this.#withdraw(own));
    this.#own.set(name, own);
    const change = this.#table.set(entry);
    if (pid.home.local) {
      hang(own, cell);
      own.unwatch = () => unhang(own, cell);
    } else own.unwatch = this.#watch(pid, () => this.#withdraw(own));
    // Asked before anybody is told: who is told may take the name back.
    const answer = this.#ask(own);
    this.#apply(change);
    return answer;
  }

  /** Monitors an actor of another node. Gives what stops that. */
  #watch(pid: Pid<never>, ended: () => void): () => void {
    const { signals, outsider } = this.#system;
    const ref = signals.ref(outsider);
    outsider.expect(ref, ended);
    signals.monitor(outsider, pid, ref);
    return () => {
      signals.demonitor(outsider, ref, false);
      // It is expected no more.
      outsider.down(ref, pid as Pid, "noproc");
    };
  }

  /** The name is held already. */
  #again(held: NameEntry, pid: Pid<never>): Promise<boolean> {
    if (held.owner !== this.#me || !held.pid.equals(pid)) return Promise.resolve(false);
    return this.#own.get(held.name)?.asking?.promise ?? Promise.resolve(true);
  }

  #ask(own: Own): Promise<boolean> {
    const request = ++this.#requests;
    const waiting = new Map<string, undefined>();
    for (const [node, { line }] of this.#peers) {
      if (sendRegister(line, own.entry, this.#me, request)) waiting.set(node, undefined);
    }
    if (waiting.size === 0) return Promise.resolve(true);
    let done!: (registered: boolean) => void;
    const promise = new Promise<boolean>((resolve) => done = resolve);
    own.asking = { request, waiting, done, promise };
    this.#asking.set(request, own);
    return promise;
  }

  /** A peer has nothing against it. */
  #agreed(own: Own, node: string): void {
    const { asking } = own;
    if (asking?.waiting.delete(node) && asking.waiting.size === 0) this.#answer(own, true);
  }

  #answer(own: Own, registered: boolean): void {
    const { asking } = own;
    if (asking === undefined) return;
    own.asking = undefined;
    this.#asking.delete(asking.request);
    asking.done(registered);
  }

  /** A name of ours is taken back, everywhere. */
  #withdraw(own: Own): void {
    const { name } = own.entry;
    if (this.#own.get(name) !== own) return;
    this.#own.delete(name);
    own.unwatch();
    const change = this.#table.remove(this.#me, name);
    for (const { line, telling } of this.#peers.values()) {
      if (telling.knows(own.number)) sendUnregister(line, name);
    }
    this.#answer(own, false);
    this.#apply(change);
  }

  /** A peer has a name. `undefined`: it has too many. */
  #learn({ name, pid, stamp }: NameRow, owner: string): NameEntry | undefined {
    const entry = { name, owner, pid, stamp };
    this.#stamp = Math.max(this.#stamp, stamp);
    this.#apply(this.#table.set(entry));
    const own = this.#own.get(name);
    const winner = this.#table.find(name);
    if (own !== undefined && winner !== undefined && winner.owner !== this.#me) {
      this.#lose(own, winner.pid);
    }
    return this.#table.countOf(owner) <= this.#namesMax ? entry : undefined;
  }

  #tooMany(): string {
    return `more than ${this.#namesMax} names`;
  }

  /** Another node has our name by better right. One that was just asked for is simply not had. */
  #lose(own: Own, winner: Pid): void {
    const { onConflict, asking } = own;
    const { name, pid: loser } = own.entry;
    this.#withdraw(own);
    // Two nodes may have registered one and the same actor: it has lost nothing.
    if (asking !== undefined || loser.equals(winner)) return;
    const conflict = { name, loser, winner };
    if (!name.startsWith(RESERVED) && this.#events.has("nameconflict")) {
      this.#events.emit("nameconflict", conflict);
    }
    if (onConflict === "keep") return;
    const end = (): void => this.#system.exit(loser, { nameConflict: name, winner });
    if (onConflict === "exit") return end();
    const patience = new Patience(end);
    this.#system.setTimer(patience, RESOLVE_MS_MAX);
    // What the resolver throws ends the actor, as if it had nothing to say.
    new Promise((resolve) => resolve(onConflict(conflict))).catch(() => {}).then((verdict) => {
      if (patience.next === undefined) return;
      this.#system.wheel.remove(patience);
      if (verdict !== "keep") end();
    });
  }

  #apply(change: NameChanged | undefined): void {
    if (change === undefined) return;
    const { name, to } = change;
    const pid = this.#table.find(name)?.pid;
    // Who was told of another change has made one of this name meanwhile, and that has been told.
    if (to === undefined ? pid !== undefined : !to.pid.equals(pid)) return;
    this.#pay(to);
    if (this.#watchers.has(name)) this.#watchers.tell(name, nameChange(name, pid));
    if (!name.startsWith(RESERVED) && this.#events.has("name")) {
      this.#events.emit("name", { name, pid });
    }
  }

  /** An entry wins now: its owner may be waiting to be told so. */
  #pay(entry: NameEntry | undefined): void {
    const peer = entry && this.#peers.get(entry.owner);
    const owed = peer?.owed.get(entry!.name);
    if (owed?.entry !== entry || owed === undefined) return;
    peer!.owed.delete(entry!.name);
    sendRegistered(peer!.line, owed.request, REGISTERED.OK);
  }
}

function isName(name: string): boolean {
  return isKey(name) && !name.startsWith(RESERVED);
}

function badName(name: string): NameError {
  const words = `a global name has 1 to ${KEY_BYTES_MAX} bytes, and does not begin with NUL`;
  return new NameError("badname", `${words}: ${JSON.stringify(name)}`);
}
