/**
 * Decodes bytes to terms: the inverse of `term/encode`. `term/tags` describes the layout.
 *
 * Any input results in a value or a {@linkcode ProtocolError}: every length and count is compared
 * with the remaining bytes before memory is allocated for it, nesting is limited, and keys from a
 * peer only become own properties of their object.
 *
 * The cost is bounded by the input. Each element takes at least one byte, so all containers of a
 * term together announce at most as many elements as the term has bytes, whatever the nesting. A
 * term of `n` bytes is decoded in O(n) steps and allocates at most {@linkcode
 * ALLOCATED_BYTES_PER_BYTE} times `n` bytes; the worst case is an empty Map, in five bytes.
 * `tests/fuzz/allocations_test.ts` counts both. The number of collisions of keys in Maps and Sets
 * is limited too: see `term/collisions`.
 *
 * Longer than 400 lines: one loop reads all tags, for speed.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { EMPTY } from "../base/bytes.ts";
import { collisionsMax, COUNTED_FROM_SIZE, KeyTable } from "./collisions.ts";
import { ProtocolError } from "./errors.ts";
import { type Pid, readPidId, readPidNode, type Ref } from "./pid.ts";
import { compileShape, type Shape, shapeOf, startsWithDigit } from "./shapes.ts";
import {
  BIGINT_BYTES_MAX,
  CALL_TAG,
  DEPTH_MAX,
  ERROR_CAUSE,
  ERROR_STACK,
  ERRORS_MAX,
  SHAPES_MAX,
  TAG,
} from "./tags.ts";
import { utf16Text, utf8TextOf } from "./text.ts";
import { TextReader } from "./text_reader.ts";
import { binaryOf } from "./typed_array.ts";

/** Translates node indexes to nodes, by the node table of the session's receiving side. */
export interface PidReader {
  /** Returns the pid of an actor, or `undefined` if the node index was not announced. */
  pid(index: number, id: number): Pid | undefined;
  /** Returns the reference with this number, or `undefined` if the node index was not announced. */
  ref(index: number, id: number): Ref | undefined;
  /** Returns the call with this number, or `undefined` if the node index was not announced. */
  call?(index: number, id: number, request: unknown): object | undefined;
}

/**
 * Maximum length of a binary that becomes a view of memory shared with other binaries of the
 * session. As with a `Buffer` of Node, its `buffer` contains other data. Each such binary keeps at
 * most one pool alive.
 */
const POOLED_BYTES_MAX = 128;
const POOL_BYTES = 4096;
const EMPTY_POOL = new Uint8Array(0);

/**
 * Maximum number of bytes that decoding allocates per byte of a term, as measured on both runtimes.
 */
export const ALLOCATED_BYTES_PER_BYTE = 64;

/**
 * Minimum length of a binary that becomes a view of the input, if the decoder owns its input.
 * Shorter binaries are copied, so that they do not keep the whole input in memory.
 */
const GIVEN_BYTES_MIN: number = 64 * 1024;

/**
 * Number of decoded objects from which a shape counts as frequent. Objects of a frequent shape are
 * created by compiled code.
 */
const COMPILED_FROM_OBJECTS = 64;

/**
 * Maximum number of shapes of a session that are compiled, until it begins again. The objects of
 * other shapes are filled key by key. With more shapes, compiled code gains nothing on Bun.
 */
const COMPILED_SHAPES_MAX = 64;

/** The error classes that are restored when an error is decoded, by name. */
const ERROR_CLASSES: ReadonlyMap<string, ErrorConstructor> = new Map<string, ErrorConstructor>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((constructor) => [
    constructor.name,
    constructor,
  ]),
);

/** The decoded values of the tags from NULL to TRUE. */
const CONSTANTS = [null, undefined, false, true] as const;

/** Decodes the terms that one session receives, in the order in which they were encoded. */
export class Decoder {
  readonly #pids: PidReader | undefined;
  readonly #owns: boolean;
  /**
   * The announced shapes, by number. Empty at first, because the first term begins with VERSION.
   */
  readonly #shapes: (Shape | undefined)[] = [];
  readonly #text = new TextReader();
  /** Number of compiled shapes. */
  #compiled = 0;
  /** Decodes one value at this depth, for compiled shapes. */
  readonly #read = (depth: number): unknown => this.#value(depth);
  #began = false;
  /** The memory that contains the term, from `#from` to `#end`. */
  #bytes: Uint8Array = EMPTY;
  #from = 0;
  #at = 0;
  #end = 0;
  /** A view of the whole memory behind `#bytes`. It is replaced only if that memory changes. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Number of errors decoded so far in the current term. */
  #errors = 0;
  /** Number of elements that the containers in the rest of the term may still announce. */
  #budget = 0;
  /** Number of key collisions that the rest of the term may still cause. */
  #collisions = 0;
  /**
   * The memory from which short binaries are cut: on some runtimes, allocating memory costs much
   * more than filling it.
   */
  #pool: Uint8Array<ArrayBuffer> = EMPTY_POOL;
  #poolAt = 0;

  /**
   * Without `pids`, a pid, a reference or a call causes a {@linkcode ProtocolError}. With `owns`,
   * the decoder owns its input, and a large binary becomes a view of it instead of a copy.
   */
  constructor(pids?: PidReader, owns = false) {
    this.#pids = pids;
    this.#owns = owns;
  }

  /**
   * Returns the term that the bytes from `from` to `to` encode. The term shares no memory with
   * these bytes, but short binaries share memory with each other: see {@linkcode POOLED_BYTES_MAX}.
   * Throws a {@linkcode ProtocolError} if the bytes are invalid; the session must then end.
   */
  decode(bytes: Uint8Array, from: number = 0, to: number = bytes.length): unknown {
    assert(from >= 0 && from <= to && to <= bytes.length, "a range within the bytes");
    this.#bytes = bytes;
    this.#from = from;
    this.#at = from;
    this.#end = to;
    this.#errors = 0;
    this.#budget = to - from;
    this.#collisions = collisionsMax(to - from);
    this.#text.begin(bytes, to);
    if (from < to && bytes[from] === TAG.VERSION) this.#begin();
    else if (!this.#began) this.#fail("no version");
    const value = this.#value(0);
    if (this.#at < to) this.#fail("bytes after the term");
    return value;
  }

  #begin(): void {
    this.#at++;
    this.#began = true;
    this.#shapes.length = 0;
    this.#compiled = 0;
  }

  #value(depth: number): unknown {
    if (this.#at >= this.#end) this.#fail("a value is missing");
    const tag = this.#bytes[this.#at++]!;
    if (tag < TAG.STRING) return this.#shaped(tag - TAG.SHAPE, depth);
    if (tag < TAG.INT) return this.#latin1(tag - TAG.STRING);
    if (tag < TAG.ARRAY) return tag - TAG.INT;
    if (tag < TAG.SHAPE_WIDE) return this.#array(tag - TAG.ARRAY, depth);
    if (tag < TAG.NULL) return this.#shaped(((tag - TAG.SHAPE_WIDE) << 8) | this.#u8(), depth);
    if (tag < TAG.UINT8) return CONSTANTS[tag - TAG.NULL];
    if (tag < TAG.BIGINT64) return this.#number(tag);
    return this.#tagged(tag, depth);
  }

  #number(tag: number): number {
    switch (tag) {
      case TAG.UINT8:
        return this.#u8();
      case TAG.UINT16:
        return this.#u16();
      case TAG.UINT32:
        return this.#u32();
      case TAG.INT8:
        return (this.#u8() << 24) >> 24;
      case TAG.INT16:
        return (this.#u16() << 16) >> 16;
      case TAG.INT32:
        return this.#u32() | 0;
      default:
        return this.#f64();
    }
  }

  #tagged(tag: number, depth: number): unknown {
    switch (tag) {
      case TAG.BIGINT64:
        return this.#i64();
      case TAG.BIGINT:
        return this.#bigint();
      case TAG.STRING8:
        return this.#latin1(this.#u8());
      case TAG.STRING32:
        return this.#latin1(this.#u32());
      case TAG.UTF8_8:
        return this.#utf8(this.#u8());
      case TAG.UTF8_32:
        return this.#utf8(this.#u32());
      case TAG.UTF16:
        return this.#utf16(this.#u32());
      case TAG.ARRAY32:
        return this.#array(this.#u32(), depth);
      case TAG.OBJECT8:
        return this.#spelledOut(this.#keys(this.#u8()), depth);
      case TAG.OBJECT32:
        return this.#spelledOut(this.#keys(this.#u32()), depth);
      case TAG.SHAPE_NEW:
        return this.#newShape(depth);
      case TAG.MAP:
        return this.#map(this.#u32(), depth);
      case TAG.SET:
        return this.#set(this.#u32(), depth);
      case TAG.DATE:
        return new Date(this.#f64());
      case TAG.BYTES:
        return this.#binaryOf(this.#u32());
      case TAG.TYPED:
        return this.#binary();
      case TAG.PID:
      case TAG.REF:
        return this.#handle(tag);
      case CALL_TAG:
        return this.#call(depth);
      case TAG.ERROR:
        return this.#error(depth);
      default:
        this.#at--;
        return this.#fail(`no tag: ${tag}`);
    }
  }

  #shaped(number: number, depth: number): unknown {
    const shape = this.#shapes[number];
    if (shape === undefined) return this.#fail(`no shape: ${number}`);
    return this.#fill(shape, depth);
  }

  #newShape(depth: number): unknown {
    const number = this.#u16();
    if (number >= SHAPES_MAX) this.#fail(`too many shapes: ${number}`);
    const keys = this.#keys(this.#u8());
    const shape = shapeOf(keys) ?? this.#fail("invalid keys of a shape");
    this.#shapes[number] = shape;
    return this.#fill(shape, depth);
  }

  #fill(shape: Shape, depth: number): unknown {
    const { keys } = shape;
    if (shape.inherited) return this.#spelledOut(keys, depth);
    this.#checkDepth(depth);
    if (shape.create !== undefined) return shape.create(this.#read, depth + 1);
    if (++shape.objects === COMPILED_FROM_OBJECTS && this.#compiled < COMPILED_SHAPES_MAX) {
      this.#compiled++;
      shape.create = compileShape(keys);
    }
    const object: Record<string, unknown> = {};
    for (let i = 0; i < keys.length; i++) object[keys[i]!] = this.#value(depth + 1);
    return object;
  }

  /**
   * Decodes an object with these keys. The object has no prototype until it is complete, so that
   * assignments cannot call inherited setters.
   */
  #spelledOut(keys: readonly string[], depth: number): unknown {
    this.#checkDepth(depth);
    if (keys.length === 0) return {};
    const object: Record<string, unknown> = Object.create(null);
    for (const key of keys) put(object, key, this.#value(depth + 1), keys.length);
    return Object.setPrototypeOf(object, Object.prototype);
  }

  #keys(count: number): string[] {
    // Each key and each value takes at least one byte.
    this.#announce(2 * count);
    const keys: string[] = new Array(count);
    for (let i = 0; i < count; i++) keys[i] = this.#string();
    return keys;
  }

  #array(count: number, depth: number): unknown {
    this.#checkDepth(depth);
    this.#announce(count);
    const array: unknown[] = new Array(count);
    for (let i = 0; i < count; i++) array[i] = this.#value(depth + 1);
    return array;
  }

  #map(count: number, depth: number): unknown {
    this.#checkDepth(depth);
    this.#announce(2 * count);
    const map = new Map<unknown, unknown>();
    const table = count < COUNTED_FROM_SIZE ? undefined : new KeyTable(count);
    for (let i = 0; i < count; i++) {
      const key = this.#value(depth + 1);
      if (table !== undefined) this.#collide(table.add(key));
      map.set(key, this.#value(depth + 1));
    }
    return map;
  }

  #set(count: number, depth: number): unknown {
    this.#checkDepth(depth);
    this.#announce(count);
    const set = new Set<unknown>();
    const table = count < COUNTED_FROM_SIZE ? undefined : new KeyTable(count);
    for (let i = 0; i < count; i++) {
      const key = this.#value(depth + 1);
      if (table !== undefined) this.#collide(table.add(key));
      set.add(key);
    }
    return set;
  }

  #collide(collisions: number): void {
    this.#collisions -= collisions;
    if (this.#collisions < 0) this.#fail("too many keys with the same hash");
  }

  #error(depth: number): unknown {
    this.#checkDepth(depth);
    if (++this.#errors > ERRORS_MAX) this.#fail("too many errors");
    const flags = this.#u8();
    if (flags > (ERROR_STACK | ERROR_CAUSE)) this.#fail(`invalid flags of an error: ${flags}`);
    const name = this.#string();
    const message = this.#string();
    const error = new (ERROR_CLASSES.get(name) ?? Error)(message);
    if (error.name !== name) hide(error, "name", name);
    hide(error, "stack", flags & ERROR_STACK ? this.#string() : `${name}: ${message}`);
    if (flags & ERROR_CAUSE) hide(error, "cause", this.#value(depth + 1));
    return error;
  }

  #handle(tag: number): unknown {
    const at = this.#at;
    const view = this.#memory();
    const packed = this.#take(8) + this.#bytes.byteOffset;
    const node = readPidNode(view, packed);
    const id = readPidId(view, packed);
    const handle = tag === TAG.PID ? this.#pids?.pid(node, id) : this.#pids?.ref(node, id);
    if (handle !== undefined) return handle;
    this.#at = at;
    return this.#fail(`no node: ${node}`);
  }

  #call(depth: number): unknown {
    this.#checkDepth(depth);
    const at = this.#at;
    const view = this.#memory();
    const packed = this.#take(8) + this.#bytes.byteOffset;
    const node = readPidNode(view, packed);
    const id = readPidId(view, packed);
    const call = this.#pids?.call?.(node, id, this.#value(depth + 1));
    if (call !== undefined) return call;
    this.#at = at;
    return this.#fail(`no node: ${node}`);
  }

  #bigint(): bigint {
    const sign = this.#u8();
    const length = this.#u32();
    if (sign > 1 || length === 0 || length > BIGINT_BYTES_MAX) this.#fail("no bigint");
    const from = this.#take(length);
    const value = BigInt(`0x${this.#bytes.subarray(from, from + length).toHex()}`);
    return sign === 1 ? -value : value;
  }

  #binary(): unknown {
    const kind = this.#u8();
    const memory = this.#copy(this.#u32()).buffer;
    return binaryOf(kind, memory) ?? this.#fail(`invalid binary data: kind ${kind}`);
  }

  /** Decodes a binary of `length` bytes, in pooled memory if it is short. */
  #binaryOf(length: number): Uint8Array<ArrayBuffer> {
    if (this.#owns && length >= GIVEN_BYTES_MIN) return this.#give(length);
    if (length > POOLED_BYTES_MAX) return this.#copy(length);
    const from = this.#take(length);
    if (this.#poolAt + length > this.#pool.length) {
      this.#pool = new Uint8Array(POOL_BYTES);
      this.#poolAt = 0;
    }
    const bytes = this.#bytes;
    const pool = this.#pool;
    const start = this.#poolAt;
    // The offset is aligned, so that the next binary can be any kind of array.
    this.#poolAt = start + ((length + 7) & ~7);
    for (let i = 0; i < length; i++) pool[start + i] = bytes[from + i]!;
    return new Uint8Array(pool.buffer, start, length);
  }

  #give(length: number): Uint8Array<ArrayBuffer> {
    const from = this.#take(length);
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset + from, length);
  }

  #copy(length: number): Uint8Array<ArrayBuffer> {
    const from = this.#take(length);
    // `slice()` cannot be used, because the slice of a Buffer shares its memory.
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(from, from + length));
    return copy;
  }

  #string(): string {
    const at = this.#at;
    // At this depth, only scalars are accepted.
    const value = this.#value(DEPTH_MAX);
    if (typeof value === "string") return value;
    this.#at = at;
    return this.#fail("no string");
  }

  #latin1(length: number): string {
    const from = this.#take(length);
    return this.#text.latin1(from, from + length);
  }

  #utf8(length: number): string {
    const from = this.#take(length);
    return utf8TextOf(this.#bytes, from, from + length) ?? this.#fail("no UTF-8");
  }

  #utf16(length: number): string {
    if (length % 2 !== 0) this.#fail("half a code unit");
    const from = this.#take(length);
    return utf16Text(this.#bytes, from, from + length);
  }

  #u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  #u16(): number {
    const at = this.#take(2);
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  #u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    const high = (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    return (bytes[at]! | (bytes[at + 1]! << 8) | high) >>> 0;
  }

  #f64(): number {
    return this.#memory().getFloat64(this.#take(8) + this.#bytes.byteOffset, true);
  }

  #i64(): bigint {
    return this.#memory().getBigInt64(this.#take(8) + this.#bytes.byteOffset, true);
  }

  #memory(): DataView {
    const memory = this.#bytes.buffer;
    return this.#view.buffer === memory ? this.#view : this.#view = new DataView(memory);
  }

  /** Skips `length` bytes after checking that they exist. Returns their offset. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) this.#fail(`${length} bytes are missing`);
    this.#at = at + length;
    return at;
  }

  /**
   * Reduces the budget by `count` announced elements. Each of them takes at least one byte of the
   * term.
   */
  #announce(count: number): void {
    if (count > this.#end - this.#at) this.#fail(`more than there are: ${count}`);
    this.#budget -= count;
    if (this.#budget < 0) this.#fail(`more in the term than there are: ${count}`);
  }

  #checkDepth(depth: number): void {
    if (depth >= DEPTH_MAX) this.#fail(`nested deeper than ${DEPTH_MAX}`);
  }

  #fail(what: string): never {
    throw new ProtocolError(what, this.#at - this.#from);
  }
}

/**
 * Decodes bytes that {@linkcode encodeTerm} has returned.
 *
 * @example
 * ```ts
 * import { decodeTerm, encodeTerm } from "@firn/firn/term";
 * import { assertEquals } from "@std/assert";
 *
 * const term = { at: new Date(0), sizes: new Map([["a", 1n]]), bytes: new Uint8Array([1, 2]) };
 * assertEquals(decodeTerm(encodeTerm(term)), term);
 * ```
 */
export function decodeTerm(bytes: Uint8Array): unknown {
  return new Decoder().decode(bytes);
}

/**
 * If a key is an array index that exceeds the number of keys by more than this, `put` prevents V8
 * from reserving memory for all lower indices.
 */
const INDEX_GAP_MAX = 16;

/**
 * Assigns a property. If the name is a high array index, V8 would reserve memory for all lower
 * indices: 16 KB for `{ "1000": 1 }`. V8 does not do so if the object has a non-writable property,
 * so the property is non-writable at first.
 */
function put(object: Record<string, unknown>, key: string, value: unknown, keys: number): void {
  if (startsWithDigit(key) && Number(key) > keys + INDEX_GAP_MAX) {
    Object.defineProperty(object, key, { configurable: true });
    Object.defineProperty(object, key, { writable: true, enumerable: true });
  }
  object[key] = value;
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true });
}
