/**
 * Implements one node's registry of global names: the names that it owns, and those that its peers
 * have announced. The guarantees of a registration are in `README.md`.
 *
 *     register ─▶ a claim ─▶ REGISTER to all peers ─▶ all have granted it (OK) ─▶ held: true
 *                                 │                        └─ TAKEN by one that holds it ─▶ withdrawn: false
 *     a session is up ─▶ SYNC: its own names      a session has ended ─▶ the peer's names are removed
 *
 * **A peer grants a name to one claim at a time**; other claims wait there (`claims.ts`). If a node
 * has received two claims, at most one of them is therefore held. An earlier claim does not replace
 * the granted one at once: the peer first sends an INQUIRE to the owner of the granted claim. The
 * owner withdraws the claim, or answers that it already holds the name (HELD). The earliest of
 * several claims therefore succeeds, and a holder never loses its name because of clocks.
 *
 * A node announces only its own names. If two nodes hold one name after a partition, all nodes
 * compute the same winner (`wins`), and the owner of the other entry withdraws it.
 *
 * A peer that answers TAKEN may be outdated: the holder that it names may have withdrawn the name
 * in the meantime. TAKEN therefore ends a claim only if this node is not connected to that holder.
 * Otherwise, the peer will send an OK after the withdrawal.
 *
 * Longer than 400 lines because it is one state machine. Its tables are in separate files.
 *
 * @module
 */
import type { ActorRef } from "../actor/actor_ref.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import { Watchers } from "../actor/watchers.ts";
import { ChurnMap } from "../base/churn_map.ts";
import type { Emitter } from "../base/emitter.ts";
import { FEATURE } from "../mesh/handshake.ts";
import { isNormalName } from "../mesh/name.ts";
import type { Pid } from "../term/pid.ts";
import { type NameChange, nameChange } from "./changes.ts";
import {
  readHeld,
  readInquire,
  readResolved,
  readView,
  sendHeld,
  sendInquire,
  sendResolved,
  sendView,
} from "./claim_rows.ts";
import { Claims } from "./claims.ts";
import { type NameConflict, type OnConflict, RESOLVE_MS_MAX, settleConflict } from "./lost_name.ts";
import { Lingering } from "./lingering.ts";
import { LocalName, type NameOwner, type RegisterTerms } from "./local_name.ts";
import { Members } from "./members.ts";
import { type NameChanged, NameTable } from "./names.ts";
import { isEarlier, type NameEntry, wins } from "./winner.ts";
import { PeerTable } from "./peer_table.ts";
import { PauseWatch } from "./pause_watch.ts";
import { type Quorum, QuorumError } from "./quorum.ts";
import {
  CLAIM_FLAG,
  type NameRow,
  type PeerLink,
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
import { StampClock } from "./stamp_clock.ts";
import { SyncCursor } from "./sync_cursor.ts";
import { Tokens } from "./tokens.ts";

/**
 * Maximum number of names of a node. Further registrations reject. If a peer announces more names,
 * its session ends.
 */
export const NAMES_MAX: number = 2 ** 18;

/** Number of names that are sent to a peer before other work runs. */
const PORTION_COUNT = 2048;

/** Number of names of a lost node that are removed before other work runs. */
const FREED_COUNT = 2048;

/** Number of names whose stamps are shifted before other work runs. */
const SHIFTED_COUNT = 1024;

/**
 * Maximum time for which `connect`, and claims at this node, wait for the names of a new peer, in
 * milliseconds.
 */
const SYNC_MS_MAX = 5_000;

/**
 * Maximum number of times that a claim is repeated with a higher token. After that, the
 * registration fails with a `QuorumError`.
 */
const LOWS_MAX = 8;

/**
 * Time limit for a holder to stop after it has detected the loss of its quorum, in milliseconds.
 */
export const STOP_MS_MAX = 2_000;

/** The prefix of names that the runtime uses. They are not listed. */
export const RESERVED = "\0";

/** Events of global names. */
export interface GlobalEvents {
  /** A global name was registered, moved to another actor, or freed. */
  name: { readonly name: string; readonly pid: Pid | undefined };
  /** An actor of this node has lost its global name to another. */
  nameconflict: NameConflict;
  /**
   * An actor of this node has lost its global name, because too few of the nodes that granted it
   * are still connected.
   */
  quorumlost: { readonly name: string; readonly pid: Pid };
}

/** Options of a registry. */
export interface RegistryOptions {
  /** Nodes that count as members before the first session with them. */
  readonly seeds?: readonly string[] | undefined;
  /** The node's option `pingInterval`, in milliseconds. */
  readonly quietMs?: number | undefined;
  /** The node's option `pingTimeout`, in milliseconds. */
  readonly deadlineMs?: number | undefined;
  /** Called when this node adopts a peer's time, because the two times differ too much. */
  readonly onShift?: ((node: string, ms: number) => void) | undefined;
  /** Returns whether another node may register a name. Default: any node may. */
  readonly allows?: ((node: string, name: string) => boolean) | undefined;
}

/** A connected node, and the names that were exchanged with it. */
interface Peer {
  readonly nodeLink: PeerLink;
  /** Tracks which names of this node were sent to the peer. */
  readonly cursor: SyncCursor<LocalName>;
  /** Resolves when the peer has sent all its names, or the time limit for this has passed. */
  readonly synced: Promise<void>;
  isSynced: boolean;
  readonly upAt: number;
  readonly whenSynced: () => void;
  /** The number of this node's sessions that was last sent to the peer. */
  sessions: number;
  /**
   * Names that this node holds by quorum and has announced to the peer, by the number of the
   * request.
   */
  readonly announced: Map<number, LocalName>;
  /** Names that were sent to the peer in a REGISTER. The SYNC does not contain them. */
  readonly asked: Set<LocalName>;
}

/**
 * A shift of this node's time. It changes the stamps of the names that existed at its beginning.
 */
interface Shift {
  readonly us: number;
  /** Iterates over the names that existed at the beginning of the shift. */
  readonly cursor: SyncCursor<LocalName>;
  /** Names that were shifted before the cursor reached them, because they were used. */
  readonly early: Set<LocalName>;
}

/** The registry of global names on one node. */
export class Registry {
  readonly members: Members;
  readonly #system: System;
  readonly #events: Emitter<GlobalEvents>;
  readonly #namesMax: number;
  readonly #options: RegistryOptions;
  readonly #stamps: StampClock;
  readonly #table = new NameTable();
  readonly #own = new ChurnMap<string, LocalName>();
  /** The names that this node has registered, in the order of `LocalName.number`. */
  readonly #rows = new Set<LocalName>();
  readonly #asking = new Map<number, LocalName>();
  readonly #claims = new Claims();
  readonly #tokens = new Tokens();
  readonly #lingering: Lingering;
  readonly #pauses: PauseWatch;
  /**
   * Names that must be checked after a pause or the loss of a node: those with a quorum, and those
   * with `yieldsAfterPause`.
   */
  readonly #watched = new Set<LocalName>();
  readonly #peers = new PeerTable<Peer>();
  /** The number of peers that have not sent all their names. */
  #unsynced = 0;
  readonly #watchers: Watchers;
  readonly #waiters = new Map<string, Set<(pid: Pid) => void>>();
  readonly #startedAt: number;
  readonly #nameOwner: NameOwner = { ended: (own) => this.#withdraw(own) };
  readonly #reviewing: Deadline = new Deadline(() => this.#reviewAll());
  #numbers = 0;
  #requests = 0;
  /** The shifts of this node's time that have not been applied to all names, in order. */
  readonly #shifts: Shift[] = [];

  /** `wall` returns the time of day in milliseconds. It should not jump. */
  constructor(
    system: System,
    events: Emitter<GlobalEvents>,
    wall: () => number,
    namesMax: number = NAMES_MAX,
    options: RegistryOptions = {},
  ) {
    this.#namesMax = namesMax;
    this.#system = system;
    this.#watchers = new Watchers((steps) => system.signals.inPortions(steps));
    this.#events = events;
    this.#options = options;
    this.#stamps = new StampClock(wall);
    this.members = new Members(system.home.node, options.seeds ?? []);
    this.#startedAt = system.now();
    this.#lingering = new Lingering(system, () => this.#reviewAll());
    this.#pauses = new PauseWatch(system, this.#deadlineMs, (ms) => this.#paused(ms));
  }

  /** Returns the winning entry of a name. */
  find(name: string): NameEntry | undefined {
    const entry = this.#table.find(name);
    return this.#system.signals.isBehind && entry !== undefined && hasEnded(entry)
      ? undefined
      : entry;
  }

  /** Returns this node's own entry of a name. */
  ours(name: string): NameEntry | undefined {
    return this.#ownOf(name)?.entry;
  }

  /** Returns all names, in the order in which they became known. */
  names(): string[] {
    const names = this.#table.names();
    if (!this.#system.signals.isBehind) return names;
    return names.filter((name) => this.find(name) !== undefined);
  }

  /** Number of names that are registered on any node. */
  get count(): number {
    return this.#table.size;
  }

  /** Returns the names of an actor of this node. */
  namesOf(pid: Pid<never>): string[] {
    return [...this.#rows].filter(({ entry }) => entry.pid.equals(pid))
      .map(({ entry }) => entry.name);
  }

  /** Returns the number of nodes that a quorum needs. */
  need(quorum: Quorum | undefined): number {
    return quorum === "majority" ? this.members.majority : quorum ?? 1;
  }

  /** Registers an actor, as `Global.register` does. */
  register(
    name: string,
    pid: Pid<never>,
    onConflict: OnConflict,
    terms: Omit<RegisterTerms, "onConflict"> = {},
  ): Promise<boolean> {
    const mine = this.#ownOf(name);
    if (mine !== undefined) {
      if (mine.entry.pid.equals(pid)) return mine.asking?.answer.promise ?? Promise.resolve(true);
      if (!terms.replace || mine.asking !== undefined) return Promise.resolve(false);
      this.#withdraw(mine);
    } else {
      const held = this.#current(name);
      const isTaken = held !== undefined &&
        !(terms.replace && this.#peers.get(held.owner) !== undefined);
      if (isTaken) {
        terms.refused?.(held.owner);
        return Promise.resolve(false);
      }
    }
    if (terms.quorum !== undefined) {
      const need = this.need(terms.quorum);
      const count = 1 + this.#peers.size;
      const isFresh = need > 1 && this.#freshMs(this.#system.now()) > 0;
      if (count < need || isFresh) {
        return Promise.reject(new QuorumError(name, count, need, count >= need));
      }
    }
    const actorRef = this.#system.lookup(pid);
    if (typeof actorRef === "string") return Promise.reject(new NoProcError(pid));
    if (this.#own.size >= this.#namesMax) {
      actorRef.released();
      const words = `this node has ${this.#namesMax} global names already`;
      return Promise.reject(new ArgumentError(words));
    }
    return this.#claim(name, actorRef, { ...terms, onConflict });
  }

  #claim(name: string, actorRef: ActorRef, terms: RegisterTerms): Promise<boolean> {
    const stamp = terms.stamp ?? this.#stamps.next();
    const token = terms.quorum === undefined ? terms.token : this.#token(name);
    const pid = actorRef.pid as Pid;
    const entry: NameEntry = { name, owner: this.#me, pid, stamp, token, isClaim: true };
    const own = new LocalName(++this.#numbers, entry, terms, this.#nameOwner);
    this.#own.set(name, own);
    this.#rows.add(own);
    const change = this.#table.set(entry);
    if (pid.home.local) own.attach(actorRef);
    else own.unmonitor = this.#watch(pid, () => this.#withdraw(own));
    if (terms.quorum !== undefined || terms.yieldsAfterPause) {
      this.#watched.add(own);
      this.#pauses.start();
    }
    // The claim is sent before listeners are called, because a listener may withdraw the name.
    const answer = this.#ask(own);
    this.#apply(change);
    return answer;
  }

  /**
   * Returns the promise of a registration that waits for peers. The actor system tracks this
   * promise.
   */
  asking(name: string): Promise<boolean> | undefined {
    return this.#own.get(name)?.asking?.answer.promise;
  }

  /** Frees a name of this node. Returns whether it was registered by this node. */
  unregister(name: string): boolean {
    const own = this.#ownOf(name);
    if (own !== undefined) this.#withdraw(own);
    return own !== undefined;
  }

  /**
   * Notifies a local actor of the current holder of a name, immediately and after each change.
   * Returns a function that stops the notifications.
   */
  monitor(name: string, pid: Pid<NameChange>): () => void {
    const actor = this.#system.actorOf(pid);
    if (actor === undefined) throw new NoProcError(pid);
    this.#watchers.add(name, actor);
    actor.deliver(nameChange(name, this.#table.find(name)?.pid));
    return () => void this.#watchers.remove(name, actor);
  }

  /**
   * Calls `found` once, when an actor is registered under a name. Returns a function that cancels
   * the wait.
   */
  wait(name: string, found: (pid: Pid) => void): () => void {
    let waiters = this.#waiters.get(name);
    if (waiters === undefined) this.#waiters.set(name, waiters = new Set());
    waiters.add(found);
    return () => {
      if (waiters.delete(found) && waiters.size === 0) this.#waiters.delete(name);
    };
  }

  /**
   * Resolves when a peer has sent all its names, when its session has ended, or after {@linkcode
   * SYNC_MS_MAX}.
   */
  synced(node: string): Promise<void> {
    const peer = this.#peers.get(node);
    if (peer === undefined) return Promise.resolve();
    const late = (): Error => new Error(`${node} is slow to send its names`);
    return this.#system.within(peer.synced, SYNC_MS_MAX, late).catch(() => {});
  }

  /**
   * Called when a session has opened. Requests grants of the pending claims from the new peer, and
   * announces the names that are held by quorum.
   */
  up(nodeLink: PeerLink): void {
    const { node } = nodeLink.home;
    let settle!: () => void;
    const synced = new Promise<void>((resolve) => settle = resolve);
    const peer: Peer = {
      nodeLink,
      cursor: new SyncCursor(this.#rows.values(), this.#numbers),
      synced,
      isSynced: false,
      upAt: this.#system.now(),
      whenSynced: () => {
        if (peer.isSynced) return;
        peer.isSynced = true;
        this.#unsynced--;
        settle();
        this.#lingering.release(node);
        this.#reviewAll();
      },
      sessions: this.#peers.size,
      announced: new Map(),
      asked: new Set(),
    };
    // If this session replaces one in which the peer had not sent all its names, the peer is
    // already counted.
    if (this.#peers.get(node)?.isSynced !== false) this.#unsynced++;
    this.#peers.add(peer);
    this.members.met(node);
    for (const own of this.#asking.values()) {
      if (!this.#send(own, nodeLink, own.asking!.request)) continue;
      own.asking!.waiting.set(node, undefined);
      peer.asked.add(own);
    }
    for (const own of this.#watched) if (own.asking === undefined) this.#announce(own, peer);
  }

  /**
   * Sends this node's time and known members to a peer. Returns false if the peer does not support
   * this message.
   */
  view(nodeLink: PeerLink): boolean {
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined || !canClaim(nodeLink)) return false;
    const { known, left } = this.members;
    const [time, token] = [Math.max(0, this.#stamps.time), this.#tokens.highest];
    sendView(nodeLink, { time, token, sessions: peer.sessions, known, left });
    return true;
  }

  /** Sends further names of this node to a peer. Returns false if all have been sent. */
  sendMore(nodeLink: PeerLink): boolean {
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined || peer.cursor.isOver) return false;
    // While stamps are being shifted, no names are sent, so that a peer receives only shifted
    // stamps.
    if (this.#shifts.length > 0) return true;
    const { cursor, asked } = peer;
    // Claims and names held by quorum are omitted, because they were sent in REGISTER messages when
    // the session opened.
    const names = cursor.next(PORTION_COUNT).filter((own) => !asked.has(own));
    sendSync(nodeLink, names.map(({ entry }) => entry), this.#me);
    if (!cursor.isDone) return true;
    cursor.isOver = true;
    sendSynced(nodeLink);
    return false;
  }

  /**
   * Called when a session with a node has ended. Removes the names of that node, and stops waiting
   * for its answers. `isOver`: whether the node has stopped.
   */
  down(nodeLink: PeerLink, isOver = false): void {
    const { node } = nodeLink.home;
    const peer = this.#peers.remove(nodeLink);
    if (peer === undefined) return;
    if (isOver) this.members.leave(node);
    this.#claims.drop(node);
    const lingering = this.#table.lingeringOf(node);
    if (!isOver && lingering.size > 0) {
      this.#lingering.keep(node, lingering, this.#deadlineMs + STOP_MS_MAX);
    }
    for (const own of [...this.#asking.values()]) {
      const { waiting } = own.asking!;
      if ([...waiting.values()].includes(node)) this.#withdraw(own);
      else this.#agreed(own, node, false);
    }
    for (const own of this.#watched) own.grants?.delete(node);
    this.#checkQuorums();
    this.#freeMore(this.#table.drop(node));
    if (peer.isSynced) this.#reviewAll();
    else peer.whenSynced();
    if (isOver) this.#lingering.release(node);
  }

  /** Removes the names of a lost node, and reports the changes. Yields between portions. */
  #freeMore(changes: Iterator<NameChanged | undefined>): void {
    for (let i = 0; i < FREED_COUNT; i++) {
      const { done, value } = changes.next();
      if (done) return;
      this.#apply(value);
    }
    this.#system.yieldToIo(() => this.#freeMore(changes));
  }

  /**
   * Handles a REGISTER: a peer's claim of a name, or a name that the peer has acquired by quorum.
   * Returns the rule that the peer violated, or undefined.
   */
  registering(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const row = readRegister(nodeLink, body);
    if (row === undefined) return "a malformed REGISTER";
    const { name, pid, owner, stamp, request, flags } = row;
    if (owner !== nodeLink.home.node) return "a REGISTER of another node's name";
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    if (!this.#allows(owner, name)) {
      sendRegistered(nodeLink, request, REGISTERED.TAKEN, this.#system.home.node);
      return undefined;
    }
    this.#stamps.accept(stamp);
    const isHeld = (flags & CLAIM_FLAG.HELD) !== 0;
    const token = row.token || undefined;
    const lingers = (flags & CLAIM_FLAG.QUORUM) !== 0;
    const entry: NameEntry = { name, owner, pid, stamp, token, lingers, isClaim: !isHeld };
    if (lingers && this.#isLow(entry)) {
      sendRegistered(nodeLink, request, REGISTERED.LOW, "", this.#tokens.last(name));
      return undefined;
    }
    const own = this.#ownOf(name);
    if (isHeld) return this.#announced(entry, nodeLink, request);
    if (own !== undefined) {
      const isReplaced = (flags & CLAIM_FLAG.REPLACE) !== 0 && own.asking === undefined;
      if (isReplaced || (own.asking !== undefined && isEarlier(entry, own.entry))) {
        this.#withdraw(own);
      }
    }
    const current = this.#current(name);
    const isFree = current === undefined || current.owner === owner;
    const delay = isFree ? this.#delayMs(entry) : 0;
    if (isFree && delay === 0) this.#grant(entry, nodeLink, request);
    else this.#claims.add({ entry, nodeLink, request, reported: undefined });
    if (delay > 0) this.#reviewIn(delay);
    if (this.#isOverfull(owner)) return this.#tooMany();
    this.#review(name);
    return undefined;
  }

  #allows(node: string, name: string): boolean {
    const { allows } = this.#options;
    if (allows === undefined) return true;
    return allows(node, name.startsWith(RESERVED) ? name.replaceAll(RESERVED, "") : name);
  }

  /** Handles a REGISTERED: a peer's answer to a REGISTER of this node. */
  registered(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const row = readRegistered(body);
    if (row === undefined) return "a malformed REGISTERED";
    const { node } = nodeLink.home;
    const { request, status, owner, token } = row;
    const announced = this.#peers.get(node)?.announced;
    const held = announced?.get(request);
    if (held !== undefined) {
      announced!.delete(request);
      if (status === REGISTERED.OK && this.#own.get(held.entry.name) === held) {
        held.grants?.add(node);
      }
      return undefined;
    }
    const own = this.#asking.get(request);
    if (!own?.asking?.waiting.has(node)) return undefined;
    if (status === REGISTERED.OK) this.#agreed(own, node, canClaim(nodeLink));
    else if (status === REGISTERED.LOW) this.#askHigher(own, token);
    else if (owner === node || this.#peers.get(owner) === undefined) {
      own.terms.refused?.(owner);
      this.#withdraw(own);
    } else own.asking.waiting.set(node, owner);
    return undefined;
  }

  /** Handles an UNREGISTER: a peer has withdrawn its entry of a name. */
  unregistering(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const name = readUnregister(body);
    if (name === undefined) return "a malformed UNREGISTER";
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    const { node } = nodeLink.home;
    this.#claims.remove(name, node);
    this.#apply(this.#table.remove(node, name));
    this.#review(name);
    return undefined;
  }

  /** Handles a SYNC: names of a peer. An empty list shows that the peer has sent all its names. */
  sync(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const rows = readSync(nodeLink, body);
    if (rows === undefined) return "a malformed SYNC";
    if (rows.some(({ owner }) => owner !== nodeLink.home.node)) {
      return "a SYNC of another node's names";
    }
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    for (const row of rows) {
      if (!this.#allows(row.owner, row.name)) continue;
      if (this.#learn(row, row.owner) === undefined) return this.#tooMany();
    }
    if (rows.length === 0) peer.whenSynced();
    return undefined;
  }

  /**
   * Handles an INQUIRE: a peer has a rival entry, and must be informed if this node holds the name.
   */
  inquired(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const row = readInquire(nodeLink, body);
    if (row === undefined) return "a malformed INQUIRE";
    const own = this.#ownOf(row.name);
    // If the entry does not exist or has another stamp, it was withdrawn, and the peer was notified
    // of the withdrawal.
    if (own === undefined || own.entry.stamp !== row.stamp) return undefined;
    if (own.asking !== undefined) {
      if (!own.terms.replace) this.#withdraw(own);
    } else if (!row.rival.isClaim && wins(row.rival, own.entry)) this.#lose(own, row.rival);
    else sendHeld(nodeLink, own.entry);
    return undefined;
  }

  /** Handles a HELD: the peer confirms that it holds the name, rather than only claiming it. */
  held(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const row = readHeld(body);
    if (row === undefined) return "a malformed HELD";
    const entry = this.#table.of(nodeLink.home.node, row.name);
    if (entry?.stamp !== row.stamp || this.#peers.behind(nodeLink) === undefined) return undefined;
    this.#ownOf(row.name);
    this.#apply(this.#table.hold(entry));
    this.#contest(row.name);
    this.#review(row.name);
    return undefined;
  }

  /** Handles a RESOLVED: a resolver has decided that this node's entry loses. */
  resolved(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const row = readResolved(nodeLink, body);
    if (row === undefined) return "a malformed RESOLVED";
    const own = this.#ownOf(row.name);
    const theirs = this.#table.of(nodeLink.home.node, row.name);
    if (own?.entry.stamp !== row.stamp || own.asking !== undefined) return undefined;
    if (theirs !== undefined) this.#yield(own, theirs.pid);
    return undefined;
  }

  /**
   * Handles a CLUSTER_VIEW: a peer's time, its highest token, and the members that it has recorded.
   */
  viewed(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const view = readView(body);
    if (view === undefined) return "a malformed VIEW";
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    const { node } = nodeLink.home;
    this.#tokens.learn(view.token);
    const isUp = (name: string): boolean =>
      name === this.#me || this.#peers.get(name) !== undefined;
    this.members.learn(
      view.known.filter(isNormalName),
      view.left.filter(isNormalName),
      isUp,
    );
    const skew = this.#stamps.skew(view.time);
    if (skew !== 0) {
      const isOurs = view.sessions > peer.sessions ||
        (view.sessions === peer.sessions && node < this.#me);
      if (isOurs) {
        this.#shift(skew);
        this.#options.onShift?.(node, skew / 1000);
      }
    }
    this.#checkQuorums();
    return undefined;
  }

  get #me(): string {
    return this.#system.home.node;
  }

  get #deadlineMs(): number {
    return this.#options.deadlineMs ?? 15_000;
  }

  /** Returns the entry for which other claims of a name must wait. */
  #current(name: string): NameEntry | undefined {
    return this.#table.find(name) ?? this.#lingering.of(name);
  }

  /** Monitors a remote actor. Returns a function that stops monitoring. */
  #watch(pid: Pid<never>, ended: () => void): () => void {
    const { signals, externalCaller } = this.#system;
    const ref = signals.ref(externalCaller);
    externalCaller.expect(ref, ended);
    signals.monitor(externalCaller, pid, ref);
    return () => {
      signals.demonitor(externalCaller, ref, false);
      externalCaller.forget(ref);
    };
  }

  /** Returns a token that is higher than all known tokens of a name. */
  #token(name: string, least = 0): number {
    return Math.max(this.#stamps.time, this.#tokens.last(name) + 1, least + 1);
  }

  #send(own: LocalName, nodeLink: PeerLink, request: number): boolean {
    const { quorum, replace } = own.terms;
    let flags = 0;
    if (quorum !== undefined) flags |= CLAIM_FLAG.QUORUM;
    if (replace) flags |= CLAIM_FLAG.REPLACE;
    if (own.asking === undefined) flags |= CLAIM_FLAG.HELD;
    if (own.entry.token) flags |= CLAIM_FLAG.TOKEN;
    return sendRegister(nodeLink, own.entry, this.#me, request, flags, own.entry.token);
  }

  #ask(own: LocalName): Promise<boolean> {
    const waiting = new Map<string, undefined>();
    if (this.#peers.size === 0) {
      this.#hold(own);
      return Promise.resolve(true);
    }
    const answer = this.#system.deferred<boolean>();
    own.asking = { request: 0, waiting, lows: 0, answer };
    this.#askAll(own);
    return answer.promise;
  }

  #askAll(own: LocalName): void {
    const { asking } = own;
    if (asking === undefined) return;
    this.#asking.delete(asking.request);
    const request = asking.request = ++this.#requests;
    this.#asking.set(request, own);
    asking.waiting.clear();
    own.grants?.clear();
    for (const { nodeLink } of this.#peers) {
      if (this.#send(own, nodeLink, request)) asking.waiting.set(nodeLink.home.node, undefined);
    }
    if (asking.waiting.size === 0) this.#decide(own);
  }

  /**
   * Repeats a claim with a higher token, because a peer has granted the token `last`, which is not
   * lower.
   */
  #askHigher(own: LocalName, last: number): void {
    const asking = own.asking!;
    if (++asking.lows > LOWS_MAX || last >= STAMP_MAX) return this.#withdraw(own);
    own.entry = { ...own.entry, token: this.#token(own.entry.name, last) };
    this.#table.set(own.entry);
    this.#askAll(own);
  }

  /** Announces a name held by quorum to a new peer, and requests its grant. */
  #announce(own: LocalName, peer: Peer): void {
    if (own.grants === undefined || !canClaim(peer.nodeLink)) return;
    const request = ++this.#requests;
    if (!this.#send(own, peer.nodeLink, request)) return;
    peer.announced.set(request, own);
    peer.asked.add(own);
  }

  /**
   * Called when a peer has granted the name, or its session has ended. Decides the claim if this
   * was the last missing answer.
   */
  #agreed(own: LocalName, node: string, isGrant: boolean): void {
    const { asking } = own;
    if (!asking?.waiting.delete(node)) return;
    if (isGrant) own.grants?.add(node);
    if (asking.waiting.size === 0) this.#decide(own);
  }

  /** Decides a claim when all peers have answered. */
  #decide(own: LocalName): void {
    const need = this.need(own.terms.quorum);
    const granted = 1 + (own.grants?.size ?? 0);
    if (own.grants !== undefined && granted < need) {
      return this.#withdraw(own, new QuorumError(own.entry.name, granted, need));
    }
    this.#hold(own);
    this.#answer(own, true);
  }

  #hold(own: LocalName): void {
    const { entry } = own;
    if (entry.token) this.#tokens.note(entry.name, entry.token);
    // If this claim replaces a holder, that holder has withdrawn its entry before it granted the
    // claim, so the holder that is reported does not change here.
    this.#table.hold(entry);
  }

  #answer(own: LocalName, outcome: boolean | Error): void {
    const { asking } = own;
    if (asking === undefined) return;
    own.asking = undefined;
    this.#asking.delete(asking.request);
    if (typeof outcome === "boolean") asking.answer.resolve(outcome);
    else asking.answer.reject(outcome);
  }

  /** Withdraws a name of this node from all nodes. */
  #withdraw(own: LocalName, outcome: boolean | Error = false): void {
    const { name } = own.entry;
    if (this.#own.get(name) !== own) return;
    this.#own.delete(name);
    this.#rows.delete(own);
    this.#watched.delete(own);
    if (this.#watched.size === 0) this.#pauses.stop();
    own.unwatch();
    const change = this.#table.remove(this.#me, name);
    for (const { nodeLink, cursor, asked } of this.#peers) {
      if (asked.delete(own) || cursor.hasSent(own.number)) sendUnregister(nodeLink, name);
    }
    this.#answer(own, outcome);
    this.#apply(change);
    this.#review(name);
  }

  /**
   * Returns whether the token of a peer's entry is too low. The token of a claim must be above the
   * last token granted for the name. The token of a held name must not be below the last granted
   * token.
   */
  #isLow({ name, owner, token = 0, isClaim }: NameEntry): boolean {
    if (this.#table.of(owner, name)?.token === token) return false;
    return isClaim ? token <= this.#tokens.last(name) : token < this.#tokens.known(name);
  }

  /**
   * Returns how long this node must wait before it grants a free name, in milliseconds, because
   * another node may still hold it.
   */
  #delayMs({ owner, lingers }: NameEntry): number {
    if (this.#unsynced === 0 && !lingers) return 0;
    let upAt = -Infinity;
    for (const peer of this.#peers) {
      if (!peer.isSynced && peer.nodeLink.home.node !== owner) upAt = Math.max(upAt, peer.upAt);
    }
    if (upAt === -Infinity && !lingers) return 0;
    const now = this.#system.now();
    const freshMs = lingers ? this.#freshMs(now) : 0;
    return Math.max(0, freshMs, upAt + SYNC_MS_MAX - now);
  }

  /**
   * Returns how long this node must still wait after its start before it grants names, in
   * milliseconds. The grants of its earlier incarnation are lost, so a holder may exist until its
   * time to stop has passed. 0 if all members are connected.
   */
  #freshMs(now: number): number {
    const left = this.#startedAt + this.#deadlineMs + STOP_MS_MAX - now;
    if (left <= 0) return 0;
    let synced = 1;
    for (const peer of this.#peers) if (peer.isSynced) synced++;
    return synced < this.members.size ? left : 0;
  }

  #reviewIn(ms: number): void {
    if (this.#reviewing.next !== undefined) return;
    this.#system.setTimer(this.#reviewing, ms);
  }

  /** Grants the claim of a peer. */
  #grant(entry: NameEntry, nodeLink: PeerLink, request: number): void {
    if (entry.token) this.#tokens.note(entry.name, entry.token);
    const change = this.#table.set(entry);
    sendRegistered(nodeLink, request, REGISTERED.OK);
    this.#apply(change);
  }

  /** Handles a name that a peer holds by quorum. Grants it if no other entry is held. */
  #announced(entry: NameEntry, nodeLink: PeerLink, request: number): string | undefined {
    this.#apply(this.#table.set(entry));
    this.#contest(entry.name);
    const current = this.#table.find(entry.name);
    if (current === entry) {
      this.#tokens.note(entry.name, entry.token ?? 0);
      sendRegistered(nodeLink, request, REGISTERED.OK);
    } else sendRegistered(nodeLink, request, REGISTERED.TAKEN, current?.owner);
    this.#review(entry.name);
    return this.#isOverfull(entry.owner) ? this.#tooMany() : undefined;
  }

  /**
   * Grants a free name to the earliest claim. Reports the new holder to the owners of the other
   * claims.
   */
  #review(name: string): void {
    if (!this.#claims.has(name)) return;
    if (this.#current(name) === undefined) {
      let delay = 0;
      const first = this.#claims.take(name, ({ entry }) => {
        const ms = this.#delayMs(entry);
        delay = Math.max(delay, ms);
        return ms === 0;
      });
      if (delay > 0) this.#reviewIn(delay);
      if (first === undefined) return;
      if (first.entry.lingers && this.#isLow(first.entry)) {
        const last = this.#tokens.last(name);
        sendRegistered(first.nodeLink, first.request, REGISTERED.LOW, "", last);
        return this.#review(name);
      }
      this.#grant(first.entry, first.nodeLink, first.request);
    }
    const current = this.#current(name);
    if (current === undefined) return;
    for (const claim of this.#claims.of(name)) {
      const isOpen = current.isClaim && current.owner !== this.#me &&
        isEarlier(claim.entry, current) && this.#inquire(current, claim.entry);
      if (isOpen || claim.reported === current.owner) continue;
      claim.reported = current.owner;
      sendRegistered(claim.nodeLink, claim.request, REGISTERED.TAKEN, current.owner);
    }
  }

  #reviewAll(): void {
    for (const name of this.#claims.names()) this.#review(name);
  }

  /** Sends an INQUIRE to the owner of an entry. Returns false if the owner cannot be reached. */
  #inquire(entry: NameEntry, rival: NameEntry): boolean {
    const nodeLink = this.#peers.get(entry.owner)?.nodeLink;
    return nodeLink !== undefined && canClaim(nodeLink) && sendInquire(nodeLink, entry, rival);
  }

  /** Makes the owners of the losing entries of a name withdraw them. */
  #contest(name: string): void {
    if (!this.#table.isContested(name)) return;
    const winner = this.#table.find(name)!;
    const own = this.#own.get(name);
    if (own !== undefined && winner.owner !== this.#me) {
      if (own.asking === undefined || !own.terms.replace) this.#lose(own, winner);
    }
    // If the two other nodes are not connected to each other, only this node can report their
    // conflict to them.
    if (winner.owner === this.#me) return;
    for (const rival of this.#table.rivals(name)) {
      if (rival.owner === this.#me) continue;
      if (winner.isClaim) this.#inquire(winner, rival);
      else this.#inquire(rival, winner);
    }
  }

  /** Adds a peer's entry. Returns `undefined` if the peer has too many entries. */
  #learn({ name, pid, stamp, token }: NameRow, owner: string): NameEntry | undefined {
    this.#ownOf(name);
    const lingers = this.#table.of(owner, name)?.lingers;
    const entry: NameEntry = { name, owner, pid, stamp, token, lingers };
    this.#stamps.accept(stamp);
    if (token) this.#tokens.note(name, token);
    this.#claims.remove(name, owner);
    this.#apply(this.#table.set(entry));
    this.#contest(name);
    this.#review(name);
    return this.#isOverfull(owner) ? undefined : entry;
  }

  #isOverfull(owner: string): boolean {
    return this.#table.countOf(owner) + this.#claims.countOf(owner) > this.#namesMax;
  }

  #tooMany(): string {
    return `more than ${this.#namesMax} names`;
  }

  /** Handles the loss of a name of this node to a winning entry. A claim is withdrawn at once. */
  #lose(own: LocalName, rival: NameEntry): void {
    const { asking, entry, terms, isResolving } = own;
    // If both nodes have registered the same actor, that actor loses nothing, and only this entry
    // is withdrawn.
    if (asking !== undefined || entry.pid.equals(rival.pid)) return this.#withdraw(own);
    if (isResolving) return;
    if (terms.resolve !== undefined) this.#resolve(own, rival);
    else this.#yield(own, rival.pid);
  }

  /**
   * Calls the resolver, which chooses the actor that keeps the name. If the resolver throws, the
   * default applies.
   */
  #resolve(own: LocalName, rival: NameEntry): void {
    const { name, pid } = own.entry;
    own.isResolving = true;
    const late = (): Error => new Error("the resolver takes too long");
    const choice = this.#reach(rival.owner).then(() =>
      this.#claimPeer(rival.owner) ? own.terms.resolve!(name, rival.pid, pid) : rival.pid
    );
    this.#system.within(choice, RESOLVE_MS_MAX, late).catch(() => rival.pid).then((keeps) => {
      own.isResolving = false;
      if (this.#own.get(name) !== own) return;
      const nodeLink = this.#claimPeer(rival.owner);
      if (nodeLink === undefined) return this.#yield(own, rival.pid);
      const still = this.#table.of(rival.owner, name);
      // If the other entry was withdrawn in the meantime, this node keeps the name.
      if (still === undefined) return;
      const isOurs = keeps?.equals(pid) ?? false;
      const isSent = isOurs || keeps === undefined
        ? sendResolved(nodeLink, still, keeps as Pid)
        : true;
      if (!isOurs || !isSent) this.#yield(own, still.pid);
    });
  }

  /** Returns the link to a connected node that supports claims; otherwise undefined. */
  #claimPeer(node: string): PeerLink | undefined {
    const nodeLink = this.#peers.get(node)?.nodeLink;
    return nodeLink !== undefined && canClaim(nodeLink) ? nodeLink : undefined;
  }

  /**
   * Resolves when a session with a node is open and its names are known, or after its heartbeat
   * timeout. A third node may report a conflict before the two holders are connected again.
   */
  #reach(node: string): Promise<void> {
    if (node === this.#me) return Promise.resolve();
    if (this.#peers.get(node) !== undefined) return this.synced(node);
    let cancel!: () => void;
    const added = new Promise<void>((resolve) => cancel = this.#peers.whenAdded(node, resolve));
    const late = (): Error => new Error(`no session with ${node}`);
    return this.#system.within(added, this.#deadlineMs, late).then(() => this.synced(node), cancel);
  }

  /** Withdraws a losing entry of this node, and applies `onConflict` to its actor. */
  #yield(own: LocalName, winner: Pid): void {
    const { name, pid: loser } = own.entry;
    this.#withdraw(own);
    const conflict = { name, loser, winner };
    if (!name.startsWith(RESERVED) && this.#events.has("nameconflict")) {
      this.#events.emit("nameconflict", conflict);
    }
    settleConflict(this.#system, conflict, own.terms.onConflict, () => this.#reach(winner.node));
  }

  /** Withdraws names granted by too few nodes. */
  #checkQuorums(): void {
    for (const own of [...this.#watched]) {
      const { asking, grants, terms } = own;
      if (asking !== undefined || grants === undefined) continue;
      if (1 + grants.size >= this.need(terms.quorum)) continue;
      const { name, pid } = own.entry;
      this.#withdraw(own);
      if (!name.startsWith(RESERVED) && this.#events.has("quorumlost")) {
        this.#events.emit("quorumlost", { name, pid });
      }
      if (terms.onConflict !== "keep") this.#system.exit(pid, { noQuorum: name });
    }
  }

  /**
   * Handles a pause of this process. Peers may have disconnected this node, and other nodes may
   * have its names.
   */
  #paused(ms: number): void {
    const { quietMs = 5_000 } = this.#options;
    if (ms >= this.#deadlineMs) {
      for (const { grants } of this.#watched) grants?.clear();
      this.#checkQuorums();
    }
    // Peers may have received nothing for up to `quietMs` before the pause, so they may disconnect
    // this node after a pause that is shorter than `#deadlineMs`. If no peer has disconnected this
    // node, new stamps have no effect, because stamps only decide conflicts.
    if (ms < (this.#deadlineMs - quietMs) / 2) return;
    for (const own of this.#watched) {
      if (own.terms.yieldsAfterPause) this.#restamp([own], () => this.#stamps.next());
    }
  }

  /**
   * Shifts this node's time by `us` microseconds, and the stamps of its entries. Yields between
   * portions.
   */
  #shift(us: number): void {
    this.#stamps.shift(us);
    const cursor = new SyncCursor(this.#rows.values(), this.#numbers);
    this.#shifts.push({ us, cursor, early: new Set() });
    if (this.#shifts.length === 1) this.#shiftMore();
  }

  #shiftMore(): void {
    const { us, cursor, early } = this.#shifts[0]!;
    const some = cursor.next(SHIFTED_COUNT).filter((own) => !early.delete(own));
    if (cursor.isDone) this.#shifts.shift();
    this.#restamp(some, (stamp) => stamp + us);
    if (this.#shifts.length > 0) this.#system.yieldToIo(() => this.#shiftMore());
  }

  /**
   * Returns this node's entry of a name, after doing pending work on it: withdraws the entry if its
   * actor has exited, and shifts its stamp if a shift is pending.
   */
  #ownOf(name: string): LocalName | undefined {
    const own = this.#own.get(name);
    if (own === undefined) return undefined;
    if (this.#system.signals.isBehind && hasEnded(own.entry)) {
      this.#withdraw(own);
      // A listener may have registered the name again during `#withdraw`.
      return this.#own.get(name);
    }
    for (const { us, cursor, early } of this.#shifts) {
      if (cursor.hasSent(own.number) || early.has(own)) continue;
      early.add(own);
      this.#restamp([own], (stamp) => stamp + us);
    }
    return own;
  }

  /** Changes the stamps of the given names of this node, except those of claims. */
  #restamp(some: readonly LocalName[], stampOf: (stamp: number) => number): void {
    // A listener that `#apply` calls may unregister other names in `some`.
    const isOurs = (own: LocalName): boolean => this.#own.get(own.entry.name) === own;
    const changed: LocalName[] = [];
    for (const own of some) {
      if (own.asking !== undefined || !isOurs(own)) continue;
      own.entry = { ...own.entry, stamp: Math.max(0, stampOf(own.entry.stamp)) };
      changed.push(own);
      this.#apply(this.#table.set(own.entry));
    }
    for (const { nodeLink, cursor, asked } of this.#peers) {
      const known = changed.filter((own) =>
        isOurs(own) && (cursor.hasSent(own.number) || asked.has(own))
      );
      if (known.length > 0) sendSync(nodeLink, known.map(({ entry }) => entry), this.#me);
    }
    for (const { entry: { name } } of changed) this.#contest(name);
  }

  #apply(change: NameChanged | undefined): void {
    if (change === undefined) return;
    const { name, to } = change;
    const pid = this.#table.find(name)?.pid;
    // If the name has changed again in the meantime, only the later change is reported.
    if (to === undefined ? pid !== undefined : !to.pid.equals(pid)) return;
    if (this.#watchers.has(name)) this.#watchers.notify(name, nameChange(name, pid));
    if (pid !== undefined && this.#waiters.size > 0) {
      for (const found of [...this.#waiters.get(name) ?? []]) found(pid);
    }
    if (!name.startsWith(RESERVED) && this.#events.has("name")) {
      this.#events.emit("name", { name, pid });
    }
  }
}

/** Returns whether an entry belongs to an actor of this node that has exited. */
function hasEnded({ pid }: NameEntry): boolean {
  return pid.home.local && pid.target === undefined;
}

/** Returns whether a peer supports claims. */
function canClaim(nodeLink: PeerLink): boolean {
  return ((nodeLink.features ?? 0) & FEATURE.CLAIMS) !== 0;
}
