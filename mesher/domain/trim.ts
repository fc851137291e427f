/**
 * Converts values of any input to valid ones: texts, numbers, arbitrary JSON within limits.
 * Deterministic and total: nothing here throws.
 *
 * @module
 */
import type { Json, JsonObject } from "./event.ts";
import {
  JSON_DEPTH_MAX,
  JSON_ENTRIES_MAX,
  JSON_TEXT_CHARS_MAX,
  JSON_VALUES_MAX,
  NAME_CHARS_MAX,
} from "./limits.ts";

/** An object of parsed JSON, with any properties. */
export type Raw = Readonly<Record<string, unknown>>;

/** Returns the value as an object, or null. */
export function objectOf(value: unknown): Raw | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Raw : null;
}

/** Returns the value if it is a list, otherwise an empty list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/**
 * Returns at most `max` characters of a text. If the text is cut, the last character is `…`. Never
 * cuts within a surrogate pair.
 */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = max - 1;
  const split = text.charCodeAt(end - 1) >>> 10 === 0b110110;
  return `${text.slice(0, split ? end - 1 : end)}…`;
}

/** Returns a text, or a number or boolean as text; otherwise null. An empty text is null too. */
export function textOf(value: unknown, max: number = NAME_CHARS_MAX): string | null {
  const text = typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
  return text === "" ? null : cut(text, max);
}

/** Returns the value if it is a non-negative integer, otherwise null. */
export function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Returns the value if it is a boolean, otherwise null. */
export function truthOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

/** Returns the value as a JSON object within the limits on depth, entries and texts. */
export function freeObject(value: unknown): JsonObject {
  const raw = objectOf(value);
  return raw === null ? {} : new Trimmer().value(raw, 0) as JsonObject;
}

/** Copies one part of arbitrary JSON within the limits. */
class Trimmer {
  #valuesLeft = JSON_VALUES_MAX;

  value(value: unknown, depth: number): Json {
    if (typeof value === "string") return cut(value, JSON_TEXT_CHARS_MAX);
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (typeof value === "boolean" || value === null) return value;
    if (typeof value !== "object") return null;
    if (depth >= JSON_DEPTH_MAX) return "[too deep]";
    if (Array.isArray(value)) {
      const kept = this.#kept(value);
      const list = kept.map((entry) => this.value(entry, depth + 1));
      if (kept.length < value.length) list.push(`[${value.length - kept.length} more]`);
      return list;
    }
    const entries = Object.entries(value);
    const kept = this.#kept(entries);
    const object: [string, Json][] = kept.map((
      [key, entry],
    ) => [cut(key, NAME_CHARS_MAX), this.value(entry, depth + 1)]);
    if (kept.length < entries.length) object.push(["…", `[${entries.length - kept.length} more]`]);
    // `fromEntries` also creates a property `__proto__`, which an assignment would not.
    return Object.fromEntries(object);
  }

  #kept<T>(entries: readonly T[]): readonly T[] {
    const kept = entries.slice(0, Math.min(JSON_ENTRIES_MAX, Math.max(0, this.#valuesLeft)));
    this.#valuesLeft -= kept.length;
    return kept;
  }
}

/** Returns the result for input that cannot be converted. */
export function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
