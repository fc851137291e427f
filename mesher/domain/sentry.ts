/**
 * What Sentry's SDKs send: the envelope, and the event in it.
 *
 * ```
 * envelope   header line, then items; every line ends with \n
 * item       header line, payload: header.length bytes and \n, or without length up to the next \n
 * ```
 *
 * Items of other types (sessions, transactions, client reports, attachments, replays) are counted and
 * passed over, as Sentry itself allows. Pure and total: nothing here throws.
 *
 * @module
 */
import type { MesherEvent } from "./event.ts";
import { idOf } from "./id.ts";
import { ENVELOPE_ITEMS_MAX, EVENT_BYTES_MAX, MESSAGE_CHARS_MAX } from "./limits.ts";
import { exceptionsFrom, framesFrom, levelFrom, plausibleTime, timeFrom } from "./parts.ts";
import { surroundingsFrom } from "./surroundings.ts";
import { objectOf, type Raw, refuse, textOf } from "./trim.ts";
import type { Moment, Validated } from "./validate.ts";

/** An envelope, read. */
export type Envelope =
  | {
    readonly ok: true;
    /** Its own id, which the answer names. */
    readonly eventId: string | null;
    /** The DSN, if the client wrote it into the header (tunnels do). */
    readonly dsn: string | null;
    /** The JSON of its events. */
    readonly events: readonly Raw[];
    /** How many items were of other types. */
    readonly ignored: number;
  }
  | { readonly ok: false; readonly reason: string };

const NEWLINE = 10;

/** Reads an envelope. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const reader = new Lines(bytes);
  const header = objectOf(parsed(reader.line()));
  if (header === null) return refuse("the envelope's first line must be a JSON object");
  const events: Raw[] = [];
  let ignored = 0;
  for (let items = 0; !reader.ended; items++) {
    const line = reader.line();
    if (line.length === 0) continue;
    if (items >= ENVELOPE_ITEMS_MAX) return refuse(`more than ${ENVELOPE_ITEMS_MAX} items`);
    const item = objectOf(parsed(line));
    if (item === null || typeof item["type"] !== "string") {
      return refuse(`the header of item ${items + 1} must be a JSON object with a type`);
    }
    const length = item["length"];
    if (length !== undefined && !(Number.isSafeInteger(length) && Number(length) >= 0)) {
      return refuse(`the length of item ${items + 1} must be a number of bytes`);
    }
    const payload = length === undefined ? reader.line() : reader.take(Number(length));
    if (payload === null) return refuse(`item ${items + 1} ends before its length`);
    if (item["type"] !== "event") {
      ignored++;
      continue;
    }
    if (payload.length > EVENT_BYTES_MAX) return refuse(`item ${items + 1} is too large`);
    const event = objectOf(parsed(payload));
    if (event === null) return refuse(`item ${items + 1} must be a JSON object`);
    events.push(event);
  }
  return {
    ok: true,
    eventId: idOf(header["event_id"]),
    dsn: textOf(header["dsn"]),
    events,
    ignored,
  };
}

/** Our event from Sentry's. */
export function eventFromSentry(input: unknown, moment: Moment): Validated {
  const raw = objectOf(input);
  if (raw === null) return refuse("an event must be a JSON object");
  const exceptions = exceptionsFrom(raw["exception"]);
  const threads = objectOf(raw["threads"])?.["values"];
  // Sentry puts the stack of a plain message beside it or into its thread.
  const stack = objectOf(raw["stacktrace"]) ??
    (Array.isArray(threads) ? objectOf(objectOf(threads[0])?.["stacktrace"]) : null);
  const frames = framesFrom(stack?.["frames"]);
  const message = messageFrom(raw);
  if (exceptions.length === 0 && frames.length > 0) {
    exceptions.push({ type: "", value: message, module: null, handled: null, frames });
  }
  if (message.trim() === "" && exceptions.length === 0) {
    return refuse("an event needs a message or an exception");
  }
  const event: MesherEvent = {
    id: idOf(raw["event_id"]) ?? moment.newId(),
    timestamp: plausibleTime(timeFrom(raw["timestamp"]), moment.now),
    level: levelFrom(raw["level"]) ?? "error",
    message,
    exceptions,
    ...surroundingsFrom(raw),
  };
  return { ok: true, event };
}

/** `message` is a text, or `{formatted, message, params}`; older clients put it into `logentry`. */
function messageFrom(raw: Raw): string {
  const of = (value: unknown): string | null => {
    const entry = objectOf(value);
    return entry === null
      ? textOf(value, MESSAGE_CHARS_MAX)
      : textOf(entry["formatted"] ?? entry["message"], MESSAGE_CHARS_MAX);
  };
  return of(raw["message"]) ?? of(raw["logentry"]) ?? "";
}

/** Goes through bytes by lines and by lengths. */
class Lines {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Up to the next newline, or the end. */
  line(): Uint8Array {
    const found = this.#bytes.indexOf(NEWLINE, this.#at);
    const end = found < 0 ? this.#bytes.length : found;
    const line = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** So many bytes and the newline after them; null: there are not as many. */
  take(length: number): Uint8Array | null {
    if (length > this.#bytes.length - this.#at) return null;
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    if (this.#bytes[this.#at] === NEWLINE) this.#at++;
    return taken;
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
