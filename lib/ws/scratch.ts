/**
 * Provides a buffer for temporary data, with all its views created once, because creating a view
 * costs more than processing most frames. A server has two, for reading and for writing; their
 * content is only valid during one synchronous call.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/**
 * The default size of the buffer in bytes: a multiple of four, because of its view of 32-bit words.
 */
export const SCRATCH_BYTES: number = 64 * 1024;

/** One buffer and four views of it. */
export class Scratch {
  /** The buffer as bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer as numbers of any width at any offset. */
  readonly view: DataView<ArrayBuffer>;
  /** The buffer as 32-bit words at multiples of four. */
  readonly words: Int32Array<ArrayBuffer>;
  /** The buffer as a `Buffer`, which decodes and encodes text. */
  readonly text: Buffer;

  constructor(capacity: number = SCRATCH_BYTES) {
    const memory = new ArrayBuffer(capacity);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.words = new Int32Array(memory);
    this.text = Buffer.from(memory);
  }
}
