/**
 * Passes the body of a request to a hook as a stream, while it arrives.
 *
 *     bytes ──▶ add ──▶ a queue of at most `QUEUE_BYTES_MAX` ──▶ request.body
 *                         └─ full: the socket is paused until the hook reads
 *
 * @module
 */

/** Number of unread bytes at which the socket is paused. */
const QUEUE_BYTES_MAX = 64 * 1024;

/** The body of one request, as a `ReadableStream`. */
export class BodyStream {
  /** The stream that the request's hook receives as `request.body`. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Whether the request's hook has read or cancelled the stream. */
  isUsed = false;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #isOver = false;

  /**
   * `wanted` is called when the request's hook waits for bytes, and when the hook cancels the
   * stream.
   */
  constructor(wanted: () => void) {
    const use = (): void => {
      this.isUsed = true;
      wanted();
    };
    this.readable = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: use,
      cancel: () => {
        this.#isOver = true;
        use();
      },
    }, { highWaterMark: 0, size: (bytes) => bytes?.length ?? 0 });
  }

  /** Whether the socket should be paused. */
  get isFull(): boolean {
    return !this.#isOver && -(this.#controller.desiredSize ?? 0) >= QUEUE_BYTES_MAX;
  }

  /** Queues a copy of the bytes, unless the request's hook has cancelled the stream. */
  add(bytes: Uint8Array): void {
    if (!this.#isOver) this.#controller.enqueue(bytes.slice());
  }

  /** Ends the stream, because the body is complete. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.close();
  }

  /** Fails the stream, because the rest of the body will not arrive. Reading it then rejects. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.error(error);
  }
}
