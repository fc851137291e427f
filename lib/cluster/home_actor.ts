/**
 * Implements the actor of a kind on one node. It decides for each key whether the key's actor runs
 * on this node, and moves keys to their homes when nodes join or leave.
 *
 *     a node joins the group ─▶ hello, both ways ─▶ list of keys that must move ─▶ each: moved · gone
 *
 * **One copy.** Rendezvous hashing orders any two nodes for a key, whatever other nodes each of
 * them knows. If two nodes have received each other's hello, only one of them therefore starts the
 * key. Neither starts a key before the other has listed the keys that it still runs. A listed key
 * is started after it has been handed over. Nodes that have exchanged hellos therefore never run
 * two copies of a key, without a vote. If both sides of a partition have started a copy, only the
 * copy on the home continues.
 *
 * **Exchange.** No key is started before the exchange with each connected node is over. It is over
 * when that node's groups are known, and that node has answered a monitor of a name that no actor
 * has. All earlier messages of that node have then arrived. Therefore at least one of the two nodes
 * has received the other's offer of the kind.
 *
 * **Forwarding.** A sender sends the messages for a key to the home that it has computed. If the
 * receiver knows a node with a higher score, it forwards them to that node. The score increases
 * with each hop, so there is no cycle. While a key is being moved, started or stopped, its messages
 * are held on this node.
 *
 * Longer than 400 lines: it is one state machine.
 *
 * @module
 */
import { type ActorRef, actorRefOf } from "../actor/actor_ref.ts";
import { Call, type PassableCall } from "../actor/call.ts";
import {
  CallExitError,
  MailboxFullError,
  NoConnectionError,
  NoProcError,
  withoutStack,
} from "../actor/errors.ts";
import { Down, Exit, isReadable } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import { inPortions, type YieldsToIo } from "../base/portions.ts";
import { endSelf } from "../otp/start.ts";
import { Intensity } from "../otp/intensity.ts";
import { type ExitReason, isNormal } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { TermError } from "../term/errors.ts";
import { GroupChange, NameChange } from "./changes.ts";
import {
  type HandOver,
  HomeMember,
  type HomeMessage,
  isHandOver,
  isHomeMessage,
  isKeyed,
  isLeaving,
  type Keyed,
  type Leaving,
} from "./home_member.ts";
import { hashOf, Rendezvous } from "./rendezvous.ts";
import type { HomePorts, HomeRules } from "./home_rules.ts";
import {
  Collected,
  ContinueWork,
  Delivered,
  Exchange,
  type HeldMessage,
  LIVE,
  MOVING,
  Resident,
  RetryKey,
  Started,
  STARTING,
  STOPPING,
  StopTimeout,
  WAITING,
} from "./resident.ts";

/**
 * Maximum number of messages that wait for the keys of a kind. Further calls are rejected, and
 * casts dropped.
 */
export const HELD_MAX = 65_536;

/**
 * Number of keys that are listed, stopped or checked before other work runs, and maximum number of
 * keys in one message that lists keys.
 */
export const PORTION_COUNT = 1_000;

/** Number of keys whose actors are started, or whose messages are forwarded, before other work runs. */
export const SETTLED_COUNT = 250;

/** Maximum number of keys that move to other nodes at once. */
const MOVING_MAX = 64;

/** Interval at which further keys are moved, in milliseconds. */
const MOVE_MS = 100;

/** Time within which an actor must stop before it is killed, in milliseconds. */
const STOP_MS = 5_000;

/**
 * Delay before another attempt for a key, if another node has its lock or its handover has failed,
 * in milliseconds.
 */
const RETRY_MS = 500;

/**
 * A name that no actor has. Monitoring it is answered with "noproc", which shows that earlier
 * messages have arrived.
 */
const NO_NAME = "\0home";

const MOVE = Symbol("move");
const SWEEP = Symbol("sweep");
const DONE = Symbol("done");

/** The state and the message handlers of the actor that places the keys of a kind. */
export class HomeActor {
  readonly self: Self<unknown>;
  readonly residents: Map<string, Resident> = new Map();
  /**
   * Number of the current passivation period. Each key records the period in which it was last
   * used.
   */
  period = 0;
  /** Numbers of keys that were moved, started and passivated. */
  readonly counts: { movedOut: number; movedIn: number; started: number; passivated: number } = {
    movedOut: 0,
    movedIn: 0,
    started: 0,
    passivated: 0,
  };
  readonly #rules: HomeRules;
  readonly #ports: HomePorts;
  readonly #system: System;
  readonly #places = new Rendezvous<HomeMember | HomeActor>();
  readonly #members = new Map<string, HomeMember>();
  /** The exchanges of key lists that are in progress, by connected node. */
  readonly #exchanges = new Map<string, Exchange>();
  readonly #byPid = new Map<number, Resident>();
  readonly #waiting = new Set<Resident>();
  /** Keys that must be moved to other nodes, in the order in which they will be moved. */
  readonly #moves = new Set<Resident>();
  #moving = 0;
  /** Number of keys that may still be moved before the next tick. */
  #budget = 0;
  #moveTimer = false;
  /**
   * Number of operations that must end before this node can leave the kind: requests that other
   * nodes have not answered, and forwarded calls.
   */
  #pending = 0;
  #heldCount = 0;
  #weight: number;
  #leaveGroup: () => void = () => {};
  /** Set while this node leaves the kind. Called when this node has no more keys. */
  #left: (() => void) | undefined;
  /** Set when the node stops. All actors are then stopped, and no more are started. */
  #ending: ExitReason | undefined;
  /** Runs later portions of work in turns of this actor. */
  readonly #turns: YieldsToIo = { yieldToIo: (run) => this.#later(run) };

  constructor(self: Self<unknown>, rules: HomeRules, ports: HomePorts) {
    this.self = self;
    this.#rules = rules;
    this.#ports = ports;
    this.#system = systemOf(self.pid);
    this.#weight = rules.weight;
  }

  /** Starts to take part in the kind. */
  begin(): void {
    this.self.trapExit = true;
    const pid = this.self.pid as Pid;
    if (this.#weight > 0) {
      this.#places.set(pid.node, this.#weight, this);
      this.#leaveGroup = this.#ports.join(pid);
    }
    this.#ports.monitor(pid as Pid<GroupChange>);
    for (const node of this.#ports.peers()) this.connected(node);
    if (this.#rules.passivateAfter !== Infinity) this.#sweepLater();
  }

  /** Begins the exchange with a connected node. */
  connected(node: string): void {
    const exchange = new Exchange(node);
    this.#exchanges.set(node, exchange);
    this.#ports.synced(node).then(() => this.#system.send(this.self.pid, exchange));
  }

  /** Returns the home of a key among the nodes known to offer the kind. */
  nodeOf(key: string): string | undefined {
    const place = this.#places.homeOf(hashOf(key));
    return place instanceof HomeActor ? this.self.pid.node : place?.pid.node;
  }

  /** Returns the nodes known to offer the kind. */
  nodes(): string[] {
    const others = [...this.#members.values()].filter(({ weight }) => (weight ?? 0) > 0)
      .map(({ pid }) => pid.node);
    return this.#weight > 0 ? [this.self.pid.node, ...others] : others;
  }

  /**
   * Returns the receiver of messages for a key: the key's actor if it is on this node, otherwise
   * the kind's actor on the home.
   */
  target(key: string): { readonly pid: Pid<never>; readonly isDirect: boolean } | undefined {
    const resident = this.residents.get(key);
    if (resident !== undefined) {
      resident.used = this.period;
      const { pid } = resident;
      const isDirect = resident.phase === LIVE && pid !== undefined &&
        actorRefOf(pid) !== undefined;
      return isDirect ? { pid, isDirect } : { pid: this.self.pid, isDirect };
    }
    const place = this.#places.homeOf(hashOf(key));
    if (place !== undefined) {
      return { pid: place instanceof HomeActor ? this.self.pid : place.pid, isDirect: false };
    }
    return this.#isIncomplete() ? { pid: this.self.pid, isDirect: false } : undefined;
  }

  /** Returns whether nodes that offer the kind, or their weights, may still be unknown here. */
  #isIncomplete(): boolean {
    return this.#exchanges.size > 0 ||
      [...this.#members.values()].some(({ weight }) => weight === undefined);
  }

  /** Hands all keys over, and leaves the kind. Calls `done` when no keys are left. */
  leave(done: () => void): void {
    if (this.#left !== undefined) return done();
    this.#left = done;
    this.#leaveGroup();
    this.#places.delete(this.self.pid.node);
    this.#weight = 0;
    if (this.#places.size === 0) return this.#end("shutdown");
    for (const member of this.#members.values()) this.#sendLeaving(member);
    // A member whose weight is unknown receives the list of keys later, when its weight is known.
    for (const member of this.#members.values()) {
      if (member.weight !== undefined) this.listKeys(member);
    }
    this.#settleAll();
    this.#moveSome();
    this.#checkLeft();
  }

  /**
   * Notifies a node that this node is leaving. After its reply, that node sends no further messages
   * for keys.
   */
  #sendLeaving({ pid }: HomeMember): void {
    this.#pending++;
    const request: Leaving = { $home: "leaving", from: this.self.pid as Pid };
    const done = (): void => this.#system.send(this.self.pid, DONE);
    this.#system.call(pid as Pid<Call<Leaving, true>>, request).then(done, done);
  }

  /** Handles a message. Any actor can send one, so malformed messages are dropped. */
  handle(message: unknown): void {
    try {
      this.#handle(message);
    } catch (error) {
      if (isReadable(message, "$key", "$home")) throw error;
    }
  }

  #handle(message: unknown): void {
    if (message instanceof Call) return this.#called(message);
    if (isKeyed(message)) return this.#message(message.$key, message);
    if (message instanceof Started) return this.#started(message);
    if (message instanceof Exit) return this.#exited(message);
    if (message instanceof Collected) return this.#collected(message);
    if (message instanceof Delivered) return this.#delivered(message);
    if (message instanceof RetryKey) return this.#settle(message.resident);
    if (message instanceof ContinueWork) return message.run();
    if (message instanceof GroupChange) return this.#groupChanged(message);
    if (message instanceof Down) return this.#down(message);
    if (message instanceof Exchange) return this.#synced(message);
    if (message instanceof NameChange) return this.#lockMoved(message);
    if (message === MOVE) return this.#moveTick();
    if (message === SWEEP) {
      this.period++;
      return this.#sweep();
    }
    if (message === DONE) {
      this.#pending--;
      return this.#checkLeft();
    }
    if (message instanceof StopTimeout) {
      const { pid, phase } = message.resident;
      if (phase > LIVE && pid !== undefined) this.#system.exit(pid, "kill");
      return;
    }
    if (isHomeMessage(message)) return this.#received(message);
  }

  #called(call: Call): void {
    const { request } = call;
    if (isKeyed(request)) return this.#message(request.$key, call);
    if (isHandOver(request)) return this.#handedOver(request, call);
    if (!isLeaving(request)) return;
    const member = this.#members.get(request.from.key);
    if (member !== undefined) this.#weigh(member, 0);
    call.reply(true);
  }

  // Methods that route messages for keys:

  #message(key: string, held: HeldMessage): void {
    let resident = this.residents.get(key);
    if (resident !== undefined) {
      resident.used = this.period;
      if (resident.phase === LIVE) return this.#deliver(resident, held);
      return this.#hold(resident, held);
    }
    const hash = hashOf(key);
    const place = this.#places.homeOf(hash);
    if (place instanceof HomeMember) return this.#forward(place, key, held);
    resident = this.#add(key, hash);
    this.#hold(resident, held);
    this.#settle(resident);
  }

  #add(key: string, hash: number): Resident {
    const resident = new Resident(key, hash);
    resident.used = this.period;
    this.residents.set(key, resident);
    this.#waiting.add(resident);
    return resident;
  }

  #hold(resident: Resident, held: HeldMessage): void {
    if (this.#heldCount >= HELD_MAX) {
      if (held instanceof Call) {
        held.refuse(withoutStack(() => new MailboxFullError(this.#label(resident))));
      }
      return;
    }
    this.#heldCount++;
    resident.held.push(held);
  }

  #deliver(resident: Resident, held: HeldMessage): void {
    const actor = actorRefOf(resident.pid!);
    // The actor of the key has just exited, and its exit signal is still queued.
    if (actor === undefined) return this.#hold(resident, held);
    pass(held, actor);
  }

  #forward({ pid }: HomeMember, key: string, held: HeldMessage): void {
    if (held instanceof Call) {
      const call = held as Call & PassableCall;
      if (!call.isOpen) return;
      this.#system.send(pid as Pid<unknown>, held);
      this.#pending++;
      call.whenOver(() => this.#system.send(this.self.pid, DONE));
    } else this.#system.send(pid as Pid<Keyed>, { $key: key, body: held.body });
  }

  #release(resident: Resident): HeldMessage[] {
    const { held } = resident;
    resident.held = [];
    this.#heldCount -= held.length;
    return held;
  }

  #refuseAll(resident: Resident, error: unknown): void {
    for (const held of this.#release(resident)) if (held instanceof Call) held.refuse(error);
  }

  // Methods for keys without an actor:

  #settle(resident: Resident): void {
    if (resident.phase !== WAITING || resident.isCollecting) return;
    if (this.residents.get(resident.key) !== resident) return;
    const place = this.#places.homeOf(resident.hash);
    const { key } = resident;
    if (this.#ending !== undefined) {
      this.#refuseAll(
        resident,
        withoutStack(() => new CallExitError(this.#label(resident), this.#ending)),
      );
      return this.#forget(resident);
    }
    if (place === undefined) {
      if (this.#isIncomplete()) return;
      this.#refuseAll(
        resident,
        withoutStack(() => new NoProcError(`${this.#label(resident)}: no node offers the kind`)),
      );
      return this.#forget(resident);
    }
    if (place instanceof HomeMember) {
      this.#unpause(resident);
      if (resident.state !== undefined) return this.#handOver(resident, place);
      // The messages are forwarded first, so that calls count as pending when the last key is
      // removed.
      for (const held of this.#release(resident)) this.#forward(place, key, held);
      return this.#forget(resident);
    }
    if (resident.pause?.left !== undefined) return;
    if (this.#exchanges.size > 0 || this.isBlocked(resident)) return;
    const isWanted = resident.held.length > 0 || resident.state !== undefined || resident.restarts;
    if (!isWanted) return this.#forget(resident);
    this.#start(resident);
  }

  /**
   * Returns whether another node may still run a key. Requests the key from the nodes that have
   * listed it.
   */
  isBlocked({ key }: Resident): boolean {
    let isBlocked = false;
    for (const member of this.#members.values()) {
      if (!member.hasListed) isBlocked = true;
      if (!member.expected.has(key)) continue;
      isBlocked = true;
      this.#sendTo(member, { $home: "pull", from: this.self.pid as Pid, key });
    }
    return isBlocked;
  }

  /** Removes a key from this node. */
  #forget(resident: Resident): void {
    const { key } = resident;
    this.#unpause(resident);
    this.residents.delete(key);
    this.#waiting.delete(resident);
    this.#moves.delete(resident);
    for (const member of this.#members.values()) {
      if (!member.promised.delete(key)) continue;
      this.#sendTo(member, { $home: "gone", from: this.self.pid as Pid, key });
    }
    this.#checkLeft();
  }

  #unpause(resident: Resident): void {
    if (resident.pause !== undefined) this.self.cancelTimer(resident.pause);
    resident.pause = undefined;
  }

  // Methods that start actors:

  #start(resident: Resident): void {
    const { key, state } = resident;
    const { lock } = this.#ports;
    resident.phase = STARTING;
    resident.restarts = false;
    this.#waiting.delete(resident);
    this.counts.started++;
    const done = (pid: Pid<never> | undefined, error: unknown): void =>
      this.#system.send(this.self.pid, new Started(resident, pid, error));
    const start = (): void => {
      try {
        const token = lock?.token(key);
        // The lock was lost in the same turn in which it was acquired.
        if (lock !== undefined && token === undefined) return done(undefined, undefined);
        const started = this.#rules.start(this.self as Self, key, { state, token });
        if (started instanceof Promise) {
          started.then((pid) => done(pid, undefined), (error) => done(undefined, error));
        } else done(started, undefined);
      } catch (error) {
        done(undefined, error);
      }
    };
    if (lock === undefined) return start();
    lock.acquire(key, this.self.pid as Pid).then((isOurs) => {
      if (isOurs) start();
      else done(undefined, undefined);
      // The error has no stack, because stacks differ between runtimes, but a seed of the simulator
      // must have the same history on both.
    }, (error) => done(undefined, withoutStack(() => error)));
  }

  #started({ resident, pid, error }: Started): void {
    const { key } = resident;
    if (pid === undefined) {
      resident.phase = WAITING;
      this.#waiting.add(resident);
      this.#unlock(resident);
      if (error === undefined) {
        // Another node has the lock. It may release the lock soon, so another attempt follows.
        resident.pause = this.self.sendAfter(this.self.pid, new RetryKey(resident), RETRY_MS);
        return this.#settle(resident);
      }
      resident.state = undefined;
      this.#refuseAll(resident, error);
      return this.#settle(resident);
    }
    resident.state = undefined;
    resident.pid = pid;
    resident.phase = LIVE;
    this.#byPid.set(pid.id, resident);
    if (this.#ports.lock !== undefined) {
      resident.unwatch = this.#ports.lock.watch(key, this.self.pid as Pid<unknown>);
    }
    // The actor has already exited. Its exit signal was handled before, or will be ignored.
    if (actorRefOf(pid) === undefined) return this.#ended(resident, "noproc");
    if (this.#ending !== undefined) return this.#stop(resident);
    for (const held of this.#release(resident)) this.#deliver(resident, held);
    this.#move(resident);
  }

  #lockMoved({ name, pid }: NameChange): void {
    if (pid?.equals(this.self.pid)) return;
    const resident = this.residents.get(this.#ports.lock!.keyOf(name));
    // The lock is lost, so another node may start the key.
    if (resident?.pid !== undefined) this.#system.exit(resident.pid, "kill");
  }

  #unlock(resident: Resident): void {
    resident.unwatch?.();
    resident.unwatch = undefined;
    this.#ports.lock?.release(resident.key);
  }

  // Methods that handle exits of actors:

  #exited({ from, reason }: Exit): void {
    const resident = this.#byPid.get(from.id);
    if (resident?.pid?.equals(from)) return this.#ended(resident, reason);
    if (from.equals(this.#system.pid)) this.#end(reason);
  }

  /** Handles the exit of the actor of a key. */
  #ended(resident: Resident, reason: ExitReason): void {
    const { phase } = resident;
    this.#byPid.delete(resident.pid!.id);
    resident.pid = undefined;
    resident.phase = WAITING;
    this.#waiting.add(resident);
    this.#unlock(resident);
    if (resident.deadline !== undefined) this.self.cancelTimer(resident.deadline);
    resident.deadline = undefined;
    if (phase === MOVING) this.#moving--;
    if (phase === LIVE && !isNormal(reason)) this.#crashed(resident, reason);
    this.#settle(resident);
    if (phase === MOVING) this.#moveSome();
  }

  #crashed(resident: Resident, reason: ExitReason): void {
    const { intensity, period, restart } = this.#rules;
    resident.intensity ??= new Intensity(intensity, period);
    if (!resident.intensity.allow(this.#system.now())) {
      this.#refuseAll(
        resident,
        withoutStack(() => new CallExitError(this.#label(resident), reason)),
      );
      return this.#ports.givenUp(resident.key, reason);
    }
    resident.restarts = restart;
  }

  #stop(resident: Resident): void {
    resident.phase = STOPPING;
    this.#askToStop(resident);
  }

  #askToStop(resident: Resident): void {
    const { key, pid } = resident;
    resident.deadline = this.self.sendAfter(this.self.pid, new StopTimeout(resident), STOP_MS);
    if (this.#rules.stop === undefined) this.#system.exit(pid!, "shutdown");
    else this.#rules.stop(pid!, key);
  }

  #end(reason: ExitReason): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    const end = (resident: Resident): void => {
      if (resident.phase === LIVE) this.#stop(resident);
      else this.#settle(resident);
    };
    inPortions(this.residents.values(), this.#turns, end, () => this.#checkLeft(), PORTION_COUNT);
  }

  #checkLeft(): void {
    if (this.residents.size > 0) return;
    if (this.#pending === 0) this.#left?.();
    // Unless the node stops, the actor of the kind continues after it has left: it makes calls, and
    // forwards messages that are still in transit to it.
    if (this.#ending !== undefined) endSelf(this.self, this.#ending);
  }

  // Methods that passivate actors:

  #sweepLater(): void {
    this.self.sendAfter(this.self.pid, SWEEP, this.#rules.passivateAfter / 2);
  }

  /** Stops the actors that were not used for at least two whole periods, in portions. */
  #sweep(): void {
    const passivate = (resident: Resident): void => {
      if (resident.phase !== LIVE || this.period - resident.used < 3) return;
      this.counts.passivated++;
      this.#stop(resident);
    };
    const { residents } = this;
    inPortions(residents.values(), this.#turns, passivate, () => this.#sweepLater(), PORTION_COUNT);
  }

  /** Continues work on many keys after pending I/O and timers have been handled. */
  #later(run: () => void): void {
    const { pid } = this.self;
    this.#system.yieldToIo(() => {
      if (this.#system.isAlive(pid)) this.#system.send(pid, new ContinueWork(run));
    });
  }

  // Methods that handle nodes that join and leave:

  #groupChanged({ joined, left }: GroupChange): void {
    for (const pid of joined) if (!pid.equals(this.self.pid)) this.#meet(pid).offers = true;
    for (const pid of left) {
      const member = this.#members.get(pid.key);
      // Either the node is leaving and will list its keys, or its actor has exited, and the monitor
      // will report that.
      if (member !== undefined && member.weight !== 0) this.#weigh(member, 0);
    }
  }

  #synced(exchange: Exchange): void {
    const { node } = exchange;
    if (this.#exchanges.get(node) !== exchange) return;
    exchange.monitor = this.self.monitor({ name: NO_NAME, node });
  }

  #down({ ref, pid }: Down): void {
    const { node } = pid;
    if (this.#exchanges.get(node)?.monitor !== ref) return this.#lost(pid);
    this.#exchanges.delete(node);
    this.#settleAll();
  }

  #meet(pid: Pid): HomeMember {
    let member = this.#members.get(pid.key);
    if (member !== undefined) return member;
    member = new HomeMember(pid, this.self.monitor(pid));
    this.#members.set(pid.key, member);
    this.#hello(member);
    return member;
  }

  #hello(member: { readonly pid: Pid }): void {
    this.#sendTo(member, { $home: "hello", from: this.self.pid as Pid, weight: this.#weight });
  }

  #sendTo({ pid }: { readonly pid: Pid }, message: HomeMessage): void {
    this.#system.send(pid as Pid<HomeMessage>, message);
  }

  #received(message: HomeMessage): void {
    const known = this.#members.get(message.from.key);
    switch (message.$home) {
      case "hello":
        return this.#weigh(known ?? this.#meet(message.from), message.weight);
      case "keys":
        if (known === undefined) return;
        for (const key of message.keys) known.expected.add(key);
        if (message.last) {
          known.hasListed = true;
          this.#settleAll();
        }
        return;
      case "pull": {
        const resident = this.residents.get(message.key);
        if (resident !== undefined) return this.#move(resident);
        known?.promised.delete(message.key);
        return this.#sendTo({ pid: message.from }, {
          ...message,
          $home: "gone",
          from: this.self.pid as Pid,
        });
      }
      case "gone":
        if (known?.expected.delete(message.key)) this.#settleKey(message.key);
        return;
    }
  }

  /** Handles the weight of a node: its first weight, or 0 when the node leaves. */
  #weigh(member: HomeMember, weight: number): void {
    if (member.weight === weight) return;
    if (weight > 0) member.offers = true;
    member.weight = weight;
    const { node } = member.pid;
    // The actor of a later incarnation of the node may have replaced the monitored one.
    if (weight > 0) this.#places.set(node, weight, member);
    else this.#unplace(member);
    // A member that has offered the kind before must first list the keys that it still runs.
    member.hasListed = this.#weight === 0 || !member.offers;
    if (weight > 0) this.listKeys(member);
    this.#settleAll();
    this.#moveSome();
  }

  #unplace(member: HomeMember): void {
    const { node } = member.pid;
    const other = [...this.#members.values()].find((one) =>
      one !== member && one.pid.node === node && (one.weight ?? 0) > 0
    );
    if (other === undefined) this.#places.delete(node);
    else this.#places.set(node, other.weight!, other);
  }

  /**
   * Sends a member the list of the keys that this node still has although the member ranks higher
   * for them. The home of some keys may be a third node of which the member has not received an
   * offer.
   */
  listKeys(member: HomeMember): void {
    const listing = member.listing = this.residents.values();
    this.#listMore(member, listing);
  }

  #listMore(member: HomeMember, listing: Iterator<Resident>): void {
    if (member.listing !== listing || this.#members.get(member.pid.key) !== member) return;
    const keys: string[] = [];
    const [us, them] = [this.self.pid.node, member.pid.node];
    let last = false;
    for (let i = 0; i < PORTION_COUNT && !last; i++) {
      const { done, value: resident } = listing.next();
      if (done) last = true;
      else if (this.#mustList(resident, member, us, them)) {
        keys.push(resident.key);
        member.promised.add(resident.key);
        if (resident.phase === LIVE) this.#moveLater(resident);
      }
    }
    this.#sendTo(member, { $home: "keys", from: this.self.pid as Pid, keys, last });
    if (last) member.listing = undefined;
    else {
      this.#later(() => {
        this.#listMore(member, listing);
        this.#moveSome();
      });
    }
  }

  #mustList(
    { hash, phase, state }: Resident,
    member: HomeMember,
    us: string,
    them: string,
  ): boolean {
    const place = this.#places.homeOf(hash);
    if (place === this) return false;
    if (place !== member && !this.#places.isPreferred(them, us, hash)) return false;
    // Without a state, a waiting key has nothing to hand over.
    return phase !== WAITING || state !== undefined;
  }

  /** Handles the loss of a node, or its exit from the kind. */
  #lost(pid: Pid): void {
    const member = this.#members.get(pid.key);
    if (member === undefined) return;
    this.#members.delete(pid.key);
    if ((member.weight ?? 0) > 0) this.#unplace(member);
    this.#settleAll();
    if (this.#left !== undefined && this.#places.size === 0) this.#end("shutdown");
  }

  /** Settles the keys without an actor, in portions. */
  #settleAll(): void {
    const settle = (resident: Resident): void => this.#settle(resident);
    inPortions([...this.#waiting], this.#turns, settle, undefined, SETTLED_COUNT);
  }

  #settleKey(key: string): void {
    const resident = this.residents.get(key);
    if (resident !== undefined) this.#settle(resident);
  }

  // Methods that move keys to their homes:

  #moveLater(resident: Resident): void {
    this.#moves.add(resident);
    if (this.#moveTimer || this.#left !== undefined) return;
    this.#moveTimer = true;
    this.self.sendAfter(this.self.pid, MOVE, MOVE_MS);
  }

  #moveTick(): void {
    this.#moveTimer = false;
    const more = this.#rules.movesPerSecond * MOVE_MS / 1000;
    // At low rates, the budget of one tick is a fraction of a key, and accumulates over several
    // ticks. An unused budget above that of one tick, but at least one key, is discarded.
    this.#budget = Math.min(this.#budget + more, Math.max(1, more));
    this.#moveSome();
    if (this.#moves.size === 0) return;
    this.#moveTimer = true;
    this.self.sendAfter(this.self.pid, MOVE, MOVE_MS);
  }

  /**
   * Moves further keys, up to the maximum number at once and the rate limit. While this node
   * leaves, the rate is not limited.
   */
  #moveSome(): void {
    for (const resident of this.#moves) {
      if (this.#moving >= MOVING_MAX) return;
      if (this.#left === undefined) {
        if (this.#budget < 1) return;
        this.#budget--;
      }
      this.#move(resident);
    }
  }

  #move(resident: Resident): void {
    this.#moves.delete(resident);
    if (resident.phase !== LIVE || this.#places.homeOf(resident.hash) === this) return;
    const { pid, key } = resident;
    resident.phase = MOVING;
    this.#moving++;
    if (this.#rules.handover === undefined) return this.#askToStop(resident);
    resident.isCollecting = true;
    resident.deadline = this.self.sendAfter(this.self.pid, new StopTimeout(resident), STOP_MS);
    const collected = (state: unknown): void =>
      this.#system.send(this.self.pid, new Collected(resident, state));
    new Promise((resolve) => resolve(this.#rules.handover!(pid!, key)))
      .then(collected, () => collected(undefined));
  }

  /** Handles the collected state of a key that moves: stops the actor, unless it has exited. */
  #collected({ resident, state }: Collected): void {
    resident.isCollecting = false;
    resident.state = state;
    if (resident.pid === undefined) return this.#settle(resident);
    if (resident.deadline !== undefined) this.self.cancelTimer(resident.deadline);
    this.#askToStop(resident);
  }

  /** Sends a key with its state to its home. */
  #handOver(resident: Resident, to: HomeMember): void {
    const { key, state } = resident;
    resident.phase = MOVING;
    this.#waiting.delete(resident);
    this.#moving++;
    const request: HandOver = { $home: "moved", from: this.self.pid as Pid, key, state };
    const done = (error: unknown): void =>
      this.#system.send(this.self.pid, new Delivered(resident, to, error));
    const pid = to.pid as Pid<Call<HandOver, boolean>>;
    this.#system.call(pid, request, { timeout: Infinity })
      .then(() => done(undefined), (error) => done(error));
  }

  #delivered({ resident, to, error }: Delivered): void {
    const { key } = resident;
    this.#moving--;
    resident.phase = WAITING;
    this.#waiting.add(resident);
    if (error === undefined) {
      this.counts.movedOut++;
      to.promised.delete(key);
      this.#ports.moved(key, to.pid.node);
      resident.state = undefined;
    } else if (error instanceof TermError) {
      this.#ports.warn(`the state of ${this.#label(resident)} cannot be sent: ${error.message}`);
      resident.state = undefined;
    } else if (!(error instanceof NoConnectionError) && this.#members.has(to.pid.key)) {
      // Another attempt follows later. If the member's actor has exited, its monitor will report
      // that first.
      resident.pause = this.self.sendAfter(this.self.pid, new RetryKey(resident), RETRY_MS);
    }
    this.#settle(resident);
    this.#moveSome();
  }

  /** Takes over a key and its state from another node. */
  #handedOver({ from, key, state }: HandOver, call: Call): void {
    this.#members.get(from.key)?.expected.delete(key);
    let resident = this.residents.get(key);
    resident ??= this.#add(key, hashOf(key));
    if (resident.phase === WAITING && resident.state === undefined) {
      resident.state = state;
      this.counts.movedIn++;
    }
    call.reply(true);
    this.#settle(resident);
  }

  #label(resident: Resident): string {
    return `${this.#ports.kind} ${JSON.stringify(resident.key)}`;
  }
}

/** Passes a held message to the actor of its key. */
function pass(held: HeldMessage, actor: ActorRef): void {
  if (!(held instanceof Call)) return actor.deliver(held.body);
  const call = held as Call<Keyed> & PassableCall;
  call.passTo(actor, call.request.body);
}
