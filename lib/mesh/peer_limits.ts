/**
 * Defines the limits of what one peer may create on this node: links, monitors, calls and messages.
 * A peer that exceeds the limit of links, monitors or calls is faulty or hostile, and its session
 * ends.
 *
 * @module
 */

/**
 * Maximum number of links that one peer may have on this node. The same number limits its monitors
 * and its unanswered calls. Up to twice as many of the peer's actors may take part in them. Links
 * are counted only periodically, so their number may exceed the limit by half.
 */
export const RELATIONS_MAX: number = 2 ** 20;

/**
 * Default of `remoteMailboxMax`. When an unbounded mailbox has this many messages, further messages
 * from other nodes are dropped.
 */
export const REMOTE_MAILBOX_MAX: number = 2 ** 18;

/**
 * Maximum number of recorded cancellations. A cancellation is recorded if it arrives before its
 * call or monitor was handled.
 */
export const CANCELLED_MAX = 4096;
