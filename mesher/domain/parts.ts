/**
 * Parsers for the parts that Mesher's own events and those of Sentry share. They accept any input.
 *
 * @module
 */
import type { Breadcrumb, EventUser, Exception, Frame, Level, Sdk } from "./event.ts";
import {
  BREADCRUMBS_MAX,
  CONTEXT_LINES_MAX,
  EXCEPTIONS_MAX,
  FINGERPRINT_PARTS_MAX,
  FRAMES_MAX,
  FUTURE_MS_MAX,
  LINE_CHARS_MAX,
  NAME_CHARS_MAX,
  PAST_MS_MAX,
  TAG_KEY_CHARS_MAX,
  TAG_VALUE_CHARS_MAX,
  TAGS_MAX,
  VALUE_CHARS_MAX,
} from "./limits.ts";
import { foldRepeats } from "./recursion.ts";
import { countOf, cut, freeObject, listOf, objectOf, type Raw, textOf, truthOf } from "./trim.ts";

const LEVEL_WORDS: Readonly<Record<string, Level>> = {
  debug: "debug",
  trace: "debug",
  log: "info",
  info: "info",
  notice: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  critical: "fatal",
  fatal: "fatal",
};

/** The levels of Python's `logging`, which older clients send as numbers. */
const LEVEL_NUMBERS: Readonly<Record<number, Level>> = {
  10: "debug",
  20: "info",
  30: "warning",
  40: "error",
  50: "fatal",
};

/**
 * Returns the level that a word or a number names, such as "warn" or 30; null for any other value.
 */
export function levelFrom(value: unknown): Level | null {
  if (typeof value === "number") return LEVEL_NUMBERS[value] ?? null;
  if (typeof value !== "string") return null;
  const word = value.toLowerCase();
  return Object.hasOwn(LEVEL_WORDS, word) ? LEVEL_WORDS[word]! : null;
}

/**
 * Parses a time: seconds or milliseconds since the epoch, or ISO 8601; returns null if it is
 * invalid. (Milliseconds before 1973 would be read as seconds.)
 */
export function timeFrom(value: unknown): number | null {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) {
    const ms = Math.trunc(value < 1e11 ? value * 1000 : value);
    return ms <= 8.64e15 ? ms : null;
  }
  if (typeof value !== "string" || value.length > 64) return null;
  // Inputs of other forms, such as the number 5, are accepted by `Date.parse` differently on each
  // runtime.
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(value)) return null;
  // A time without a zone is in UTC, as older SDKs of Sentry send it, and not in the zone of the
  // server.
  const zoned = value.replace(/(:\d\d(?:\.\d+)?[+-]\d\d)$/, "$1:00");
  const ms = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(zoned) ? zoned : `${zoned}Z`);
  return Number.isNaN(ms) ? null : ms;
}

/** Returns the client's time if it is plausible, otherwise the server's. */
export function plausibleTime(time: number | null, now: number): number {
  return time !== null && time >= now - PAST_MS_MAX && time <= now + FUTURE_MS_MAX ? time : now;
}

/**
 * Returns tags from an object or from pairs. Values are converted to text; values without a text
 * form are dropped.
 */
export function tagsFrom(value: unknown): Record<string, string> {
  const pairs = Array.isArray(value)
    ? value.map((pair) =>
      Array.isArray(pair) ? pair : [objectOf(pair)?.["key"], objectOf(pair)?.["value"]]
    )
    : Object.entries(objectOf(value) ?? {});
  const tags = new Map<string, string>();
  for (const [rawKey, rawValue] of pairs) {
    if (tags.size >= TAGS_MAX) break;
    const key = textOf(rawKey, TAG_KEY_CHARS_MAX);
    const text = textOf(rawValue, TAG_VALUE_CHARS_MAX);
    if (key !== null && text !== null) tags.set(key, text);
  }
  return Object.fromEntries(tags);
}

/** Maximum number of frames read from a stack. Frames in the middle of a longer one are dropped. */
const FRAMES_READ_MAX = 10_000;

/**
 * Returns a stack's frames, with Sentry's names or simpler ones. If there are too many frames,
 * recursion is removed first, so that the frames before and after the recursion are kept.
 */
export function framesFrom(value: unknown): Frame[] {
  const raw = listOf(value).map(objectOf).filter((frame) => frame !== null);
  if (raw.length <= FRAMES_MAX) return raw.map(frameFrom);
  const folded = foldRepeats(
    ends(raw, FRAMES_READ_MAX),
    (frame) => `${frame["module"]}|${frame["filename"]}|${frame["function"]}|${frame["lineno"]}`,
  );
  return ends(folded, FRAMES_MAX).map(frameFrom);
}

/** Returns the first and the last items of a list, `max` in total. */
function ends<T>(list: readonly T[], max: number): readonly T[] {
  return list.length <= max ? list : [...list.slice(0, max / 2), ...list.slice(-max / 2)];
}

function frameFrom(raw: Raw): Frame {
  const lines = (value: unknown): string[] =>
    listOf(value).filter((line) => typeof line === "string").map((line) =>
      cut(line, LINE_CHARS_MAX)
    );
  return {
    file: textOf(raw["file"]) ?? textOf(raw["filename"]) ?? textOf(raw["abs_path"]),
    function: textOf(raw["function"]),
    module: textOf(raw["module"]),
    line: numberOf(raw["line"] ?? raw["lineno"]),
    column: numberOf(raw["column"] ?? raw["colno"]),
    inApp: truthOf(raw["in_app"] ?? raw["inApp"]),
    context: textOf(raw["context_line"] ?? raw["context"], LINE_CHARS_MAX),
    contextBefore: lines(raw["pre_context"] ?? raw["contextBefore"]).slice(-CONTEXT_LINES_MAX),
    contextAfter: lines(raw["post_context"] ?? raw["contextAfter"]).slice(0, CONTEXT_LINES_MAX),
    ...present({
      package: textOf(raw["package"]),
      absPath: absPathFrom(raw),
      vars: objectOf(raw["vars"]) === null ? null : freeObject(raw["vars"]),
    }),
  };
}

/** Returns a non-negative integer, which some clients send as text; otherwise null. */
function numberOf(value: unknown): number | null {
  return countOf(typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value);
}

/** Returns the path as a URL or absolute path if it contains more than the file's name. */
function absPathFrom(raw: Raw): string | null {
  const path = textOf(raw["abs_path"] ?? raw["absPath"]);
  return path === (textOf(raw["file"]) ?? textOf(raw["filename"])) ? null : path;
}

/** Returns the object without the properties whose value is null. */
export function present<T extends object>(
  object: T,
): { readonly [K in keyof T]?: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null)) as never;
}

/** Returns exceptions from a list, from `{values: […]}`, or from one object. */
export function exceptionsFrom(value: unknown): Exception[] {
  const raw = objectOf(value);
  const list = Array.isArray(value)
    ? value
    : Array.isArray(raw?.["values"])
    ? raw["values"] as unknown[]
    : raw === null
    ? []
    : [raw];
  return list.map(objectOf).filter((one) => one !== null).map(exceptionFrom)
    .filter(({ type, value, frames }) => type !== "" || value !== "" || frames.length > 0)
    .slice(-EXCEPTIONS_MAX);
}

function exceptionFrom(raw: Raw): Exception {
  const mechanism = objectOf(raw["mechanism"]);
  const stack = raw["frames"] ?? raw["stacktrace"] ?? raw["stack"];
  return {
    type: textOf(raw["type"]) ?? "",
    value: valueOf(raw["value"] ?? raw["message"]),
    module: textOf(raw["module"]),
    handled: truthOf(raw["handled"] ?? mechanism?.["handled"]),
    ...present({
      mechanism: textOf(mechanism?.["type"]),
      synthetic: (mechanism?.["synthetic"] ?? raw["synthetic"]) === true ? true as const : null,
      group: mechanism?.["is_exception_group"] === true ? true as const : null,
    }),
    frames: framesFrom(Array.isArray(stack) ? stack : objectOf(stack)?.["frames"]),
  };
}

/** Returns the value of an exception as text. Values other than texts are converted to JSON. */
function valueOf(value: unknown): string {
  const text = typeof value === "object" && value !== null && Object.keys(value).length > 0
    ? JSON.stringify(freeObject({ value })["value"])
    : value;
  return textOf(text, VALUE_CHARS_MAX) ?? "";
}

/** Returns breadcrumbs from a list or from `{values: […]}`. */
export function breadcrumbsFrom(value: unknown): Breadcrumb[] {
  const list = Array.isArray(value) ? value : listOf(objectOf(value)?.["values"]);
  return list.map(objectOf).filter((crumb) => crumb !== null).slice(-BREADCRUMBS_MAX)
    .map((crumb) => ({
      timestamp: timeFrom(crumb["timestamp"]),
      type: textOf(crumb["type"]),
      category: textOf(crumb["category"]),
      level: levelFrom(crumb["level"]) ?? "info",
      message: textOf(crumb["message"], VALUE_CHARS_MAX),
      data: freeObject(crumb["data"]),
    }));
}

/** Returns the user that a value describes, or null if it has no known field. */
export function userFrom(value: unknown): EventUser | null {
  const raw = objectOf(value);
  if (raw === null) return null;
  const user = {
    id: textOf(raw["id"]),
    email: textOf(raw["email"]),
    username: textOf(raw["username"] ?? raw["name"]),
    ip: textOf(raw["ip_address"] ?? raw["ip"]),
  };
  return Object.values(user).some((part) => part !== null) ? user : null;
}

/** Returns the SDK that a value describes, or null. */
export function sdkFrom(value: unknown): Sdk | null {
  const raw = objectOf(value);
  const name = textOf(raw?.["name"]);
  return name === null ? null : { name, version: textOf(raw?.["version"]) ?? "" };
}

/**
 * Returns the grouping chosen by the client, from a text or a list of texts; null if there is none.
 */
export function fingerprintFrom(value: unknown): string[] | null {
  const parts = (Array.isArray(value) ? value : [value])
    .map((part) => textOf(part, NAME_CHARS_MAX)).filter((part) => part !== null)
    .slice(0, FINGERPRINT_PARTS_MAX);
  return parts.length === 0 ? null : parts;
}
