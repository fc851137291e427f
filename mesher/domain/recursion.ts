/**
 * Detects recursion in a stack: a repeated call, or a repeated cycle of calls. Deterministic.
 *
 * @module
 */

/** Maximum length of a cycle that is detected, in calls. */
const ROUND_MAX = 8;

/**
 * Returns the list with each run of repeated items, or of repeated cycles of up to eight items,
 * reduced to one. An incomplete cycle at the end is dropped too: `a b a b a` and `a b a b` both
 * become `a b`.
 */
export function foldRepeats<T>(list: readonly T[], keyOf: (item: T) => string): T[] {
  const items: T[] = [];
  const keys: string[] = [];
  /** The length of the last removed cycle, and the index after it. */
  let [round, end] = [0, 0];
  const dropRest = (): void => {
    const rest = keys.length - end;
    if (round === 0 || rest === 0 || rest >= round) return;
    const first = end - round;
    for (let i = 0; i < rest; i++) if (keys[end + i] !== keys[first + i]) return;
    items.length = keys.length = end;
  };
  for (const item of list) {
    items.push(item);
    keys.push(keyOf(item));
    for (let size = 1; size <= ROUND_MAX && 2 * size <= keys.length; size++) {
      if (!endsInTwo(keys, size)) continue;
      items.length = keys.length = keys.length - size;
      [round, end] = [size, keys.length];
      break;
    }
  }
  dropRest();
  return items;
}

/** Returns whether the last `size` keys equal the `size` keys before them. */
function endsInTwo(keys: readonly string[], size: number): boolean {
  const at = keys.length - size;
  for (let i = 0; i < size; i++) if (keys[at + i] !== keys[at - size + i]) return false;
  return true;
}
