/**
 * Defines the error of channels.
 *
 * @module
 */

/**
 * An error of channels. If a handler throws it, the join or the event is rejected, and the client
 * receives the reason. The runtime throws it with these values of `code`: "badchannel" (a
 * definition is invalid), "nochannel" (this node has no channel for the topic), "badtopic" (a topic
 * or event is empty or longer than 255 bytes), "badpayload" (not a JSON value), "toolarge"
 * (presence metadata above 4,096 characters, too many presence entries, or a message above the
 * limit of rooms), "nohome" (no node keeps the history of the topic, or it does not answer).
 *
 * @example
 * ```ts
 * import { channel, ChannelError } from "@firn/firn/channels";
 *
 * const room = channel("room:*", {
 *   join(_socket, { age }: { age: number }) {
 *     if (age < 18) throw new ChannelError("tooyoung", "adults only", { from: 18 });
 *   },
 * });
 * ```
 */
export class ChannelError extends Error {
  /** Name of the error class. */
  override readonly name = "ChannelError";
  /** Stable reason, also the `code` of the client's error. */
  readonly code: string;
  /** Further fields that are sent to the client, in addition to `reason`. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  /**
   * Creates the error. `message` is the code by default; `details` are sent to the client. If the
   * details are not JSON values, this is logged, and the client receives only the code.
   */
  constructor(
    code: string,
    message?: string,
    details?: Readonly<Record<string, unknown>>,
  ) {
    super(message ?? code);
    this.code = code;
    this.details = details;
  }
}
