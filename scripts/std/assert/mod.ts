/**
 * A small local `@std/assert`: the assertions that this project uses, with the signatures of the
 * original package, for machines that cannot reach JSR. `deno.json` links it.
 *
 * Where the two differ, this one is stricter: `0` and `-0` are different values here, as are `{}`
 * and an object without a prototype. An assertion that passes here passes there.
 *
 * @module
 */
import { inspect, isDeepStrictEqual } from "node:util";

// deno-lint-ignore no-explicit-any
type AnyClass<T> = abstract new (...args: any[]) => T;

/** The error of a failed assertion. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Always fails. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

/** Fails unless the expression is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless the expression is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false {
  if (expr) throw new AssertionError(msg);
}

/** Fails if the value is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(`Expected a value, got ${actual}${suffix(msg)}`);
}

/** Fails unless the two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new AssertionError(`Values are not equal${suffix(msg)}${both(actual, expected)}`);
}

/** Fails if the two values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!isDeepStrictEqual(actual, expected)) return;
  throw new AssertionError(`Values are equal${suffix(msg)}\n  both:     ${show(actual)}`);
}

/** Fails unless the two values are the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError(`Values are not the same${suffix(msg)}${both(actual, expected)}`);
}

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: AnyClass<T>,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  const found = `Expected an instance of ${expectedType.name}, got ${show(actual)}`;
  throw new AssertionError(`${found}${suffix(msg)}`);
}

/** Fails unless the text matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  throw new AssertionError(`Text does not match${suffix(msg)}${both(actual, expected)}`);
}

/** Fails unless the text contains the other text. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(`Text is not contained${suffix(msg)}${both(actual, expected)}`);
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw new AssertionError(`Expected ${show(actual)} > ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual >= expected) return;
  throw new AssertionError(`Expected ${show(actual)} >= ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw new AssertionError(`Expected ${show(actual)} < ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual <= expected) return;
  throw new AssertionError(`Expected ${show(actual)} <= ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `fn` throws. Returns the error. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an instance of the class whose message contains `msgIncludes`. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: AnyClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ...rest: Expectation): unknown {
  try {
    fn();
  } catch (error) {
    return judged(error, rest);
  }
  throw new AssertionError(`Expected function to throw${suffix(textOf(rest))}`);
}

/** Fails unless the promise rejects. Returns the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/**
 * Fails unless the promise rejects with an instance of the class whose message contains
 * `msgIncludes`.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: AnyClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...rest: Expectation
): Promise<unknown> {
  let promised: PromiseLike<unknown> | undefined;
  try {
    promised = fn();
    await promised;
  } catch (error) {
    // An exception thrown before a promise is returned is not a rejection.
    if (promised !== undefined) return judged(error, rest);
    throw new AssertionError(`Function throws when expected to reject${suffix(textOf(rest))}`, {
      cause: error,
    });
  }
  throw new AssertionError(`Expected function to reject${suffix(textOf(rest))}`);
}

/** The arguments after `fn`: a message alone, or a class, a part of its message, and a message. */
type Expectation = [(string | AnyClass<Error>)?, string?, string?];

function textOf([first, , last]: Expectation): string | undefined {
  return typeof first === "string" ? first : last;
}

function judged(error: unknown, expectation: Expectation): unknown {
  const [ErrorClass, msgIncludes] = expectation;
  if (ErrorClass === undefined || typeof ErrorClass === "string") return error;
  const msg = suffix(textOf(expectation));
  const options = { cause: error };
  if (!(error instanceof ErrorClass)) {
    throw new AssertionError(`Expected ${ErrorClass.name}, got ${show(error)}${msg}`, options);
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    const found = `Expected an error with ${show(msgIncludes)}, got ${show(error.message)}`;
    throw new AssertionError(`${found}${msg}`, options);
  }
  return error;
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

function both(actual: unknown, expected: unknown): string {
  return `\n  actual:   ${show(actual)}\n  expected: ${show(expected)}`;
}

function show(value: unknown): string {
  return inspect(value, { depth: 8, sorted: true, maxArrayLength: 200, maxStringLength: 2000 });
}
