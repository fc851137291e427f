/**
 * JSON and text as databases can hold them. PostgreSQL refuses NUL and lone surrogates, SQLite cuts a
 * text at its first NUL: both are stored as U+FFFD.
 *
 * @module
 */

/** The text without what a database cannot hold. */
export function cleanText(text: string): string {
  const whole = text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

/** A value as JSON without what a database cannot hold. Nearly always the first line is all. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return /\\u(?:0000|d[89a-f])/.test(text) ? JSON.stringify(cleaned(value)) : text;
}

/** A column of JSON: PostgreSQL's driver has parsed it, SQLite's has not. */
export function readJson<T>(column: unknown): T {
  return (typeof column === "string" ? JSON.parse(column) : column) as T;
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") return cleanText(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [cleanText(key), cleaned(inner)]),
  );
}
