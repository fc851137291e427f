/**
 * permessage-deflate: RFC 7692. What one server has of it, and what one connection has. Quiet.
 *
 *     send ──▶ from `threshold` bytes on: compressed ──▶ frame with the first reserved bit
 *     broadcast ──▶ a room's batch ──▶ packed once for each window ──▶ all members who agreed
 *     frame with that bit ──▶ inflated as it comes, up to `maxPayloadLength` ──▶ message
 *
 * What is packed for many refers to no earlier message, so it suits every member, whatever it has been
 * sent before; a connection that may refer to earlier messages begins anew after it. Connections that
 * forget after every message, which is the default, share one engine; while a message comes in pieces
 * its connection is lent one.
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

/** A longer message is sent as it is: compressing it would keep everybody else waiting. */
const DEFLATE_BYTES_MAX = 4 * 1024 * 1024;

/** Engines that were lent and are kept for others; each holds some 30 KiB. */
const LENDABLE_MAX = 16;

/** The option, completed. */
export interface DeflateSettings {
  /** What we are willing to do at most. */
  readonly wish: DeflateTerms;
  /** Messages from this length on are compressed. */
  readonly threshold: number;
  readonly level: number;
  readonly memLevel: number;
}

/** Lays frames for many members out anew, for those who share it. */
export interface SharedCompression {
  /** The same messages; the same memory, if nothing changes. */
  pack(frames: Uint8Array): Uint8Array;
}

/** What all connections of one server share. */
export class DeflatePool {
  readonly settings: DeflateSettings;
  readonly #memory: boolean;
  readonly #output: Uint8Array = makeOutput();
  readonly #inflator: Inflator;
  /** Those that forget after every message, by the bits of their window. */
  readonly #deflators: Map<number, Deflator> = new Map();
  readonly #packings: Map<number, SharedCompression> = new Map();
  readonly #lendable: Inflator[] = [];
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

  /** An engine of its own for one connection. */
  deflator(windowBits: number): Deflator {
    const { level, memLevel } = this.settings;
    return new Deflator(this.#memory, windowBits, { level, memLevel }, this.#output);
  }

  /** An engine of its own for one connection. */
  inflator(windowBits: number): Inflator {
    return new Inflator(this.#memory, windowBits, this.#output);
  }

  /** Whether a message is worth it. */
  wants(length: number): boolean {
    return length >= this.settings.threshold && length <= DEFLATE_BYTES_MAX;
  }

  /** Compresses a message that stands alone. */
  compress(payload: Uint8Array, windowBits: number): Uint8Array {
    let deflator = this.#deflators.get(windowBits);
    if (deflator === undefined) {
      this.#deflators.set(windowBits, deflator = this.deflator(windowBits));
    }
    const bytes = deflator.compress(payload);
    deflator.reset();
    return bytes;
  }

  /** Inflates a message that stands alone. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    const payload = this.#inflator.inflate(bytes, lengthMax);
    this.#inflator.reset();
    return payload;
  }

  /** True if messages can be inflated as they come. */
  get takesPieces(): boolean {
    return this.#memory;
  }

  /** An engine for one message that comes in pieces and stands alone. */
  lend(): Inflator {
    return this.#lendable.pop() ?? this.inflator(15);
  }

  /** It is needed no more. */
  takeBack(inflator: Inflator): void {
    inflator.reset();
    if (this.#lendable.length < LENDABLE_MAX && !this.#closed) this.#lendable.push(inflator);
    else inflator.close();
  }

  /** What packs for all connections with this window. */
  packing(windowBits: number): SharedCompression {
    let packing = this.#packings.get(windowBits);
    if (packing === undefined) {
      packing = { pack: (frames) => this.#pack(frames, windowBits) };
      this.#packings.set(windowBits, packing);
    }
    return packing;
  }

  /** Frees what it holds. */
  close(): void {
    for (const deflator of this.#deflators.values()) deflator.close();
    this.#inflator.close();
    for (const inflator of this.#lendable.splice(0)) inflator.close();
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

/** What one connection has. */
export class Deflate {
  readonly #shop: DeflatePool;
  readonly #out: Direction;
  readonly #in: Direction;
  /** For what is broadcast to its rooms. */
  readonly packing: SharedCompression;
  #deflator: Deflator | undefined;
  #inflator: Inflator | undefined;
  /** What inflates a message that comes in pieces, if no other is to be remembered. */
  #lent: Inflator | undefined;
  /** The peer has seen messages that our engine has not. */
  #stale = false;

  constructor(shop: DeflatePool, terms: DeflateTerms, role: "server" | "client") {
    this.#shop = shop;
    this.#out = role === "server" ? terms.server : terms.client;
    this.#in = role === "server" ? terms.client : terms.server;
    this.packing = shop.packing(this.#out.windowBits);
  }

  /** The frame of a message, compressed; `undefined` if it is to go as it is. */
  frame(data: string | Uint8Array, length: number): Uint8Array | undefined {
    if (!this.#shop.wants(length)) return undefined;
    const text = typeof data === "string";
    const payload = text ? new TextEncoder().encode(data) : data;
    const bytes = this.#compress(payload);
    // One that has entered our engine's memory must enter the peer's.
    if (bytes.length >= length && !this.#out.takeover) return undefined;
    return encodeFrame((text ? OPCODES.text : OPCODES.binary) | COMPRESSED, bytes);
  }

  /** Frames of another's packing were sent. */
  shared(): void {
    this.#stale = true;
  }

  /** Inflates a message. It makes no more than `lengthMax` bytes. */
  inflate(bytes: Uint8Array, lengthMax: number): Inflated {
    if (!this.#in.takeover) return this.#shop.inflate(bytes, lengthMax);
    return this.#own().inflate(bytes, lengthMax);
  }

  /** True if a message can be inflated as it comes. */
  get takesPieces(): boolean {
    return this.#shop.takesPieces;
  }

  /** Inflates the next piece of a message. All of it makes no more than `lengthMax` bytes. */
  next(bytes: Uint8Array, lengthMax: number): InflatedPieces {
    const inflator = this.#in.takeover ? this.#own() : this.#lent ??= this.#shop.lend();
    return inflator.next(bytes, lengthMax);
  }

  /** The message is whole: what is left of it. */
  finish(lengthMax: number): InflatedPieces {
    if (this.#in.takeover) return this.#own().finish(lengthMax);
    const parts = (this.#lent ??= this.#shop.lend()).finish(lengthMax);
    this.#giveBack();
    return parts;
  }

  /** Frees what it holds. */
  close(): void {
    this.#deflator?.close();
    this.#inflator?.close();
    this.#giveBack();
  }

  #own(): Inflator {
    return this.#inflator ??= this.#shop.inflator(this.#in.windowBits);
  }

  #giveBack(): void {
    if (this.#lent !== undefined) this.#shop.takeBack(this.#lent);
    this.#lent = undefined;
  }

  #compress(payload: Uint8Array): Uint8Array {
    const { takeover, windowBits } = this.#out;
    if (!takeover) return this.#shop.compress(payload, windowBits);
    this.#deflator ??= this.#shop.deflator(windowBits);
    if (this.#stale) this.#deflator.reset();
    this.#stale = false;
    return this.#deflator.compress(payload);
  }
}
