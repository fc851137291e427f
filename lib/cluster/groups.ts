/**
 * Process groups: actors of all nodes under one name, found on every node in memory.
 *
 * Each node owns the memberships of its own actors, and says only these; what it has said goes with its
 * session. An actor may be in a group several times, and leaves it as often. Groups of one name in
 * different scopes have nothing to do with each other.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { type Chained, hang, unhang } from "../actor/cell.ts";
import { ArgumentError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { Watchers } from "../actor/watchers.ts";
import type { Pid } from "../term/pid.ts";
import { TAG } from "../dist/message.ts";
import { type GroupChange, groupChange } from "./changes.ts";
import {
  isKey,
  KEY_BYTES_MAX,
  type MemberRow,
  type PeerLine,
  readMembers,
  sendMembers,
} from "./rows.ts";

/** The scope of groups that are given none. */
export const DEFAULT_SCOPE = "default";

/** The members of one group that one node owns, in the order of joining. */
type Members = Map<string, Pid[]>;

/** What an actor of ours is in. It hangs on the actor. */
class Joined implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly rows: MemberRow[] = [];
  readonly #ended: () => void;

  constructor(ended: () => void) {
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}

/** All groups of all scopes, as one node has them. */
export class GroupTable {
  readonly #system: System;
  /** By scope and group, then by the node that owns the members. */
  readonly #groups = new Map<string, Members>();
  readonly #joined = new Map<Actor, Joined>();
  readonly #lines = new Set<PeerLine>();
  readonly #watchers = new Watchers();

  constructor(system: System) {
    this.#system = system;
  }

  join(scope: string, group: string, pid: Pid<never>): void {
    const actor = this.#actor(pid);
    let joined = this.#joined.get(actor);
    if (joined === undefined) {
      joined = new Joined(() => this.#leaveAll(actor));
      this.#joined.set(actor, joined);
      hang(joined, actor);
    }
    const row = { scope, group, pid: actor.pid as Pid };
    joined.rows.push(row);
    this.#add(this.#me, row);
    for (const line of this.#lines) sendMembers(line, TAG.GROUP_JOIN, [row]);
  }

  leave(scope: string, group: string, pid: Pid<never>): boolean {
    const actor = this.#system.find(pid.id);
    const joined = actor && this.#joined.get(actor);
    const at = joined?.rows.findIndex((row) => row.scope === scope && row.group === group) ?? -1;
    if (joined === undefined || at < 0 || !actor!.pid.equals(pid)) return false;
    const [row] = joined.rows.splice(at, 1);
    if (joined.rows.length === 0) {
      this.#joined.delete(actor!);
      unhang(joined, actor!);
    }
    this.#remove(this.#me, row!);
    for (const line of this.#lines) sendMembers(line, TAG.GROUP_LEAVE, [row!]);
    return true;
  }

  members(scope: string, group: string): Pid[] {
    return [...this.#groups.get(keyOf(scope, group))?.values() ?? []].flat();
  }

  localMembers(scope: string, group: string): Pid[] {
    return [...this.#groups.get(keyOf(scope, group))?.get(this.#me) ?? []];
  }

  names(scope: string): string[] {
    const prefix = keyOf(scope, "");
    return [...this.#groups.keys()].filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
  }

  monitor(scope: string, group: string, pid: Pid<GroupChange>): () => void {
    const actor = this.#actor(pid);
    const key = keyOf(scope, group);
    this.#watchers.add(key, actor);
    actor.deliver(groupChange(group, this.members(scope, group), []));
    return () => void this.#watchers.remove(key, actor);
  }

  /** A session is up: the peer is told of our members. */
  up(line: PeerLine): void {
    this.#lines.add(line);
    const rows = [...this.#joined.values()].flatMap((joined) => joined.rows);
    sendMembers(line, TAG.GROUP_JOIN, rows);
  }

  /** A session is over: its members go. */
  down(line: PeerLine): void {
    if (!this.#lines.delete(line)) return;
    const { node } = line.home;
    for (const [key, members] of [...this.#groups]) {
      const left = members.get(node);
      if (left === undefined) continue;
      members.delete(node);
      if (members.size === 0) this.#groups.delete(key);
      this.#tell(key, [], left);
    }
  }

  /** A JOIN. A returned text is the rule that it broke. */
  joining(line: PeerLine, body: Uint8Array): string | undefined {
    const rows = readMembers(line, body);
    if (rows === undefined) return "a malformed JOIN";
    if (rows.some(({ pid }) => pid.home !== line.home)) return "a JOIN of another node's actor";
    for (const row of rows) this.#add(line.home.node, row);
    return undefined;
  }

  /** A LEAVE. */
  leaving(line: PeerLine, body: Uint8Array): string | undefined {
    const rows = readMembers(line, body);
    if (rows === undefined) return "a malformed LEAVE";
    for (const row of rows) this.#remove(line.home.node, row);
    return undefined;
  }

  get #me(): string {
    return this.#system.home.node;
  }

  #actor(pid: Pid<never>): Actor {
    const actor = this.#system.find(pid.id);
    if (actor === undefined || !actor.pid.equals(pid)) throw new NoProcError(pid);
    return actor;
  }

  #leaveAll(actor: Actor): void {
    const rows = this.#joined.get(actor)?.rows ?? [];
    this.#joined.delete(actor);
    for (const row of rows) this.#remove(this.#me, row);
    for (const line of this.#lines) sendMembers(line, TAG.GROUP_LEAVE, rows);
  }

  #add(owner: string, { scope, group, pid }: MemberRow): void {
    const key = keyOf(scope, group);
    let members = this.#groups.get(key);
    if (members === undefined) this.#groups.set(key, members = new Map());
    const pids = members.get(owner);
    if (pids === undefined) members.set(owner, [pid]);
    else pids.push(pid);
    this.#tell(key, [pid], []);
  }

  #remove(owner: string, { scope, group, pid }: MemberRow): void {
    const key = keyOf(scope, group);
    const members = this.#groups.get(key);
    const pids = members?.get(owner);
    const at = pids?.findIndex((other) => other.equals(pid)) ?? -1;
    if (at < 0) return;
    pids!.splice(at, 1);
    if (pids!.length === 0) members!.delete(owner);
    if (members!.size === 0) this.#groups.delete(key);
    this.#tell(key, [], [pid]);
  }

  #tell(key: string, joined: readonly Pid[], left: readonly Pid[]): void {
    if (!this.#watchers.has(key)) return;
    this.#watchers.tell(key, groupChange(key.slice(key.indexOf("\0") + 1), joined, left));
  }
}

/** The groups of one scope. */
export class Groups {
  readonly #table: GroupTable;
  readonly #scope: string;

  /** For the runtime: programs get theirs from their node. */
  constructor(table: GroupTable, scope: string) {
    this.#table = table;
    this.#scope = scope;
  }

  /** The groups of another scope. */
  scope(name: string): Groups {
    return new Groups(this.#table, checked(name));
  }

  /**
   * An actor of this node joins a group; it may do so several times. It leaves when it ends.
   *
   * @throws {NoProcError} `code` "noproc": it is not on this node.
   * @throws {ArgumentError} `code` "badarg": the group's name is empty or longer than 255 bytes.
   */
  join(group: string, pid: Pid<never>): void {
    this.#table.join(this.#scope, checked(group), pid);
  }

  /** It leaves the group, once. Whether it was in. */
  leave(group: string, pid: Pid<never>): boolean {
    return this.#table.leave(this.#scope, group, pid);
  }

  /** The members on all nodes, each as often as it has joined. */
  members(group: string): Pid<never>[] {
    return this.#table.members(this.#scope, group);
  }

  /** The members on this node. */
  localMembers(group: string): Pid<never>[] {
    return this.#table.localMembers(this.#scope, group);
  }

  /** The names of all groups that have members. */
  names(): string[] {
    return this.#table.names(this.#scope);
  }

  /**
   * Sends an actor a `GroupChange` with all members now, and one whenever some join or leave. Gives what
   * stops that; it also ends with the actor.
   *
   * @throws {NoProcError} `code` "noproc": the actor is not on this node.
   */
  monitor(group: string, pid: Pid<GroupChange>): () => void {
    return this.#table.monitor(this.#scope, group, pid);
  }
}

function keyOf(scope: string, group: string): string {
  return `${scope}\0${group}`;
}

function checked(name: string): string {
  if (isKey(name)) return name;
  throw new ArgumentError(
    `a group's name has 1 to ${KEY_BYTES_MAX} bytes: ${JSON.stringify(name)}`,
  );
}
