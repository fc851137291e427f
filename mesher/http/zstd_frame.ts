/**
 * Finds where a frame of a zstd body and its blocks end, without decompressing them (RFC 8878,
 * 3.1). Two faults of Deno's decoder make this necessary. It ends after the first frame of several,
 * and does not report how many bytes it has read. And it ends the process if it finds damaged data
 * after its output buffer has been full. Therefore one block at a time is written to the decoder,
 * which reads the block before it returns output.
 *
 * ```
 * frame             magic:4 · descriptor:1 · window:0-1, dictionary:0-4, content size:0-8
 *                   · block ... · checksum:0-4
 * block             header:3 (1 bit last, 2 bits type, 21 bits size) · content
 * skippable frame   magic:4 · size:4 · content
 * ```
 *
 * @module
 */

/** Magic number of a frame. */
const FRAME_MAGIC = 0xfd2fb528;
/** Magic number of a skippable frame. Its low 4 bits may have any value. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Length of the dictionary id in bytes, by the flag in the descriptor of the frame. */
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
/** Length of the content size in bytes, by its flag. At least 1 in a frame of a single segment. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const CHECKSUM_BYTES = 4;
/** Type of a block whose content is one byte, which is repeated `size` times. */
const REPEATED_BLOCK = 1;

/** The next part of a frame: bytes that are skipped, then a little-endian number. */
interface Step {
  readonly skip: number;
  /** Length of the number in bytes; 0 if there is no number. */
  readonly bytes: 0 | 1 | 3 | 4;
}

/** Finds the end of a frame that arrives in chunks. */
export class ZstdFrame {
  /** Whether `take` has received the whole frame. */
  isEnded = false;
  /** Number of blocks of which `take` has received at least the header. */
  blocks = 0;
  readonly #steps = this.#layout();
  #skip = 0;
  #bytes = 0;
  #value = 0;
  #valueAt = 0;

  constructor() {
    this.#step();
  }

  /**
   * Returns how many bytes of the next chunk belong to the frame, or to its next block. Data that is
   * not a frame has no end, so that a decoder reads all of it, and fails.
   */
  take(chunk: Uint8Array): number {
    let at = 0;
    while (!this.isEnded) {
      const isInBlock = this.#skip > 0;
      const skipped = Math.min(this.#skip, chunk.length - at);
      at += skipped;
      this.#skip -= skipped;
      if (this.#skip > 0 || (isInBlock && this.#bytes > 0)) return at;
      while (this.#valueAt < this.#bytes) {
        if (at === chunk.length) return at;
        this.#value += chunk[at++]! * 2 ** (8 * this.#valueAt++);
      }
      this.#step();
    }
    return at;
  }

  #step(): void {
    const { done, value } = this.#steps.next(this.#value);
    if (done) this.isEnded = true;
    else [this.#skip, this.#bytes, this.#value, this.#valueAt] = [value.skip, value.bytes, 0, 0];
  }

  *#layout(): Generator<Step, void, number> {
    const magic = yield { skip: 0, bytes: 4 };
    if (magic - magic % 16 === SKIPPABLE_MAGIC) {
      const size = yield { skip: 0, bytes: 4 };
      return void (yield { skip: size, bytes: 0 });
    }
    if (magic !== FRAME_MAGIC) yield { skip: Infinity, bytes: 0 };
    const descriptor = yield { skip: 0, bytes: 1 };
    const isSingle = (descriptor & 0x20) !== 0;
    const contentSize = CONTENT_SIZE_BYTES[(descriptor >> 6) as 0 | 1 | 2 | 3];
    let skip: number = DICTIONARY_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3] +
      (isSingle ? Math.max(contentSize, 1) : contentSize + 1);
    for (let isLast = false; !isLast;) {
      const header = yield { skip, bytes: 3 };
      this.blocks++;
      isLast = (header & 1) !== 0;
      skip = (header >> 1 & 3) === REPEATED_BLOCK ? 1 : header >> 3;
    }
    yield { skip, bytes: (descriptor & 4) !== 0 ? CHECKSUM_BYTES : 0 };
  }
}
