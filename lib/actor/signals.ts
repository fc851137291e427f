/**
 * Implements links, monitors and exit signals, by OTP's rules.
 *
 * | signal | target traps exits | target does not |
 * |---|---|---|
 * | link: other ended, reason "normal" | `Exit` message | nothing |
 * | link: other ended, any other reason | `Exit` message | ends with that reason |
 * | `exit(pid, "kill")` | ends with "killed" | ends with "killed" |
 * | `exit(pid, "normal")` from another | `Exit` message | nothing |
 * | `exit(pid, "normal")` from itself | `Exit` message | ends |
 * | `exit(pid, reason)` | `Exit` message | ends with that reason |
 *
 * A link whose other end exited with the reason "kill" is not an `exit(pid, "kill")`. Its signal
 * can be trapped. If an actor links with an actor that does not exist, it gets a signal with the
 * reason "noproc". If an actor monitors an actor that does not exist, it gets a `Down` with the
 * reason "noproc".
 *
 * An actor of another node is represented by a `RemoteActor` while it has links or monitors here.
 * The same rules apply to it. It forwards signals to its node, and exits with "noconnection" when
 * the session ends.
 *
 * Exits propagate over links through a queue, not by recursion, so a chain of a million links
 * causes no stack overflow.
 *
 * One exit may affect a million actors. After {@linkcode PORTION} of them, pending I/O and timers
 * are handled:
 *
 *     an exit ─▶ signals, `Down`s, calls ─▶ a portion at once ─▶ yield to I/O ─▶ a portion ─▶ … ─▶ done
 *
 * An actor can remove a link or monitor until it has received the signal of that link or
 * monitor.
 *
 * @module
 */
import { Ring } from "../base/ring.ts";
import type { ExitReason } from "../term/exit.ts";
import { type Pid, Ref } from "../term/pid.ts";
import { checkPid } from "./arguments.ts";
import { type ActorRef, actorRefOf, dropChain, type Monitor, watchersOf } from "./actor_ref.ts";
import { Down } from "./exit.ts";
import type { Remote } from "./remote.ts";

/** Number of signals and other effects of exits after which pending I/O and timers are handled. */
export const PORTION = 512;

/** Number of effects of exits in one step. Signals that they cause are delivered after the step. */
const STEP = 64;

/**
 * The cost of visiting an actor, as a number of effects. It is counted in addition to the effects
 * of the actor's exit.
 */
const VISIT = 1 / 8;

interface Signal {
  readonly to: ActorRef;
  readonly from: Pid;
  readonly reason: ExitReason;
}

/** Delivers signals between the actors of one system. */
export class Signals {
  /** Access to other nodes. Undefined on a node without a mesh. */
  remote: Remote | undefined = undefined;
  readonly #waiting = new Ring<Signal>(16);
  /** Signals that exceed the current portion. Later portions deliver them. */
  readonly #late = new Ring<Signal>(16);
  /** Effects of exits that exceed the current portion, in the order of the exits. */
  readonly #rest = new Ring<Iterator<number, void>>();
  readonly #yieldToIo: (task: () => void) => void;
  #carrying = false;
  #isRunning = false;
  #isScheduled = false;
  #lastRef = 0;

  constructor(yieldToIo: (task: () => void) => void) {
    this.#yieldToIo = yieldToIo;
  }

  /** Returns the actor of a pid, or the reason why it cannot be reached. */
  lookup(pid: Pid<never>): ActorRef | "noproc" | "noconnection" {
    checkPid(pid);
    const actorRef = actorRefOf(pid);
    if (actorRef !== undefined) return actorRef;
    if (pid.home.local || this.remote === undefined) return "noproc";
    const nodeLink = this.remote.nodeLinkOf(pid.home);
    return typeof nodeLink === "string" ? nodeLink : nodeLink.remoteActor(pid.id);
  }

  /** Returns a reference that is unique on this node. */
  ref(actor: ActorRef): Ref {
    return new Ref(actor.pid.home, ++this.#lastRef);
  }

  /** Links two actors. A repeated link and a link to itself have no effect. */
  link(actor: ActorRef, pid: Pid<never>): void {
    const other = this.lookup(pid);
    if (typeof other === "string") {
      // Sends no signal "noproc" if an exit signal of an earlier link has not been delivered yet.
      return actor.links?.has(pid) ? undefined : actor.linkBroke(pid, other);
    }
    if (other === actor || actor.links?.has(other.pid as Pid)) return other.released();
    tie(actor, other);
    other.linked(actor);
  }

  unlink(actor: ActorRef, pid: Pid<never>): void {
    if (actor.links === undefined) return;
    const other = this.lookup(pid);
    // The other actor may have just exited, and its exit signal may still be queued.
    if (typeof other === "string") return this.#unlinkEnded(actor.links, pid);
    if (untie(actor, other)) other.unlinked(actor);
    other.released();
  }

  /** Monitors the actor of a pid. */
  monitor(actor: ActorRef, pid: Pid<never>, ref: Ref): void {
    const other = this.lookup(pid);
    if (typeof other === "string") actor.down(ref, pid, other);
    else this.monitorCell(actor, other, ref);
  }

  monitorCell(watcher: ActorRef, target: ActorRef, ref: Ref): void {
    const monitor = { ref, watcher, target };
    watch(monitor);
    target.watched(monitor);
  }

  /** Removes a monitor. Returns whether it existed. */
  demonitor(actor: ActorRef, ref: Ref, flush: boolean): boolean {
    const monitor = actor.monitors?.get(ref.id);
    if (monitor?.ref.equals(ref)) {
      unwatch(monitor);
      monitor.target.unwatched(monitor);
      monitor.target.released();
      return true;
    }
    if (flush) actor.discard((message) => message instanceof Down && message.ref.equals(ref));
    return false;
  }

  /** Ends the links, monitors, calls and timers of an actor that has exited. */
  ended(actor: ActorRef, reason: ExitReason): void {
    if (actor.chain !== undefined) {
      dropChain(actor, reason, PORTION);
      if (actor.chain !== undefined) return this.#later(this.#droppingChain(actor, reason));
    }
    this.#endLinks(actor, reason);
    this.#endWatchers(actor, reason);
    this.#endMonitors(actor);
    this.#carry(PORTION);
  }

  /**
   * Runs the effects of an exit in portions. The first portion runs immediately, unless earlier
   * effects are pending. The other portions run after pending I/O and timers have been handled.
   * Each step returns the number of its effects.
   */
  inPortions(steps: Iterator<number, void>): void {
    if (this.#isScheduled || this.#isRunning || !this.#run(steps)) this.#later(steps);
  }

  /** Ends the links, then the monitors, then the calls of the remote actors of a lost session. */
  *losing(actors: readonly ActorRef[]): Generator<number, void> {
    yield* this.#endingLinks(actors, "noconnection");
    yield* endingWatchers(actors, "noconnection");
    yield* endingMonitors(actors);
    for (const actor of actors) {
      while (actor.chain !== undefined) yield dropChain(actor, "noconnection", PORTION);
    }
  }

  /** Runs all remaining effects of exits immediately, instead of in portions. */
  flush(): void {
    while (this.#isScheduled && !this.#carrying && !this.#isRunning) this.#portion();
  }

  /**
   * Whether effects of exits remain. If so, links and names may still refer to an actor that has
   * exited.
   */
  get isBehind(): boolean {
    return this.#late.length > 0 || this.#rest.length > 0;
  }

  #unlinkEnded(links: Set<Pid>, pid: Pid<never>): void {
    if (links.delete(pid) || !this.isBehind) return;
    // Another pid object may identify the same actor.
    for (const linked of links) if (linked.equals(pid)) links.delete(linked);
  }

  *#droppingChain(actor: ActorRef, reason: ExitReason): Generator<number, void> {
    while (actor.chain !== undefined) yield dropChain(actor, reason, PORTION);
    this.ended(actor, reason);
  }

  #endLinks(actor: ActorRef, reason: ExitReason): void {
    const { links } = actor;
    if (links === undefined) return;
    if (links.size > PORTION) return this.#later(this.#endingLinks([actor], reason));
    actor.links = undefined;
    for (const pid of links) this.#endLink(actor, pid, reason);
  }

  #endingLinks(actors: readonly ActorRef[], reason: ExitReason): Generator<number, void> {
    const take = (actor: ActorRef): Iterable<Pid> | undefined => {
      const { links } = actor;
      if (links !== undefined) actor.links = undefined;
      return links;
    };
    return inSteps(actors, take, (actor, pid) => this.#endLink(actor, pid, reason));
  }

  #endLink(actor: ActorRef, pid: Pid, reason: ExitReason): void {
    const to = actorRefOf(pid);
    if (to !== undefined) this.#waiting.push({ to, from: actor.pid as Pid, reason });
  }

  #endWatchers(actor: ActorRef, reason: ExitReason): void {
    const { watchers } = actor;
    if (watchers === undefined) return;
    if (!(watchers instanceof Set)) {
      actor.clearWatchers();
      return endWatcher(actor, watchers, reason);
    }
    if (watchers.size > PORTION) return this.#later(endingWatchers([actor], reason));
    actor.clearWatchers();
    for (const monitor of watchers) endWatcher(actor, monitor, reason);
  }

  #endMonitors(actor: ActorRef): void {
    const { monitors } = actor;
    if (monitors === undefined) return;
    if (monitors.size > PORTION) return this.#later(endingMonitors([actor]));
    actor.monitors = undefined;
    for (const monitor of monitors.values()) endMonitor(monitor);
  }

  /**
   * Delivers at most `most` signals: the waiting signals, and the signals that these cause. Returns
   * the number of delivered signals.
   */
  #carry(most: number): number {
    if (this.#carrying) return 0;
    this.#carrying = true;
    const waiting = this.#waiting;
    let left = most;
    for (let signal = waiting.shift(); signal; signal = waiting.shift()) {
      const { to, from, reason } = signal;
      // The actor may have removed the link in the meantime.
      if (to.links?.delete(from)) to.linkBroke(from, reason);
      to.released();
      if (--left > 0 || waiting.length === 0) continue;
      for (let next = waiting.shift(); next; next = waiting.shift()) this.#late.push(next);
      this.#schedule();
    }
    this.#carrying = false;
    return most - left;
  }

  #later(steps: Iterator<number, void>): void {
    this.#rest.push(steps);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#yieldToIo(this.#portion);
  }

  /** Runs steps until a portion is used up. Returns whether all steps have run. */
  #run(steps: Iterator<number, void>): boolean {
    this.#isRunning = true;
    let left = PORTION;
    let isLast = false;
    try {
      while (left > 0 && !isLast) {
        const { done, value } = steps.next();
        isLast = done === true;
        left -= value ?? 0;
        left -= this.#carry(Math.max(1, left));
      }
    } finally {
      this.#isRunning = false;
    }
    return isLast;
  }

  readonly #portion = (): void => {
    if (!this.#isScheduled) return;
    this.#isScheduled = false;
    const [late, rest, waiting] = [this.#late, this.#rest, this.#waiting];
    if (late.length > 0) {
      for (let i = 0; i < PORTION && late.length > 0; i++) waiting.push(late.shift()!);
      this.#carry(PORTION);
    } else if (rest.length > 0 && this.#run(rest.peek()!)) rest.shift();
    if (this.isBehind) this.#schedule();
  };
}

/**
 * Calls `end` for each item that `take` returns for an actor. Yields the number of effects after
 * every {@linkcode STEP} effects. A visit to an actor counts as {@linkcode VISIT} effects.
 */
function* inSteps<T>(
  actors: readonly ActorRef[],
  take: (actor: ActorRef) => Iterable<T> | undefined,
  end: (actor: ActorRef, item: T) => void,
): Generator<number, void> {
  let count = 0;
  for (const actor of actors) {
    count += VISIT;
    for (const item of take(actor) ?? []) {
      end(actor, item);
      if (++count < STEP) continue;
      yield count;
      count = 0;
    }
    if (count < STEP) continue;
    yield count;
    count = 0;
  }
  yield count;
}

function endingWatchers(
  actors: readonly ActorRef[],
  reason: ExitReason,
): Generator<number, void> {
  const take = (actor: ActorRef): Iterable<Monitor> => {
    const watchers = watchersOf(actor);
    actor.clearWatchers();
    return watchers;
  };
  return inSteps(actors, take, (actor, monitor) => endWatcher(actor, monitor, reason));
}

function endingMonitors(actors: readonly ActorRef[]): Generator<number, void> {
  const take = (actor: ActorRef): Iterable<Monitor> | undefined => {
    const { monitors } = actor;
    if (monitors !== undefined) actor.monitors = undefined;
    return monitors?.values();
  };
  return inSteps(actors, take, (_, monitor) => endMonitor(monitor));
}

/** Delivers a `Down`, unless the monitor was removed in the meantime. */
function endWatcher({ pid }: ActorRef, { ref, watcher }: Monitor, reason: ExitReason): void {
  if (!watcher.monitors?.delete(ref.id) || !watcher.isAlive) return;
  watcher.down(ref, pid as Pid, reason);
  watcher.released();
}

function endMonitor(monitor: Monitor): void {
  const { target } = monitor;
  target.removeWatcher(monitor);
  target.unwatched(monitor);
  target.released();
}

/** Records a link between two actors on both sides. */
export function tie(one: ActorRef, other: ActorRef): void {
  (one.links ??= new Set()).add(other.pid as Pid);
  (other.links ??= new Set()).add(one.pid as Pid);
}

/** Removes a link on both sides. Returns whether it existed. */
export function untie(one: ActorRef, other: ActorRef): boolean {
  if (!one.links?.delete(other.pid as Pid)) return false;
  other.links?.delete(one.pid as Pid);
  return true;
}

/** Records a monitor on both sides. */
export function watch(monitor: Monitor): void {
  (monitor.watcher.monitors ??= new Map()).set(monitor.ref.id, monitor);
  monitor.target.addWatcher(monitor);
}

/** Removes a monitor on both sides. */
export function unwatch(monitor: Monitor): void {
  monitor.watcher.monitors?.delete(monitor.ref.id);
  monitor.target.removeWatcher(monitor);
}
