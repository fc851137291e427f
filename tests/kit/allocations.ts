/**
 * Counts the allocations and steps of a function by replacing the constructors that it uses while
 * it runs. Unlike time and heap size, the counts are the same in every run.
 */

/** The allocations and steps of a function. */
export interface Allocations {
  /** Number of created objects. */
  count: number;
  /** Number of bytes reserved: 8 for each slot of an array, and the length of buffers. */
  bytes: number;
  /** Number of elements added to maps and sets. */
  steps: number;
}

/** The assumed size of an empty map or set, in bytes. */
const TABLE_BYTES = 200;

/** The assumed size of an object without properties, in bytes. */
const HEAD_BYTES = 32;

type Constructor = new (...args: never[]) => object;

/** Runs `body` and adds its counts to `into`, even if it throws. */
export function counted(into: Allocations, body: () => void): void {
  const here = globalThis as unknown as Record<string, Constructor>;
  const names = ["Array", "Uint8Array", "DataView", "Map", "Set", "Date"];
  const before = names.map((name) => here[name]!);
  const set = Map.prototype.set;
  const add = Set.prototype.add;
  const sizes: Record<string, (first: unknown) => number> = {
    Array: (first) => typeof first === "number" ? 8 * first : 0,
    Uint8Array: (first) => typeof first === "number" ? first : 0,
    Map: () => TABLE_BYTES,
    Set: () => TABLE_BYTES,
  };
  names.forEach((name, i) => {
    here[name] = new Proxy(before[i]!, {
      construct(target, args, newTarget) {
        into.count++;
        into.bytes += HEAD_BYTES + (sizes[name]?.(args[0]) ?? 0);
        return Reflect.construct(target, args, newTarget === here[name] ? target : newTarget);
      },
    });
  });
  Map.prototype.set = function (key, value) {
    into.steps++;
    return set.call(this, key, value);
  };
  Set.prototype.add = function (value) {
    into.steps++;
    return add.call(this, value);
  };
  try {
    body();
  } finally {
    names.forEach((name, i) => here[name] = before[i]!);
    Map.prototype.set = set;
    Set.prototype.add = add;
  }
}
