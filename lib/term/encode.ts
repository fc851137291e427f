/**
 * Encodes terms to bytes for messages between nodes. `term/tags` describes the layout.
 *
 * A value is traversed once. While the values of an object are written, its keys are looked up in
 * the tree of shapes, one step per key. Afterwards, the number of the shape is inserted before the
 * values. If the tree does not contain the keys, they are written before the values, and get a
 * number.
 *
 *     { type: "inc", by: 1 }    1st   f1 e9 0000 02 44"type" 42"by" 43"inc" 81
 *                               2nd   00 43"inc" 81
 *
 * These values can be sent: null, undefined, booleans, numbers, bigints, strings, dates, binary
 * data, errors, pids, references, calls, and arrays, plain objects, maps and sets of these. Of an
 * object, the own enumerable properties with string keys are sent; getters are called. Of an error,
 * name, message, stack and cause are sent. Holes in arrays become undefined. A value that occurs
 * twice is sent twice, and arrives as two values.
 *
 * Longer than 400 lines: one loop writes all tags, for speed.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { TermBuffer } from "./buffer.ts";
import { collisionsMax, COUNTED_FROM_SIZE, KeyTable } from "./collisions.ts";
import { type Home, Pid, Ref, writePid } from "./pid.ts";
import { explain, Refusal } from "./refusal.ts";
import { type ShapeNode, ShapeTree } from "./shapes.ts";
import {
  BIGINT_BYTES_MAX,
  CALL_TAG,
  DEPTH_MAX,
  ERROR_CAUSE,
  ERROR_STACK,
  ERRORS_MAX,
  TAG,
  TERM_BYTES_MAX,
} from "./tags.ts";
import { writeText } from "./text.ts";
import { type Binary, bytesOf, kindOf } from "./typed_array.ts";

/** Maximum number of bytes that are written for a value without reserving space for them. */
const HEAD_BYTES_MAX = 16;

/** Number of array lengths that have their own tag. */
const SHORT_ARRAYS = TAG.SHAPE_WIDE - TAG.ARRAY;

/** Number of shapes that have their own tag. */
const SHORT_SHAPES = TAG.STRING - TAG.SHAPE;

/**
 * Translates pids to node indexes, with the session's table of nodes that this node has announced
 * to the peer.
 */
export interface PidWriter {
  /**
   * Returns the index of a pid's node, and announces it to the peer if it is new. Returns
   * `undefined` if the table is full.
   */
  index(home: Home): number | undefined;
  /**
   * Returns the encoded form of `value` if it is a call. If this method is missing, calls cannot be
   * sent.
   */
  transferable?(value: object): TransferableCall | undefined;
}

/**
 * The encoded form of a call: the node that waits for the reply, the number of the call on that
 * node, and the request.
 */
export interface TransferableCall {
  readonly home: Home;
  readonly id: number;
  readonly request: unknown;
}

/** Encodes the terms that one session sends. They must be decoded in the same order. */
export class Encoder {
  readonly #pids: PidWriter | undefined;
  readonly #bytesMax: number;
  readonly #shapes = new ShapeTree();
  /** Whether the next term begins with VERSION, because the peer has no shapes of this encoder. */
  #needsVersion = true;
  /** The state before the last term, to which `undo` returns. */
  #before = { shapes: 0, needsVersion: true };
  /** Buffer of the term being encoded. */
  #out!: TermBuffer;
  /** Offset of the start of the term in the buffer. */
  #start = 0;
  /**
   * The tree node of the key whose value is being written. At the beginning of a term, the root of
   * the tree of shapes.
   */
  #above: ShapeNode = this.#shapes.root;
  /** The term that is being encoded. */
  #message: unknown;
  /**
   * Whether `Object.prototype` has enumerable properties. If so, `for in` returns inherited
   * properties too.
   */
  #polluted = false;
  /** Number of errors encoded so far in the current term. */
  #errors = 0;
  /** Number of key collisions so far in the current term. */
  #collisions = 0;

  /**
   * Without `pids`, pids, references and calls are rejected. Terms of more than `bytesMax` bytes
   * are always rejected.
   */
  constructor(pids?: PidWriter, bytesMax: number = TERM_BYTES_MAX) {
    this.#pids = pids;
    this.#bytesMax = bytesMax;
  }

  /**
   * Appends a term to `out`. Throws a {@linkcode TermError} and leaves `out` unchanged if a value
   * cannot be sent, or if a getter throws.
   */
  encode(message: unknown, out: TermBuffer): void {
    assert(this.#message === undefined, "a getter must not send");
    if (this.#shapes.full) this.#forget();
    const known = this.#shapes.count;
    this.#before.shapes = known;
    this.#before.needsVersion = this.#needsVersion;
    this.#begin(message, out);
    try {
      if (this.#needsVersion) out.bytes[out.at++] = TAG.VERSION;
      this.#value(message, 0);
      this.#checkLength(0);
      this.#needsVersion = false;
    } catch (error) {
      out.at = this.#start;
      this.#shapes.rollBack(known);
      throw error instanceof Refusal ? explain(message, error) : error;
    } finally {
      this.#message = undefined;
    }
  }

  /**
   * Reverts the encoding of the last term, which will not be sent: removes the shapes that the peer
   * would have received with it.
   */
  undo(): void {
    this.#shapes.rollBack(this.#before.shapes);
    this.#needsVersion = this.#before.needsVersion;
  }

  #begin(message: unknown, out: TermBuffer): void {
    out.reserve(HEAD_BYTES_MAX);
    this.#message = message;
    this.#out = out;
    this.#start = out.at;
    this.#above = this.#shapes.root;
    this.#errors = 0;
    this.#collisions = 0;
    this.#polluted = false;
    for (const _ in Object.prototype) this.#polluted = true;
  }

  #forget(): void {
    this.#shapes.clear();
    this.#needsVersion = true;
  }

  #value(value: unknown, depth: number): void {
    const out = this.#out;
    if (out.at + HEAD_BYTES_MAX > out.end) this.#room(HEAD_BYTES_MAX);
    if (typeof value === "string") return writeText(out, value);
    if (typeof value === "number") return writeNumber(out, value);
    if (value === null) out.bytes[out.at++] = TAG.NULL;
    else if (typeof value === "object") this.#object(value, depth + 1);
    else if (typeof value === "boolean") out.bytes[out.at++] = value ? TAG.TRUE : TAG.FALSE;
    else if (value === undefined) out.bytes[out.at++] = TAG.UNDEFINED;
    else if (typeof value === "bigint") this.#bigint(value);
    else throw new Refusal(value, `is a ${typeof value}, which cannot be sent`);
  }

  #object(value: object, depth: number): void {
    if (depth > DEPTH_MAX) throw new Refusal(value, `is nested deeper than ${DEPTH_MAX}`, "depth");
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      this.#plain(value as Record<string, unknown>, depth);
    } else if (prototype === Array.prototype && Array.isArray(value)) this.#array(value, depth);
    else this.#other(value, depth);
  }

  #plain(value: Record<string, unknown>, depth: number): void {
    const out = this.#out;
    const start = out.at;
    const known = this.#shapes.count;
    const body = out.at += known > SHORT_SHAPES ? 2 : 1;
    const root = this.#shapes.root;
    if (this.#polluted) return this.#spellOut(value, depth, start, body, root);
    const above = this.#above;
    let node: ShapeNode = root;
    let last = above.inner;
    for (const key in value) {
      if (last === undefined || last.key !== key) {
        last = node.find(key);
        if (last === undefined) return this.#spellOut(value, depth, start, body, node);
        if (node === root) above.inner = last;
      }
      node = last;
      last = node.last;
      this.#above = node;
      this.#value(value[key], depth);
    }
    const shape = node.shape;
    // The shape may have got its number during this traversal, from an object within this one that
    // has the same keys. The peer does not have this shape yet.
    if (shape < 0 || shape >= known) return this.#spellOut(value, depth, start, body, node);
    if (known > SHORT_SHAPES) {
      out.bytes[start] = TAG.SHAPE_WIDE + (shape >> 8);
      out.bytes[start + 1] = shape & 0xff;
    } else out.bytes[start] = TAG.SHAPE + shape;
  }

  /**
   * Writes an object with its keys. The values of the keys on the path to `node` are already
   * written, and are moved behind the keys.
   */
  #spellOut(
    value: Record<string, unknown>,
    depth: number,
    start: number,
    body: number,
    node: ShapeNode,
  ): void {
    const out = this.#out;
    const keys = node.path().concat(Object.keys(value).slice(node.depth));
    const shape = this.#shapes.define(keys);
    const written = out.at > body ? out.bytes.slice(body, out.at) : undefined;
    out.at = start;
    if (shape >= 0) writeNewShape(out, shape, keys.length);
    else writeSpelledOut(out, keys.length);
    for (const key of keys) writeText(out, key);
    if (written !== undefined) out.write(written);
    for (let i = node.depth; i < keys.length; i++) this.#value(value[keys[i]!], depth);
  }

  #array(value: readonly unknown[], depth: number): void {
    const out = this.#out;
    const count = value.length;
    if (count < SHORT_ARRAYS) out.bytes[out.at++] = TAG.ARRAY + count;
    else writeHead(out, TAG.ARRAY32, count);
    for (let i = 0; i < count; i++) this.#value(value[i], depth);
  }

  #other(value: object, depth: number): void {
    const out = this.#out;
    if (value instanceof Pid) this.#handle(TAG.PID, value);
    else if (value instanceof Ref) this.#handle(TAG.REF, value);
    else if (value instanceof Uint8Array) this.#bytes(value);
    else if (isExactly(value, Map)) this.#map(value, depth);
    else if (isExactly(value, Set)) this.#set(value, depth);
    else if (isExactly(value, Date)) writeFloat(out, TAG.DATE, value.getTime());
    else if (value instanceof Error) this.#error(value, depth);
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) this.#binary(value);
    else {
      const call = this.#pids?.transferable?.(value);
      if (call === undefined) {
        throw new Refusal(value, `is ${describe(value)}, which cannot be sent`);
      }
      this.#handle(CALL_TAG, call);
      this.#value(call.request, depth);
    }
  }

  #handle(tag: number, handle: Pid | Ref | TransferableCall): void {
    const out = this.#out;
    if (this.#pids === undefined) {
      throw new Refusal(handle, `is ${handle}, which is only valid within a session`);
    }
    const node = this.#pids.index(handle.home);
    if (node === undefined) {
      const what = `is ${handle}, and the session's table of nodes is full`;
      throw new Refusal(handle, what, "system_limit");
    }
    out.bytes[out.at] = tag;
    writePid(out.view, out.at + 1, node, handle.id);
    out.at += 9;
  }

  #bigint(value: bigint): void {
    const out = this.#out;
    if (BigInt.asIntN(64, value) === value) {
      out.bytes[out.at] = TAG.BIGINT64;
      out.view.setBigInt64(out.at + 1, value, true);
      out.at += 9;
      return;
    }
    const digits = (value < 0n ? -value : value).toString(16);
    const length = (digits.length + 1) >> 1;
    if (length > BIGINT_BYTES_MAX) {
      const what = `is a bigint of more than ${BIGINT_BYTES_MAX} bytes`;
      throw new Refusal(value, what, "system_limit");
    }
    out.bytes[out.at] = TAG.BIGINT;
    out.bytes[out.at + 1] = value < 0n ? 1 : 0;
    out.view.setUint32(out.at + 2, length, true);
    out.at += 6;
    out.write(Uint8Array.fromHex(digits.padStart(2 * length, "0")));
  }

  #bytes(value: Uint8Array): void {
    this.#checkLength(value.length);
    writeHead(this.#out, TAG.BYTES, value.length);
    this.#out.write(value);
  }

  #binary(value: Binary): void {
    const out = this.#out;
    const kind = kindOf(value);
    if (kind < 0) throw new Refusal(value, `is ${describe(value)}, which cannot be sent`);
    const bytes = bytesOf(value);
    this.#checkLength(bytes.length);
    out.bytes[out.at] = TAG.TYPED;
    out.bytes[out.at + 1] = kind;
    out.view.setUint32(out.at + 2, bytes.length, true);
    out.at += 6;
    out.write(bytes);
  }

  #map(value: ReadonlyMap<unknown, unknown>, depth: number): void {
    const head = this.#out.at + 1;
    writeHead(this.#out, TAG.MAP, 0);
    let count = 0;
    if (value.size >= COUNTED_FROM_SIZE) this.#countCollisions(value);
    for (const [key, item] of value) {
      this.#value(key, depth);
      this.#value(item, depth);
      count++;
    }
    // A getter may have added entries to the map. The count is therefore written at the end.
    this.#out.view.setUint32(head, count, true);
  }

  #set(value: ReadonlySet<unknown>, depth: number): void {
    const head = this.#out.at + 1;
    writeHead(this.#out, TAG.SET, 0);
    let count = 0;
    if (value.size >= COUNTED_FROM_SIZE) this.#countCollisions(value);
    for (const item of value) {
      this.#value(item, depth);
      count++;
    }
    this.#out.view.setUint32(head, count, true);
  }

  /**
   * Rejects a Map or Set whose keys collide so often that the receiver would reject it. Each key
   * takes at least two bytes in the encoded term.
   */
  #countCollisions(value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): void {
    const table = new KeyTable(value.size);
    for (const key of value.keys()) this.#collisions += table.add(key);
    if (this.#collisions > collisionsMax(2 * value.size)) {
      throw new Refusal(value, "has too many keys with the same hash", "system_limit");
    }
  }

  #error(value: Error, depth: number): void {
    const out = this.#out;
    if (++this.#errors > ERRORS_MAX) {
      throw new Refusal(value, `is one of more than ${ERRORS_MAX} errors`, "system_limit");
    }
    const { name, message, stack, cause } = value;
    const hasStack = typeof stack === "string";
    const hasCause = cause !== undefined;
    out.bytes[out.at++] = TAG.ERROR;
    out.bytes[out.at++] = (hasStack ? ERROR_STACK : 0) | (hasCause ? ERROR_CAUSE : 0);
    writeText(out, String(name));
    writeText(out, String(message));
    if (hasStack) writeText(out, stack);
    if (hasCause) this.#value(cause, depth);
  }

  /** Reserves space for `length` more bytes, within the limit. */
  #room(length: number): void {
    this.#checkLength(0);
    this.#out.reserve(length);
  }

  /** Throws if the term would be too long with `more` additional bytes. */
  #checkLength(more: number): void {
    if (this.#out.at - this.#start + more <= this.#bytesMax) return;
    throw new Refusal(this.#message, `is longer than ${this.#bytesMax} bytes`, "system_limit");
  }
}

/**
 * Encodes one term for use without a session. It cannot contain pids, references or calls.
 *
 * @example
 * ```ts
 * import { decodeTerm, encodeTerm } from "@firn/firn/term";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeTerm(["a", 1, null]);
 * assertEquals(bytes.length, 6);
 * assertEquals(decodeTerm(bytes), ["a", 1, null]);
 * ```
 */
export function encodeTerm(value: unknown): Uint8Array<ArrayBuffer> {
  const out = new TermBuffer();
  new Encoder().encode(value, out);
  return out.take();
}

function writeNumber(out: TermBuffer, value: number): void {
  const { bytes, at } = out;
  if ((value | 0) !== value) {
    if (value >= 0 && value >>> 0 === value) return writeHead(out, TAG.UINT32, value);
    return writeFloat(out, TAG.FLOAT64, value);
  }
  if (value < 0) return writeNegative(out, value);
  if (value < 64) {
    if (value === 0 && Object.is(value, -0)) return writeFloat(out, TAG.FLOAT64, value);
    bytes[at] = TAG.INT + value;
    out.at = at + 1;
  } else if (value < 0x100) {
    bytes[at] = TAG.UINT8;
    bytes[at + 1] = value;
    out.at = at + 2;
  } else if (value < 0x1_0000) {
    bytes[at] = TAG.UINT16;
    bytes[at + 1] = value & 0xff;
    bytes[at + 2] = value >> 8;
    out.at = at + 3;
  } else writeHead(out, TAG.UINT32, value);
}

function writeNegative(out: TermBuffer, value: number): void {
  const { bytes, view, at } = out;
  if (value >= -0x80) {
    bytes[at] = TAG.INT8;
    bytes[at + 1] = value & 0xff;
    out.at = at + 2;
  } else if (value >= -0x8000) {
    bytes[at] = TAG.INT16;
    view.setInt16(at + 1, value, true);
    out.at = at + 3;
  } else {
    bytes[at] = TAG.INT32;
    view.setInt32(at + 1, value, true);
    out.at = at + 5;
  }
}

function writeFloat(out: TermBuffer, tag: number, value: number): void {
  out.bytes[out.at] = tag;
  out.view.setFloat64(out.at + 1, value, true);
  out.at += 9;
}

/** Writes a tag and a u32. */
function writeHead(out: TermBuffer, tag: number, value: number): void {
  out.bytes[out.at] = tag;
  out.view.setUint32(out.at + 1, value, true);
  out.at += 5;
}

function writeNewShape(out: TermBuffer, shape: number, keys: number): void {
  out.bytes[out.at] = TAG.SHAPE_NEW;
  out.view.setUint16(out.at + 1, shape, true);
  out.bytes[out.at + 3] = keys;
  out.at += 4;
}

function writeSpelledOut(out: TermBuffer, keys: number): void {
  if (keys > 0xff) return writeHead(out, TAG.OBJECT32, keys);
  out.bytes[out.at++] = TAG.OBJECT8;
  out.bytes[out.at++] = keys;
}

/** Returns whether a value was created by exactly this constructor, and not by a subclass. */
function isExactly<T>(value: object, constructor: new () => T): value is T & object {
  return Object.getPrototypeOf(value) === constructor.prototype;
}

/** Describes a value by its class, for example "an instance of Foo". */
function describe(value: object): string {
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "no plain object";
}
