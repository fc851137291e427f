/**
 * Sends trace contexts between nodes. A message that belongs to a trace is sent to a node with the
 * feature `TRACE` as `{ $trace, $message }`, where `$trace` is the W3C `traceparent`. Only nodes
 * with tracing switched on have the feature. Deterministic.
 *
 * @module
 */

/** Records which traces messages and calls belong to. */
export interface TraceCarrier {
  /** Returns the `traceparent` of a message or call, or undefined if it belongs to no trace. */
  carry(subject: unknown): string | undefined;
  /** Called when a message or call of another node has arrived. */
  arrived(subject: unknown, traceparent: string): void;
}

/** A message and its trace, in the form that is sent to other nodes. */
interface TracedMessage {
  readonly $trace: string;
  readonly $message: unknown;
}

/** Returns the value to send for a message. `subject` is the message, or the call. */
export function withTrace(carrier: TraceCarrier, message: unknown, subject: unknown): unknown {
  const $trace = carrier.carry(subject);
  return $trace === undefined ? message : { $trace, $message: message } satisfies TracedMessage;
}

/** Splits a received value into the message and its trace, if it has one. */
export function splitTrace(term: unknown): {
  readonly message: unknown;
  readonly trace: string | undefined;
} {
  const { $trace, $message } = (term ?? {}) as Partial<TracedMessage>;
  if (typeof $trace !== "string" || !Object.hasOwn(term as object, "$message")) {
    return { message: term, trace: undefined };
  }
  return { message: $message, trace: $trace };
}
