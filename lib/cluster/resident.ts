/**
 * Stores the state of a key on one node: the actor of the key, or the messages that wait for an
 * actor.
 *
 *     WAITING ──its home is here, and no other node has it──▶ STARTING ──▶ LIVE ──▶ STOPPING ─┐
 *        ▲ │                                                               └──────▶ MOVING ───┤
 *        │ └─its home is another node: state and messages move there                          │
 *        └────────────────────── it has a state, or messages wait ◀─────its actor has exited──┘
 *
 * @module
 */
import type { Intensity } from "../otp/intensity.ts";
import type { Pid, Ref } from "../term/pid.ts";
import type { TimerRef } from "../actor/timer.ts";
import type { Call } from "../actor/call.ts";
import type { HomeMember } from "./home_member.ts";

/** No actor runs. There may be a state or messages for the next actor. */
export const WAITING = 0;
/** The actor is being started. */
export const STARTING = 1;
/** The actor runs, and receives the messages for the key. */
export const LIVE = 2;
/** The actor is being stopped. */
export const STOPPING = 3;
/** The state is being collected, or is in transit to another node. */
export const MOVING = 4;

/** A call or cast that waits for the actor of its key. */
export type HeldMessage = Call | { readonly body: unknown };

/** The state of a key on this node. */
export class Resident {
  readonly key: string;
  readonly hash: number;
  phase: number = WAITING;
  pid: Pid<never> | undefined = undefined;
  /** Calls and casts held until the actor has started. */
  held: HeldMessage[] = [];
  /** The state with which the next actor is started. */
  state: unknown = undefined;
  /** Whether the actor is restarted after a crash even if no call or cast is waiting for it. */
  restarts = false;
  /**
   * Whether the actor of the moving key has not yet returned the state that was requested from it.
   */
  isCollecting = false;
  /** The timer of the next attempt to start or move the key. */
  pause: TimerRef | undefined = undefined;
  /** The timer that kills the actor if it does not stop in time. */
  deadline: TimerRef | undefined = undefined;
  /** Removes the monitor of the key's lock. Set only with a quorum. */
  unwatch: (() => void) | undefined = undefined;
  /** Counts the recent crashes. Created by the first crash. */
  intensity: Intensity | undefined = undefined;
  /** Number of the passivation period in which the key was last used: see `HomeActor.period`. */
  used = 0;

  constructor(key: string, hash: number) {
    this.key = key;
    this.hash = hash;
  }
}

// Messages that the actor of a kind receives from its own timers and promises:

/**
 * An exchange of keys with a connected node. The object is also sent as a message when that node
 * has sent its groups.
 */
export class Exchange {
  readonly node: string;
  /** The monitor whose answer ends the exchange. */
  monitor: Ref | undefined = undefined;
  constructor(node: string) {
    this.node = node;
  }
}

/** Sent when the actor of a key was started, or could not be started. */
export class Started {
  readonly resident: Resident;
  readonly pid: Pid<never> | undefined;
  readonly error: unknown;
  constructor(resident: Resident, pid: Pid<never> | undefined, error: unknown) {
    this.resident = resident;
    this.pid = pid;
    this.error = error;
  }
}

/** Sent when the state of a moving key was collected. */
export class Collected {
  readonly resident: Resident;
  readonly state: unknown;
  constructor(resident: Resident, state: unknown) {
    this.resident = resident;
    this.state = state;
  }
}

/** Sent when another node has taken over a key, or could not take it over. */
export class Delivered {
  readonly resident: Resident;
  readonly to: HomeMember;
  readonly error: unknown;
  constructor(resident: Resident, to: HomeMember, error: unknown) {
    this.resident = resident;
    this.to = to;
    this.error = error;
  }
}

/** Sent by a timer when the start or the move of a key must be tried again. */
export class RetryKey {
  readonly resident: Resident;
  constructor(resident: Resident) {
    this.resident = resident;
  }
}

/** Sent after pending I/O has been handled, to continue work on many keys. */
export class ContinueWork {
  readonly run: () => void;
  constructor(run: () => void) {
    this.run = run;
  }
}

/** Sent by a timer when a stopping actor has exceeded its time limit. */
export class StopTimeout {
  readonly resident: Resident;
  constructor(resident: Resident) {
    this.resident = resident;
  }
}
