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
 * A link whose other end exited with the reason "kill" is not an `exit(pid, "kill")`: it can be trapped.
 * Linking with an actor that does not exist sends a signal "noproc"; monitoring it, a `Down` "noproc".
 *
 * An actor of another node has an `ActorRef` too, a `RemoteActor`, while links or monitors use it. The
 * same rules apply to it; it notifies its node, and exits with "noconnection" when the session ends.
 *
 * Exits propagate over links through a queue, not by recursion, so a chain of a million links causes no
 * stack overflow.
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

/** Carries signals between the actors of one system. */
export class Signals {
  /** The connection to other nodes. */
  remote: Remote | undefined = undefined;
  readonly #waiting = new Ring<Signal>(16);
  #carrying = false;
  #lastRef = 0;

  /** Returns the actor of a pid, or the reason why there is none. */
  who(pid: Pid<never>): ActorRef | "noproc" | "noconnection" {
    checkPid(pid);
    const actorRef = actorRefOf(pid);
    if (actorRef !== undefined) return actorRef;
    if (pid.home.local || this.remote === undefined) return "noproc";
    const nodeLink = this.remote.nodeLinkOf(pid.home);
    return typeof nodeLink === "string" ? nodeLink : nodeLink.remoteActor(pid.id);
  }

  /** Returns a unique reference. */
  ref(actor: ActorRef): Ref {
    return new Ref(actor.pid.home, ++this.#lastRef);
  }

  /** Links two actors. A repeated link and a link to itself have no effect. */
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
    // The actor may have just exited, with its signal still queued.
    if (typeof other === "string") return void actor.links.delete(pid);
    if (untie(actor, other)) other.unlinked(actor);
    other.released();
  }

  /** Monitors the actor of a pid. */
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

  /** Notifies all links and monitors of an actor that it has exited. */
  ended(actor: ActorRef, reason: ExitReason): void {
    this.endLinks(actor, reason);
    this.endWatchers(actor, reason);
    this.endMonitors(actor);
    this.#carry();
  }

  /** Ends the remote actors of a lost session: first all links, then monitors, then calls. */
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
      // A listener of the exit event may have unlinked already.
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

/** Links two actors, on both sides. */
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
  (monitor.target.watchers ??= new Set()).add(monitor);
}

/** Removes a monitor on both sides. */
export function unwatch(monitor: Monitor): void {
  monitor.watcher.monitors?.delete(monitor.ref.id);
  monitor.target.watchers?.delete(monitor);
}
