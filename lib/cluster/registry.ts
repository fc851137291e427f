/**
 * One node's part in the global names: what it says of its own, and what others have said of theirs.
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
import { attach, detach } from "../actor/actor_ref.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Watchers } from "../actor/watchers.ts";
import type { Emitter } from "../base/emitter.ts";
import type { Pid } from "../term/pid.ts";
import { type NameChange, nameChange } from "./changes.ts";
import { type NameConflict, type OnConflict, settleConflict } from "./conflict.ts";
import { type NameChanged, type NameEntry, NameTable } from "./names.ts";
import { LocalName } from "./local_name.ts";
import { PeerTable } from "./peer_table.ts";
import {
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
import { SyncCursor } from "./sync_cursor.ts";

/**
 * A node may have so many names. To register one more is refused; a peer that says it has more breaks a
 * rule, which ends its session.
 */
export const NAMES_MAX: number = 2 ** 18;

/** Before others have a turn, a peer is told of so many names. */
const PORTION_COUNT = 2048;

/** `connect` waits no longer for the peer's names. Milliseconds. */
const SYNC_MS_MAX = 5_000;

/** Names that begin with this are the runtime's own, and are shown to nobody. */
export const RESERVED = "\0";

/** What is told of global names. */
export interface GlobalEvents {
  /** A global name has appeared, moved or gone. */
  name: { readonly name: string; readonly pid: Pid | undefined };
  /** An actor of this node has lost its global name to another. */
  nameconflict: NameConflict;
}

/** A node that there is a session with. */
interface Peer {
  readonly line: PeerLine;
  /** How far it has been told of our names. */
  readonly telling: SyncCursor<LocalName>;
  /** OKs that it will get, by name: as soon as its entry wins here. */
  readonly owed: Map<string, { readonly entry: NameEntry; readonly request: number }>;
  /** It has told of all its names. */
  readonly synced: Promise<void>;
  readonly whenSynced: () => void;
}

/** What one node knows of the global names. */
export class Registry {
  readonly #system: System;
  readonly #events: Emitter<GlobalEvents>;
  readonly #wall: () => number;
  readonly #namesMax: number;
  readonly #table = new NameTable();
  /** In the order of their numbers. */
  readonly #own = new Map<string, LocalName>();
  readonly #asking = new Map<number, LocalName>();
  readonly #peers = new PeerTable<Peer>();
  readonly #watchers = new Watchers();
  #numbers = 0;
  #requests = 0;
  /** No stamp that is known is later. */
  #stamp = 0;

  /** `wall` is the time of day, in milliseconds. */
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

  /** Who has a name. */
  find(name: string): NameEntry | undefined {
    return this.#table.find(name);
  }

  /** A name of this node. */
  ours(name: string): NameEntry | undefined {
    return this.#own.get(name)?.entry;
  }

  /** All names, in the order in which they became known. */
  names(): string[] {
    return this.#table.names();
  }

  /** Registers an actor, as `Global.register` does. `stamp` stands for now. */
  register(
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
    const own = new LocalName(++this.#numbers, entry, onConflict, () => this.#withdraw(own));
    this.#own.set(name, own);
    const change = this.#table.set(entry);
    if (pid.home.local) {
      attach(own, cell);
      own.unwatch = () => detach(own, cell);
    } else own.unwatch = this.#watch(pid, () => this.#withdraw(own));
    // Asked before anybody is told: who is told may take the name back.
    const answer = this.#ask(own);
    this.#apply(change);
    return answer;
  }

  /** Frees a name of this node. Whether it was one. */
  unregister(name: string): boolean {
    const own = this.#own.get(name);
    if (own !== undefined) this.#withdraw(own);
    return own !== undefined;
  }

  /** Tells an actor of this node who has a name, now and whenever that changes. */
  monitor(name: string, pid: Pid<NameChange>): () => void {
    const actor = this.#system.actorOf(pid);
    if (actor === undefined) throw new NoProcError(pid);
    this.#watchers.add(name, actor);
    actor.deliver(nameChange(name, this.#table.find(name)?.pid));
    return () => void this.#watchers.remove(name, actor);
  }

  /** Resolves when a peer has told of all its names, or its session is over, or it takes too long. */
  synced(node: string): Promise<void> {
    const peer = this.#peers.get(node);
    if (peer === undefined) return Promise.resolve();
    const late = (): Error => new Error(`${node} takes long to tell of its names`);
    return this.#system.within(peer.synced, SYNC_MS_MAX, late).catch(() => {});
  }

  /** A session is up. */
  up(line: PeerLine): void {
    let whenSynced!: () => void;
    const synced = new Promise<void>((resolve) => whenSynced = resolve);
    const telling = new SyncCursor(this.#own.values(), this.#numbers);
    this.#peers.add({ line, telling, owed: new Map(), synced, whenSynced });
  }

  /** Tells a peer of more of our names. False: of all of them. */
  tell(line: PeerLine): boolean {
    const telling = this.#peers.behind(line)?.telling;
    if (telling === undefined || telling.isOver) return false;
    sendSync(line, telling.next(PORTION_COUNT).map(({ entry }) => entry), this.#me);
    if (!telling.isDone) return true;
    telling.isOver = true;
    sendSynced(line);
    return false;
  }

  /** A session is over: its names go, and its answers are not waited for. */
  down(line: PeerLine): void {
    const { node } = line.home;
    const peer = this.#peers.remove(line);
    if (peer === undefined) return;
    peer.whenSynced();
    for (const own of [...this.#asking.values()]) {
      const { waiting } = own.asking!;
      if ([...waiting.values()].includes(node)) this.#withdraw(own);
      else this.#agreed(own, node);
    }
    for (const change of this.#table.drop(node)) this.#apply(change);
  }

  /** A REGISTER. A returned text is the rule that it broke. */
  registering(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegister(line, body);
    if (row === undefined) return "a malformed REGISTER";
    if (row.owner !== line.home.node) return "a REGISTER of another node's name";
    const peer = this.#peers.behind(line);
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

  /** A REGISTERED. */
  registered(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegistered(body);
    if (row === undefined) return "a malformed REGISTERED";
    const own = this.#asking.get(row.request);
    const { node } = line.home;
    if (!own?.asking?.waiting.has(node)) return undefined;
    if (row.status === REGISTERED.OK) this.#agreed(own, node);
    else if (row.owner === node || this.#peers.get(row.owner) === undefined) this.#withdraw(own);
    else own.asking.waiting.set(node, row.owner);
    return undefined;
  }

  /** An UNREGISTER. */
  unregistering(line: PeerLine, body: Uint8Array): string | undefined {
    const name = readUnregister(body);
    if (name === undefined) return "a malformed UNREGISTER";
    const peer = this.#peers.behind(line);
    if (peer === undefined) return undefined;
    peer.owed.delete(name);
    this.#apply(this.#table.remove(line.home.node, name));
    return undefined;
  }

  /** A SYNC. */
  sync(line: PeerLine, body: Uint8Array): string | undefined {
    const rows = readSync(line, body);
    if (rows === undefined) return "a malformed SYNC";
    if (rows.some(({ owner }) => owner !== line.home.node)) return "a SYNC of another node's names";
    const peer = this.#peers.behind(line);
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

  #now(): number {
    const now = Math.max(Math.floor(this.#wall() * 1000), this.#stamp + 1);
    return this.#stamp = Math.min(now, STAMP_MAX);
  }

  /** Monitors an actor of another node. Gives what stops that. */
  #watch(pid: Pid<never>, ended: () => void): () => void {
    const { signals, outsider } = this.#system;
    const ref = signals.ref(outsider);
    outsider.expect(ref, ended);
    signals.monitor(outsider, pid, ref);
    return () => {
      signals.demonitor(outsider, ref, false);
      outsider.forget(ref);
    };
  }

  /** The name is held already. */
  #again(held: NameEntry, pid: Pid<never>): Promise<boolean> {
    if (held.owner !== this.#me || !held.pid.equals(pid)) return Promise.resolve(false);
    return this.#own.get(held.name)?.asking?.promise ?? Promise.resolve(true);
  }

  #ask(own: LocalName): Promise<boolean> {
    const request = ++this.#requests;
    const waiting = new Map<string, undefined>();
    for (const { line } of this.#peers) {
      if (sendRegister(line, own.entry, this.#me, request)) waiting.set(line.home.node, undefined);
    }
    if (waiting.size === 0) return Promise.resolve(true);
    let done!: (registered: boolean) => void;
    const promise = new Promise<boolean>((resolve) => done = resolve);
    own.asking = { request, waiting, done, promise };
    this.#asking.set(request, own);
    return promise;
  }

  /** A peer has nothing against it. */
  #agreed(own: LocalName, node: string): void {
    const { asking } = own;
    if (asking?.waiting.delete(node) && asking.waiting.size === 0) this.#answer(own, true);
  }

  #answer(own: LocalName, registered: boolean): void {
    const { asking } = own;
    if (asking === undefined) return;
    own.asking = undefined;
    this.#asking.delete(asking.request);
    asking.done(registered);
  }

  /** A name of ours is taken back, everywhere. */
  #withdraw(own: LocalName): void {
    const { name } = own.entry;
    if (this.#own.get(name) !== own) return;
    this.#own.delete(name);
    own.unwatch();
    const change = this.#table.remove(this.#me, name);
    for (const { line, telling } of this.#peers) {
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
  #lose(own: LocalName, winner: Pid): void {
    const { onConflict, asking } = own;
    const { name, pid: loser } = own.entry;
    this.#withdraw(own);
    // Two nodes may have registered one and the same actor: it has lost nothing.
    if (asking !== undefined || loser.equals(winner)) return;
    const conflict = { name, loser, winner };
    if (!name.startsWith(RESERVED) && this.#events.has("nameconflict")) {
      this.#events.emit("nameconflict", conflict);
    }
    settleConflict(this.#system, conflict, onConflict);
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
