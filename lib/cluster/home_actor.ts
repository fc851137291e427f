/**
 * The actor behind a {@linkcode Home}: decides for each key that comes by whether its actor runs here, and
 * brings keys to their homes when nodes come and go.
 *
 *     group: a node takes part ─▶ hello, both ways ─▶ keys: what I still have, and is yours ─▶ moved · gone
 *
 * **One copy.** Rendezvous hashing orders any two nodes for a key, whatever other nodes each of them knows. So
 * of two nodes that have each other's hello only one starts a key. And neither starts any key before the
 * other has listed those that it still has; these are started when the other has handed them over. Hence
 * nodes that have introduced themselves to each other never run two copies, without any vote. Two copies that
 * were started before that, on both sides of a partition, are reduced to the one at the home.
 *
 * **Forwarding.** Messages for a key go to the node that the sender takes for its home. One that knows of a
 * better home forwards them; the score rises with each step, so there is no circle. While a key is being
 * moved, started or stopped, its messages wait here.
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
} from "../actor/errors.ts";
import { Down, Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
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
  Again,
  Collected,
  Delivered,
  type Held,
  Late,
  LIVE,
  MOVING,
  Resident,
  Started,
  STARTING,
  STOPPING,
  WAITING,
} from "./resident.ts";

/** At most this many messages wait for keys; further calls are rejected, and casts dropped. */
export const HELD_MAX = 65_536;

/** A list of keys is sent in portions of this many. */
const PORTION_COUNT = 1_000;

/** At most this many keys are on the way to other nodes at once. */
const MOVING_MAX = 64;

/** How often the next keys are moved. Milliseconds. */
const MOVE_MS = 100;

/** An actor that has to stop has this long; then it is killed. Milliseconds. */
const STOP_MS = 5_000;

/** A key that another node still holds by name is tried again after this. Milliseconds. */
const RETRY_MS = 500;

const MOVE = Symbol("move");
const SWEEP = Symbol("sweep");
const DONE = Symbol("done");

/** This node's part in a kind. */
export class HomeActor {
  readonly self: Self<unknown>;
  readonly residents: Map<string, Resident> = new Map();
  /** The number of the running period of passivation. */
  period = 0;
  /** Keys that were handed over to other nodes, and taken over from them. */
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
  readonly #byPid = new Map<number, Resident>();
  readonly #waiting = new Set<Resident>();
  /** Keys whose home is another node, in the order in which they move. */
  readonly #moves = new Set<Resident>();
  #moving = 0;
  /** How many may be moved until the next tick. */
  #budget = 0;
  #moveTimer = false;
  /** What it waits for when it leaves, beside its keys: other nodes, and calls that were forwarded. */
  #pending = 0;
  #heldCount = 0;
  #weight: number;
  #leaveGroup: () => void = () => {};
  /** Set when this node takes part no more: called when it has no key left. */
  #left: (() => void) | undefined;
  /** Set when the node stops: every actor is stopped, and none is started. */
  #ending: ExitReason | undefined;

  constructor(self: Self<unknown>, rules: HomeRules, ports: HomePorts) {
    this.self = self;
    this.#rules = rules;
    this.#ports = ports;
    this.#system = systemOf(self.pid);
    this.#weight = rules.weight;
  }

  /** Takes part. */
  begin(): void {
    this.self.trapExit = true;
    const pid = this.self.pid as Pid;
    if (this.#weight > 0) {
      this.#places.set(pid.node, this.#weight, this);
      this.#leaveGroup = this.#ports.join(pid);
    }
    this.#ports.monitor(pid as Pid<GroupChange>);
    if (this.#rules.passivateAfter !== Infinity) this.#sweepLater();
  }

  /** Returns the node that a key belongs to, as far as this node knows. */
  nodeOf(key: string): string | undefined {
    const place = this.#places.homeOf(hashOf(key));
    return place instanceof HomeActor ? this.self.pid.node : place?.pid.node;
  }

  /** The nodes that offer the kind, as far as this node knows. */
  nodes(): string[] {
    const others = [...this.#members.values()].filter(({ weight }) => (weight ?? 0) > 0)
      .map(({ pid }) => pid.node);
    return this.#weight > 0 ? [this.self.pid.node, ...others] : others;
  }

  /** Returns the actor that messages for a key are sent to: that of the key if it is here, or that of the kind. */
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
    // A node that offers the kind has been found, and has not told its weight yet.
    const isNear = [...this.#members.values()].some(({ weight }) => weight === undefined);
    return isNear ? { pid: this.self.pid, isDirect: false } : undefined;
  }

  /** Hands all keys over, and ends. `done` is called when no key is left. */
  leave(done: () => void): void {
    if (this.#left !== undefined) return done();
    this.#left = done;
    this.#leaveGroup();
    this.#places.delete(this.self.pid.node);
    this.#weight = 0;
    if (this.#places.size === 0) return this.#end("shutdown");
    for (const member of this.#members.values()) this.#sayLeaving(member);
    // The others are listed theirs when they have told their weight.
    for (const member of this.#members.values()) {
      if (member.weight !== undefined) this.listKeys(member);
    }
    for (const resident of [...this.#waiting]) this.#settle(resident);
    this.#moveSome();
    this.#checkLeft();
  }

  /** Tells a node that this one leaves. When it has answered, it sends no more messages for keys. */
  #sayLeaving({ pid }: HomeMember): void {
    this.#pending++;
    const request: Leaving = { $home: "leaving", from: this.self.pid as Pid };
    const done = (): void => this.#system.send(this.self.pid, DONE);
    this.#system.call(pid as Pid<Call<Leaving, true>>, request).then(done, done);
  }

  /** Handles a message. */
  handle(message: unknown): void {
    if (message instanceof Call) return this.#called(message);
    if (isKeyed(message)) return this.#message(message.$key, message);
    if (message instanceof Started) return this.#started(message);
    if (message instanceof Exit) return this.#exited(message);
    if (message instanceof Collected) return this.#collected(message);
    if (message instanceof Delivered) return this.#delivered(message);
    if (message instanceof Again) return this.#settle(message.resident);
    if (message instanceof GroupChange) return this.#groupChanged(message);
    if (message instanceof Down) return this.#lost(message.pid);
    if (message instanceof NameChange) return this.#lockMoved(message);
    if (message === MOVE) return this.#moveTick();
    if (message === SWEEP) return this.#sweep();
    if (message === DONE) {
      this.#pending--;
      return this.#checkLeft();
    }
    if (message instanceof Late) {
      const { pid, phase } = message.resident;
      if (phase > LIVE && pid !== undefined) this.#system.exit(pid, "kill");
      return;
    }
    if (isHomeMessage(message)) return this.#told(message);
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

  // Messages for keys.

  #message(key: string, held: Held): void {
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

  #hold(resident: Resident, held: Held): void {
    if (this.#heldCount >= HELD_MAX) {
      if (held instanceof Call) held.refuse(new MailboxFullError(this.#label(resident)));
      return;
    }
    this.#heldCount++;
    resident.held.push(held);
  }

  #deliver(resident: Resident, held: Held): void {
    const actor = actorRefOf(resident.pid!);
    // It has just ended, and its exit is on the way.
    if (actor === undefined) return this.#hold(resident, held);
    pass(held, actor);
  }

  #forward({ pid }: HomeMember, key: string, held: Held): void {
    if (held instanceof Call) {
      const call = held as Call & PassableCall;
      if (!call.isOpen) return;
      this.#system.send(pid as Pid<unknown>, held);
      this.#pending++;
      call.whenOver(() => this.#system.send(this.self.pid, DONE));
    } else this.#system.send(pid as Pid<Keyed>, { $key: key, body: held.body });
  }

  #release(resident: Resident): Held[] {
    const { held } = resident;
    resident.held = [];
    this.#heldCount -= held.length;
    return held;
  }

  #refuseAll(resident: Resident, error: unknown): void {
    for (const held of this.#release(resident)) if (held instanceof Call) held.refuse(error);
  }

  // What is to be done with a key that has no actor.

  #settle(resident: Resident): void {
    if (resident.phase !== WAITING || resident.isCollecting) return;
    if (this.residents.get(resident.key) !== resident) return;
    const place = this.#places.homeOf(resident.hash);
    const { key } = resident;
    if (this.#ending !== undefined) {
      this.#refuseAll(resident, new CallExitError(this.#label(resident), this.#ending));
      return this.#forget(resident);
    }
    if (place === undefined) {
      if ([...this.#members.values()].some(({ weight }) => weight === undefined)) return;
      this.#refuseAll(
        resident,
        new NoProcError(`${this.#label(resident)}: no node offers the kind`),
      );
      return this.#forget(resident);
    }
    if (place instanceof HomeMember) {
      this.#unpause(resident);
      if (resident.state !== undefined) return this.#handOver(resident, place);
      // The calls count as pending before the last key is gone.
      for (const held of this.#release(resident)) this.#forward(place, key, held);
      return this.#forget(resident);
    }
    if (resident.pause?.left !== undefined) return;
    if (this.isBlocked(resident)) return;
    const isWanted = resident.held.length > 0 || resident.state !== undefined || resident.restarts;
    if (!isWanted) return this.#forget(resident);
    this.#start(resident);
  }

  /** Whether another node may still have the key. It is asked to hand it over. */
  isBlocked({ key }: Resident): boolean {
    let isBlocked = false;
    for (const member of this.#members.values()) {
      if (!member.hasListed) isBlocked = true;
      if (!member.expected.has(key)) continue;
      isBlocked = true;
      this.#tell(member, { $home: "pull", from: this.self.pid as Pid, key });
    }
    return isBlocked;
  }

  /** This node has the key no more. */
  #forget(resident: Resident): void {
    const { key } = resident;
    this.#unpause(resident);
    this.residents.delete(key);
    this.#waiting.delete(resident);
    this.#moves.delete(resident);
    for (const member of this.#members.values()) {
      if (!member.promised.delete(key)) continue;
      this.#tell(member, { $home: "gone", from: this.self.pid as Pid, key });
    }
    this.#checkLeft();
  }

  #unpause(resident: Resident): void {
    if (resident.pause !== undefined) this.self.cancelTimer(resident.pause);
    resident.pause = undefined;
  }

  // Starting.

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
    }, (error) => done(undefined, error));
  }

  #started({ resident, pid, error }: Started): void {
    const { key } = resident;
    if (pid === undefined) {
      resident.phase = WAITING;
      this.#waiting.add(resident);
      this.#unlock(resident);
      if (error === undefined) {
        // Another node has the lock: it may be gone soon.
        resident.pause = this.self.sendAfter(this.self.pid, new Again(resident), RETRY_MS);
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
    // It has ended already: its exit came before this, or is ignored when it comes.
    if (actorRefOf(pid) === undefined) return this.#ended(resident, "noproc");
    if (this.#ending !== undefined) return this.#stop(resident);
    for (const held of this.#release(resident)) this.#deliver(resident, held);
    this.#move(resident);
  }

  #lockMoved({ name, pid }: NameChange): void {
    if (pid?.equals(this.self.pid)) return;
    const resident = this.residents.get(this.#ports.lock!.keyOf(name));
    // The right to run is lost: another node may start it.
    if (resident?.pid !== undefined) this.#system.exit(resident.pid, "kill");
  }

  #unlock(resident: Resident): void {
    resident.unwatch?.();
    resident.unwatch = undefined;
    this.#ports.lock?.release(resident.key);
  }

  // Ends.

  #exited({ from, reason }: Exit): void {
    const resident = this.#byPid.get(from.id);
    if (resident?.pid?.equals(from)) return this.#ended(resident, reason);
    if (from.equals(this.#system.pid)) this.#end(reason);
  }

  /** The actor of a key has ended. */
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
      this.#refuseAll(resident, new CallExitError(this.#label(resident), reason));
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
    resident.deadline = this.self.sendAfter(this.self.pid, new Late(resident), STOP_MS);
    if (this.#rules.stop === undefined) this.#system.exit(pid!, "shutdown");
    else this.#rules.stop(pid!, key);
  }

  #end(reason: ExitReason): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    for (const resident of [...this.residents.values()]) {
      if (resident.phase === LIVE) this.#stop(resident);
      else this.#settle(resident);
    }
    this.#checkLeft();
  }

  #checkLeft(): void {
    if (this.residents.size > 0) return;
    if (this.#pending === 0) this.#left?.();
    // One that has left goes on as a caller, and forwards what is still on the way to it.
    if (this.#ending !== undefined) endSelf(this.self, this.#ending);
  }

  // Passivation.

  #sweepLater(): void {
    this.self.sendAfter(this.self.pid, SWEEP, this.#rules.passivateAfter / 2);
  }

  /** Stops the actors that were not used in the last two periods. */
  #sweep(): void {
    this.period++;
    for (const resident of this.residents.values()) {
      if (resident.phase !== LIVE || this.period - resident.used < 3) continue;
      this.counts.passivated++;
      this.#stop(resident);
    }
    this.#sweepLater();
  }

  // Nodes that come and go.

  #groupChanged({ joined, left }: GroupChange): void {
    for (const pid of joined) if (!pid.equals(this.self.pid)) this.#meet(pid).offers = true;
    for (const pid of left) {
      const member = this.#members.get(pid.key);
      // It leaves, and lists its keys; or it has exited, which is reported too.
      if (member !== undefined && member.weight !== 0) this.#weigh(member, 0);
    }
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
    this.#tell(member, { $home: "hello", from: this.self.pid as Pid, weight: this.#weight });
  }

  #tell({ pid }: { readonly pid: Pid }, message: HomeMessage): void {
    this.#system.send(pid as Pid<HomeMessage>, message);
  }

  #told(message: HomeMessage): void {
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
        return this.#tell({ pid: message.from }, {
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

  /** A node tells its weight: for the first time, or 0, since it leaves. */
  #weigh(member: HomeMember, weight: number): void {
    if (member.weight === weight) return;
    if (weight > 0) member.offers = true;
    member.weight = weight;
    const { node } = member.pid;
    // A later incarnation may have taken its place.
    if (weight > 0) this.#places.set(node, weight, member);
    else this.#unplace(member);
    // One that had keys lists those that it still has.
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

  /** Lists the keys that this node still has, and that are a member's. */
  listKeys(member: HomeMember): void {
    const keys: string[] = [];
    for (const resident of this.residents.values()) {
      if (this.#places.homeOf(resident.hash) !== member) continue;
      // One that waits has no actor: it is on its way.
      if (resident.phase === WAITING && resident.state === undefined) continue;
      keys.push(resident.key);
      member.promised.add(resident.key);
      if (resident.phase === LIVE) this.#moveLater(resident);
    }
    const from = this.self.pid as Pid;
    for (let i = 0; i < keys.length || i === 0; i += PORTION_COUNT) {
      const last = i + PORTION_COUNT >= keys.length;
      this.#tell(member, { $home: "keys", from, keys: keys.slice(i, i + PORTION_COUNT), last });
    }
  }

  /** A node is out of reach, or takes part no more. */
  #lost(pid: Pid): void {
    const member = this.#members.get(pid.key);
    if (member === undefined) return;
    this.#members.delete(pid.key);
    if ((member.weight ?? 0) > 0) this.#unplace(member);
    this.#settleAll();
    if (this.#left !== undefined && this.#places.size === 0) this.#end("shutdown");
  }

  #settleAll(): void {
    for (const resident of [...this.#waiting]) this.#settle(resident);
  }

  #settleKey(key: string): void {
    const resident = this.residents.get(key);
    if (resident !== undefined) this.#settle(resident);
  }

  // Moves.

  #moveLater(resident: Resident): void {
    this.#moves.add(resident);
    if (this.#moveTimer || this.#left !== undefined) return;
    this.#moveTimer = true;
    this.self.sendAfter(this.self.pid, MOVE, MOVE_MS);
  }

  #moveTick(): void {
    this.#moveTimer = false;
    const more = this.#rules.movesPerSecond * MOVE_MS / 1000;
    // At low rates it is saved up; what was not used is lost.
    this.#budget = Math.min(this.#budget + more, Math.max(1, more));
    this.#moveSome();
    if (this.#moves.size === 0) return;
    this.#moveTimer = true;
    this.self.sendAfter(this.self.pid, MOVE, MOVE_MS);
  }

  /** Moves keys, within the limits. When this node leaves, they move as fast as they can. */
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
    resident.deadline = this.self.sendAfter(this.self.pid, new Late(resident), STOP_MS);
    const collected = (state: unknown): void =>
      this.#system.send(this.self.pid, new Collected(resident, state));
    new Promise((resolve) => resolve(this.#rules.handover!(pid!, key)))
      .then(collected, () => collected(undefined));
  }

  /** The state of a key is known: its actor stops, if it has not ended itself. */
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
      // Its actor exits: the monitor reports that.
      resident.pause = this.self.sendAfter(this.self.pid, new Again(resident), RETRY_MS);
    }
    this.#settle(resident);
    this.#moveSome();
  }

  /** Another node hands a key over. */
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

/** Hands a message that came with its key to the actor of the key. */
function pass(held: Held, actor: ActorRef): void {
  if (!(held instanceof Call)) return actor.deliver(held.body);
  const call = held as Call<Keyed> & PassableCall;
  call.passTo(actor, call.request.body);
}
