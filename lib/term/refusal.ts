/**
 * Describes why a value cannot be sent. The encoder stores only the invalid value. Its path is
 * searched for afterwards, because tracking the path within every message would cost more than
 * sending it.
 *
 * @module
 */
import { TermError } from "./errors.ts";
import { DEPTH_MAX } from "./tags.ts";

/** The reason why a value cannot be sent. Thrown and caught within the encoder only. */
export class Refusal {
  /** The value that cannot be sent. */
  readonly invalid: unknown;
  /** Describes the fault. It follows the path in the error message. */
  readonly what: string;
  /**
   * Whether the value is invalid, exceeds a limit, or is nested too deeply (possibly in a cycle).
   */
  readonly why: "badarg" | "system_limit" | "depth";

  constructor(invalid: unknown, what: string, why: "badarg" | "system_limit" | "depth" = "badarg") {
    this.invalid = invalid;
    this.what = what;
    this.why = why;
  }
}

/** A value that is contained in another one, and the step that leads to it. */
interface Part {
  readonly value: unknown;
  /** A step such as `.users` or `[3]`. */
  readonly step: string;
}

/**
 * Maximum length of a path in a message, in characters. In a longer path, the middle is omitted.
 */
const PATH_LENGTH_MAX = 400;

/** Returns the error for the sender of `message`. */
export function explain(message: unknown, { invalid, what, why }: Refusal): TermError {
  const way: Part[] = [{ value: message, step: "message" }];
  walk(way, invalid, why === "depth");
  if (why !== "depth") return new TermError(pathOf(way), what, why);
  const circle = way.findIndex(({ value }, i) => way.findIndex((up) => up.value === value) < i);
  if (circle < 0) return new TermError(pathOf(way), what, "system_limit");
  return new TermError(pathOf(way.slice(0, circle + 1)), "contains itself: a circular reference");
}

/**
 * Traverses the message as the encoder does, to the invalid value or to the part that is nested too
 * deeply. Returns false with an empty path if it does not find the value, because a getter may
 * return another value each time.
 */
function walk(way: Part[], invalid: unknown, deep: boolean): boolean {
  const { value } = way.at(-1)!;
  if (way.length > DEPTH_MAX || !deep) { if (Object.is(value, invalid)) return true; }
  if (typeof value !== "object" || value === null || way.length > DEPTH_MAX) return false;
  for (const part of parts(value)) {
    way.push(part);
    if (walk(way, invalid, deep)) return true;
    way.pop();
  }
  return false;
}

/** Returns the parts of a value, in the order of encoding. */
function* parts(value: object): Generator<Part> {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield { value: value[i], step: `[${i}]` };
  } else if (value instanceof Map) {
    let i = 0;
    for (const [key, item] of value) {
      yield { value: key, step: `.keys()[${i}]` };
      const named = typeof key === "string";
      yield { value: item, step: named ? `.get(${JSON.stringify(key)})` : `.values()[${i}]` };
      i++;
    }
  } else if (value instanceof Set) {
    let i = 0;
    for (const item of value) yield { value: item, step: `.values()[${i++}]` };
  } else if (value instanceof Error) yield { value: value.cause, step: ".cause" };
  else if (isPlain(value)) {
    for (const key of Object.keys(value)) yield { value: value[key], step: stepTo(key) };
  }
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function stepTo(key: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function pathOf(way: readonly Part[]): string {
  const path = way.map(({ step }) => step).join("");
  if (path.length <= PATH_LENGTH_MAX) return path;
  return `${path.slice(0, PATH_LENGTH_MAX / 2)} … ${path.slice(-PATH_LENGTH_MAX / 2)}`;
}
