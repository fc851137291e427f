/**
 * Parses a Sentry envelope piece by piece as it arrives:
 *
 * ```
 * envelope   header line, then items; every line ends with \n
 * item       header line, payload: header.length bytes and \n, or without length up to the next \n
 * ```
 *
 *     header ──line──▶ item ──line──▶ payload: kept, or skipped ──end──▶ item …
 *
 * Events and feedback are kept. Items of other types (sessions, transactions, check-ins,
 * attachments, replays) are skipped and counted by type, so that a large attachment uses no memory.
 * An item that is too large or malformed is dropped alone. Deterministic and total: nothing here
 * throws.
 *
 * @module
 */
import { idOf } from "./id.ts";
import { jsonFrom } from "./json_text.ts";
import { ENVELOPE_ITEMS_MAX, ENVELOPE_LINE_BYTES_MAX, EVENT_BYTES_MAX } from "./limits.ts";
import { objectOf, type Raw, refuse, textOf } from "./trim.ts";

/** The reason why an item of an envelope was dropped. */
export type ItemProblem = "too_large" | "invalid_json" | "truncated" | "invalid_header";

/** A parsed envelope. */
export type Envelope =
  | {
    readonly ok: true;
    /** The id of the envelope, which the response repeats. */
    readonly eventId: string | null;
    /** The DSN in the header, which clients send through tunnels; null if there is none. */
    readonly dsn: string | null;
    /** The events in the envelope, as JSON. */
    readonly events: readonly Raw[];
    /** The user feedback in the envelope, as JSON. */
    readonly feedback: readonly Raw[];
    /** Number of items of other types, by type. */
    readonly ignored: ReadonlyMap<string, number>;
    /** The dropped items: the kind of each problem, and a sentence about it. */
    readonly problems: readonly (readonly [ItemProblem, string])[];
  }
  | { readonly ok: false; readonly reason: string };

/** Types of items whose payload is parsed. */
const KEPT: ReadonlySet<string> = new Set(["event", "feedback", "user_report"]);
/**
 * Maximum number of item types that are counted by name. The number is limited because a client may
 * send any type.
 */
const TYPES_MAX = 32;
/** Only types that match this pattern are counted by name. */
const TYPE = /^[a-z][a-z0-9_]{0,31}$/;
const NEWLINE = 10;

/** Parses one envelope, whose bytes may arrive in pieces. */
export class EnvelopeReader {
  readonly #events: Raw[] = [];
  readonly #feedback: Raw[] = [];
  readonly #ignored = new Map<string, number>();
  readonly #problems: [ItemProblem, string][] = [];
  #header: Raw | undefined;
  /** The reason why the whole envelope is rejected, if it is. */
  #refusal: string | undefined;
  #isOver = false;
  #items = 0;
  /** The header of the item whose payload is being read; null between items. */
  #item: { readonly type: string; readonly left: number | null } | null = null;
  /**
   * Number of bytes of the current item's payload that have not arrived. Null if the payload ends
   * at the next newline.
   */
  #left: number | null = null;
  /** Whether the next byte may be the newline after a payload. */
  #isAfterPayload = false;
  /** The received part of a line or of a kept payload. */
  #chunks: Uint8Array[] = [];
  #length = 0;
  #isTooLarge = false;

  /** The envelope's header; undefined until it has arrived. */
  get header(): { readonly dsn: string | null } | undefined {
    return this.#header === undefined ? undefined : { dsn: textOf(this.#header["dsn"], 1_024) };
  }

  /** Parses the next bytes. Keeps no unnecessary reference to `bytes`. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#isOver && this.#refusal === undefined) {
      if (this.#isAfterPayload) {
        this.#isAfterPayload = false;
        if (bytes[at] === NEWLINE) at++;
        continue;
      }
      if (this.#isBetweenItems && bytes[at] === NEWLINE) at++;
      else at = this.#left === null ? this.#line(bytes, at) : this.#payload(bytes, at);
    }
  }

  get #isBetweenItems(): boolean {
    return this.#item === null && this.#length === 0 && this.#header !== undefined;
  }

  /** Returns the envelope after the last bytes. */
  end(): Envelope {
    if (!this.#isOver && this.#refusal === undefined) this.#finish();
    if (this.#refusal !== undefined) return refuse(this.#refusal);
    return {
      ok: true,
      eventId: idOf(this.#header!["event_id"]),
      dsn: this.header!.dsn,
      events: this.#events,
      feedback: this.#feedback,
      ignored: this.#ignored,
      problems: this.#problems,
    };
  }

  #finish(): void {
    const isLine = this.#item === null && (this.#length > 0 || this.#header === undefined);
    if (isLine) this.#lineEnds();
    if (this.#item === null) return;
    if (this.#left === null) this.#payloadEnds(false);
    else if (this.#left > 0) {
      this.#problem("truncated", `item ${this.#items} ends before its length`);
    }
  }

  #line(bytes: Uint8Array, at: number): number {
    const found = bytes.indexOf(NEWLINE, at);
    const end = found < 0 ? bytes.length : found;
    this.#keep(bytes.subarray(at, end), this.#item === null ? ENVELOPE_LINE_BYTES_MAX : undefined);
    if (found < 0) return end;
    this.#lineEnds();
    return end + 1;
  }

  #payload(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left!);
    this.#keep(bytes.subarray(at, end));
    this.#left! -= end - at;
    if (this.#left === 0) this.#payloadEnds(true);
    return end;
  }

  #keep(bytes: Uint8Array, max: number = EVENT_BYTES_MAX): void {
    if (this.#item !== null && !KEPT.has(this.#item.type)) return;
    this.#length += bytes.length;
    if (this.#length > max) {
      this.#isTooLarge = true;
      this.#chunks = [];
    } else if (bytes.length > 0) this.#chunks.push(bytes.slice());
  }

  #lineEnds(): void {
    if (this.#item !== null) return this.#payloadEnds(false);
    const [isTooLarge, text] = this.#taken();
    if (this.#header === undefined) {
      const header = isTooLarge ? null : objectOf(parsed(text));
      if (header === null) {
        this.#refusal = "the envelope's first line must be a JSON object";
      } else this.#header = header;
      return;
    }
    if (text === "" && !isTooLarge) return;
    this.#itemBegins(isTooLarge ? null : objectOf(parsed(text)));
  }

  #itemBegins(header: Raw | null): void {
    const number = ++this.#items;
    const type = header?.["type"];
    if (header === null || typeof type !== "string") {
      const words = `the header of item ${number} must be a JSON object with a type`;
      return this.#problem("invalid_header", words);
    }
    const length = header["length"] ?? undefined;
    if (length !== undefined && !(Number.isSafeInteger(length) && Number(length) >= 0)) {
      const words = `the length of item ${number} must be a number of bytes`;
      return this.#problem("invalid_header", words);
    }
    const isRead = number <= ENVELOPE_ITEMS_MAX && KEPT.has(type);
    if (!isRead) this.#ignore(KEPT.has(type) ? "too_many_items" : type);
    this.#left = length === undefined ? null : Number(length);
    this.#item = { type: isRead ? type : "", left: this.#left };
    if (this.#left === 0) this.#payloadEnds(true);
  }

  #payloadEnds(hasNewline: boolean): void {
    const { type } = this.#item!;
    const [isTooLarge, text] = this.#taken();
    this.#item = null;
    this.#left = null;
    this.#isAfterPayload = hasNewline;
    if (!KEPT.has(type)) return;
    const words = `item ${this.#items}`;
    if (isTooLarge) {
      this.#problems.push(["too_large", `${words} is too large`]);
      return;
    }
    const payload = objectOf(parsed(text));
    if (payload === null) this.#problems.push(["invalid_json", `${words} must be a JSON object`]);
    else if (type !== "event") this.#feedback.push(payload);
    else if (payload["type"] === "transaction") this.#ignore("transaction");
    else this.#events.push(payload);
  }

  /** Records a problem, and ignores the rest of the envelope, which cannot be parsed. */
  #problem(kind: ItemProblem, words: string): void {
    this.#isOver = true;
    this.#problems.push([kind, words]);
  }

  #ignore(type: string): void {
    const name = TYPE.test(type) && (this.#ignored.has(type) || this.#ignored.size < TYPES_MAX)
      ? type
      : "other";
    this.#ignored.set(name, (this.#ignored.get(name) ?? 0) + 1);
  }

  #taken(): [isTooLarge: boolean, text: string] {
    const decoder = new TextDecoder();
    let text = "";
    for (const chunk of this.#chunks) text += decoder.decode(chunk, { stream: true });
    text += decoder.decode();
    const isTooLarge = this.#isTooLarge;
    this.#chunks = [];
    this.#length = 0;
    this.#isTooLarge = false;
    return [isTooLarge, text.replace(/\r$/, "")];
  }
}

/** Parses a complete envelope. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const reader = new EnvelopeReader();
  reader.push(bytes);
  return reader.end();
}

function parsed(text: string): unknown {
  try {
    return jsonFrom(text);
  } catch {
    return undefined;
  }
}
