/**
 * Sends messages to a broker, and limits the number of bytes that the broker has not confirmed.
 *
 *     push ─▶ queue ─ while connected, and less than a window is unconfirmed ─▶ send ─▶ flush: confirmed
 *
 * The client libraries of brokers have unlimited send queues, even while they are disconnected.
 * This queue therefore keeps messages until the broker has confirmed enough of the earlier ones.
 * Above the limit, new messages are dropped and counted.
 *
 * @module
 */
import { Ring } from "../base/ring.ts";

/** Maximum number of unconfirmed bytes. A single message may be longer. */
const WINDOW_BYTES = 1024 * 1024;

/** Number of sent bytes after which a confirmation is requested. */
const CONFIRM_BYTES = WINDOW_BYTES / 4;

/** Number of bytes that are counted for each message in addition to its payload. */
const OVERHEAD_BYTES = 64;

/** The functions by which the window sends. */
export interface WindowPort {
  /** Sends a message. May throw, in which case the message is lost. */
  send(subject: string, payload: Uint8Array): void;
  /** Resolves when the broker has received what was sent. */
  flush(): Promise<unknown>;
  /**
   * Called when a message is dropped. Called again only after the queue was less than half full.
   */
  full(): void;
}

interface Queued {
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** The queue of messages to a broker. */
export class SendWindow {
  /** Number of messages that were dropped because the queue was full. */
  dropped = 0;
  readonly #port: WindowPort;
  readonly #bytesMax: number;
  readonly #queue = new Ring<Queued>();
  #queuedBytes = 0;
  #unconfirmed = 0;
  #isConfirming = false;
  #isConnected = true;
  #isFull = false;

  constructor(port: WindowPort, bytesMax: number) {
    this.#port = port;
    this.#bytesMax = bytesMax;
  }

  /** Number of bytes that are queued or not confirmed. */
  get bytes(): number {
    return this.#queuedBytes + this.#unconfirmed;
  }

  /** Whether the queue is empty: all messages were sent, though some may be unconfirmed. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Sets whether the broker is connected. While it is not, messages are queued. */
  set isConnected(isConnected: boolean) {
    this.#isConnected = isConnected;
    this.#pump();
  }

  /** Sends a message, at once or later. */
  push(subject: string, payload: Uint8Array): void {
    const bytes = payload.length + OVERHEAD_BYTES;
    if (this.bytes + bytes > this.#bytesMax) {
      this.dropped++;
      if (!this.#isFull) this.#port.full();
      this.#isFull = true;
      return;
    }
    if (this.#canSend() && this.#queue.length === 0) return this.#send(subject, payload);
    this.#queue.push({ subject, payload });
    this.#queuedBytes += bytes;
  }

  /** Drops all queued messages. */
  clear(): void {
    while (this.#queue.shift() !== undefined);
    this.#queuedBytes = 0;
  }

  #canSend(): boolean {
    return this.#isConnected && this.#unconfirmed < WINDOW_BYTES;
  }

  #send(subject: string, payload: Uint8Array): void {
    this.#unconfirmed += payload.length + OVERHEAD_BYTES;
    try {
      this.#port.send(subject, payload);
    } catch {
      // The connection is closed or closing, so the message is lost.
      this.dropped++;
    }
    if (this.#unconfirmed >= CONFIRM_BYTES && !this.#isConfirming) this.#confirm();
  }

  #confirm(): void {
    this.#isConfirming = true;
    const bytes = this.#unconfirmed;
    // This function is also called if the flush fails. The bytes may then be lost, and are not sent
    // again.
    const confirmed = (): void => {
      this.#isConfirming = false;
      this.#unconfirmed -= bytes;
      if (this.bytes < this.#bytesMax / 2) this.#isFull = false;
      this.#pump();
      if (this.#unconfirmed >= CONFIRM_BYTES && !this.#isConfirming) this.#confirm();
    };
    this.#port.flush().then(confirmed, confirmed);
  }

  #pump(): void {
    while (this.#canSend()) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#queuedBytes -= next.payload.length + OVERHEAD_BYTES;
      this.#send(next.subject, next.payload);
    }
  }
}
