/**
 * Global names: each is registered on one node, and found on all of them in memory.
 *
 *     register ─▶ our entry ─▶ REGISTER to all peers ─▶ all answered ─▶ true
 *                                   │                       └─ one knows a better entry ─▶ taken back, false
 *     a session is up ─▶ SYNC: our names          a session is over ─▶ its names go
 *
 * A node says only what it owns itself, so nobody removes a name but who registered it. After a race or
 * a partition two nodes may hold one name: all name the same winner, and the other takes its own back.
 *
 * @module
 */
import { type Chained, hang, unhang } from "../actor/cell.ts";
import { NameError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Watchers } from "../actor/watchers.ts";
import type { Emitter } from "../base/emitter.ts";
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
  sendUnregister,
} from "./rows.ts";

/** Two nodes held one name; this node's lost it. */
export interface NameConflict {
  readonly name: string;
  /** Who has lost the name. */
  readonly loser: Pid;
  /** Who keeps it. */
  readonly winner: Pid;
}

/**
 * What becomes of an actor that loses its name: `"exit"` ends it with `{ nameConflict, winner }`; `"keep"`
 * lets it live on, nameless. A function may hand its state to the winner first: the actor ends when
 * what it gives is settled, unless that is `"keep"`.
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

/** A name of ours. It hangs on its actor. */
class Own implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly entry: NameEntry;
  readonly onConflict: OnConflict;
  readonly #ended: () => void;
  /** As long as peers are asked. */
  asking: Asking | undefined = undefined;

  constructor(entry: NameEntry, onConflict: OnConflict, ended: () => void) {
    this.entry = entry;
    this.onConflict = onConflict;
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}

/** Peers that have not answered a REGISTER yet. */
interface Asking {
  readonly request: number;
  readonly waiting: Set<PeerLine>;
  readonly done: (registered: boolean) => void;
  readonly promise: Promise<boolean>;
}

/** The global names, as one node has them. */
export class Global {
  readonly #system: System;
  readonly #events: Emitter<GlobalEvents>;
  readonly #wall: () => number;
  readonly #table = new NameTable();
  readonly #own = new Map<string, Own>();
  readonly #asking = new Map<number, Own>();
  readonly #lines = new Set<PeerLine>();
  readonly #watchers = new Watchers();
  #requests = 0;
  /** Later than all stamps that are known. */
  #stamp = 0;

  /** `wall` is the time of day, in milliseconds. */
  constructor(system: System, events: Emitter<GlobalEvents>, wall: () => number) {
    this.#system = system;
    this.#events = events;
    this.#wall = wall;
  }

  /**
   * Registers an actor under a name on all nodes. Resolves when all connected nodes have answered: to
   * true, and every one of them finds it; or to false, since another holds the name. It ends with its
   * actor. One that has the name already keeps it.
   *
   * @throws {NameError} `code` "badname": it is empty, or longer than 255 bytes.
   * @throws {NoProcError} `code` "noproc": the actor is not there.
   */
  register(name: string, pid: Pid<never>, options: GlobalOptions = {}): Promise<boolean> {
    if (!isKey(name)) {
      const words = `a global name has 1 to ${KEY_BYTES_MAX} bytes: ${JSON.stringify(name)}`;
      return Promise.reject(new NameError("badname", words));
    }
    const held = this.#table.find(name);
    if (held !== undefined) return this.#again(held, pid);
    const cell = this.#system.signals.who(pid);
    if (typeof cell === "string") return Promise.reject(new NoProcError(pid));
    const entry = { name, owner: this.#me, pid: cell.pid as Pid, stamp: this.#now() };
    const own = new Own(entry, options.onConflict ?? "exit", () => this.#withdraw(own));
    this.#own.set(name, own);
    hang(own, cell);
    if (!pid.home.local) this.#system.whenEnded(pid).then(() => this.#withdraw(own));
    this.#apply(this.#table.set(entry));
    return this.#ask(own);
  }

  /** Who is registered under a name, on whatever node. */
  whereis(name: string): Pid<never> | undefined {
    return this.#table.find(name)?.pid;
  }

  /** Frees a name that was registered on this node. Whether it was. */
  unregister(name: string): boolean {
    const own = this.#own.get(name);
    if (own === undefined) return false;
    this.#withdraw(own);
    return true;
  }

  /** All names of all nodes, in the order in which they became known here. */
  names(): string[] {
    return this.#table.names();
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

  /** A session is up: the peer is told of our names. */
  up(line: PeerLine): void {
    this.#lines.add(line);
    sendSync(line, [...this.#own.values()].map(({ entry }) => entry), this.#me);
  }

  /** A session is over: its names go, and its answers are not waited for. */
  down(line: PeerLine): void {
    if (!this.#lines.delete(line)) return;
    for (const own of [...this.#asking.values()]) this.#answered(own, line, REGISTERED.OK);
    for (const change of this.#table.drop(line.home.node)) this.#apply(change);
  }

  /** A REGISTER. A returned text is the rule that it broke. */
  registering(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegister(line, body);
    if (row === undefined) return "a malformed REGISTER";
    if (row.owner !== line.home.node) return "a REGISTER of another node's name";
    const entry = this.#learn(row, row.owner);
    const isWinner = this.#table.find(row.name) === entry;
    sendRegistered(line, row.request, isWinner ? REGISTERED.OK : REGISTERED.TAKEN);
    return undefined;
  }

  /** A REGISTERED. */
  registered(line: PeerLine, body: Uint8Array): string | undefined {
    const row = readRegistered(body);
    if (row === undefined) return "a malformed REGISTERED";
    const own = this.#asking.get(row.request);
    if (own !== undefined) this.#answered(own, line, row.status);
    return undefined;
  }

  /** An UNREGISTER. */
  unregistering(line: PeerLine, body: Uint8Array): string | undefined {
    const name = readUnregister(body);
    if (name === undefined) return "a malformed UNREGISTER";
    this.#apply(this.#table.remove(line.home.node, name));
    return undefined;
  }

  /** A SYNC. */
  sync(line: PeerLine, body: Uint8Array): string | undefined {
    const rows = readSync(line, body);
    if (rows === undefined) return "a malformed SYNC";
    if (rows.some(({ owner }) => owner !== line.home.node)) return "a SYNC of another node's names";
    for (const row of rows) this.#learn(row, row.owner);
    return undefined;
  }

  get #me(): string {
    return this.#system.home.node;
  }

  #now(): number {
    return this.#stamp = Math.max(Math.floor(this.#wall() * 1000), this.#stamp + 1);
  }

  /** The name is held already. */
  #again(held: NameEntry, pid: Pid<never>): Promise<boolean> {
    if (held.owner !== this.#me || !held.pid.equals(pid)) return Promise.resolve(false);
    return this.#own.get(held.name)?.asking?.promise ?? Promise.resolve(true);
  }

  #ask(own: Own): Promise<boolean> {
    if (this.#lines.size === 0) return Promise.resolve(true);
    const request = ++this.#requests;
    let done!: (registered: boolean) => void;
    const promise = new Promise<boolean>((resolve) => done = resolve);
    own.asking = { request, waiting: new Set(this.#lines), done, promise };
    this.#asking.set(request, own);
    for (const line of this.#lines) sendRegister(line, own.entry, this.#me, request);
    return promise;
  }

  #answered(own: Own, line: PeerLine, status: number): void {
    const { asking } = own;
    if (!asking?.waiting.delete(line)) return;
    if (status !== REGISTERED.OK) this.#withdraw(own);
    else if (asking.waiting.size === 0) this.#answer(own, true);
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
    const { name, pid } = own.entry;
    if (this.#own.get(name) !== own) return;
    this.#own.delete(name);
    const cell = this.#system.signals.who(pid);
    if (typeof cell !== "string") unhang(own, cell);
    const change = this.#table.remove(this.#me, name);
    for (const line of this.#lines) sendUnregister(line, name);
    this.#answer(own, false);
    this.#apply(change);
  }

  /** A peer has a name. */
  #learn({ name, pid, stamp }: NameRow, owner: string): NameEntry {
    const entry = { name, owner, pid, stamp };
    this.#stamp = Math.max(this.#stamp, Math.min(stamp, Number.MAX_SAFE_INTEGER - 1));
    this.#apply(this.#table.set(entry));
    const own = this.#own.get(name);
    const winner = this.#table.find(name);
    if (own !== undefined && winner !== undefined && winner.owner !== this.#me) {
      this.#lose(own, winner.pid);
    }
    return entry;
  }

  /** Another node has our name by better right. One that was just asked for is simply not had. */
  #lose(own: Own, winner: Pid): void {
    const { name, pid: loser } = own.entry;
    const isAsking = own.asking !== undefined;
    this.#withdraw(own);
    if (isAsking) return;
    const conflict = { name, loser, winner };
    if (this.#events.has("nameconflict")) this.#events.emit("nameconflict", conflict);
    if (own.onConflict === "keep") return;
    const end = (): void => this.#system.exit(loser, { nameConflict: name, winner });
    if (own.onConflict === "exit") return end();
    const { onConflict } = own;
    // What the resolver throws ends the actor, as if it had nothing to say.
    new Promise((resolve) => resolve(onConflict(conflict))).then((verdict) => {
      if (verdict !== "keep") end();
    }, end);
  }

  #apply(change: NameChanged | undefined): void {
    if (change === undefined) return;
    const { name, to } = change;
    if (this.#watchers.has(name)) this.#watchers.tell(name, nameChange(name, to?.pid));
    if (this.#events.has("name")) this.#events.emit("name", { name, pid: to?.pid });
  }
}
