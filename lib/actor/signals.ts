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
 * Ends spread over links in a queue, not by recursion: a chain of a million linked actors is a loop.
 *
 * @module
 */
import { Ring } from "../base/ring.ts";
import { type Pid, Ref } from "../term/pid.ts";
import { type Cell, cellOf } from "./cell.ts";
import { Down, downMessage, exitMessage } from "./exit.ts";
import type { ExitReason } from "../term/exit.ts";

interface Signal {
  readonly to: Cell;
  readonly from: Pid;
  readonly reason: ExitReason;
}

/** Carries signals within one system. */
export class Signals {
  readonly #waiting = new Ring<Signal>(16);
  #carrying = false;
  #lastRef = 0;

  /** Links two actors; again is the same as once, and to itself is nothing. */
  link(actor: Cell, pid: Pid<never>): void {
    const other = cellOf(pid);
    if (other === actor || actor.links?.has(pid)) return;
    if (other === undefined) return this.exit(actor, pid, "noproc");
    (actor.links ??= new Set()).add(pid);
    (other.links ??= new Set()).add(actor.pid as Pid);
  }

  unlink(actor: Cell, pid: Pid<never>): void {
    if (!actor.links?.delete(pid)) return;
    cellOf(pid)?.links?.delete(actor.pid as Pid);
  }

  monitor(actor: Cell, pid: Pid<never>): Ref {
    const ref = new Ref(actor.pid.home, ++this.#lastRef);
    const other = cellOf(pid);
    if (other === undefined) actor.deliver(downMessage(ref, pid, "noproc"));
    else {
      const monitor = { ref, watcher: actor, target: pid };
      (actor.monitors ??= new Map()).set(ref.id, monitor);
      (other.watchers ??= new Set()).add(monitor);
    }
    return ref;
  }

  /** Whether there was such a monitor. */
  demonitor(actor: Cell, ref: Ref, flush: boolean): boolean {
    const monitor = actor.monitors?.get(ref.id);
    if (monitor?.ref.equals(ref)) {
      actor.monitors!.delete(ref.id);
      cellOf(monitor.target)?.watchers?.delete(monitor);
      return true;
    }
    if (flush) actor.discard((message) => message instanceof Down && message.ref.equals(ref));
    return false;
  }

  /** `exit(pid, reason)`. */
  exit(to: Cell, from: Pid, reason: ExitReason): void {
    if (reason === "kill") return to.end("killed");
    this.#signal(to, from, reason);
  }

  /** Tells everybody who is linked with an actor or monitors it that it has ended. */
  ended(actor: Cell, reason: ExitReason): void {
    const { links, watchers, monitors } = actor;
    const from = actor.pid as Pid;
    if (links !== undefined) {
      actor.links = undefined;
      for (const pid of links) {
        const other = cellOf(pid);
        // A listener that was told of this end may have unlinked already.
        if (other?.links?.delete(from)) this.#waiting.push({ to: other, from, reason });
      }
    }
    if (watchers !== undefined) {
      actor.watchers = undefined;
      for (const { ref, watcher } of watchers) {
        if (!watcher.monitors?.delete(ref.id) || !watcher.isAlive) continue;
        watcher.deliver(downMessage(ref, from, reason));
      }
    }
    if (monitors !== undefined) {
      actor.monitors = undefined;
      for (const monitor of monitors.values()) {
        cellOf(monitor.target)?.watchers?.delete(monitor);
      }
    }
    this.#carry();
  }

  #carry(): void {
    if (this.#carrying) return;
    this.#carrying = true;
    for (let signal = this.#waiting.shift(); signal; signal = this.#waiting.shift()) {
      this.#signal(signal.to, signal.from, signal.reason);
    }
    this.#carrying = false;
  }

  #signal(to: Cell, from: Pid, reason: ExitReason): void {
    if (!to.isAlive) return;
    if (to.trapping) to.deliver(exitMessage(from, reason));
    else if (reason !== "normal" || from === to.pid) to.end(reason);
  }
}
