/**
 * Defines the limits of what one peer may create on this node: links, monitors, calls and messages.
 * A peer that exceeds the limit of links, monitors or calls is faulty or hostile, and its session
 * ends.
 *
 * @module
 */

/**
 * Maximum number of links, of monitors and of unanswered calls of one peer on this node. The peer
 * may refer to up to twice as many of its actors in them. Links are counted only periodically, so
 * there may be half as many more.
 */
export const RELATIONS_MAX: number = 2 ** 20;

/**
 * Default of `remoteMailboxMax`: the number of messages in a mailbox without a limit of its own
 * from which messages of other nodes are dropped.
 */
export const REMOTE_MAILBOX_MAX: number = 2 ** 18;

/** Maximum number of calls and monitors that are recorded as cancelled before they were handled. */
export const CANCELLED_MAX = 4096;
