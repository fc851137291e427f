/**
 * Compresses and inflates WebSocket messages synchronously, with raw deflate. Only this file uses
 * internals of the platform's zlib.
 *
 *     compress   payload ─▶ deflate, flushed ─▶ … 00 00 ff ff ─▶ without these four
 *     inflate    bytes, in pieces or whole, then 00 00 ff ff ─▶ payload, up to a limit
 *
 * The public functions of `node:zlib` are either asynchronous, with a job of the thread pool and
 * two callbacks per message, or create a new engine for each message (and Deno's ignore a
 * dictionary). Both runtimes, like Node, have `writeSync` in the internal handle: it takes 1 to 2
 * µs for a message of 1 KiB with context, and 9 to 13 µs for one without. If it is missing, an
 * engine is created per message, and {@linkcode hasMemory} is false: context takeover is then not
 * negotiated.
 *
 * An engine with context uses about 225 KiB outside of the heap to compress (less with a smaller
 * window and `memLevel`), and 20 to 30 KiB to inflate.
 *
 * @module
 */
import zlib from "node:zlib";
import { concat, EMPTY } from "../base/bytes.ts";

const { Z_SYNC_FLUSH } = zlib.constants;

/** The end of flushed output, which a sender omits: RFC 7692, section 7.2.1. */
const TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** An empty deflate block, which is the payload of an empty message. */
const EMPTY_BLOCK: Uint8Array = Uint8Array.of(0x00);

/** The size of the output buffer in bytes. */
const OUTPUT_BYTES = 64 * 1024;

/** Minimum window bits for compression: zlib cannot compress with a window of 256 bytes. */
const DEFLATE_BITS_MIN = 9;

/**
 * Maximum number of blocks of one message that are marked as last; more are rejected. Each resets
 * the engine, which takes a microsecond or two for as few as two bytes of input.
 */
const LAST_BLOCKS_MAX = 64;

/**
 * With `Z_RLE`, output refers only to the previous byte, so that it is valid for any window size.
 */
const { Z_RLE, Z_DEFAULT_STRATEGY } = zlib.constants;

/** The internal handle of a stream of `node:zlib`. */
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

/** The internals of a stream of `node:zlib`. */
interface Stream {
  readonly _handle?: Partial<Handle> | null;
  /** After a write: the number of unused bytes of the output and of unread bytes of the input. */
  readonly _writeState?: Uint32Array;
  close(): void;
}

/** Returns whether the runtime's zlib supports context takeover. */
export function hasMemory(): boolean {
  const stream = zlib.createInflateRaw() as unknown as Stream;
  const { _handle: handle, _writeState: state } = stream;
  const has = typeof handle?.writeSync === "function" && typeof handle.reset === "function" &&
    state instanceof Uint32Array;
  stream.close();
  return has;
}

/** A compression engine: the internal handle of a stream of `node:zlib`, with an output buffer. */
class Engine {
  readonly #stream: Stream;
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  readonly #output: Uint8Array;
  /** Whether the input was invalid, so that the engine cannot be used before a reset. */
  broken = false;
  /** Number of bytes of the last input that were read. */
  taken = 0;

  constructor(stream: Stream, output: Uint8Array) {
    this.#stream = stream;
    this.#handle = stream._handle as Handle;
    this.#state = stream._writeState!;
    this.#output = output;
    this.#handle.onerror = () => this.broken = true;
  }

  /**
   * Processes `input` from the offset `from`, and appends the output to `parts`. Returns the length
   * of the output, or -1 if that would exceed `lengthMax`. Stops before the end of the input if the
   * compressed stream ends there.
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

/** Compresses messages, with or without context takeover. */
export class Deflator {
  readonly #options: zlib.ZlibOptions;
  readonly #output: Uint8Array;
  #engine: Engine | undefined;
  #memory: boolean;

  /** The window size is 2 to the power of `windowBits` bytes. `output` is a temporary buffer. */
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

  /** Compresses a message. The context is kept until {@linkcode reset}. */
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
    // For an empty message after an earlier flush, zlib produces no output.
    return all.length <= TAIL.length ? EMPTY_BLOCK : all.subarray(0, all.length - TAIL.length);
  }

  /** Resets the context. */
  reset(): void {
    this.#engine?.reset();
  }

  /** Frees the engine. */
  close(): void {
    this.#engine?.close();
    this.#engine = undefined;
  }
}

/** The reason why a message cannot be inflated: it exceeds the limit, or is invalid. */
export type Uninflatable = "tooBig" | "broken";

/** The result of inflating: the payload, or the reason why there is none. */
export type Inflated = Uint8Array | Uninflatable;

/**
 * The result of inflating one piece: its output, in any number of parts, or the reason why there is
 * none.
 */
export type InflatedPieces = Uint8Array[] | Uninflatable;

/** Inflates messages, with or without context takeover. */
export class Inflator {
  readonly #memory: boolean;
  readonly #windowBits: number;
  readonly #output: Uint8Array;
  #engine: Engine | undefined;
  /** Whether any byte of the message has arrived. */
  #begun = false;
  /** The output length of the message so far. */
  #length = 0;
  /** Number of final DEFLATE blocks (BFINAL is 1) that the message has had so far. */
  #lasts = 0;

  constructor(memory: boolean, windowBits: number, output: Uint8Array) {
    this.#memory = memory;
    this.#windowBits = windowBits;
    this.#output = output;
  }

  /**
   * Inflates a message to at most `lengthMax` bytes. The context is kept until {@linkcode reset}.
   */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    if (!this.#memory) return this.#once(bytes, lengthMax);
    const before = this.next(bytes, lengthMax);
    if (typeof before === "string") return before;
    const parts = this.finish(lengthMax, before);
    if (typeof parts === "string") return parts;
    return parts.length === 0 ? EMPTY : parts.length === 1 ? parts[0]! : concat(parts);
  }

  /** Whether this engine can inflate a message in pieces. */
  get takesPieces(): boolean {
    return this.#memory;
  }

  /** Inflates the next piece of a message, to at most `lengthMax` bytes in total. */
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
      // The block was marked as last (RFC 7692, section 7.2.1). The next block starts a new stream.
      if (++this.#lasts > LAST_BLOCKS_MAX) return "broken";
      engine.reset();
    }
    return parts;
  }

  /** Inflates the rest of a complete message, and appends it to `parts`. */
  finish(lengthMax: number, parts: Uint8Array[] = []): InflatedPieces {
    // If no byte of the message has arrived, there is no block to complete.
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

  /** Resets the context. */
  reset(): void {
    this.#engine?.reset();
    this.#begun = false;
    this.#length = 0;
    this.#lasts = 0;
  }

  /** Frees the engine's resources. */
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

/** Returns an output buffer. One is enough for all engines of a server, which use it in turn. */
export function makeOutput(): Uint8Array {
  return new Uint8Array(OUTPUT_BYTES);
}
