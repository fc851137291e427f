/**
 * Queues the messages of a client while it has no connection.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { OptionError } from "./options.ts";
import type { SendResult } from "./outbox.ts";

/** Queues messages while there is no connection, up to a limit. */
export class SendBuffer {
  readonly #bytesMax: number;
  #messages: (string | Uint8Array)[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    if (!(Number.isInteger(bytesMax) && bytesMax >= 0)) {
      throw new OptionError(`option sendBufferLimit is ${bytesMax}: use a whole number from 0`);
    }
    this.#bytesMax = bytesMax;
  }

  add(data: string | Uint8Array): SendResult {
    if (this.#bytesMax === 0) return "closed";
    const length = typeof data === "string" ? Buffer.byteLength(data) : data.length;
    if (this.#bytes + length > this.#bytesMax) return "dropped";
    this.#bytes += length;
    this.#messages.push(typeof data === "string" ? data : data.slice());
    return "held";
  }

  flush(
    connection: { send(data: string | Uint8Array): unknown },
  ): void {
    const messages = this.#messages;
    this.clear();
    for (const each of messages) connection.send(each);
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
