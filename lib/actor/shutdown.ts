/**
 * Ends the actors of a node in order, as OTP's `init:stop` does.
 *
 *     top-level supervisors, the last started first ─▶ every other actor ─▶ what is left
 *        each stops its children by their              exit signal              ends at once
 *        shutdown rules, with `terminate`              "shutdown"
 *
 * The steps share the given time: each step may use half of the time that remains. An actor that
 * does not trap exits ends when it gets the signal. An actor that traps exits has 5 seconds to
 * handle it. If that actor waits for messages again earlier, it has ignored the signal, and the
 * shutdown does not wait for it any longer. All actors that are left then end at once.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { Actor } from "./actor.ts";
import { actorRefOf } from "./actor_ref.ts";
import { PORTION, untie } from "./signals.ts";
import { Deadline, TIMER_MS_MAX } from "./timer.ts";
import type { System } from "./system.ts";

/** Maximum time for an actor that traps exits and has no supervisor to end, in milliseconds. */
const GRACE_MS = 5_000;

/**
 * First interval between two checks whether the actors that trap exits have ended, in milliseconds.
 * The interval doubles after each check, up to a maximum.
 */
const LOOK_MS = 1;
const LOOK_MS_MAX = 50;

/**
 * Ends all actors of a system within `ms` milliseconds. Resolves with the actors that were ended by
 * the time limit, while they were not waiting for a message.
 */
export async function shutDown(system: System, ms: number): Promise<Pid[]> {
  const deadline = system.now() + ms;
  const left = (): number => Math.max(0, deadline - system.now());
  system.isStopping = true;
  await stopSupervisors(system, left);
  await signalAll(system);
  const isHandled = await handled(system, left);
  const late = isHandled ? [] : busyActors(system, Infinity).map(({ pid }) => pid as Pid);
  await endMany(system);
  system.stop();
  return late;
}

/** Ends the actors in portions, if there are more than {@linkcode PORTION}. */
async function endMany(system: System): Promise<void> {
  let left = system.size;
  if (left <= PORTION) return;
  for (const actor of system.actors()) {
    actor.end("shutdown");
    if (--left === 0) return;
    if (left % PORTION === 0) await nextTurn(system);
  }
}

/** Resolves after pending I/O, timers and the effects of exits have been handled. */
async function nextTurn(system: System): Promise<void> {
  do await new Promise<void>((next) => system.yieldToIo(next)); while (system.signals.isBehind);
}

/**
 * Stops the top-level supervisors one after another, including those that start in the meantime.
 */
async function stopSupervisors(system: System, left: () => number): Promise<void> {
  const stopped = new Set<Pid>();
  const slow = new Set<Promise<unknown>>();
  for (;;) {
    const pid = system.supervisors.top().findLast((pid) => !stopped.has(pid));
    if (pid === undefined || left() === 0) break;
    stopped.add(pid);
    unlinkParent(system, pid);
    const ended = system.end(pid, "shutdown");
    if (await inTime(system, ended, left() / 2)) continue;
    slow.add(ended);
  }
  await inTime(system, Promise.all(slow), left() / 2);
}

/**
 * Removes the link between a supervisor and its parent. Otherwise the end of the supervisor would
 * end the parent and all actors linked to it, including its other supervisors, too early.
 */
function unlinkParent(system: System, pid: Pid): void {
  const supervisor = system.actorOf(pid);
  const parent = supervisor?.ancestors[0];
  const other = parent && actorRefOf(parent);
  if (supervisor !== undefined && other !== undefined) untie(supervisor, other);
}

/** Sends the exit signal "shutdown" to every actor, last spawned first. */
async function signalAll(system: System): Promise<void> {
  let count = 0;
  for (const actor of system.allActors().reverse()) {
    actor.exitSignal(system.pid, "shutdown");
    if (++count % PORTION === 0) await nextTurn(system);
  }
}

/**
 * Waits until the actors that trap exits have ended or have ignored the signal "shutdown". Returns
 * false if the time is over before that.
 */
async function handled(system: System, left: () => number): Promise<boolean> {
  const began = system.now();
  for (let wait = LOOK_MS;; wait = Math.min(wait * 2, LOOK_MS_MAX)) {
    if (busyActors(system, 1).length === 0) return true;
    const patience = Math.min(left(), GRACE_MS - (system.now() - began));
    if (patience <= 0) return false;
    await pause(system, Math.min(wait, patience));
  }
}

/** Returns at most `most` of the actors that do not wait for a message. */
function busyActors(system: System, most: number): Actor[] {
  const busy: Actor[] = [];
  for (const page of system.actorPages()) {
    for (const actor of page) {
      if (actor === undefined || actor.isIdle) continue;
      busy.push(actor);
      if (busy.length === most) return busy;
    }
  }
  return busy;
}

/** Resolves to whether a promise settles within `ms` milliseconds. */
function inTime(system: System, promise: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = promise.then(() => true, () => true);
  // A timer cannot wait for longer than 24 days, so a longer time counts as no limit.
  if (ms > TIMER_MS_MAX) return settled;
  return system.within(settled, ms, () => new Error("late")).catch(() => false);
}

function pause(system: System, ms: number): Promise<void> {
  return new Promise((wake) => system.setTimer(new Deadline(wake), ms));
}
