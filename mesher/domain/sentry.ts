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
  const sent = objectOf(input);
  if (sent === null) return refuse("an event must be a JSON object");
  const raw = withOldNames(sent);
  const message = messageFrom(raw);
  const event: MesherEvent = {
    id: idOf(raw["event_id"]) ?? moment.newId(),
    timestamp: plausibleTime(timeFrom(raw["timestamp"]), moment.now),
    level: levelFrom(raw["level"]) ?? "error",
    ...message,
    exceptions: withThread(raw, message.message, exceptionsFrom(raw["exception"])),
    ...eventContextFrom(raw),
  };
  const ip = inferredAddress(raw, event, moment.address);
  if (ip === event.user?.ip) return { ok: true, event };
  const { id = null, email = null, username = null } = event.user ?? {};
  const user = { id, email, username, ip };
  const isKnown = Object.values(user).some((part) => part !== null);
  return { ok: true, event: { ...event, user: isKnown ? user : null } };
}

/** The names of fields in events of older clients. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  "sentry.interfaces.Exception": "exception",
  "sentry.interfaces.User": "user",
  "sentry.interfaces.Http": "request",
  "sentry.interfaces.Breadcrumbs": "breadcrumbs",
  "sentry.interfaces.Contexts": "contexts",
  "sentry.interfaces.Message": "logentry",
  "sentry.interfaces.Stacktrace": "stacktrace",
  "culprit": "transaction",
};

/** Returns an event with the current names of its fields. */
function withOldNames(sent: Raw): Raw {
  const found = Object.entries(OLD_NAMES).filter(([old, name]) =>
    Object.hasOwn(sent, old) && (sent[name] ?? null) === null
  );
  if (found.length === 0) return sent;
  return { ...sent, ...Object.fromEntries(found.map(([old, name]) => [name, sent[old]])) };
}

/**
 * Returns the IP address of the event's user. As in Sentry, `{{auto}}` stands for the address of
 * the client, as does a missing address if the SDK asks for it (`infer_ip`), or if it is one of the
 * older SDKs for browsers and Apple's systems.
 */
function inferredAddress(
  raw: Raw,
  { user, platform }: MesherEvent,
  address: string | undefined,
): string | null {
  const sent = user?.ip ?? null;
  if (sent === "{{auto}}") return address ?? null;
  if (sent !== null || address === undefined) return sent;
  const setting = objectOf(objectOf(raw["sdk"])?.["settings"])?.["infer_ip"];
  const isInferred = typeof setting === "string"
    ? setting === "auto"
    : /^(?:javascript|cocoa|objc)$/.test(platform ?? "");
  return isInferred ? address : null;
}

/**
 * Returns the exceptions, with the stack that some clients put next to the exception or into the
 * crashed thread. The stack of a plain message is in one of these places too.
 */
function withThread(raw: Raw, message: string, exceptions: Exception[]): Exception[] {
  const thrown = exceptions.at(-1);
  if (thrown !== undefined && thrown.frames.length > 0) return exceptions;
  const stack = objectOf(raw["stacktrace"]) ??
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
