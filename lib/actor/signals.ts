/**
 * Links, monitors and exit signals: OTP's rules.
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
 * A link whose other end ended with the reason "kill" is no `exit(pid, "kill")`: it can be trapped.
 * To link with an actor that is not there is a signal "noproc"; to monitor it, a `Down` "noproc".
 *
 * An actor of another node is a cell too, a `Distant`, as long as links or monitors keep it here. So
 * the rules are these for it as well; its cell tells its node, and ends "noconnection" with the session.
 *
 * Ends spread over links in a queue, not by recursion: a chain of a million linked actors is a loop.
 *
 * @module
 */
import { Ring } from "../base/ring.ts";
import type { ExitReason } from "../term/exit.ts";
import { type Pid, Ref } from "../term/pid.ts";
import { checkPid } from "./arguments.ts";
import { type ActorRef, actorRefOf, dropChain, type Monitor } from "./actor_ref.ts";
import { Down } from "./exit.ts";
import type { Remote } from "./remote.ts";

interface Signal {
  readonly to: ActorRef;
  readonly from: Pid;
  readonly reason: ExitReason;
}

/** Carries signals from and to the actors of one system. */
export class Signals {
  /** How other nodes are reached. */
  remote: Remote | undefined = undefined;
  readonly #waiting = new Ring<Signal>(16);
  #carrying = false;
  #lastRef = 0;

  /** Who is behind a pid, or why nobody is. */
  who(pid: Pid<never>): ActorRef | "noproc" | "noconnection" {
    checkPid(pid);
    const cell = actorRefOf(pid);
    if (cell !== undefined) return cell;
    if (pid.home.local || this.remote === undefined) return "noproc";
    const line = this.remote.lineOf(pid.home);
    return typeof line === "string" ? line : line.distant(pid.id);
  }

  /** A reference that no other equals. */
  ref(actor: ActorRef): Ref {
    return new Ref(actor.pid.home, ++this.#lastRef);
  }

  /** Links two actors; again is the same as once, and to itself is nothing. */
  link(actor: ActorRef, pid: Pid<never>): void {
    const other = this.who(pid);
    if (typeof other === "string") return actor.linkBroke(pid, other);
    if (other === actor || actor.links?.has(other.pid as Pid)) return other.released();
    tie(actor, other);
    other.linked(actor);
  }

  unlink(actor: ActorRef, pid: Pid<never>): void {
    if (actor.links === undefined) return;
    const other = this.who(pid);
    // One that has just ended may be about to tell of it.
    if (typeof other === "string") return void actor.links.delete(pid);
    if (untie(actor, other)) other.unlinked(actor);
    other.released();
  }

  /** Monitors whoever a pid names. */
  monitor(actor: ActorRef, pid: Pid<never>, ref: Ref): void {
    const other = this.who(pid);
    if (typeof other === "string") actor.down(ref, pid, other);
    else this.monitorCell(actor, other, ref);
  }

  monitorCell(watcher: ActorRef, target: ActorRef, ref: Ref): void {
    const monitor = { ref, watcher, target };
    watch(monitor);
    target.watched(monitor);
  }

  /** Whether there was such a monitor. */
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

  /** Tells everybody who is linked with an actor or monitors it that it has ended. */
  ended(actor: ActorRef, reason: ExitReason): void {
    this.endLinks(actor, reason);
    this.endWatchers(actor, reason);
    this.endMonitors(actor);
    this.#carry();
  }

  /** The session with the node of these actors is lost: the links of all, the monitors, then the calls. */
  lost(actors: readonly ActorRef[]): void {
    for (const actor of actors) this.endLinks(actor, "noconnection");
    this.#carry();
    for (const actor of actors) this.endWatchers(actor, "noconnection");
    for (const actor of actors) this.endMonitors(actor);
    for (const actor of actors) dropChain(actor, "noconnection");
  }

  endLinks(actor: ActorRef, reason: ExitReason): void {
    const { links } = actor;
    if (links === undefined) return;
    actor.links = undefined;
    const from = actor.pid as Pid;
    for (const pid of links) {
      const other = actorRefOf(pid);
      // A listener that was told of this end may have unlinked already.
      if (other?.links?.delete(from)) this.#waiting.push({ to: other, from, reason });
    }
  }

  endWatchers(actor: ActorRef, reason: ExitReason): void {
    const { watchers } = actor;
    if (watchers === undefined) return;
    actor.watchers = undefined;
    for (const { ref, watcher } of watchers) {
      if (!watcher.monitors?.delete(ref.id) || !watcher.isAlive) continue;
      watcher.down(ref, actor.pid as Pid, reason);
      watcher.released();
    }
  }

  endMonitors(actor: ActorRef): void {
    const { monitors } = actor;
    if (monitors === undefined) return;
    actor.monitors = undefined;
    for (const monitor of monitors.values()) {
      monitor.target.watchers?.delete(monitor);
      monitor.target.unwatched(monitor);
      monitor.target.released();
    }
  }

  #carry(): void {
    if (this.#carrying) return;
    this.#carrying = true;
    for (let signal = this.#waiting.shift(); signal; signal = this.#waiting.shift()) {
      signal.to.linkBroke(signal.from, signal.reason);
      signal.to.released();
    }
    this.#carrying = false;
  }
}

/** Links two, at both ends. */
export function tie(one: ActorRef, other: ActorRef): void {
  (one.links ??= new Set()).add(other.pid as Pid);
  (other.links ??= new Set()).add(one.pid as Pid);
}

/** Takes a link away, at both ends. Whether there was one. */
export function untie(one: ActorRef, other: ActorRef): boolean {
  if (!one.links?.delete(other.pid as Pid)) return false;
  other.links?.delete(one.pid as Pid);
  return true;
}

/** Notes a monitor, at both ends. */
export function watch(monitor: Monitor): void {
  (monitor.watcher.monitors ??= new Map()).set(monitor.ref.id, monitor);
  (monitor.target.watchers ??= new Set()).add(monitor);
}

/** Takes a monitor away, at both ends. */
export function unwatch(monitor: Monitor): void {
  monitor.watcher.monitors?.delete(monitor.ref.id);
  monitor.target.watchers?.delete(monitor);
}
