/**
 * Traces the next messages of one actor.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import { Call } from "../actor/call.ts";
import { describe, describeRequest } from "../actor/describe.ts";
import type { Clock } from "../base/clock.ts";
import { messageType } from "./message_type.ts";
import type { Probes } from "./probes.ts";
import { ObserveError } from "./error.ts";

/** Maximum number of messages in one trace. */
const MESSAGES_MAX = 1_000;

/** A message that an actor has handled while it was traced. */
export interface TracedMessage {
  /** When the message was handled or taken: milliseconds since 1970. */
  readonly time: number;
  /** The type of the message. */
  readonly type: string;
  /** The message as text of at most 2000 characters. */
  readonly message: string;
  /**
   * Milliseconds that the handler ran, without the time that it awaited. Undefined if an async body
   * took the message.
   */
  readonly ms: number | undefined;
}

/** Options of a trace. */
export interface TraceOptions {
  /** Number of messages to record, 1 to 1000. Default 10. */
  readonly count?: number | undefined;
  /** Time after which the trace ends, 1 to 60000 milliseconds. Default 10000. */
  readonly ms?: number | undefined;
}

/**
 * Fills in the defaults. Throws {@linkcode ObserveError} with `code` "badarg" if an option is
 * invalid.
 */
export function checkTrace(
  { count = 10, ms = 10_000 }: TraceOptions,
): { count: number; ms: number } {
  if (!(count >= 1 && count <= MESSAGES_MAX)) {
    throw new ObserveError("badarg", `trace: count is ${count}: use 1 to ${MESSAGES_MAX}`);
  }
  if (ms >= 1 && ms <= 60_000) return { count, ms };
  throw new ObserveError("badarg", `trace: ms is ${ms}: use 1 to 60000`);
}

/** Records the next messages of an actor. Resolves after `count` messages or `ms` milliseconds. */
export function traceMessages(
  probes: Probes,
  clock: Clock,
  actor: Actor,
  options: TraceOptions,
): Promise<TracedMessage[]> {
  const { count, ms } = checkTrace(options);
  return new Promise((resolve) => {
    const traced: TracedMessage[] = [];
    const over = (): void => {
      timer.cancel();
      remove();
      resolve(traced);
    };
    const add = (message: unknown, took: number | undefined): void => {
      const text = message instanceof Call ? describeRequest(message.request) : describe(message);
      const type = messageType(message);
      const ms = took === undefined ? undefined : Math.round(took * 1000) / 1000;
      if (traced.push({ time: clock.wall(), type, message: text, ms }) === count) over();
    };
    const timer = clock.after(ms, over);
    const remove = probes.add({
      handled: (by, message, took) => void (by === actor && add(message, took)),
      taken: (by, message) => void (by === actor && add(message, undefined)),
    });
  });
}
