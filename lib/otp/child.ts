/**
 * What a supervisor is told of a child: how to start it, when to start it again, how to stop it.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import { isNormal } from "../term/exit.ts";
import type { Self } from "../actor/self.ts";
import type { Pid } from "../term/pid.ts";

/** When a child that ended is started again. */
export const RESTARTS = [
  "permanent", // always
  "transient", // if it did not end in order: "normal", "shutdown" and { shutdown } are in order
  "temporary", // never; it is forgotten
] as const;

/** One of {@linkcode RESTARTS}. */
export type Restart = (typeof RESTARTS)[number];

/** How long a worker has to stop when it is told to, unless told otherwise. Milliseconds. */
export const SHUTDOWN_MS = 5_000;

/** The longest pause between restarts, unless told otherwise. Milliseconds. */
export const BACKOFF_CAP_MS = 30_000;

/** Pauses between restarts of one child. */
export interface Backoff {
  /** The first pause, doubled with each restart. Milliseconds. */
  readonly base: number;
  /** The longest pause. Default 30 s. */
  readonly cap?: number | undefined;
  /** The part of a pause that chance may take away, from 0 to 1. Default 0.5. */
  readonly jitter?: number | undefined;
  /** A child that has been up for so long begins at `base` again. Milliseconds. Default: `cap`. */
  readonly reset?: number | undefined;
}

/** What a start function gives: the pid of the child, or something that has it. */
export type Started = Pid<never> | { readonly pid: Pid<never> };

/** A child, as the user describes it. */
export interface ChildSpec {
  /** Its name among its siblings. */
  readonly id: string;
  /**
   * Starts it, linked with the supervisor, which is `self`: `(self) => self.spawnLink(worker)`, or
   * `(self) => counter.start(self, 0)`. A promise is waited for. A child that is not linked is killed,
   * and its start has failed: the supervisor would not hear of its end.
   */
  readonly start: (self: Self) => Started | Promise<Started>;
  /** Default "permanent". */
  readonly restart?: Restart | undefined;
  /**
   * How it is stopped: "brutalKill" at once; else it is told "shutdown" and killed after so many
   * milliseconds, or never with `Infinity`. Default 5000; for supervisors `Infinity`.
   */
  readonly shutdown?: "brutalKill" | number | undefined;
  /** Default "worker". */
  readonly type?: "worker" | "supervisor" | undefined;
  /** Its end in order may end the supervisor: see `autoShutdown`. Not for permanent children. */
  readonly significant?: boolean | undefined;
  /** Pauses between its restarts. Default: none. */
  readonly backoff?: Backoff | undefined;
}

/** A child that cannot be: `code` "badchild". */
export class ChildSpecError extends TypeError {
  /** Tells the class of the error. */
  override readonly name = "ChildSpecError";
  /** Stable code: `"badchild"`. */
  readonly code = "badchild";
}

/** A child's description with its defaults. */
export interface CompleteSpec extends ChildSpec {
  readonly restart: Restart;
  readonly shutdown: "brutalKill" | number;
  readonly type: "worker" | "supervisor";
  readonly significant: boolean;
}

/** A child, while its supervisor knows it. */
export interface Child {
  readonly spec: CompleteSpec;
  /** Its pid, while it runs. */
  pid: Pid | undefined;
  /** Its pid before it ended. */
  former: Pid | undefined;
  /** It ended, and will be started again. */
  restarting: boolean;
  /** What will start it again, if it waits for a pause of its own. */
  waits: object | undefined;
  /** Restarts since it was last up for long. */
  restarts: number;
  /** When it was last started. */
  startedAt: number;
}

/** A child from its description. Throws {@linkcode ChildSpecError}. */
export function makeChild(spec: ChildSpec): Child {
  const { id, start, restart = "permanent", type = "worker", significant = false, backoff } = spec;
  const bad = (words: string): ChildSpecError =>
    new ChildSpecError(`child ${JSON.stringify(id)}: ${words}`);
  if (typeof id !== "string" || id === "") throw bad("id must be a text that is not empty");
  if (typeof start !== "function") throw bad("start must be a function that gives a pid");
  if (!RESTARTS.includes(restart)) throw bad(`restart must be one of ${RESTARTS.join(", ")}`);
  if (type !== "worker" && type !== "supervisor") {
    throw bad('type must be "worker" or "supervisor"');
  }
  if (significant && restart === "permanent") {
    throw bad("a permanent child cannot be significant: it never ends for good");
  }
  const shutdown = spec.shutdown ?? (type === "supervisor" ? Infinity : SHUTDOWN_MS);
  if (shutdown !== "brutalKill" && !(typeof shutdown === "number" && shutdown >= 0)) {
    throw bad('shutdown must be "brutalKill", milliseconds, or Infinity');
  }
  if (backoff !== undefined) {
    const { base, cap = BACKOFF_CAP_MS, jitter = 0, reset = 0 } = backoff;
    if (!(base > 0)) throw bad("backoff.base must be above 0");
    if (!(cap >= base)) throw bad("backoff.cap must be backoff.base or more");
    if (!(jitter >= 0 && jitter <= 1)) throw bad("backoff.jitter must be from 0 to 1");
    if (!(reset >= 0)) throw bad("backoff.reset must be 0 or more");
  }
  return {
    spec: { id, start, restart, shutdown, type, significant, backoff },
    pid: undefined,
    former: undefined,
    restarting: false,
    waits: undefined,
    restarts: 0,
    startedAt: 0,
  };
}

/** Whether a child that ended for this reason is to be started again. */
export function wantsRestart(restart: Restart, reason: ExitReason): boolean {
  return restart === "permanent" || (restart === "transient" && !isNormal(reason));
}

/**
 * The pause before a child's next restart, and counts it. `upMs` is how long it was up: 0 if its start
 * failed. `chance` is in [0, 1).
 */
export function nextPause(child: Child, upMs: number, chance: number): number {
  const { backoff } = child.spec;
  if (backoff === undefined) return 0;
  const { base, cap = BACKOFF_CAP_MS, jitter = 0.5, reset = cap } = backoff;
  if (upMs >= reset) child.restarts = 0;
  const full = Math.min(cap, base * 2 ** Math.min(child.restarts++, 32));
  return full * (1 - jitter * chance);
}
