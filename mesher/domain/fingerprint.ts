/**
 * Determines which events are the same error, by the first of these rules that applies.
 *
 * 1. The fingerprint that the client has sent. In it, `{{ default }}` stands for the result of the
 *    other rules; `{{ transaction }}`, `{{ type }}` and the other names of `variableOf` stand for
 *    parts of the event.
 * 2. If exceptions of the chain have frames: the type and the frames of each exception, and the
 *    source line that threw it. If the application has frames in the stack, only these are used. If
 *    the source line is unknown or does not contain the message, the value is used instead. Line
 *    numbers are ignored, so that an edit above does not create a new issue.
 * 3. If no exception has frames: the types and values of the exceptions.
 * 4. If there are no exceptions: the template of the message, or else the message.
 *
 * Values and messages are normalised (`normalise.ts`), and so are files and functions
 * (`code_place.ts`).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { functionOf, placeOf } from "./code_place.ts";
import type { Exception, Frame, MesherEvent } from "./event.ts";
import { LINE_CHARS_MAX, TITLE_CHARS_MAX } from "./limits.ts";
import { normalise } from "./normalise.ts";
import { foldRepeats } from "./recursion.ts";
import { cut } from "./trim.ts";

/** The rule that determined the group. */
export type Grounds = "custom" | "frames" | "exception" | "message";

/** The group of an event and its description, which the writer stores. */
export interface Grouping {
  /** The fingerprint: 32 hexadecimal digits. */
  readonly fingerprint: string;
  readonly grounds: Grounds;
  readonly title: string;
  /**
   * The place where the error was thrown, as `function (file)`. If the place is unknown, this is
   * the transaction, or an empty text if there is no transaction.
   */
  readonly culprit: string;
}

/**
 * Maximum number of frames of a stack that the fingerprint uses, counted from the frame that threw.
 * Recursion is removed first.
 */
const FRAMES_COUNTED = 30;
/** Maximum length of a source line that the fingerprint uses. Longer lines are minified code. */
const SOURCE_LINE_CHARS_MAX = 200;

/** Returns the group of an event. */
export function groupingOf(event: MesherEvent): Grouping {
  const [grounds, basis] = basisOf(event);
  return {
    fingerprint: createHash("sha256").update(basis).digest("hex").slice(0, 32),
    grounds,
    title: titleOf(event),
    culprit: culpritOf(event),
  };
}

/**
 * Returns the rule that determines the group, and a text that is equal for events of the same
 * group.
 */
export function basisOf(event: MesherEvent): readonly [Grounds, string] {
  const own = event.fingerprint;
  if (own === null || own.every((part) => variableIn(part) === "default")) return ownBasisOf(event);
  // The parts of a fingerprint are joined as JSON, so that different parts never result in the same
  // text.
  const parts = own.map((part) => {
    const name = variableIn(part);
    if (name === null) return part;
    return name === "default" ? ownBasisOf(event)[1] : variableOf(event, name) ?? part;
  });
  return ["custom", JSON.stringify(["custom", ...parts])];
}

function ownBasisOf(event: MesherEvent): readonly [Grounds, string] {
  const { exceptions } = event;
  const message = normalise(event.template ?? event.message);
  if (exceptions.length === 0) return ["message", JSON.stringify(["message", message])];
  const parts = exceptions.map((exception) =>
    partsOf(exception, message, isSynthetic(exception, event))
  );
  const grounds = parts.some(({ frames }) => frames.length > 0) ? "frames" : "exception";
  const texts = parts.map((part) => JSON.stringify(part));
  const chain = texts.filter((text, i) => text !== texts[i - 1]);
  // The exceptions of an exception group are compared as a set, because their number and their
  // order may vary.
  const isGroup = exceptions.some((exception) => exception.group);
  const compared = isGroup ? [...new Set(chain)].sort() : chain;
  return [grounds, `["${grounds}",${compared.join(",")}]`];
}

/** The parts that identify an exception. */
interface Parts {
  readonly name: string;
  readonly frames: readonly string[];
  readonly line?: string;
  readonly value?: string;
}

/**
 * Returns whether the type and the value of an exception name the mechanism that caught it, and not
 * the failure. SDKs of JavaScript also mark messages and thrown values that are not errors as
 * synthetic; their values name the failure.
 */
function isSynthetic({ synthetic, type }: Exception, { platform }: MesherEvent): boolean {
  return synthetic === true && type !== "" && platform !== "javascript" && platform !== "node";
}

function partsOf(exception: Exception, message: string, synthetic: boolean): Parts {
  const { type } = exception;
  // An exception without a type is the stack of a plain message, so the message is used instead.
  const name = synthetic && exception.frames.length > 0 ? "" : type || message;
  const counted = countedFrames(exception);
  const frames = foldRepeats(counted.map(nameOf).filter((frame) => frame !== "|"), (frame) => frame)
    .slice(-FRAMES_COUNTED);
  if (type === "" || synthetic && frames.length > 0) return { name, frames };
  const line = sourceLineOf(counted.at(-1));
  const value = normalise(exception.value);
  if (line === null) return { name, frames, value };
  return isMessageElsewhere(line) ? { name, frames, line, value } : { name, frames, line };
}

function countedFrames({ frames }: Exception): readonly Frame[] {
  const own = frames.filter(({ inApp }) => inApp === true);
  return own.length > 0 ? own : frames;
}

function nameOf(frame: Frame): string {
  const [place, name] = [placeOf(frame), functionOf(frame)];
  // A frame of native code without symbols is identified by its library.
  return place === "" && name === ""
    ? `${frame.package?.replace(/^.*[\\/]/s, "") ?? ""}|`
    : `${place}|${name}`;
}

function sourceLineOf(frame: Frame | undefined): string | null {
  const line = frame?.context?.trim().replace(/\s+/g, " ") ?? "";
  return line === "" || line.length > SOURCE_LINE_CHARS_MAX ? null : line;
}

/**
 * Returns whether a source line only throws an error, and the message of the error is on another
 * line.
 */
function isMessageElsewhere(line: string): boolean {
  if (/["'`]/.test(line)) return false;
  return /^(?:\}?\s*(?:else\s+)?(?:if\s*\(.*\)\s*)?)(?:throw|raise|panic|rethrow|reject|return)\b/
    .test(line) || line.endsWith("(");
}

function variableIn(part: string): string | null {
  return /^\{\{\s*([\w.]{1,80})\s*\}\}$/.exec(part)?.[1]?.toLowerCase() ?? null;
}

/** Returns the value of a variable in a client's fingerprint; undefined if it is unknown. */
function variableOf(event: MesherEvent, name: string): string | undefined {
  const thrown = event.exceptions.at(-1);
  const frame = thrown === undefined ? undefined : culpritFrame(thrown);
  switch (name) {
    case "transaction":
      return event.transaction ?? "<no-transaction>";
    case "type":
    case "error.type":
      return thrown?.type || "<no-type>";
    case "value":
    case "error.value":
      return thrown?.value || event.message || "<no-value>";
    case "message":
      return event.message || thrown?.value || "<no-message>";
    case "function":
    case "stack.function":
      return frame?.function ?? "<no-function>";
    case "module":
    case "stack.module":
      return frame?.module ?? frame?.file ?? "<no-module>";
    case "stack.abs_path":
      return frame?.absPath ?? frame?.file ?? "<no-abs-path>";
    case "package":
    case "stack.package":
      return frame?.package ?? "<no-package>";
    case "level":
      return event.level;
    case "logger":
      return event.logger ?? "<no-logger>";
    case "environment":
      return event.environment ?? "<no-environment>";
    case "release":
      return event.release ?? "<no-release>";
    default:
      if (!name.startsWith("tags.")) return undefined;
      return Object.entries(event.tags).find(([key]) => key.toLowerCase() === name.slice(5))?.[1] ??
        "<no-value-for-tag>";
  }
}

/**
 * Returns the title of an issue: `Type: value`; the function, if the type is synthetic; or the
 * message's first line.
 */
export function titleOf(event: MesherEvent): string {
  const line = namedBy(event).trim().split(/[\r\n]/, 1)[0]!.trim();
  return cut(line, TITLE_CHARS_MAX) || "Untitled";
}

function namedBy(event: MesherEvent): string {
  const { exceptions, message } = event;
  const thrown = exceptions.at(-1);
  if (thrown === undefined || thrown.type === "") return message || (thrown?.value ?? "");
  const crashed = isSynthetic(thrown, event) ? culpritFrame(thrown) : undefined;
  if (crashed?.function && functionOf(crashed) !== "") return crashed.function;
  return thrown.value === "" ? thrown.type : `${thrown.type}: ${thrown.value}`;
}

/** Returns the place where the error was thrown. */
export function culpritOf(event: MesherEvent): string {
  const thrown = event.exceptions.at(-1);
  const frame = thrown === undefined ? undefined : culpritFrame(thrown);
  if (frame === undefined) return event.transaction ?? "";
  const place = frame.module ?? frame.file ?? "";
  const text = frame.function === null
    ? place
    : place === ""
    ? frame.function
    : `${frame.function} (${place})`;
  return cut(text, LINE_CHARS_MAX);
}

function culpritFrame({ frames }: Exception): Frame | undefined {
  return frames.findLast(({ inApp }) => inApp === true) ?? frames.at(-1);
}
