/**
 * Memory for work in progress, with every view of it made once: a new view costs more than what is
 * done with most frames. A server has two, one to read in and one to write in; nothing stays in
 * them from one call to the next.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** How much is worked on at a time. A multiple of four, so that pieces keep the mask's phase. */
export const SCRATCH_BYTES: number = 64 * 1024;

/** One piece of memory and four ways to look at it. */
export class Scratch {
  /** As bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** For words at any offset. */
  readonly view: DataView<ArrayBuffer>;
  /** For words at offsets that four divides. */
  readonly words: Int32Array<ArrayBuffer>;
  /** For text. */
  readonly text: Buffer;

  constructor(capacity: number = SCRATCH_BYTES) {
    const memory = new ArrayBuffer(capacity);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.words = new Int32Array(memory);
    this.text = Buffer.from(memory);
  }
}
