/**
 * Which events of a project are kept, when it keeps a share only. The id decides and no dice, so that
 * sending an event again has the same result, on whatever node.
 *
 * @module
 */

/** Whether an event is kept. `rate`: 0 to 1. */
export function isSampled(eventId: string, rate: number): boolean {
  if (rate >= 1) return true;
  if (!(rate > 0)) return false;
  return hashOf(eventId) / 0x1_0000_0000 < rate;
}

/** FNV-1a with a last stir: ids that begin alike spread over the whole range. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
