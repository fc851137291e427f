/**
 * Handles the actor messages of one other node: delivers messages and signals to actors of this
 * node.
 *
 * A peer that has the cookie may still be faulty or hostile. A message that violates a rule ends
 * the session. An outdated message, such as the end of a link that was removed in the meantime, is
 * ignored. An exit is accepted only from an actor that is linked or monitored.
 *
 * Longer than 400 lines: the class has a method for each actor message, all using the same reader.
 *
 * @module
 */
import { splitTrace } from "./trace_context.ts";
import { type ActorRef, actorRefOf, type Monitor } from "../actor/actor_ref.ts";
import { tie, untie, unwatch, watch } from "../actor/signals.ts";
import type { System } from "../actor/system.ts";
import { SaltedMap } from "../base/salted_map.ts";
import { ProtocolError } from "../term/errors.ts";
import { type Pid, Ref } from "../term/pid.ts";
import { NamedRemoteActor, RemoteActor } from "./remote_actor.ts";
import type { HoldbackQueue, HoldKey } from "./holdback_queue.ts";
import { ALLOW_ALL, type Authorization } from "./authorization.ts";
import { RECEIVER } from "./node_table.ts";
import { IncomingCall } from "./incoming_call.ts";
import { ANSWER, decodeHome, SPAWN_FLAG, TAG } from "./message.ts";
import { isNormalName } from "./name.ts";
import type { Outbound } from "./outbound.ts";
import { CANCELLED_MAX, RELATIONS_MAX, REMOTE_MAILBOX_MAX } from "./peer_limits.ts";
import { type Decoded, NodeMessageReader, WORD_BYTES } from "./message_reader.ts";
import type { Spawner } from "./spawner.ts";

/**
 * The layout of a message that has one receiver: the offset of the receiver, whether the receiver
 * is identified by name, and whether a term follows that may refer to earlier terms.
 */
interface Form {
  readonly to: number;
  readonly named: boolean;
  readonly term: boolean;
}

/** The layouts of the messages that have one receiver, by tag. */
const FORMS: ReadonlyMap<number, Form> = new Map<number, Form>([
  [TAG.SEND, { to: 0, named: false, term: true }],
  [TAG.SEND_NAMED, { to: 0, named: true, term: true }],
  [TAG.CALL, { to: WORD_BYTES, named: false, term: true }],
  [TAG.CALL_NAMED, { to: WORD_BYTES, named: true, term: true }],
  [TAG.MONITOR_NAMED, { to: WORD_BYTES, named: true, term: false }],
  ...[
    TAG.LINK,
    TAG.UNLINK,
    TAG.UNLINKED,
    TAG.EXIT,
    TAG.EXIT_SIGNAL,
    TAG.MONITOR,
    TAG.DEMONITOR,
    TAG.DOWN,
  ].map((tag) => [tag, { to: WORD_BYTES, named: false, term: false }] as const),
]);

/**
 * Handles names and groups. Implemented by `cluster/replicas.ts`. Each `on` method returns the rule
 * that the peer violated, or `undefined`.
 */
export interface ClusterSink<Link> {
  /** Called when a session has opened. */
  up(link: Link): void;
  onGlobalRegister(link: Link, body: Uint8Array): string | undefined;
  onGlobalRegistered(link: Link, body: Uint8Array): string | undefined;
  onGlobalUnregister(link: Link, body: Uint8Array): string | undefined;
  onGlobalSync(link: Link, body: Uint8Array): string | undefined;
  onGlobalInquire(link: Link, body: Uint8Array): string | undefined;
  onGlobalHeld(link: Link, body: Uint8Array): string | undefined;
  onGlobalResolved(link: Link, body: Uint8Array): string | undefined;
  onClusterView(link: Link, body: Uint8Array): string | undefined;
  onGroupJoin(link: Link, body: Uint8Array): string | undefined;
  onGroupLeave(link: Link, body: Uint8Array): string | undefined;
}

/** Handles one kind of message about names or groups. */
export type ClusterHandler = (
  sink: ClusterSink<Outbound>,
  link: Outbound,
  body: Uint8Array,
) => string | undefined;

/** Handles one kind of message of an actor. */
export type InboundHandler = (inbound: Inbound, body: Uint8Array) => void;

/** The part of a session that this file uses. */
export interface HeldSession {
  readonly holds: HoldbackQueue;
  abort(end: "protocol", words: string): void;
}

/** Handles the actor messages of one session. */
export class Inbound {
  readonly #system: System;
  readonly #nodeLink: Outbound;
  readonly #spawner: Spawner;
  readonly #row: NodeMessageReader;
  readonly #session: HeldSession;
  readonly #cluster: () => ClusterSink<Outbound> | undefined;
  readonly #holds: HoldbackQueue;
  readonly #over: () => void;
  readonly #relationsMax: number;
  readonly #mailboxMax: number;
  readonly #authorization: Pick<Authorization, "allows">;
  /** Number of links that were requested since all links were last counted. */
  #uncounted = 0;
  /** Calls that actors of this node have not answered yet. */
  readonly #calls: SaltedMap<IncomingCall>;
  /**
   * The cancelled calls and monitors, such as "call 17", whose requests may still be held behind a
   * large message.
   */
  readonly #early = new Set<string>();

  /**
   * `over` is called when the session has ended. `relationsMax`: see {@linkcode RELATIONS_MAX};
   * only tests change it.
   */
  constructor(
    system: System,
    nodeLink: Outbound,
    spawner: Spawner,
    session: HeldSession,
    cluster: () => ClusterSink<Outbound> | undefined,
    over: () => void,
    mailboxMax: number = REMOTE_MAILBOX_MAX,
    authorization: Pick<Authorization, "allows"> = ALLOW_ALL,
    relationsMax: number = RELATIONS_MAX,
  ) {
    this.#mailboxMax = mailboxMax;
    this.#authorization = authorization;
    this.#relationsMax = relationsMax;
    this.#cluster = cluster;
    this.#session = session;
    this.#holds = session.holds;
    this.#over = over;
    this.#system = system;
    this.#nodeLink = nodeLink;
    this.#calls = new SaltedMap(nodeLink.salt);
    this.#spawner = spawner;
    this.#row = new NodeMessageReader(nodeLink.homes);
  }

  /**
   * Handles a message, or holds it back until an earlier large message for the same actor is
   * complete. `alone`: whether the message itself is large, so that its place in the order is
   * already reserved. Returns the rule that the peer violated, or `undefined`.
   */
  take(handle: InboundHandler, tag: number, body: Uint8Array, alone: boolean): string | undefined {
    const key = alone || this.#holds.count === 0 ? undefined : this.keyOf(tag, body);
    this.#row.begin(body, 0, body.length, alone);
    return this.#guard(handle, tag, body, key);
  }

  /** Handles a SEND or SEND_NAMED whose body is a part of `bytes`, while no message is held. */
  takeAt(tag: number, bytes: Uint8Array, from: number, to: number): string | undefined {
    this.#row.begin(bytes, from, to, false);
    try {
      if (tag === TAG.SEND) this.onSend();
      else this.onSendNamed();
      return undefined;
    } catch (error) {
      return ruleOf(error, tag);
    }
  }

  #guard(
    handle: InboundHandler,
    tag: number,
    body: Uint8Array,
    key?: HoldKey,
  ): string | undefined {
    try {
      if (key !== undefined && this.#holds.isHeld(key)) this.#wait(handle, tag, body, key);
      else handle(this, body);
      return undefined;
    } catch (error) {
      return ruleOf(error, tag);
    }
  }

  /**
   * Returns the key of the receiver of a large message that begins with `head`. Later messages for
   * this receiver are held.
   */
  keyOf(tag: number, head: Uint8Array): HoldKey | undefined {
    const form = FORMS.get(tag);
    if (form === undefined || head.length < form.to + 2) return undefined;
    this.#row.begin(head, form.to, head.length, false);
    if (!form.named) {
      return head.length < form.to + WORD_BYTES ? undefined : this.#row.number() % 2 ** 40;
    }
    const length = head[form.to]! | head[form.to + 1]! << 8;
    if (head.length < form.to + 2 + length) return undefined;
    const name = this.#row.text();
    return this.#system.names.whereis(name)?.id ?? `name ${name}`;
  }

  /** Holds a message. Its term is decoded now, because the next term may refer to it. */
  #wait(handle: InboundHandler, tag: number, body: Uint8Array, key: HoldKey): void {
    const form = FORMS.get(tag)!;
    let decoded: Decoded | undefined;
    if (form.term) {
      const row = this.#row;
      row.begin(body, form.to, body.length, false);
      if (form.named) row.text();
      else row.number();
      decoded = { term: row.term() };
    }
    const copy = body.slice();
    const run = (): void => {
      this.#row.begin(copy, 0, copy.length, false, decoded);
      const broken = this.#guard(handle, tag, copy);
      if (broken !== undefined) this.#session.abort("protocol", `it sent ${broken}`);
    };
    if (!this.#holds.hold(key, body.length, run)) {
      this.#fail("too many bytes are held behind a large message");
    }
  }

  /**
   * Called when the session has ended. Ends its links, monitors and calls, and then calls `done`.
   * If there are many, this takes several turns of the event loop.
   */
  lost(done: () => void = () => {}): void {
    this.#over();
    this.#system.signals.inPortions(this.#losing(this.#nodeLink.lost(), done));
  }

  /** Ends the remaining links, monitors and calls of a lost session at once. */
  finishLoss(): void {
    this.#system.signals.flush();
  }

  *#losing(relations: Generator<number, void>, done: () => void): Generator<number, void> {
    for (const call of [...this.#calls.values()]) {
      call.close();
      yield 1;
    }
    yield* relations;
    yield* this.#spawner.lost(this.#nodeLink);
    done();
  }

  /** Passes a message to the handler of names or groups. */
  cluster(handle: ClusterHandler, body: Uint8Array): void {
    const sink = this.#cluster();
    const broken = sink && handle(sink, this.#nodeLink, body);
    if (broken !== undefined) this.#fail(broken);
  }

  onSend(): void {
    const row = this.#row;
    const to = row.receiver();
    // The term is decoded even if the actor does not exist, because the next term may refer to it.
    const message = this.#message(row.term());
    const actor = this.#system.find(to);
    if (actor !== undefined) this.#deliver(actor, message);
    else this.#dead(to, message);
  }

  onSendNamed(): void {
    const row = this.#row;
    const name = row.text();
    const message = this.#message(row.term());
    const pid = this.#system.names.whereis(name);
    const actor = pid && actorRefOf(pid);
    if (actor !== undefined) this.#deliver(actor, message);
    else this.#system.sendTo(name, message);
  }

  /** Returns a message without its trace context. If it has one, passes it to `traces`. */
  #message(term: unknown): unknown {
    const { traces } = this.#nodeLink;
    if (traces === undefined) return term;
    const { message, trace } = splitTrace(term);
    if (trace !== undefined) traces.arrived(message, trace);
    return message;
  }

  /**
   * Delivers a message. Drops it if the mailbox is unbounded and has reached the limit for messages
   * of other nodes.
   */
  #deliver(actor: ActorRef, message: unknown): void {
    if (actor.length < this.#mailboxMax || actor.bound !== undefined) return actor.deliver(message);
    this.#system.overfull(actor, message);
  }

  #dead(to: number, message: unknown): void {
    const { events } = this.#system;
    if (!events.has("deadletter")) return;
    events.emit("deadletter", { to: this.#nodeLink.homes.pid(RECEIVER, to)!, message });
  }

  onCall(): void {
    const number = this.#row.number();
    this.#call(number, this.#system.find(this.#row.receiver()));
  }

  onCallNamed(): void {
    const number = this.#row.number();
    this.#call(number, this.#holder());
  }

  #call(number: number, actor: ActorRef | undefined): void {
    const { traces } = this.#nodeLink;
    let request = this.#row.term();
    let trace: string | undefined;
    if (traces !== undefined) ({ message: request, trace } = splitTrace(request));
    if (this.#calls.has(number)) this.#fail("a request's number that is in use");
    if (this.#calls.size >= this.#relationsMax) this.#fail("too many calls");
    if (actor === undefined) return this.#nodeLink.answer(number, ANSWER.MISSING, undefined);
    const call = new IncomingCall(request, actor, number, this.#calls, this.#nodeLink);
    if (trace !== undefined) traces!.arrived(call, trace);
    // A call that the caller has already cancelled is delivered, but its reply is not sent.
    if (this.#wasEarly(`call ${number}`)) call.close();
    this.#deliver(actor, call);
  }

  onCallOver(): void {
    const number = this.#row.number();
    const call = this.#calls.get(number);
    if (call !== undefined) call.close();
    else this.#noteEarly(`call ${number}`);
  }

  /**
   * Records a cancellation whose call or monitor is unknown, because the request may still be held
   * behind a large message.
   */
  #noteEarly(what: string): void {
    if (this.#holds.count === 0) return;
    if (this.#early.size >= CANCELLED_MAX) this.#early.clear();
    this.#early.add(what);
  }

  #wasEarly(what: string): boolean {
    return this.#early.size > 0 && this.#early.delete(what);
  }

  onAnswer(): void {
    const row = this.#row;
    const number = row.number();
    const status = row.u8();
    if (status === ANSWER.ENDED) {
      const reason = row.reason();
      return this.#nodeLink.answered(number)?.ended(reason);
    }
    if (status === ANSWER.MISSING) return this.#nodeLink.answered(number)?.missing();
    if (status === ANSWER.FULL) return this.#nodeLink.answered(number)?.full();
    const value = status === ANSWER.HELD_FULL ? undefined : row.term();
    if (this.#nodeLink.homes.held?.answered(number, status, value)) return;
    const call = this.#nodeLink.answered(number);
    if (status === ANSWER.REPLY) call?.reply(value);
    else if (status === ANSWER.REFUSED) call?.refuse(value);
    else this.#fail("an unknown status");
  }

  onLink(): void {
    const row = this.#row;
    const from = row.sender();
    const to = row.receiver();
    const actor = this.#system.find(to);
    if (actor === undefined) return this.#nodeLink.linkBroke(this.#own(to), from, "noproc");
    const remote = this.#remoteActor(from);
    if (!this.#authorization.allows(this.#nodeLink.home.node, "link", actor.pid as Pid)) {
      return this.#nodeLink.linkBroke(this.#own(to), from, "noproc");
    }
    // The peer sent this LINK before it received an UNLINK from this node. That UNLINK removes the
    // link on the peer too.
    if (remote.isUnlinking(to)) return;
    this.#countLink();
    tie(actor, remote);
  }

  onUnlink(): void {
    const row = this.#row;
    const from = row.sender();
    const to = row.receiver();
    const remote = this.#nodeLink.known(from);
    const actor = this.#system.find(to);
    if (remote !== undefined && actor !== undefined) untie(actor, remote);
    this.#nodeLink.unlinked(to, from);
    remote?.released();
  }

  onUnlinked(): void {
    const from = this.#row.sender();
    this.#nodeLink.known(from)?.unlinkedThere(this.#row.receiver());
  }

  onExit(): void {
    const row = this.#row;
    const from = row.sender();
    const to = row.receiver();
    const reason = row.reason();
    const remote = this.#nodeLink.known(from);
    const actor = this.#system.find(to);
    if (remote === undefined || actor === undefined || remote.isUnlinking(to)) return;
    if (!untie(actor, remote)) return;
    actor.linkBroke(remote.pid as Pid, reason);
    remote.released();
  }

  onExitSignal(): void {
    const row = this.#row;
    const from = row.sender();
    const to = row.receiver();
    const reason = row.reason();
    const actor = this.#system.find(to);
    if (actor === undefined) return;
    if (!this.#authorization.allows(this.#nodeLink.home.node, "exit", actor.pid as Pid)) return;
    actor.exitSignal(this.#nodeLink.pid(from), reason);
  }

  onMonitor(): void {
    const from = this.#row.sender();
    const to = this.#row.receiver();
    this.#monitor(from, to, this.#system.find(to));
  }

  onMonitorNamed(): void {
    const from = this.#row.sender();
    this.#monitor(from, 0, this.#holder());
  }

  #monitor(from: number, to: number, actor: ActorRef | undefined): void {
    const ref = this.#row.number();
    if (this.#wasEarly(`monitor ${from} ${ref}`)) return;
    if (actor === undefined) return this.#nodeLink.downOf(to, from, ref, "noproc");
    const remote = this.#remoteActor(from);
    this.#countMonitor(remote, ref);
    remote.monitors ??= new SaltedMap(this.#nodeLink.salt);
    this.#nodeLink.monitors++;
    watch({ ref: new Ref(this.#nodeLink.home, ref), watcher: remote, target: actor });
  }

  onDemonitor(): void {
    const row = this.#row;
    const from = row.sender();
    row.receiver();
    const ref = row.number();
    const remote = this.#nodeLink.known(from);
    const monitor = remote?.monitors?.get(ref);
    if (monitor === undefined) return this.#noteEarly(`monitor ${from} ${ref}`);
    this.#nodeLink.monitors--;
    unwatch(monitor);
    remote!.released();
  }

  onDown(): void {
    const row = this.#row;
    const ended = row.sender();
    const to = row.receiver();
    const ref = row.number();
    const reason = row.reason();
    const watcher: ActorRef | undefined = to === 0
      ? this.#system.externalCaller
      : this.#system.find(to);
    const monitor = watcher?.monitors?.get(ref);
    if (monitor === undefined || !this.#concerns(monitor, ended)) return;
    unwatch(monitor);
    const { pid } = monitor.target;
    watcher!.down(monitor.ref, pid.id === ended ? pid as Pid : this.#nodeLink.pid(ended), reason);
    monitor.target.released();
  }

  /** Returns whether a monitor observes the peer's actor with this local id. */
  #concerns({ target }: Monitor, id: number): boolean {
    if (!(target instanceof RemoteActor) || target.pid.home !== this.#nodeLink.home) return false;
    return target instanceof NamedRemoteActor || target.pid.id === id;
  }

  onSpawn(): void {
    const row = this.#row;
    const request = row.number();
    const from = row.sender();
    const flags = row.u8();
    const name = row.text();
    const ref = row.number();
    const args = row.term();
    if (!Array.isArray(args)) this.#fail("arguments that are not an array");
    const remote = this.#remoteActor(from);
    if (flags & SPAWN_FLAG.LINK) this.#countLink();
    if (flags & SPAWN_FLAG.MONITOR) this.#countMonitor(remote, ref);
    this.#spawner.asked(this.#nodeLink, { request, from, flags, name, ref, args });
    remote.released();
  }

  onSpawned(): void {
    const row = this.#row;
    const request = row.number();
    const status = row.u8();
    const id = row.sender();
    this.#spawner.answered(this.#nodeLink, request, status, id);
  }

  onHome(body: Uint8Array): void {
    const home = decodeHome(body);
    if (home === undefined || !isNormalName(home.node)) return this.#fail("a malformed HOME");
    const broken = this.#nodeLink.homes.announced(home.index, home.node, home.creation);
    if (broken !== undefined) this.#fail(broken);
  }

  #remoteActor(id: number): RemoteActor {
    const remote = this.#nodeLink.remoteActor(id);
    if (this.#nodeLink.kept > 2 * this.#relationsMax) this.#fail("too many actors");
    return remote;
  }

  /**
   * Checks the number of links before a new one is created. The links are counted only after every
   * `relationsMax / 2` requests, because a link can end in many ways, and counting all takes long.
   */
  #countLink(): void {
    if (++this.#uncounted < this.#relationsMax / 2) return;
    this.#uncounted = 0;
    if (this.#nodeLink.links > this.#relationsMax) this.#fail("too many links");
  }

  /** Checks the reference and the number of monitors before a new one is created. */
  #countMonitor(remote: RemoteActor, ref: number): void {
    if (remote.monitors?.has(ref)) this.#fail("a reference that is in use");
    if (this.#nodeLink.monitors >= this.#relationsMax) this.#fail("too many monitors");
  }

  #own(id: number): Pid {
    return this.#nodeLink.homes.pid(RECEIVER, id)!;
  }

  /** Reads a name, and returns the actor registered under it. */
  #holder(): ActorRef | undefined {
    const pid = this.#system.names.whereis(this.#row.text());
    return pid && actorRefOf(pid);
  }

  #fail(what: string): never {
    return this.#row.fail(what);
  }
}

/** Returns the rule that a peer violated; rethrows an error that is not the peer's fault. */
function ruleOf(error: unknown, tag: number): string {
  if (error instanceof ProtocolError) return `row 0x${tag.toString(16)}: ${error.message}`;
  throw error;
}
