/**
 * The events that a system emits, and crash reports as text.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { Call } from "./call.ts";
import { describe } from "./describe.ts";
import { reasonText } from "./exit.ts";
import type { ActorName } from "./remote.ts";

/** Maximum number of characters of source code that represent a function without a name. */
const SOURCE_CHARS_MAX = 60;

/**
 * An actor exited abnormally because of its own code: it threw, it exited with an abnormal reason,
 * or its mailbox overflowed. Exits caused by signals are not crashes, so one fault causes one
 * report.
 */
export interface Crash {
  /** The actor that crashed. */
  readonly pid: Pid;
  /** The registered names of the actor. */
  readonly names: readonly string[];
  /**
   * The name of the actor's body: the name under which the function is exposed, the `name` of the
   * service, or the function's own name. Without a name, the beginning of the function's source
   * code.
   */
  readonly body: string;
  /** The exit reason of the actor. */
  readonly reason: ExitReason;
  /** The message that the actor was handling, if any. */
  readonly message: unknown;
  /** The parent of the actor, the parent's parent, and so on. */
  readonly ancestors: readonly Pid[];
  /** The supervisor of the actor, if any. It also emits `restart`. */
  readonly supervisor: Pid | undefined;
  /** The supervisor's registered name, or its id as a child of another supervisor. */
  readonly supervisorName: string | undefined;
  /** The id of the actor among the supervisor's children. */
  readonly child: string | undefined;
  /**
   * Whether the reason is the failure of a call, a spawn or a start that was not awaited. If the
   * actor that began the operation is unknown, `pid` is `<0.0>`.
   */
  readonly unhandled?: boolean | undefined;
}

/** A supervisor's child exited abnormally, is being restarted, or could not be started. */
export interface Restarting {
  /** The supervisor of the child. */
  readonly supervisor: Pid;
  /** The supervisor's registered name, or its id as a child of another supervisor. */
  readonly supervisorName: string | undefined;
  /** The id of the child, unique among the children of its supervisor. */
  readonly child: string;
  /** The child's pid; undefined if it could not be started. */
  readonly pid: Pid | undefined;
  /** The reason why the child exited or could not be started. */
  readonly reason: ExitReason;
  /**
   * Number of restarts within the supervisor's `period`, or within the `period` of the child's own
   * restart limit, including this one.
   */
  readonly restarts: number;
  /** What the supervisor does next, as text. */
  readonly next: string;
}

/** A supervisor gave up a child that exceeded its own restart limit. */
export interface GivenUp {
  /** The supervisor, which continues with its other children. */
  readonly supervisor: Pid;
  /** The id of the child, unique among the children of its supervisor. */
  readonly child: string;
  /** The reason why the child exited or could not be started. */
  readonly reason: ExitReason;
  /** Number of the child's restarts within the `period` of its restart limit. */
  readonly restarts: number;
}

/** The events of a system. No event object is created if an event has no listeners. */
export interface SystemEvents {
  /** An actor was spawned. */
  spawn: { readonly pid: Pid };
  /** An actor has exited. */
  exit: { readonly pid: Pid; readonly reason: ExitReason };
  /** An actor has exited abnormally because of its own code. */
  crash: Crash;
  /** A supervisor's child exited abnormally, is being restarted, or could not be started. */
  restart: Restarting;
  /** A supervisor gave up one of its children and continues with the others. */
  givenup: GivenUp;
  /**
   * A message was dropped, because its receiver does not exist or, if `error` is set, because the
   * message could not be sent, encoded or received.
   */
  deadletter: {
    readonly to: Pid<never> | ActorName | string;
    readonly message: unknown;
    readonly error?: Error | undefined;
  };
  /**
   * A mailbox has grown past its warning length, or has dropped a message, because it is bounded or
   * has reached its limit for messages from other nodes.
   */
  mailbox: { readonly pid: Pid; readonly length: number; readonly dropped: boolean };
}

/** Returns a crash as readable text. */
export function crashText(crash: Crash): string {
  const { pid, names, body, reason, message, ancestors, unhandled } = crash;
  const { supervisor, supervisorName, child } = crash;
  const role = child === undefined
    ? ""
    : `, child ${JSON.stringify(child)} of ${supervisorText(supervisor!, supervisorName)},`;
  const who = pid.id === 0 ? body : `actor ${[pid, ...names].join(" ")} (${body})${role}`;
  const what = unhandled ? "did not await what failed" : "crashed";
  const lines = [`${who} ${what}: ${reasonText(reason)}`];
  if (message !== undefined) lines.push(`  last message: ${messageText(message)}`);
  if (ancestors.length > 0) lines.push(`  ancestors: ${ancestors.join(" ")}`);
  return lines.join("\n");
}

/** Returns the name of a supervisor in reports. */
export function supervisorText(pid: Pid, name: string | undefined): string {
  return name === undefined ? `supervisor ${pid}` : `supervisor ${JSON.stringify(name)} ${pid}`;
}

/** Returns the name of a function in reports: the beginning of its source code if it has none. */
export function bodyName(body: { readonly name: string }): string {
  if (body.name !== "") return body.name;
  const source = String(body).replaceAll(/\s+/g, " ");
  return source.length > SOURCE_CHARS_MAX ? `${source.slice(0, SOURCE_CHARS_MAX)}…` : source;
}

function messageText(message: unknown): string {
  return message instanceof Call ? `a call, ${describe(message.request)}` : describe(message);
}
