/**
 * Implements process groups: sets of actors of all nodes under one name. Lookups read this node's
 * memory.
 *
 * Each node owns the memberships of its own actors, and announces only these. A peer removes them
 * when the session with the node ends. An actor may join a group several times, and must leave it
 * as often. Groups with the same name in different scopes are independent.
 *
 * Longer than 400 lines with its public class: members of lost nodes and exited actors are removed
 * in portions, and until then each method must ignore them.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { attach, detach } from "../actor/actor_ref.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Watchers } from "../actor/watchers.ts";
import { ChurnMap } from "../base/churn_map.ts";
import type { Pid } from "../term/pid.ts";
import { TAG } from "../mesh/message.ts";
import { type GroupChange, groupChange } from "./changes.ts";
import { keyOf, Memberships } from "./memberships.ts";
import { PeerTable } from "./peer_table.ts";
import {
  isKey,
  KEY_BYTES_MAX,
  type MemberRow,
  type PeerLink,
  readMembers,
  sendMembers,
} from "./rows.ts";
import { type Numbered, SyncCursor } from "./sync_cursor.ts";

/** The name of the scope of `node.groups`. */
export const DEFAULT_SCOPE = "default";

/**
 * Maximum number of memberships of a node. Another join throws. If a peer announces more, its
 * session ends.
 */
export const MEMBERSHIPS_MAX: number = 2 ** 20;

/** Number of memberships that are sent to a peer before other work runs. */
const PORTION_COUNT = 512;

/** Number of groups that are searched for members of a lost node before other work runs. */
const FREED_COUNT = 2048;

/** Number of memberships of an exited actor that end before other work runs. */
const ENDED_COUNT = 512;

/** A member of a group, and how many times it has joined. */
interface Member {
  readonly pid: Pid;
  times: number;
}

/** A connected node as the owner of memberships, during one session. */
interface Owner {
  readonly node: string;
  /** Whether the session has ended. Lookups then ignore the members, which are being removed. */
  isLost: boolean;
}

/** The members of one group, by session and actor, in the order of joining. */
interface Group {
  readonly scope: string;
  readonly name: string;
  readonly byOwner: Map<Owner, Map<number, Member>>;
}

/** A membership of an actor of this node. */
interface Row extends MemberRow, Numbered {}

/** A connected node, and which memberships were exchanged with it. */
interface Peer {
  readonly nodeLink: PeerLink;
  /** Tracks which memberships of this node were sent to the peer. */
  readonly cursor: SyncCursor<Row>;
  readonly owner: Owner;
  /** Number of memberships that the peer has announced. */
  memberships: number;
}

/** The table of all groups on one node: replicates memberships, and notifies monitors. */
export class GroupTable {
  readonly #system: System;
  readonly #membershipsMax: number;
  readonly #groups = new ChurnMap<string, Group>();
  readonly #own: Owner;
  /** Number of lost nodes that still have members in the table. */
  #freeing = 0;
  /** The memberships of this node's actors, in the order of their numbers. */
  readonly #rows = new Set<Row>();
  readonly #joined = new Map<Actor, Memberships<Row>>();
  readonly #peers = new PeerTable<Peer>();
  readonly #watchers: Watchers;
  #numbers = 0;

  constructor(system: System, membershipsMax: number = MEMBERSHIPS_MAX) {
    this.#system = system;
    this.#watchers = new Watchers((steps) => system.signals.inPortions(steps));
    this.#membershipsMax = membershipsMax;
    this.#own = { node: system.home.node, isLost: false };
  }

  join(scope: string, group: string, pid: Pid<never>): void {
    const actor = this.#actor(pid);
    const most = this.#membershipsMax;
    if (this.#rows.size >= most) {
      throw new ArgumentError(`this node has ${most} memberships of groups already`);
    }
    let joined = this.#joined.get(actor);
    if (joined === undefined) {
      joined = new Memberships((rows) => this.#leaveMore(actor, rows));
      this.#joined.set(actor, joined);
      attach(joined, actor);
    }
    const row = { scope, group, pid: actor.pid as Pid, number: ++this.#numbers };
    joined.add(row);
    this.#rows.add(row);
    for (const { nodeLink } of this.#peers) sendMembers(nodeLink, TAG.GROUP_JOIN, [row]);
    this.#add(this.#own, row);
  }

  leave(scope: string, group: string, pid: Pid<never>): boolean {
    const actor = this.#system.actorOf(pid);
    const joined = actor && this.#joined.get(actor);
    const gone = joined?.take(scope, group);
    if (actor === undefined || joined === undefined || gone === undefined) return false;
    if (joined.isEmpty) {
      this.#joined.delete(actor);
      detach(joined, actor);
    }
    this.#leave([gone]);
    return true;
  }

  members(scope: string, group: string): Pid[] {
    const { byOwner } = this.#groups.get(keyOf(scope, group)) ?? {};
    const pids: Pid[] = [];
    if (byOwner === undefined) return pids;
    for (const [owner, members] of byOwner) if (!owner.isLost) this.#pidsOf(members, pids);
    return pids;
  }

  localMembers(scope: string, group: string): Pid[] {
    return this.#pidsOf(this.#groups.get(keyOf(scope, group))?.byOwner.get(this.#own));
  }

  names(scope: string): string[] {
    const isFound = ({ byOwner }: Group): boolean =>
      this.#freeing === 0 || byOwner.keys().some((owner) => !owner.isLost);
    return [...this.#groups.values()].filter((group) => group.scope === scope && isFound(group))
      .map(({ name }) => name);
  }

  /** Number of groups with members, in all scopes. */
  get count(): number {
    return this.#groups.size;
  }

  /** Returns the groups of an actor of this node. */
  groupsOf(actor: Actor): string[] {
    return [...new Set(this.#joined.get(actor)?.rows().map(({ group }) => group))];
  }

  monitor(scope: string, group: string, pid: Pid<GroupChange>): () => void {
    const actor = this.#actor(pid);
    const key = keyOf(scope, group);
    this.#freeLost(key);
    this.#watchers.add(key, actor);
    actor.deliver(groupChange(group, this.members(scope, group), []));
    return () => void this.#watchers.remove(key, actor);
  }

  /** Called when a session has opened. `sendMore` then sends the memberships of this node. */
  up(nodeLink: PeerLink): void {
    const cursor = new SyncCursor(this.#rows.values(), this.#numbers);
    const owner = { node: nodeLink.home.node, isLost: false };
    this.#peers.add({ nodeLink, cursor, owner, memberships: 0 });
  }

  /** Sends further memberships of this node to a peer. Returns false if all have been sent. */
  sendMore(nodeLink: PeerLink): boolean {
    const cursor = this.#peers.behind(nodeLink)?.cursor;
    if (cursor === undefined || cursor.isDone) return false;
    sendMembers(nodeLink, TAG.GROUP_JOIN, cursor.next(PORTION_COUNT));
    return !cursor.isDone;
  }

  /**
   * Called when a session with a node has ended. Lookups then ignore the members of that node,
   * which are removed in portions.
   */
  down(nodeLink: PeerLink): void {
    const peer = this.#peers.remove(nodeLink);
    if (peer === undefined) return;
    peer.owner.isLost = true;
    this.#freeing++;
    this.#freeMore(peer.owner, this.#groups.entries());
  }

  #freeMore(owner: Owner, groups: Iterator<[string, Group]>): void {
    for (let i = 0; i < FREED_COUNT; i++) {
      const { done, value } = groups.next();
      if (done) return void this.#freeing--;
      this.#free(value[0], value[1], owner);
    }
    this.#system.yieldToIo(() => this.#freeMore(owner, groups));
  }

  /** Removes the members of one node from a group. */
  #free(key: string, group: Group, owner: Owner): void {
    const members = group.byOwner.get(owner);
    if (members === undefined) return;
    group.byOwner.delete(owner);
    if (group.byOwner.size === 0) this.#groups.delete(key);
    if (this.#watchers.has(key)) this.#sendAll(key, group, [], this.#pidsOf(members));
  }

  /**
   * Removes the members of lost nodes from a group. Called before the group changes or is
   * monitored.
   */
  #freeLost(key: string): void {
    const group = this.#freeing === 0 ? undefined : this.#groups.get(key);
    if (group === undefined) return;
    for (const owner of group.byOwner.keys()) if (owner.isLost) this.#free(key, group, owner);
  }

  /**
   * Handles a GROUP_JOIN: actors of a peer have joined groups. Returns the rule that the peer
   * violated, or undefined.
   */
  joining(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const rows = this.#read(nodeLink, body);
    if (typeof rows === "string") return `a JOIN ${rows}`;
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    peer.memberships += rows.length;
    const most = this.#membershipsMax;
    if (peer.memberships > most) return `more than ${most} memberships`;
    for (const row of rows) this.#add(peer.owner, row);
    return undefined;
  }

  /**
   * Handles a GROUP_LEAVE: actors of a peer have left groups. Returns the rule that the peer
   * violated, or undefined.
   */
  leaving(nodeLink: PeerLink, body: Uint8Array): string | undefined {
    const rows = this.#read(nodeLink, body);
    if (typeof rows === "string") return `a LEAVE ${rows}`;
    const peer = this.#peers.behind(nodeLink);
    if (peer === undefined) return undefined;
    for (const row of rows) {
      if (this.#remove(peer.owner, row)) peer.memberships--;
    }
    return undefined;
  }

  #read(nodeLink: PeerLink, body: Uint8Array): MemberRow[] | string {
    const rows = readMembers(nodeLink, body);
    if (rows === undefined) return "that is malformed";
    if (rows.some(({ pid }) => pid.home !== nodeLink.home)) return "of another node's actor";
    return rows;
  }

  #actor(pid: Pid<never>): Actor {
    const actor = this.#system.actorOf(pid);
    if (actor === undefined) throw new NoProcError(pid);
    return actor;
  }

  /** Ends some memberships of an exited actor. Returns whether more are left. */
  #leaveMore(actor: Actor, rows: Iterator<Row>): boolean {
    const some: Row[] = [];
    let isLast = false;
    while (!isLast && some.length < ENDED_COUNT) {
      const { done, value } = rows.next();
      if (done) isLast = true;
      else some.push(value);
    }
    if (isLast) this.#joined.delete(actor);
    if (some.length > 0) this.#leave(some);
    return !isLast;
  }

  /** Ends memberships of this node's actors, and announces this to peers. */
  #leave(rows: readonly Row[]): void {
    for (const row of rows) this.#rows.delete(row);
    for (const { nodeLink, cursor } of this.#peers) {
      sendMembers(nodeLink, TAG.GROUP_LEAVE, rows.filter(({ number }) => cursor.hasSent(number)));
    }
    for (const row of rows) this.#remove(this.#own, row);
  }

  #add(owner: Owner, { scope, group: name, pid }: MemberRow): void {
    const key = keyOf(scope, name);
    this.#freeLost(key);
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, group = { scope, name, byOwner: new Map() });
    let members = group.byOwner.get(owner);
    if (members === undefined) group.byOwner.set(owner, members = new Map());
    const member = members.get(pid.id);
    if (member === undefined) members.set(pid.id, { pid, times: 1 });
    else member.times++;
    this.#sendAll(key, group, [pid], []);
  }

  /** Removes one join of a member. Returns whether the actor was a member. */
  #remove(owner: Owner, { scope, group: name, pid }: MemberRow): boolean {
    const key = keyOf(scope, name);
    const group = this.#groups.get(key);
    const members = group?.byOwner.get(owner);
    const member = members?.get(pid.id);
    if (group === undefined || members === undefined || member === undefined) return false;
    member.times--;
    if (member.times === 0) members.delete(pid.id);
    if (members.size === 0) group.byOwner.delete(owner);
    if (group.byOwner.size === 0) this.#groups.delete(key);
    this.#sendAll(key, group, [], [member.pid]);
    return true;
  }

  /** Adds the members to `pids`, once per join. Omits actors that have exited. */
  #pidsOf(members: Map<number, Member> | undefined, pids: Pid[] = []): Pid[] {
    if (members === undefined) return pids;
    const { isBehind } = this.#system.signals;
    for (const { pid, times } of members.values()) {
      if (isBehind && pid.home.local && pid.target === undefined) continue;
      for (let i = 0; i < times; i++) pids.push(pid);
    }
    return pids;
  }

  #sendAll(key: string, group: Group, joined: readonly Pid[], left: readonly Pid[]): void {
    if (!this.#watchers.has(key)) return;
    this.#watchers.notify(key, groupChange(group.name, joined, left));
  }
}

/**
 * Adds actors to process groups, and finds the members of groups. Each scope has its own groups.
 */
export class Groups {
  readonly #table: GroupTable;
  readonly #scope: string;

  /** Internal: programs use `node.groups`. */
  constructor(table: GroupTable, scope: string) {
    this.#table = table;
    this.#scope = scope;
  }

  /** Returns the groups of another scope. */
  scope(name: string): Groups {
    return new Groups(this.#table, checked(name));
  }

  /**
   * Adds an actor of this node to a group. An actor may join a group several times. The membership
   * ends when the actor exits.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   * @throws {ArgumentError} `code` "badarg": the group's name is empty or longer than 255 bytes, or
   * this node has 1,048,576 memberships already.
   */
  join(group: string, pid: Pid<never>): void {
    this.#table.join(this.#scope, checked(group), pid);
  }

  /** Removes one membership of an actor. Returns whether the actor was a member. */
  leave(group: string, pid: Pid<never>): boolean {
    return this.#table.leave(this.#scope, group, pid);
  }

  /**
   * Returns the members on all nodes, each once per join. The caller specifies the type of the
   * pids: `members<ServicePid<Counter>>("counters")`.
   */
  members<P extends Pid<never> = Pid>(group: string): P[] {
    return this.#table.members(this.#scope, group) as Pid<never>[] as P[];
  }

  /** Returns the members on this node. */
  localMembers<P extends Pid<never> = Pid>(group: string): P[] {
    return this.#table.localMembers(this.#scope, group) as Pid<never>[] as P[];
  }

  /** Returns the names of all groups that have members. */
  names(): string[] {
    return this.#table.names(this.#scope);
  }

  /**
   * Sends an actor a `GroupChange` with all members now, and another one whenever members join or
   * leave. Returns a function that stops these messages. They also stop when the actor exits.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   */
  monitor(group: string, pid: Pid<GroupChange>): () => void {
    return this.#table.monitor(this.#scope, group, pid);
  }
}

function checked(name: string): string {
  if (isKey(name)) return name;
  throw new ArgumentError(
    `a group's name has 1 to ${KEY_BYTES_MAX} bytes: ${JSON.stringify(name)}`,
  );
}
