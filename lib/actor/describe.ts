/**
 * Formats terms for logs and error messages: accepts any value, limits the length, and never
 * throws.
 *
 * @module
 */
import { Pid, Ref } from "../term/pid.ts";

/** Maximum length of a description, in characters. */
export const DESCRIBED_LENGTH_MAX = 2_000;

/**
 * Maximum number of members of a list or an object that are shown. Further members are only
 * counted.
 */
const MEMBERS_MAX = 20;

/** Maximum nesting of values that is shown. */
const DEPTH_MAX = 4;

/** Maximum number of terms shown within one term. */
const TERMS_MAX = 100;

/** Maximum length of a text within a term, in characters. */
const INNER_LENGTH_MAX = 200;

/** Number of terms that may still be shown. */
interface Budget {
  left: number;
}

/** Returns a term as text. A string at the top level has no quotes. */
export function describe(term: unknown): string {
  try {
    return cut(typeof term === "string" ? term : words(term, 0, { left: TERMS_MAX }));
  } catch {
    // A getter, a proxy or a `toString` of the program threw.
    return "(cannot be shown)";
  }
}

/**
 * Returns a request as short text. A request to a service is written as a method call: `add(1)`.
 */
export function describeRequest(request: unknown): string {
  try {
    const { $call, args } = (request ?? {}) as { $call?: unknown; args?: unknown };
    if (typeof $call !== "string" || !Array.isArray(args)) {
      return cut(words(request, 0, { left: TERMS_MAX }), INNER_LENGTH_MAX);
    }
    const list = words(args, 0, { left: TERMS_MAX }).slice(1, -1);
    return cut(`${$call}(${list})`, INNER_LENGTH_MAX);
  } catch {
    return "(a request that cannot be described)";
  }
}

/** Returns an error with its stack, and any other value as {@linkcode describe} does. */
export function describeFully(term: unknown): string {
  try {
    if (term instanceof Error && typeof term.stack === "string") return cut(term.stack);
  } catch {
    // Ignores the error: a getter of the program threw.
  }
  return describe(term);
}

function words(term: unknown, depth: number, budget: Budget): string {
  if (budget.left-- <= 0) return "…";
  switch (typeof term) {
    case "string":
      return JSON.stringify(cut(term, INNER_LENGTH_MAX));
    case "bigint":
      return `${term}n`;
    case "function":
      return `function ${term.name || "without a name"}`;
    case "object":
      return term === null ? "null" : objectWords(term, depth, budget);
    default:
      return String(term);
  }
}

function objectWords(term: object, depth: number, budget: Budget): string {
  if (term instanceof Pid || term instanceof Ref) return term.toString();
  if (term instanceof Error) return `${term.name}: ${term.message}`;
  if (term instanceof Date || term instanceof RegExp) return String(term);
  const name = className(term);
  if (ArrayBuffer.isView(term)) return `${name}(${term.byteLength} bytes)`;
  if (term instanceof Map) return `Map(${term.size})`;
  if (term instanceof Set) return `Set(${term.size})`;
  if (depth === DEPTH_MAX) return Array.isArray(term) ? "[…]" : "{…}";
  if (Array.isArray(term)) {
    const shown = term.slice(0, MEMBERS_MAX).map((member) => words(member, depth + 1, budget));
    return `[${shown.join(", ")}${more(term.length)}]`;
  }
  const keys = Object.keys(term);
  const shown = keys.slice(0, MEMBERS_MAX).map((key) =>
    `${key}: ${words((term as Record<string, unknown>)[key], depth + 1, budget)}`
  );
  const prefix = name === "Object" || name === "" ? "" : `${name} `;
  return keys.length === 0 ? `${prefix}{}` : `${prefix}{ ${shown.join(", ")}${more(keys.length)} }`;
}

function className(term: object): string {
  const { constructor } = term;
  return typeof constructor === "function" ? constructor.name : "";
}

function more(count: number): string {
  return count > MEMBERS_MAX ? `, and ${count - MEMBERS_MAX} more` : "";
}

function cut(text: string, length = DESCRIBED_LENGTH_MAX): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
