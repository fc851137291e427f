/** Placeholder. */
import { strict } from "node:assert";
export function assert(e: unknown, m?: string): asserts e { strict.ok(e, m); }
export function assertEquals<T>(a: T, b: T, m?: string): void { strict.deepEqual(a, b, m); }
