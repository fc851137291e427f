/**
 * Which events are the same fault: the first of these rules that says something.
 *
 * 1. The client's own fingerprint. `{{ default }}` in it stands for what the other rules say.
 * 2. The exception finally thrown: its type and its frames, those of the application if any are. Line
 *    numbers do not count, so that an edit above does not make a new issue.
 * 3. Its type and its value, normalised, when it has no frames.
 * 4. The message, normalised.
 *
 * Normalised: numbers, hexadecimal ids, UUIDs, addresses and quoted texts are replaced by what they are,
 * so that `user 17 not found` and `user 18 not found` are one.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Exception, Frame, MesherEvent } from "./event.ts";
import { LINE_CHARS_MAX, TITLE_CHARS_MAX } from "./limits.ts";
import { cut } from "./trim.ts";

/** Which rule decided. */
export type Grounds = "custom" | "frames" | "exception" | "message";

/** An event's group, as the writer needs it. */
export interface Grouping {
  /** 32 hexadecimal digits. */
  readonly fingerprint: string;
  readonly grounds: Grounds;
  readonly title: string;
  /** Where it was thrown: `function (file)`; or the transaction; or empty. */
  readonly culprit: string;
}

/** At most this many frames count, from the one that threw. */
const FRAMES_COUNTED = 30;

/** An event's group. */
export function groupingOf(event: MesherEvent): Grouping {
  const [grounds, basis] = basisOf(event);
  return {
    fingerprint: createHash("sha256").update(basis).digest("hex").slice(0, 32),
    grounds,
    title: titleOf(event),
    culprit: culpritOf(event),
  };
}

/** The rule that decides, and the text that is the same for the same fault. */
export function basisOf(event: MesherEvent): readonly [Grounds, string] {
  const own = event.fingerprint;
  if (own === null || own.every(isDefault)) return ownBasisOf(event);
  // As JSON: parts cannot run into each other, whatever they contain.
  const parts = own.map((part) => isDefault(part) ? ownBasisOf(event)[1] : part);
  return ["custom", JSON.stringify(["custom", ...parts])];
}

function ownBasisOf(event: MesherEvent): readonly [Grounds, string] {
  const thrown = event.exceptions.at(-1);
  if (thrown !== undefined) {
    const frames = framesCounted(thrown);
    // An exception without a type is the stack of a plain message: the message counts too.
    const name = thrown.type || normalise(event.message);
    if (frames.length > 0) return ["frames", JSON.stringify(["frames", name, ...frames])];
    return ["exception", JSON.stringify(["exception", thrown.type, normalise(thrown.value)])];
  }
  return ["message", JSON.stringify(["message", normalise(event.message)])];
}

function isDefault(part: string): boolean {
  return /^\{\{\s*default\s*\}\}$/.test(part);
}

function framesCounted({ frames }: Exception): string[] {
  const own = frames.filter(({ inApp }) => inApp === true);
  const counted = (own.length > 0 ? own : frames).slice(-FRAMES_COUNTED);
  const names = counted.map((frame) => `${placeOf(frame)}|${frame.function ?? ""}`);
  // A recursion is one frame, however deep it was when it broke.
  return names.filter((name, i) => name !== "|" && name !== names[i - 1]);
}

/** A frame's file without what differs from build to build and from machine to machine. */
function placeOf({ module, file }: Frame): string {
  if (module !== null) return module;
  return (file ?? "")
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "")
    .replace(/[?#].*$/s, "")
    .replace(/([._-])[0-9a-f]{8,}(?=[._-])/gi, "$1<hash>");
}

/** A text without what differs from one occurrence to the next. */
export function normalise(text: string): string {
  return text.slice(0, 2048).toLowerCase()
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uuid>")
    .replace(/\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}/g, "<email>")
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "<ip>")
    .replace(/\b0x[0-9a-f]+\b/g, "<hex>")
    .replace(/\b(?=[a-f]*\d)[0-9a-f]{8,}\b/g, "<hex>")
    .replace(/"[^"\n]{0,256}"|'[^'\n]{0,256}'/g, "<text>")
    .replace(/\d+(?:\.\d+)?/g, "<n>")
    .replace(/\s+/g, " ")
    .trim();
}

/** What an issue is called: `Type: value`, or the message's first line. */
export function titleOf(event: MesherEvent): string {
  const thrown = event.exceptions.at(-1);
  const named = thrown === undefined || thrown.type === ""
    ? event.message || (thrown?.value ?? "")
    : thrown.value === ""
    ? thrown.type
    : `${thrown.type}: ${thrown.value}`;
  const line = named.trim().split(/[\r\n]/, 1)[0]!.trim();
  return cut(line, TITLE_CHARS_MAX) || "Untitled";
}

/** Where it was thrown. */
export function culpritOf(event: MesherEvent): string {
  const frames = event.exceptions.at(-1)?.frames ?? [];
  const frame = frames.findLast(({ inApp }) => inApp === true) ?? frames.at(-1);
  if (frame === undefined) return event.transaction ?? "";
  const place = frame.module ?? frame.file ?? "";
  const text = frame.function === null ? place : `${frame.function} (${place})`;
  return cut(text, LINE_CHARS_MAX);
}
