/**
 * The parts that our own events and Sentry's have in common, each made from anything.
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

/** Returns the level of a word, or null. */
export function levelFrom(value: unknown): Level | null {
  if (typeof value !== "string") return null;
  const word = value.toLowerCase();
  return Object.hasOwn(LEVEL_WORDS, word) ? LEVEL_WORDS[word]! : null;
}

/**
 * A time: seconds or milliseconds since the epoch, or ISO 8601; null: it is none. (Milliseconds of
 * before 1973 would be taken for seconds.)
 */
export function timeFrom(value: unknown): number | null {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) {
    const ms = Math.trunc(value < 1e11 ? value * 1000 : value);
    return ms <= 8.64e15 ? ms : null;
  }
  if (typeof value !== "string" || value.length > 64) return null;
  // What else Date.parse takes for a date, the number 5 among it, differs from runtime to runtime.
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(value)) return null;
  // Without a zone it is UTC, as Sentry's older clients mean it, and not the server's.
  const ms = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`);
  return Number.isNaN(ms) ? null : ms;
}

/** The client's time if it may be true, else the server's. */
export function plausibleTime(time: number | null, now: number): number {
  return time !== null && time >= now - PAST_MS_MAX && time <= now + FUTURE_MS_MAX ? time : now;
}

/** Tags from an object or from pairs. Values become texts; what has no text is dropped. */
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

/** At most this many frames of a stack are read; of more, those in the middle are dropped. */
const FRAMES_READ_MAX = 10_000;

/**
 * Returns a stack's frames, from Sentry's names and plainer ones. If there are too many, recursion is folded
 * first, so that what called it and what it ended in are kept.
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

/** The first and last items, `max` together. */
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
    line: countOf(raw["line"]) ?? countOf(raw["lineno"]),
    column: countOf(raw["column"]) ?? countOf(raw["colno"]),
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

/** The path as a URL or absolute path, if it says more than the file's name. */
function absPathFrom(raw: Raw): string | null {
  const path = textOf(raw["abs_path"] ?? raw["absPath"]);
  return path === (textOf(raw["file"]) ?? textOf(raw["filename"])) ? null : path;
}

/** The object without the properties that are null. */
export function present<T extends object>(
  object: T,
): { readonly [K in keyof T]?: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null)) as never;
}

/** Exceptions from a list, from `{values: […]}`, or from one object. */
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
    value: textOf(raw["value"] ?? raw["message"], VALUE_CHARS_MAX) ?? "",
    module: textOf(raw["module"]),
    handled: truthOf(raw["handled"] ?? mechanism?.["handled"]),
    ...present({
      mechanism: textOf(mechanism?.["type"]),
      synthetic: (mechanism?.["synthetic"] ?? raw["synthetic"]) === true ? true as const : null,
    }),
    frames: framesFrom(Array.isArray(stack) ? stack : objectOf(stack)?.["frames"]),
  };
}

/** Breadcrumbs from a list or from `{values: […]}`. */
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

/** A user, or null when nothing of one is known. */
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

/** An SDK, or null. */
export function sdkFrom(value: unknown): Sdk | null {
  const raw = objectOf(value);
  const name = textOf(raw?.["name"]);
  return name === null ? null : { name, version: textOf(raw?.["version"]) ?? "" };
}

/** The client's own grouping: a text or a list of texts; null: none. */
export function fingerprintFrom(value: unknown): string[] | null {
  const parts = (Array.isArray(value) ? value : [value])
    .map((part) => textOf(part, NAME_CHARS_MAX)).filter((part) => part !== null)
    .slice(0, FINGERPRINT_PARTS_MAX);
  return parts.length === 0 ? null : parts;
}
