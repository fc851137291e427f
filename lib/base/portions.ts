/**
 * Handles many items in portions, between which pending I/O and timers are handled.
 *
 *     items ─▶ a portion at once ─▶ yield to I/O ─▶ a portion ─▶ … ─▶ over
 *
 * @module
 */

/** Number of items that are handled before other work runs. */
export const PORTION_COUNT = 256;

/**
 * Calls `each` with every item, and then `over`. The first portion is handled immediately. Items
 * that are added to a set or a map in the meantime are handled too, and removed ones are not. If
 * `each` throws, the items after the failed one are still handled.
 */
export function inPortions<T>(
  items: Iterable<T>,
  yieldToIo: (task: () => void) => void,
  each: (item: T) => void,
  over: () => void = () => {},
  count: number = PORTION_COUNT,
): void {
  const iterator = items[Symbol.iterator]();
  const portion = (): void => {
    let isOver = false;
    try {
      for (let i = 0; i < count; i++) {
        const { done, value } = iterator.next();
        if (done) {
          isOver = true;
          break;
        }
        each(value);
      }
    } finally {
      if (!isOver) yieldToIo(portion);
    }
    if (isOver) over();
  };
  portion();
}
