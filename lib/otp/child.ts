/**
 * The spec of a supervisor's child: how to start, restart and stop it.
 *
 * Longer than 400 lines: half of it is the documented types of a child spec.
 *
 * @module
 */
import { checkNames } from "../base/spelling.ts";
import type { ExitReason } from "../term/exit.ts";
import { isNormal } from "../term/exit.ts";
import type { Self } from "../actor/self.ts";
import { TIMER_MS_MAX } from "../actor/timer.ts";
import type { Pid } from "../term/pid.ts";
import { Intensity } from "./intensity.ts";
import { isNoChoice, type NodeChoice, PLACEMENTS } from "./placement.ts";

/**
 * Determines which exits of a child cause a restart.
 *
 * @example
 * ```ts
 * import { RESTARTS } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * // A setting that comes from outside is checked before it is used.
 * const isRestart = (word: string): boolean => RESTARTS.includes(word as never);
 * assertEquals([isRestart("transient"), isRestart("always")], [true, false]);
 * ```
 */
export const RESTARTS = [
  "permanent", // always
  "transient", // only after an abnormal exit, not after "normal", "shutdown" or { shutdown }
  "temporary", // never; it is removed
] as const;

/** One of {@linkcode RESTARTS}. */
export type Restart = (typeof RESTARTS)[number];

/**
 * Determines what happens to a restartable remote child when its node is lost.
 *
 * @example
 * ```ts
 * import { NODE_DOWN_POLICIES } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(NODE_DOWN_POLICIES, ["fail", "wait", "failover"]);
 * ```
 */
export const NODE_DOWN_POLICIES = [
  "fail", // it counts as exited with "noconnection"; each attempt to start it counts too
  "wait", // it is started when its node returns; nothing counts until then
  "failover", // it is started at once on another node that exposes its function; this does not count
] as const;

/** One of {@linkcode NODE_DOWN_POLICIES}. */
export type NodeDownPolicy = (typeof NODE_DOWN_POLICIES)[number];

/** Default time for a worker to exit after "shutdown", before it is killed, in milliseconds. */
const SHUTDOWN_MS = 5_000;

/** Default maximum pause between restarts, in milliseconds. */
const BACKOFF_CAP_MS = 30_000;

/** The pauses before the restarts of one child. */
export interface Backoff {
  /**
   * The pause before the first restart, in milliseconds. Each further restart doubles the pause.
   */
  readonly base: number;
  /** The maximum pause, in milliseconds. Default 30 000. */
  readonly cap?: number | undefined;
  /** The largest fraction of a pause that is randomly removed from it, from 0 to 1. Default 0.5. */
  readonly jitter?: number | undefined;
  /**
   * Uptime of a child, in milliseconds, after which its next pause is `base` again. Default: `cap`.
   */
  readonly reset?: number | undefined;
}

/** The restart limit of one child. If the child exceeds it, only this child is given up. */
export interface RestartLimit {
  /** Maximum number of restarts within `period`. Default 3. */
  readonly intensity?: number | undefined;
  /** The time window in which `intensity` counts restarts, in milliseconds. Default 5000. */
  readonly period?: number | undefined;
}

/** The result of a start function: the pid of the child, or an object with its `pid`. */
export type Started = Pid<never> | { readonly pid: Pid<never> };

/** The type of the pid in the result of a start function. */
export type StartedPid<S extends Started> = S extends Pid<never> ? S
  : S extends { readonly pid: infer P } ? P
  : never;

/** The members that specs of local and of remote children have in common. */
export interface ChildRules {
  /** The name of the child, unique among the children of its supervisor. */
  readonly id: string;
  /** Determines which exits of the child cause a restart. Default "permanent". */
  readonly restart?: Restart | undefined;
  /**
   * How the child is stopped. "brutalKill" kills it at once. With a number, the child receives
   * "shutdown", and is killed after this number of milliseconds; with `Infinity`, it is never
   * killed. Default 5000; for supervisors `Infinity`.
   */
  readonly shutdown?: "brutalKill" | number | undefined;
  /**
   * "supervisor" if the child is a supervisor; the default of `shutdown` is then `Infinity`.
   * Default "worker".
   */
  readonly type?: "worker" | "supervisor" | undefined;
  /**
   * Whether the child's orderly exit may end the supervisor: see `autoShutdown`. Not for permanent
   * children. Default false.
   */
  readonly significant?: boolean | undefined;
  /** Pauses between the child's restarts. Default: no pauses. */
  readonly backoff?: Backoff | undefined;
  /**
   * A restart limit for this child alone. Its restarts then do not count for the supervisor. If the
   * limit is exceeded, only this child is given up, with a "givenup" event; its siblings and the
   * supervisor continue. The child stays listed, except in a dynamic supervisor, and `restartChild`
   * starts it again. Default: OTP's rule: all children share the supervisor's `intensity`, and the
   * supervisor ends when it is exceeded.
   */
  readonly restartLimit?: RestartLimit | undefined;
}

/**
 * A type whose only member is the compiler's error message for a spec that mixes members of local
 * and of remote children.
 */
export interface EitherStartOrNodeAndFn {
  /** Never present. Its name is the compiler's error message. */
  readonly "use either start, or node and fn": never;
}

/** A child that is started by a function on this node. */
export interface LocalChildSpec<S extends Started = Started> extends ChildRules {
  /**
   * Starts the child, linked with the supervisor, which is `self`: `(self) =>
   * self.spawnLink(worker)`, or `(self) => counter.start(self, 0)`. May return a promise. If the
   * child is not linked, the supervisor would not be notified of its exit: the child is then
   * killed, and its start fails.
   */
  readonly start: (self: Self) => S | Promise<S>;
  /** Must be absent: for remote children only. */
  readonly node?: EitherStartOrNodeAndFn | undefined;
  /** Must be absent: for remote children only. */
  readonly fn?: EitherStartOrNodeAndFn | undefined;
  /** Must be absent: for remote children only. */
  readonly args?: EitherStartOrNodeAndFn | undefined;
  /** Must be absent: for remote children only. */
  readonly onNodeDown?: EitherStartOrNodeAndFn | undefined;
  /** Must be absent: for remote children only. */
  readonly timeout?: EitherStartOrNodeAndFn | undefined;
  /** Must be absent: for remote children only. */
  readonly ready?: EitherStartOrNodeAndFn | undefined;
}

/**
 * A child that runs an exposed function of another node, or of this one. It is spawned there and
 * linked in one step, is restarted there, and is stopped by the same rules as a local child.
 *
 * @example
 * ```ts
 * import { Node, remote, type Self, Supervisor } from "@firn/firn";
 * import { assertEquals, assertNotEquals } from "@std/assert";
 *
 * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * await a.connect(b.name);
 *
 * const worker = remote("worker", (_self: Self<string>, name: string) => (message) => {
 *   if (message === "crash") throw new Error(`${name}: as told`);
 * });
 * b.expose(worker);
 *
 * const tree = await Supervisor.start(a, {
 *   children: [worker.child({ id: "w", node: b.name, args: ["w"], onNodeDown: "wait" })],
 * });
 * const [before] = await tree.whichChildren();
 * assertEquals(before!.node, b.name);
 * const restarted = new Promise((restarted) => a.on("restart", restarted));
 * a.send(before!.pid!, "crash");
 * await restarted;
 * const [after] = await tree.whichChildren();
 * assertEquals(after!.node, b.name);
 * assertNotEquals(`${after!.pid}`, `${before!.pid}`);
 * await tree.stop();
 * ```
 */
export interface RemoteChildSpec extends ChildRules {
  /**
   * The node, `name@host:port`, or a way to choose one of the nodes that expose the function. A
   * restart uses the same node, while it is connected and exposes the function.
   */
  readonly node: NodeChoice;
  /** The name under which the node exposes the function. */
  readonly fn: string;
  /** The arguments of the function after `self`. Default: none. */
  readonly args?: readonly unknown[] | undefined;
  /**
   * Determines what happens when the child's node is lost: see {@linkcode NODE_DOWN_POLICIES}.
   * Default "fail".
   */
  readonly onNodeDown?: NodeDownPolicy | undefined;
  /** Time limit for the node's answer to a start, in milliseconds. Default 5000. */
  readonly timeout?: number | undefined;
  /**
   * Whether the start waits until the child reports that it has started, as services do after
   * `init`. Default false: the start ends when the child was spawned.
   */
  readonly ready?: boolean | undefined;
  /** Must be absent: for local children only. */
  readonly start?: undefined;
}

/** The spec of a child: with `start`, or with `node` and `fn`. */
export type ChildSpec<S extends Started = Started> = LocalChildSpec<S> | RemoteChildSpec;

/**
 * An invalid child spec: `code` "badchild".
 *
 * @example
 * ```ts
 * import { Node, Supervisor } from "@firn/firn";
 * import { ChildSpecError } from "@firn/firn/otp";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const start = () => node.spawn(() => () => {});
 * await assertRejects(
 *   () => Supervisor.start(node, { children: [{ id: "", start }] }),
 *   ChildSpecError,
 *   "id must be",
 * );
 * ```
 */
export class ChildSpecError extends TypeError {
  /** Name of the error class. */
  override readonly name = "ChildSpecError";
  /** Stable code: `"badchild"`. */
  readonly code = "badchild";
}

/** The names of all members of a child spec. */
const SPEC: Readonly<Record<keyof RemoteChildSpec, true>> = {
  id: true,
  start: true,
  restart: true,
  shutdown: true,
  type: true,
  significant: true,
  backoff: true,
  restartLimit: true,
  node: true,
  fn: true,
  args: true,
  onNodeDown: true,
  timeout: true,
  ready: true,
};

/** The names of all members of `backoff`. */
const BACKOFF: Readonly<Record<keyof Backoff, true>> = {
  base: true,
  cap: true,
  jitter: true,
  reset: true,
};

/** The names of all members of `restartLimit`. */
const RESTART_LIMIT: Readonly<Record<keyof RestartLimit, true>> = { intensity: true, period: true };

/** The function that a remote child runs, and the node on which it runs. */
export interface RemotePart {
  readonly node: NodeChoice;
  readonly fn: string;
  readonly args: readonly unknown[];
  readonly onNodeDown: NodeDownPolicy;
  readonly timeout: number | undefined;
  readonly ready: boolean;
}

/** A spec with its defaults filled in. Has either `start` or `remote`. */
export interface CompleteSpec extends ChildRules {
  readonly restart: Restart;
  readonly shutdown: "brutalKill" | number;
  readonly type: "worker" | "supervisor";
  readonly significant: boolean;
  readonly start: LocalChildSpec["start"] | undefined;
  readonly remote: RemotePart | undefined;
}

/** A child in a supervisor's list. */
export interface Child {
  readonly spec: CompleteSpec;
  /** The pid of the child while it runs. */
  pid: Pid | undefined;
  /** The last pid of a child that has exited. */
  former: Pid | undefined;
  /** Total number of times that the child was restarted. */
  startedAgain: number;
  /** Whether the child has exited and will be restarted. */
  restarting: boolean;
  /**
   * Whether the restart waits for a suitable node, either for this child or for an earlier sibling.
   */
  waiting: boolean;
  /** For a remote child: the node on which it was last started, even if that start failed. */
  node: string | undefined;
  /**
   * For a remote child: the session with the child's node that existed when the child was started.
   */
  session: object | undefined;
  /** The last scheduled restart of this child alone. Earlier scheduled restarts are ignored. */
  waits: object | undefined;
  /** The restart limit of this child, if it has one. */
  readonly limit: Intensity | undefined;
  /** Number of restarts since the child last ran for at least the `reset` time of its backoff. */
  restarts: number;
  /** The time at which the child was last started, on the system's clock. */
  startedAt: number;
}

/** Creates a child from its spec. Throws {@linkcode ChildSpecError}. */
export function makeChild(spec: ChildSpec): Child {
  checkNames(spec, SPEC, (words) => new ChildSpecError(`child ${shownId(spec)}: ${words}`));
  const { id, restart = "permanent", type = "worker", significant = false, backoff } = spec;
  const bad = (words: string): ChildSpecError =>
    new ChildSpecError(`child ${shownId(spec)}: ${words}`);
  if (typeof id !== "string" || id === "") throw bad("id must be a text that is not empty");
  const { start, remote } = startOrRemote(spec, bad);
  if (!RESTARTS.includes(restart)) throw bad(`restart must be one of ${RESTARTS.join(", ")}`);
  if (type !== "worker" && type !== "supervisor") {
    throw bad('type must be "worker" or "supervisor"');
  }
  if (significant && restart === "permanent") {
    throw bad("a permanent child cannot be significant: it is always restarted");
  }
  const shutdown = spec.shutdown ?? (type === "supervisor" ? Infinity : SHUTDOWN_MS);
  if (shutdown !== "brutalKill" && shutdown !== Infinity && !isTime(shutdown)) {
    throw bad(`shutdown must be "brutalKill", 0 to ${TIMER_MS_MAX} milliseconds, or Infinity`);
  }
  if (backoff !== undefined) {
    checkNames(backoff, BACKOFF, (words) => bad(`backoff: ${words}`));
    const { base, cap = BACKOFF_CAP_MS, jitter = 0, reset = 0 } = backoff;
    if (!(base > 0)) throw bad("backoff.base must be above 0");
    if (!(cap >= base && isTime(cap))) {
      throw bad(`backoff.cap must be backoff.base or more, and ${TIMER_MS_MAX} at the most`);
    }
    if (!(jitter >= 0 && jitter <= 1)) throw bad("backoff.jitter must be from 0 to 1");
    if (!(reset >= 0)) throw bad("backoff.reset must be 0 or more");
  }
  return {
    spec: { id, start, remote, restart, shutdown, type, significant, backoff },
    limit: limitOf(spec, bad),
    pid: undefined,
    former: undefined,
    startedAgain: 0,
    restarting: false,
    waiting: false,
    node: undefined,
    session: undefined,
    waits: undefined,
    restarts: 0,
    startedAt: 0,
  };
}

function limitOf(
  { restartLimit, restart }: ChildSpec,
  bad: (words: string) => ChildSpecError,
): Intensity | undefined {
  if (restartLimit === undefined) return undefined;
  checkNames(restartLimit, RESTART_LIMIT, (words) => bad(`restartLimit: ${words}`));
  if (restart === "temporary") {
    throw bad("a temporary child is never restarted: it has no restartLimit");
  }
  try {
    return new Intensity(restartLimit.intensity, restartLimit.period);
  } catch (error) {
    throw bad(`restartLimit: ${(error as Error).message}`);
  }
}

function shownId(spec: ChildSpec | undefined | null): string {
  return JSON.stringify(spec?.id) ?? "with no id";
}

function isTime(ms: unknown): boolean {
  return typeof ms === "number" && ms >= 0 && ms <= TIMER_MS_MAX;
}

/**
 * Returns the start function or the remote function of a spec. Throws if the spec has neither or
 * both.
 */
function startOrRemote(
  spec: ChildSpec,
  bad: (words: string) => ChildSpecError,
): Pick<CompleteSpec, "start" | "remote"> {
  const { start } = spec;
  if (start !== undefined) {
    const there = [spec.node, spec.fn, spec.args, spec.onNodeDown, spec.timeout, spec.ready];
    if (there.some((given) => given !== undefined)) {
      throw bad(
        "use either start, for a child on this node, or node and fn, for one on another node",
      );
    }
    if (typeof start !== "function") throw bad("start must be a function that returns a pid");
    return { start: start as LocalChildSpec["start"], remote: undefined };
  }
  const { node, fn, args = [], onNodeDown = "fail", timeout, ready = false } =
    spec as RemoteChildSpec;
  if (node === undefined && fn === undefined) {
    throw bad("start must be a function that returns a pid; or use node and fn");
  }
  if (isNoChoice(node)) {
    throw bad(`node must be name@host:port, a function, or one of ${PLACEMENTS.join(", ")}`);
  }
  if (typeof fn !== "string" || fn === "") {
    throw bad("fn must be the name of a function that its node exposes");
  }
  if (!Array.isArray(args)) throw bad("args must be an array");
  if (!NODE_DOWN_POLICIES.includes(onNodeDown)) {
    throw bad(`onNodeDown must be one of ${NODE_DOWN_POLICIES.join(", ")}`);
  }
  if (timeout !== undefined && timeout !== Infinity && !(timeout > 0 && isTime(timeout))) {
    throw bad(`timeout must be above 0 milliseconds: ${TIMER_MS_MAX} at the most, or Infinity`);
  }
  return { start: undefined, remote: { node: node!, fn, args, onNodeDown, timeout, ready } };
}

/** Returns whether a child that exited for this reason is restarted. */
export function isRestarted(restart: Restart, reason: ExitReason): boolean {
  return restart === "permanent" || (restart === "transient" && !isNormal(reason));
}

/**
 * Returns the pause before a child's next restart, and increments `restarts`. `upMs` is the child's
 * uptime, or 0 if its start failed. `chance` is a random number in [0, 1).
 */
export function nextPause(child: Child, upMs: number, chance: number): number {
  const { backoff } = child.spec;
  if (backoff === undefined) return 0;
  const { base, cap = BACKOFF_CAP_MS, jitter = 0.5, reset = cap } = backoff;
  if (upMs >= reset) child.restarts = 0;
  const full = Math.min(cap, base * 2 ** Math.min(child.restarts++, 32));
  return full * (1 - jitter * chance);
}
