/**
 * What a system tells of its actors, and a crash in words.
 *
 * @module
 */
import type { ExitReason } from "../term/exit.ts";
import type { Pid } from "../term/pid.ts";
import { Call } from "./call.ts";
import { describe } from "./describe.ts";
import { reasonText } from "./exit.ts";
import type { ActorName } from "./remote.ts";

/** A function without a name is shown by this many characters of its source. */
const SOURCE_CHARS_MAX = 60;

/**
 * An actor ended by its own doing, and in disorder: it threw, it left with a reason that is no good
 * one, or it let its mailbox overflow. Those that an exit signal takes along are no crashes: one
 * fault, one report.
 */
export interface Crash {
  /** Who. */
  readonly pid: Pid;
  /** Under which names it was registered. */
  readonly names: readonly string[];
  /**
   * What was spawned: the name under which the function is exposed, the `name` of the service, or the function's
   * own name; the beginning of its source if it has none.
   */
  readonly body: string;
  /** Why. */
  readonly reason: ExitReason;
  /** The message that it was handling, if any. */
  readonly message: unknown;
  /** Its parent, and the parent's parent, and so on. */
  readonly ancestors: readonly Pid[];
  /** Its supervisor, if it has one: that will tell of it too, with `restart`. */
  readonly supervisor: Pid | undefined;
  /** The supervisor's name: registered, or its id as a child of another supervisor. */
  readonly supervisorName: string | undefined;
  /** Its id among the supervisor's children. */
  readonly child: string | undefined;
  /**
   * True: the reason is the failure of a call, a spawn or a start that nothing awaited. If no actor is known
   * to have made it, `pid` is `<0.0>`.
   */
  readonly unhandled?: boolean | undefined;
}

/** A supervisor's child has ended in disorder, or is started again, or could not be. */
export interface Restarting {
  /** Who supervises it. */
  readonly supervisor: Pid;
  /** The supervisor's name: registered, or its id as a child of another supervisor. */
  readonly supervisorName: string | undefined;
  /** Its id. */
  readonly child: string;
  /** Its pid; undefined if it could not be started. */
  readonly pid: Pid | undefined;
  /** Why it ended, or could not be started. */
  readonly reason: ExitReason;
  /** Restarts within the supervisor's period, this one included. */
  readonly restarts: number;
  /** What the supervisor does next, in words. */
  readonly next: string;
}

/** A supervisor has given up a child that exceeded its own restart limit. */
export interface GivenUp {
  /** The supervisor, which goes on with its other children. */
  readonly supervisor: Pid;
  /** The child's id. */
  readonly child: string;
  /** Why it ended, or could not be started. */
  readonly reason: ExitReason;
  /** Its restarts within the period of its limit. */
  readonly restarts: number;
}

/** What a system tells. Nothing is made for an event that nobody listens to. */
export interface SystemEvents {
  /** An actor was spawned. */
  spawn: { readonly pid: Pid };
  /** An actor has ended. */
  exit: { readonly pid: Pid; readonly reason: ExitReason };
  /** An actor has ended by its own doing, and in disorder. */
  crash: Crash;
  /** A supervisor's child has ended in disorder, or is started again, or could not be. */
  restart: Restarting;
  /** A supervisor has given up one of its children, and goes on with the others. */
  givenup: GivenUp;
  /** A message to an actor that is not there, or, with `error`, one that cannot travel to its node. */
  deadletter: {
    readonly to: Pid<never> | ActorName | string;
    readonly message: unknown;
    readonly error?: Error | undefined;
  };
  /** A mailbox has grown past the mark, or, being bounded, has dropped a message. */
  mailbox: { readonly pid: Pid; readonly length: number; readonly dropped: boolean };
}

/** A crash as lines that a person can read. */
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

/** A supervisor as reports name it. */
export function supervisorText(pid: Pid, name: string | undefined): string {
  return name === undefined ? `supervisor ${pid}` : `supervisor ${JSON.stringify(name)} ${pid}`;
}

/** The name of a function as reports use it: one without a name is shown by the beginning of its source. */
export function bodyName(body: { readonly name: string }): string {
  if (body.name !== "") return body.name;
  const source = String(body).replaceAll(/\s+/g, " ");
  return source.length > SOURCE_CHARS_MAX ? `${source.slice(0, SOURCE_CHARS_MAX)}…` : source;
}

function messageText(message: unknown): string {
  return message instanceof Call ? `a call, ${describe(message.request)}` : describe(message);
}
