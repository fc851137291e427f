/**
 * Recursion in a stack: a call, or a round of calls, that repeats. Pure.
 *
 * @module
 */

/** The longest round that is recognised. */
const ROUND_MAX = 8;

/**
 * Returns the list with each run of repeated items, or of repeated rounds of up to eight items, reduced to one.
 * A round that was not completed when the stack ended is dropped too: `a b a b a` and `a b a b` are both `a b`.
 */
export function foldRepeats<T>(list: readonly T[], keyOf: (item: T) => string): T[] {
  const items: T[] = [];
  const keys: string[] = [];
  /** The length of the round that was folded last, and where it ended. */
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

/** Whether the last `size` keys are those before them. */
function endsInTwo(keys: readonly string[], size: number): boolean {
  const at = keys.length - size;
  for (let i = 0; i < size; i++) if (keys[at + i] !== keys[at - size + i]) return false;
  return true;
}
