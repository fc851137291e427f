/**
 * Parses and validates events in Mesher's own format. Returns a sentence about the error if an
 * event is invalid.
 *
 * ```
 * field        kind                                        if absent
 * id           UUID, or 32 hex digits (also: event_id)     a new one
 * timestamp    ISO 8601, seconds or milliseconds           the server's time
 * level        debug info warning error fatal              error
 * message      text                                        needed, unless there is an exception
 * exception    {type, value, stacktrace}, or a list        none
 * breadcrumbs  list                                        none
 * tags         {key: text}                                 none
 * user, environment, release, platform, server_name, transaction, logger, sdk, fingerprint, extra,
 * contexts, request                                        none
 * ```
 *
 * Wrong types in the fields of the upper part are rejected; any other invalid value is dropped or
 * truncated (`limits.ts`).
 *
 * @module
 */
import { LEVELS, type MesherEvent } from "./event.ts";
import { idOf } from "./id.ts";
import { BULK_EVENTS_MAX, MESSAGE_CHARS_MAX } from "./limits.ts";
import { exceptionsFrom, levelFrom, plausibleTime, timeFrom } from "./parts.ts";
import { eventContextFrom } from "./event_fields.ts";
import { objectOf, refuse, textOf } from "./trim.ts";

/** The result of validation: an event, or the reason why the input was rejected. */
export type Validated =
  | { readonly ok: true; readonly event: MesherEvent }
  | { readonly ok: false; readonly reason: string };

/** The inputs of validation in addition to the event. */
export interface Moment {
  /** The server's time. */
  readonly now: number;
  /** Creates the id of an event that has none. */
  readonly newId: () => string;
  /** The address of the client, if it is known. */
  readonly address?: string;
}

/** Validates one event from parsed JSON. */
export function validateEvent(input: unknown, moment: Moment): Validated {
  const raw = objectOf(input);
  if (raw === null) return refuse("an event must be a JSON object");

  const givenId = raw["id"] ?? raw["event_id"];
  const id = givenId === undefined || givenId === null ? moment.newId() : idOf(givenId);
  if (id === null) return refuse("id must be a UUID, or 32 hexadecimal digits");

  const level = raw["level"] === undefined || raw["level"] === null
    ? "error"
    : levelFrom(raw["level"]);
  if (level === null) return refuse(`level must be one of ${LEVELS.join(", ")}`);

  const time = raw["timestamp"];
  const at = time === undefined || time === null ? moment.now : timeFrom(time);
  if (at === null) {
    return refuse("timestamp must be ISO 8601, or seconds or milliseconds since the epoch");
  }

  const message = raw["message"];
  if (message !== undefined && message !== null && typeof message !== "string") {
    return refuse("message must be a string");
  }
  const exception = raw["exception"];
  if (exception !== undefined && exception !== null && typeof exception !== "object") {
    return refuse("exception must be an object or an array");
  }
  const exceptions = exceptionsFrom(exception ?? raw["exceptions"]);
  if ((message ?? "").trim() === "" && exceptions.length === 0) {
    return refuse("an event needs a message or an exception");
  }

  const tags = raw["tags"];
  if (tags !== undefined && tags !== null && typeof tags !== "object") {
    return refuse("tags must be an object of strings");
  }
  const breadcrumbs = raw["breadcrumbs"];
  if (breadcrumbs !== undefined && breadcrumbs !== null && typeof breadcrumbs !== "object") {
    return refuse("breadcrumbs must be an array");
  }

  return {
    ok: true,
    event: {
      id,
      timestamp: plausibleTime(at, moment.now),
      level,
      message: textOf(message, MESSAGE_CHARS_MAX) ?? "",
      exceptions,
      ...eventContextFrom(raw),
    },
  };
}

/** Parses a bulk request: a result for each event, or an error for the request. */
export function validateBulk(
  input: unknown,
  moment: Moment,
):
  | { readonly ok: true; readonly events: readonly Validated[] }
  | { readonly ok: false; readonly reason: string } {
  const list = Array.isArray(input) ? input : objectOf(input)?.["events"];
  if (!Array.isArray(list)) return refuse("a bulk request must be a JSON array of events");
  if (list.length === 0) return refuse("a bulk request must contain at least one event");
  if (list.length > BULK_EVENTS_MAX) {
    return refuse(
      `a bulk request may contain ${BULK_EVENTS_MAX} events, this one has ${list.length}`,
    );
  }
  return { ok: true, events: list.map((event) => validateEvent(event, moment)) };
}
