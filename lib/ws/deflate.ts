/**
 * Compresses and inflates messages: the extension permessage-deflate, RFC 7692. Deterministic.
 *
 *     send ──▶ from `threshold` bytes on: compressed ──▶ frame with the first reserved bit
 *     broadcast ──▶ a room's batch ──▶ compressed once per window size ──▶ all members that agreed
 *     frame with that bit ──▶ inflated while it arrives, up to `maxPayloadLength` ──▶ message
 *
 * A compressed broadcast refers to no earlier message, so it is valid for every member, whatever
 * was sent before; a connection with context takeover resets its context after it. Connections
 * without context takeover, which is the default, share one engine; while a message arrives in
 * pieces, its connection borrows one.
 *
 * @module
 */
import { concat } from "../base/bytes.ts";
import type { DeflateTerms, Direction } from "./extension.ts";
import { COMPRESSED, encodeFrame, OPCODES, spanOf } from "./frame.ts";
import {
  Deflator,
  hasMemory,
  type Inflated,
  type InflatedPieces,
  Inflator,
  makeOutput,
} from "./zlib.ts";

/**
 * Maximum length of a message that is compressed, in bytes. Compressing longer ones would block
 * other connections.
 */
const DEFLATE_BYTES_MAX = 4 * 1024 * 1024;

/** Maximum number of idle inflation engines that are kept for reuse. Each takes about 30 KiB. */
const IDLE_ENGINES_MAX = 16;

/** The settings of the option `perMessageDeflate`, with defaults filled in. */
export interface DeflateSettings {
  /** The parameters that this side accepts for each direction. */
  readonly wish: DeflateTerms;
  /** Minimum length of a message that is compressed, in bytes. */
  readonly threshold: number;
  readonly level: number;
  readonly memLevel: number;
}

/** Compresses the frames of a broadcast once for all members with the same parameters. */
export interface SharedCompression {
  /**
   * Returns the frames with their messages compressed, or the same array if nothing was compressed.
   */
  pack(frames: Uint8Array): Uint8Array;
}

/** Creates and lends the compression engines for the connections of one server or client. */
export class DeflatePool {
  readonly settings: DeflateSettings;
  readonly #memory: boolean;
  readonly #output: Uint8Array = makeOutput();
  readonly #inflator: Inflator;
  /** Engines that compress without context takeover, by window bits. */
  readonly #deflators: Map<number, Deflator> = new Map();
  readonly #packings: Map<number, SharedCompression> = new Map();
  readonly #idleInflators: Inflator[] = [];
  #closed = false;

  constructor(settings: DeflateSettings) {
    this.#memory = hasMemory();
    const { wish } = settings;
    const forgetful = (direction: Direction): Direction => ({ ...direction, takeover: false });
    this.settings = this.#memory ? settings : {
      ...settings,
      wish: { server: forgetful(wish.server), client: forgetful(wish.client) },
    };
    this.#inflator = this.inflator(15);
  }

  /** Returns a new engine that compresses the messages of one connection. */
  deflator(windowBits: number): Deflator {
    const { level, memLevel } = this.settings;
    return new Deflator(this.#memory, windowBits, { level, memLevel }, this.#output);
  }

  /** Returns a new engine that inflates the messages of one connection. */
  inflator(windowBits: number): Inflator {
    return new Inflator(this.#memory, windowBits, this.#output);
  }

  /** Returns whether a message of this length is compressed. */
  wants(length: number): boolean {
    return length >= this.settings.threshold && length <= DEFLATE_BYTES_MAX;
  }

  /** Compresses a message without context. */
  compress(payload: Uint8Array, windowBits: number): Uint8Array {
    let deflator = this.#deflators.get(windowBits);
    if (deflator === undefined) {
      this.#deflators.set(windowBits, deflator = this.deflator(windowBits));
    }
    const bytes = deflator.compress(payload);
    deflator.reset();
    return bytes;
  }

  /** Inflates a message without context. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    const payload = this.#inflator.inflate(bytes, lengthMax);
    this.#inflator.reset();
    return payload;
  }

  /** Whether messages can be inflated in pieces. */
  get takesPieces(): boolean {
    return this.#memory;
  }

  /** Returns an engine for one message that arrives in pieces, for use without context takeover. */
  lend(): Inflator {
    return this.#idleInflators.pop() ?? this.inflator(15);
  }

  /** Takes back an engine that {@linkcode lend} returned, and keeps it for reuse. */
  takeBack(inflator: Inflator): void {
    inflator.reset();
    if (this.#idleInflators.length < IDLE_ENGINES_MAX && !this.#closed) {
      this.#idleInflators.push(inflator);
    } else inflator.close();
  }

  /** Returns the shared compression of the connections with this window. */
  packing(windowBits: number): SharedCompression {
    let packing = this.#packings.get(windowBits);
    if (packing === undefined) {
      packing = { pack: (frames) => this.#pack(frames, windowBits) };
      this.#packings.set(windowBits, packing);
    }
    return packing;
  }

  /** Frees the engines. */
  close(): void {
    for (const deflator of this.#deflators.values()) deflator.close();
    this.#inflator.close();
    for (const inflator of this.#idleInflators.splice(0)) inflator.close();
    this.#closed = true;
  }

  #pack(frames: Uint8Array, windowBits: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let packed = false;
    for (let at = 0; at < frames.length;) {
      const { start, length } = spanOf(frames, at);
      const end = start + length;
      const whole = frames.subarray(at, end);
      at = end;
      const small = this.wants(length)
        ? this.compress(frames.subarray(start, end), windowBits)
        : undefined;
      if (small === undefined || small.length >= length) parts.push(whole);
      else {
        packed = true;
        parts.push(encodeFrame(whole[0]! & 0x0f | COMPRESSED, small));
      }
    }
    return packed ? concat(parts) : frames;
  }
}

/** Compresses and inflates the messages of one connection. */
export class Deflate {
  readonly #pool: DeflatePool;
  readonly #out: Direction;
  readonly #in: Direction;
  /** Compresses broadcasts for this connection and others with the same window. */
  readonly packing: SharedCompression;
  #deflator: Deflator | undefined;
  #inflator: Inflator | undefined;
  /** The engine borrowed while a message arrives in pieces. Used only without context takeover. */
  #lent: Inflator | undefined;
  /** Whether frames were sent whose messages are not in this side's compression context. */
  #stale = false;

  constructor(pool: DeflatePool, terms: DeflateTerms, role: "server" | "client") {
    this.#pool = pool;
    this.#out = role === "server" ? terms.server : terms.client;
    this.#in = role === "server" ? terms.client : terms.server;
    this.packing = pool.packing(this.#out.windowBits);
  }

  /** Returns the compressed frame of a message; `undefined` if it is sent uncompressed. */
  frame(data: string | Uint8Array, length: number): Uint8Array | undefined {
    if (!this.#pool.wants(length)) return undefined;
    const text = typeof data === "string";
    const payload = text ? new TextEncoder().encode(data) : data;
    const bytes = this.#compress(payload);
    // With context takeover, the message is sent compressed even if that is longer, because the
    // context already contains it.
    if (bytes.length >= length && !this.#out.takeover) return undefined;
    return encodeFrame((text ? OPCODES.text : OPCODES.binary) | COMPRESSED, bytes);
  }

  /**
   * Called when frames were sent whose messages are not in this connection's context. The context
   * is then reset before the next message.
   */
  shared(): void {
    this.#stale = true;
  }

  /** Inflates a message to at most `lengthMax` bytes. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    if (!this.#in.takeover) return this.#pool.inflate(bytes, lengthMax);
    return this.#own().inflate(bytes, lengthMax);
  }

  /** Whether a message can be inflated in pieces. */
  get takesPieces(): boolean {
    return this.#pool.takesPieces;
  }

  /** Inflates the next piece of a message, to at most `lengthMax` bytes in total. */
  next(bytes: Uint8Array, lengthMax: number): InflatedPieces {
    const inflator = this.#in.takeover ? this.#own() : this.#lent ??= this.#pool.lend();
    return inflator.next(bytes, lengthMax);
  }

  /** Inflates the rest of a complete message. */
  finish(lengthMax: number): InflatedPieces {
    if (this.#in.takeover) return this.#own().finish(lengthMax);
    const parts = (this.#lent ??= this.#pool.lend()).finish(lengthMax);
    this.#giveBack();
    return parts;
  }

  /** Frees the engines. */
  close(): void {
    this.#deflator?.close();
    this.#inflator?.close();
    this.#giveBack();
  }

  #own(): Inflator {
    return this.#inflator ??= this.#pool.inflator(this.#in.windowBits);
  }

  #giveBack(): void {
    if (this.#lent !== undefined) this.#pool.takeBack(this.#lent);
    this.#lent = undefined;
  }

  #compress(payload: Uint8Array): Uint8Array {
    const { takeover, windowBits } = this.#out;
    if (!takeover) return this.#pool.compress(payload, windowBits);
    this.#deflator ??= this.#pool.deflator(windowBits);
    if (this.#stale) this.#deflator.reset();
    this.#stale = false;
    return this.#deflator.compress(payload);
  }
}
