/**
 * A buffer for temporary data, with all its views created once: a new view costs more than processing most
 * frames. A server has two, for reading and for writing; their content is only valid within one call.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The size of the buffer: a multiple of four, so that pieces keep the position in the mask. */
export const SCRATCH_BYTES: number = 64 * 1024;

/** One buffer and four views of it. */
export class Scratch {
  /** Bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A view of words at any offset. */
  readonly view: DataView<ArrayBuffer>;
  /** A view of words at multiples of four. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Text. */
  readonly text: Buffer;

  constructor(capacity: number = SCRATCH_BYTES) {
    const memory = new ArrayBuffer(capacity);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.words = new Int32Array(memory);
    this.text = Buffer.from(memory);
  }
}
