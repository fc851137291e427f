/**
 * A key on its way through one node: the actor that has it, or what waits for one.
 *
 *     WAITING ──its home is here, and no other node has it──▶ STARTING ──▶ LIVE ──▶ STOPPING ─┐
 *        ▲ │                                                               └──────▶ MOVING ───┤
 *        │ └─its home is another node: state and messages go there                            │
 *        └────────────────────── it has a state, or messages wait ◀──────its actor has ended──┘
 *
 * @module
 */
import type { Intensity } from "../otp/intensity.ts";
import type { Pid } from "../term/pid.ts";
import type { TimerRef } from "../actor/timer.ts";
import type { Call } from "../actor/call.ts";
import type { HomeMember } from "./home_member.ts";

/** The states of a key. */
export const WAITING = 0;
/** Its actor is being started. */
export const STARTING = 1;
/** Its actor runs, and gets what is sent to the key. */
export const LIVE = 2;
/** Its actor is being stopped. */
export const STOPPING = 3;
/** Its state is asked for, or is on the way to another node. */
export const MOVING = 4;

/** A call, or a message that needs no answer. */
export type Held = Call | { readonly body: unknown };

/** A key. */
export class Resident {
  readonly key: string;
  readonly hash: number;
  phase: number = WAITING;
  pid: Pid<never> | undefined = undefined;
  /** What came while there was no actor that takes it. */
  held: Held[] = [];
  /** The state that the next actor is started with. */
  state: unknown = undefined;
  /** Whether its actor is to be started though nothing waits for it, as it has crashed. */
  restarts = false;
  /** Its state is asked for, and has not come. */
  isCollecting = false;
  /** It is not started again before this timer fires. */
  pause: TimerRef | undefined = undefined;
  /** After this time its actor is killed. */
  deadline: TimerRef | undefined = undefined;
  /** Ends the watch of its lock, with a quorum. */
  unwatch: (() => void) | undefined = undefined;
  /** How often it has crashed lately; made by its first crash. */
  intensity: Intensity | undefined = undefined;
  /** The period of the last use, as `Home` counts them. */
  used = 0;

  constructor(key: string, hash: number) {
    this.key = key;
    this.hash = hash;
  }
}

// What the actor of a kind sends itself.

/** The actor of a key runs, or could not be started. */
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

/** The state of a key that moves is known. */
export class Collected {
  readonly resident: Resident;
  readonly state: unknown;
  constructor(resident: Resident, state: unknown) {
    this.resident = resident;
    this.state = state;
  }
}

/** Another node has taken a key over, or not. */
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

/** A timer of a key has fired. */
export class Again {
  readonly resident: Resident;
  constructor(resident: Resident) {
    this.resident = resident;
  }
}

/** An actor has not stopped in time. */
export class Late {
  readonly resident: Resident;
  constructor(resident: Resident) {
    this.resident = resident;
  }
}
