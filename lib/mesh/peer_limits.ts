/**
 * Defines the limits of what one peer may create on this node: links, monitors, calls and messages.
 * A peer that exceeds the limit of links, monitors or calls is faulty or hostile, and its session
 * ends.
 *
 * @module
 */

/**
 * Maximum number of links that one peer may have on this node, and the same of monitors and of
 * unanswered calls. Up to twice as many of the peer's actors may take part in them. Links are
 * counted only periodically, so half as many more are possible.
 */
export const RELATIONS_MAX: number = 2 ** 20;

/**
 * Default of `remoteMailboxMax`. When a mailbox without a limit of its own has this many messages,
 * further messages of other nodes are dropped.
 */
export const REMOTE_MAILBOX_MAX: number = 2 ** 18;

/**
 * Maximum number of cancellations that are recorded because they arrived before their calls or
 * monitors were handled.
 */
export const CANCELLED_MAX = 4096;
