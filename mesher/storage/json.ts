/**
 * Converts JSON and text to values that databases can store. PostgreSQL rejects NUL and lone
 * surrogates, and SQLite truncates a text at its first NUL: both are stored as U+FFFD.
 *
 * @module
 */

/** Returns the text without characters that a database cannot store. */
export function cleanText(text: string): string {
  const whole = text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

/**
 * Returns a value as JSON without characters that a database cannot store. Such characters are
 * rare, so the value is cleaned only if its JSON contains the escape of such a character.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return /\\u(?:0000|d[89a-f])/.test(text) ? JSON.stringify(cleaned(value)) : text;
}

/** Reads a JSON column: PostgreSQL's driver has parsed it, and SQLite's has not. */
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
