/**
 * Sampling: selects the events of a project that are kept, if the project keeps only a share. The
 * decision depends only on the id of an event, so an event that is sent again gets the same result
 * on every node.
 *
 * @module
 */

/** Returns whether an event is kept. `rate` is the share of kept events, from 0 to 1. */
export function isSampled(eventId: string, rate: number): boolean {
  if (rate >= 1) return true;
  if (!(rate > 0)) return false;
  return hashOf(eventId) / 0x1_0000_0000 < rate;
}

/**
 * Hashes a text with FNV-1a and a final mix, so that ids with a common prefix are spread over the
 * whole range.
 */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
