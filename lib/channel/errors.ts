/**
 * The error of channels.
 *
 * @module
 */

/**
 * Rejects a join or an event with a reason that the client receives: throw it in a handler of a channel. The
 * runtime throws it with `code` "badchannel" (a definition is invalid), "nochannel" (this node has no channel for
 * the topic), "badtopic" (a topic or event is empty or longer than 255 bytes), "badpayload" (it is no JSON value),
 * "toolarge" (presence metadata above 4 KiB, or a message above the limit of rooms), "nohome" (no node keeps
 * the history of the topic, or it does not answer).
 */
export class ChannelError extends Error {
  /** The class of the error. */
  override readonly name = "ChannelError";
  /** The reason, for programs: the client's error has it too. */
  readonly code: string;
  /** What else the client receives, beside `reason`. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  /** `code`: the reason for programs. */
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
