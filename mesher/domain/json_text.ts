/**
 * Parses JSON without loss: an integer that a number cannot represent becomes a text of its digits,
 * because ids of users and orders often have 18 digits. Deterministic.
 *
 * @module
 */

/** Matches a run of 16 digits. Only texts that match can contain an unsafe integer. */
const LONG_INTEGER = /[[:,]\s*-?\d{16}/;

/** Returns the value of a JSON text. Throws a `SyntaxError`. */
export function jsonFrom(text: string): unknown {
  return LONG_INTEGER.test(text) ? JSON.parse(text, exact as Reviver) : JSON.parse(text);
}

type Reviver = (key: string, value: unknown) => unknown;

function exact(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  const isExact = typeof value !== "number" || Number.isSafeInteger(value) ||
    !/^-?\d+$/.test(context.source ?? "");
  return isExact ? value : context.source;
}
