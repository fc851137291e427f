/**
 * Sends the messages of rooms to an HTTP client as server-sent events: WHATWG HTML, section 9.2.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { utf8 } from "../base/bytes.ts";
import { type Backpressure, completeBackpressure } from "./backpressure.ts";
import type { Member, RoomMessage, RoomTerms } from "./room.ts";

/** Number of broadcasts that wait for a later turn, after which they are sent at once. */
const LATE_MAX = 64;

/** A stream of server-sent events to one client. */
export class EventStream implements Member {
  readonly #body: ReadableStream<Uint8Array>;
  readonly #limits: Backpressure;
  readonly #ended: () => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #isOver = false;
  #isEnded = false;
  /** Broadcasts that will be sent in a later turn: see {@linkcode RoomTerms.later}. */
  readonly #late: { readonly messages: readonly RoomMessage[]; readonly limits: Backpressure }[] =
    [];
  /** Whether something was sent since the last call of {@linkcode beat}. */
  #isBusy = false;

  /**
   * `ended` is called once: when the client disconnects or reads too slowly, or when this side ends
   * the stream.
   */
  constructor(limits: Backpressure, ended: () => void) {
    this.#limits = limits;
    this.#ended = ended;
    this.#body = new ReadableStream<Uint8Array>({
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.#controller = controller;
      },
      cancel: () => this.#end(),
    }, { highWaterMark: 0, size: ({ length }) => length });
  }

  /** Returns the response whose body is this stream. `more` contains further headers. */
  response(more?: HeadersInit): Response {
    const headers = new Headers(more);
    headers.set("content-type", "text/event-stream; charset=utf-8");
    headers.set("cache-control", "no-store");
    // Makes nginx pass on each event at once instead of buffering the response.
    headers.set("x-accel-buffering", "no");
    return new Response(this.#body, { headers });
  }

  sendShared(frames: Uint8Array, room: RoomTerms): void {
    if (this.#isOver) return;
    const limits = completeBackpressure(room.backpressure, this.#limits);
    const { length } = this.#late;
    this.#late.push({ messages: room.messages(frames), limits });
    if (length === 0) room.later(this.#deliver);
    else if (length === LATE_MAX) this.#deliver();
  }

  /** Sends a message to this client only. */
  send(message: RoomMessage): void {
    this.#deliver();
    this.#send(message, this.#limits);
  }

  readonly #deliver = (): void => {
    if (this.#late.length === 0) return;
    for (const { messages, limits } of this.#late.splice(0)) {
      for (const message of messages) this.#send(message, limits);
    }
  };

  /**
   * Sends a comment if nothing was sent since the last call, because proxies close idle responses.
   */
  beat(): void {
    this.#deliver();
    if (!this.#isOver && !this.#isBusy && this.#controller.desiredSize! >= 0) {
      this.#controller.enqueue(KEEP_ALIVE);
    }
    this.#isBusy = false;
  }

  /** Ends the stream. Data sent before is still delivered. */
  end(): void {
    this.#deliver();
    if (!this.#isOver) this.#controller.close();
    this.#end();
  }

  #send(message: RoomMessage, { bytesMax, policy }: Backpressure): void {
    if (this.#isOver) return;
    const event = eventOf(message);
    const waiting = -this.#controller.desiredSize!;
    if (waiting <= 0 || waiting + event.length <= bytesMax) {
      this.#isBusy = true;
      this.#controller.enqueue(event);
    } else if (policy === "close") {
      this.#isOver = true;
      this.#controller.error(new Error("the client does not read fast enough"));
      // Deferred, because `ended` may leave a room whose broadcast is in progress.
      queueMicrotask(() => this.#end());
    }
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isOver = this.#isEnded = true;
    this.#ended();
  }
}

const KEEP_ALIVE: Uint8Array = utf8(":\n\n");

/** Encodes an event: one `data` line per line of the text. */
function eventOf(message: RoomMessage): Uint8Array {
  if (typeof message !== "string") {
    return utf8(`event: binary\ndata: ${Buffer.from(message).toString("base64")}\n\n`);
  }
  return utf8(`data: ${message.replaceAll(/\r\n|\r|\n/g, "\ndata: ")}\n\n`);
}
