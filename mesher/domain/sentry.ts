/**
 * Converts events of Sentry's SDKs to our events. Deterministic and total: nothing here throws.
 *
 * @module
 */
import type { Exception, MesherEvent } from "./event.ts";
import { idOf } from "./id.ts";
import { messageFrom } from "./message.ts";
import { exceptionsFrom, framesFrom, levelFrom, plausibleTime, timeFrom } from "./parts.ts";
import { eventContextFrom } from "./event_fields.ts";
import { listOf, objectOf, type Raw, refuse } from "./trim.ts";
import type { Moment, Validated } from "./validate.ts";

export { type Envelope, EnvelopeReader, readEnvelope } from "./envelope.ts";

/**
 * Converts an event of a Sentry SDK. As in Sentry, it may have neither a message nor an exception.
 */
export function eventFromSentry(input: unknown, moment: Moment): Validated {
  const raw = objectOf(input);
  if (raw === null) return refuse("an event must be a JSON object");
  const message = messageFrom(raw);
  const event: MesherEvent = {
    id: idOf(raw["event_id"]) ?? moment.newId(),
    timestamp: plausibleTime(timeFrom(raw["timestamp"]), moment.now),
    level: levelFrom(raw["level"]) ?? "error",
    ...message,
    exceptions: withThread(raw, message.message, sentryExceptionsFrom(raw)),
    ...eventContextFrom(raw),
  };
  return { ok: true, event };
}

function sentryExceptionsFrom(raw: Raw): Exception[] {
  return exceptionsFrom(raw["exception"] ?? raw["sentry.interfaces.Exception"]);
}

/**
 * Returns the exceptions, with the stack that some clients put next to the exception or into the
 * crashed thread. The stack of a plain message is in one of these places too.
 */
function withThread(raw: Raw, message: string, exceptions: Exception[]): Exception[] {
  const thrown = exceptions.at(-1);
  if (thrown !== undefined && thrown.frames.length > 0) return exceptions;
  const stack = objectOf(raw["stacktrace"]) ?? objectOf(raw["sentry.interfaces.Stacktrace"]) ??
    objectOf(threadOf(raw)?.["stacktrace"]);
  const frames = framesFrom(stack?.["frames"]);
  if (frames.length === 0) return exceptions;
  return thrown === undefined
    ? [{ type: "", value: message, module: null, handled: null, frames }]
    : [...exceptions.slice(0, -1), { ...thrown, frames }];
}

/**
 * Returns the thread that the exception names. Without one, returns the crashed thread, the current
 * thread, the main thread, or the first with a stack.
 */
function threadOf(raw: Raw): Raw | undefined {
  const values = Array.isArray(raw["threads"])
    ? raw["threads"]
    : objectOf(raw["threads"])?.["values"];
  const threads = listOf(values).map(objectOf)
    .filter((thread) => thread !== null && objectOf(thread["stacktrace"]) !== null) as Raw[];
  const exceptions = objectOf(raw["exception"])?.["values"] ?? raw["exception"];
  const id = objectOf(listOf(exceptions).at(-1))?.["thread_id"] ?? undefined;
  return threads.find((thread) => id !== undefined && String(thread["id"]) === String(id)) ??
    threads.find((thread) => thread["crashed"] === true) ??
    threads.find((thread) => thread["current"] === true) ??
    threads.find((thread) => thread["main"] === true) ?? threads[0];
}
