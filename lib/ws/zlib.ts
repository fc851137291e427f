/**
 * Raw deflate as WebSockets need it, synchronous: the one file that knows how the platform's zlib is
 * made to do so.
 *
 *     compress   payload ─▶ deflate, flushed ─▶ … 00 00 ff ff ─▶ without these four
 *     inflate    bytes, in pieces or whole, then 00 00 ff ff ─▶ payload, never longer than it may be
 *
 * The public functions of `node:zlib` are either asynchronous, with a job of the thread pool and two
 * callbacks for every message, or make and drop a whole engine for each (and Deno's have no regard
 * for a dictionary). What both runtimes have beneath them, as Node has, is `writeSync` of the handle:
 * 1 to 2 µs for a message of 1 KiB that continues another, 9 to 13 µs for one that stands alone, on
 * both. Where it is missing, engines are made and dropped, and {@linkcode hasMemory} is false: then
 * nothing is agreed on that needs one to remember.
 *
 * An engine that remembers takes some 225 KiB to compress (less with a smaller window and `memLevel`)
 * and 20 to 30 KiB to inflate, beside the heap.
 *
 * @module
 */
import zlib from "node:zlib";
import { concat, EMPTY } from "../base/bytes.ts";

const { Z_SYNC_FLUSH } = zlib.constants;

/** What a flush ends with, and what a sender leaves out: RFC 7692, section 7.2.1. */
const TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** An empty block: what an empty message consists of. */
const EMPTY_BLOCK: Uint8Array = Uint8Array.of(0x00);

/** How much is made at a time. */
const OUTPUT_BYTES = 64 * 1024;

/** A window of 256 bytes is one that zlib inflates but does not compress with; 512 it takes for it. */
const DEFLATE_BITS_MIN = 9;

/**
 * So many blocks of one message may say that they are the last; more are no message. Each begins the
 * engine anew, which costs a microsecond or two for no more than two bytes.
 */
const LAST_BLOCKS_MAX = 64;

/** Compressed so, a message refers to nothing but its last byte. Right for any window. */
const { Z_RLE, Z_DEFAULT_STRATEGY } = zlib.constants;

/** The handle beneath a stream of `node:zlib`. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    from: number,
    length: number,
    output: Uint8Array,
    at: number,
    room: number,
  ): void;
  reset(): void;
  onerror: (...what: unknown[]) => void;
}

/** A stream of `node:zlib`, from within. */
interface Stream {
  readonly _handle?: Partial<Handle> | null;
  /** After a write: how much of the output was left, and how much of the input. */
  readonly _writeState?: Uint32Array;
  close(): void;
}

/** True if engines can remember earlier messages on this runtime. */
export function hasMemory(): boolean {
  const stream = zlib.createInflateRaw() as unknown as Stream;
  const { _handle: handle, _writeState: state } = stream;
  const has = typeof handle?.writeSync === "function" && typeof handle.reset === "function" &&
    state instanceof Uint32Array;
  stream.close();
  return has;
}

/** An engine: a stream's handle, and where it writes. */
class Engine {
  readonly #stream: Stream;
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  readonly #output: Uint8Array;
  /** The input was none. */
  broken = false;
  /** How much of the last input it has taken. */
  taken = 0;

  constructor(stream: Stream, output: Uint8Array) {
    this.#stream = stream;
    this.#handle = stream._handle as Handle;
    this.#state = stream._writeState!;
    this.#output = output;
    this.#handle.onerror = () => this.broken = true;
  }

  /**
   * Takes input and adds what comes out of it to `parts`. Gives how long that is, or -1 if it would
   * be longer than `lengthMax`. It stops before the end of the input where the stream ends.
   */
  run(input: Uint8Array, from: number, lengthMax: number, parts: Uint8Array[]): number {
    let at = from;
    let length = 0;
    for (;;) {
      this.#handle.writeSync(
        Z_SYNC_FLUSH,
        input,
        at,
        input.length - at,
        this.#output,
        0,
        OUTPUT_BYTES,
      );
      if (this.broken) return 0;
      const [room, left] = [this.#state[0]!, this.#state[1]!];
      at = input.length - left;
      const made = OUTPUT_BYTES - room;
      length += made;
      if (length > lengthMax) return -1;
      if (made > 0) parts.push(this.#output.slice(0, made));
      if (room > 0) {
        this.taken = at;
        return length;
      }
    }
  }

  reset(): void {
    this.#handle.reset();
    this.broken = false;
  }

  close(): void {
    this.#stream.close();
  }
}

/** Compresses messages. */
export class Deflator {
  readonly #options: zlib.ZlibOptions;
  readonly #output: Uint8Array;
  #engine: Engine | undefined;
  #memory: boolean;

  /** It looks back 2 to the power of `windowBits` bytes. `output` is memory for work in progress. */
  constructor(memory: boolean, windowBits: number, options: zlib.ZlibOptions, output: Uint8Array) {
    this.#memory = memory;
    this.#output = output;
    this.#options = {
      ...options,
      windowBits: Math.max(DEFLATE_BITS_MIN, windowBits),
      strategy: windowBits < DEFLATE_BITS_MIN ? Z_RLE : Z_DEFAULT_STRATEGY,
      finishFlush: Z_SYNC_FLUSH,
    };
  }

  /** Compresses a message that may refer to those before. */
  compress(payload: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    if (this.#memory) {
      this.#engine ??= new Engine(
        zlib.createDeflateRaw(this.#options) as unknown as Stream,
        this.#output,
      );
      this.#engine.run(payload, 0, Infinity, parts);
    } else parts.push(zlib.deflateRawSync(payload, this.#options));
    const all = parts.length === 1 ? parts[0]! : concat(parts);
    // A flush after a flush makes nothing.
    return all.length <= TAIL.length ? EMPTY_BLOCK : all.subarray(0, all.length - TAIL.length);
  }

  /** Forgets what was compressed. */
  reset(): void {
    this.#engine?.reset();
  }

  /** Frees what it holds. */
  close(): void {
    this.#engine?.close();
    this.#engine = undefined;
  }
}

/** Why a message cannot be inflated: it makes more than it may, or it was never deflated. */
export type Uninflatable = "tooBig" | "broken";

/** What came of inflating: the payload, or why there is none. */
export type Inflated = Uint8Array | Uninflatable;

/** The same of one piece, which may make several, or nothing yet. */
export type InflatedPieces = Uint8Array[] | Uninflatable;

/** Inflates messages. */
export class Inflator {
  readonly #memory: boolean;
  readonly #windowBits: number;
  readonly #output: Uint8Array;
  #engine: Engine | undefined;
  /** A byte of the message has come. */
  #begun = false;
  /** What the message that comes in pieces has made. */
  #length = 0;
  /** How many of its blocks have said that they were the last. */
  #lasts = 0;

  constructor(memory: boolean, windowBits: number, output: Uint8Array) {
    this.#memory = memory;
    this.#windowBits = windowBits;
    this.#output = output;
  }

  /** Inflates a message that may refer to those before. It makes no more than `lengthMax` bytes. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    if (!this.#memory) return this.#once(bytes, lengthMax);
    const before = this.next(bytes, lengthMax);
    if (typeof before === "string") return before;
    const parts = this.finish(lengthMax, before);
    if (typeof parts === "string") return parts;
    return parts.length === 0 ? EMPTY : parts.length === 1 ? parts[0]! : concat(parts);
  }

  /** True if it can inflate a message piece by piece. */
  get takesPieces(): boolean {
    return this.#memory;
  }

  /** Inflates the next piece of a message, whose pieces together make no more than `lengthMax` bytes. */
  next(bytes: Uint8Array, lengthMax: number): InflatedPieces {
    const engine = this.#open();
    const parts: Uint8Array[] = [];
    if (bytes.length > 0) this.#begun = true;
    for (let at = 0; at < bytes.length;) {
      const made = engine.run(bytes, at, lengthMax - this.#length, parts);
      if (made < 0) return "tooBig";
      if (engine.broken) return "broken";
      this.#length += made;
      at = engine.taken;
      if (at === bytes.length) break;
      // A block that says it is the last (RFC 7692, 7.2.1): what follows is a stream of its own.
      if (++this.#lasts > LAST_BLOCKS_MAX) return "broken";
      engine.reset();
    }
    return parts;
  }

  /** The message is whole: what is left of it, behind what is in `parts`. */
  finish(lengthMax: number, parts: Uint8Array[] = []): InflatedPieces {
    // What is left out belongs to a block; without a byte of it there is none.
    if (!this.#begun) return parts;
    const engine = this.#open();
    if (engine.run(TAIL, 0, lengthMax - this.#length, parts) < 0) return "tooBig";
    if (engine.broken) return "broken";
    if (engine.taken < TAIL.length) engine.reset();
    this.#begun = false;
    this.#length = 0;
    this.#lasts = 0;
    return parts;
  }

  /** Forgets what was inflated. */
  reset(): void {
    this.#engine?.reset();
    this.#begun = false;
    this.#length = 0;
    this.#lasts = 0;
  }

  /** Frees what it holds. */
  close(): void {
    this.#engine?.close();
    this.#engine = undefined;
  }

  #open(): Engine {
    return this.#engine ??= new Engine(
      zlib.createInflateRaw({ windowBits: this.#windowBits }) as unknown as Stream,
      this.#output,
    );
  }

  #once(bytes: Uint8Array, lengthMax: number): Inflated {
    try {
      const payload = zlib.inflateRawSync(concat([bytes, TAIL]), {
        finishFlush: Z_SYNC_FLUSH,
        maxOutputLength: Math.max(1, lengthMax),
        windowBits: this.#windowBits,
      });
      return payload.length > lengthMax ? "tooBig" : payload;
    } catch (error) {
      return (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? "tooBig" : "broken";
    }
  }
}

/** Memory for engines to work in: one is enough for all of a server, since they take turns. */
export function makeOutput(): Uint8Array {
  return new Uint8Array(OUTPUT_BYTES);
}
