/**
 * Encodes binary data. The table lists the supported types and their numbers. The bytes are sent
 * unchanged, in little-endian order, because all supported machines are little-endian. The receiver
 * gets a copy.
 *
 * | kind | constructor       | kind | constructor    |
 * |-----:|-------------------|-----:|----------------|
 * |    0 | ArrayBuffer       |    7 | Uint32Array    |
 * |    1 | DataView          |    8 | Float32Array   |
 * |    2 | Int8Array         |    9 | Float64Array   |
 * |    3 | Uint8ClampedArray |   10 | BigInt64Array  |
 * |    4 | Int16Array        |   11 | BigUint64Array |
 * |    5 | Uint16Array       |   12 | Float16Array   |
 * |    6 | Int32Array        |      |                |
 *
 * A Uint8Array has a separate tag. A `Buffer` arrives as a Uint8Array.
 *
 * @module
 */

/** A value that holds bytes. */
export type Binary = ArrayBuffer | ArrayBufferView;

interface BinaryConstructor {
  new (memory: ArrayBuffer): Binary;
  readonly BYTES_PER_ELEMENT?: number;
}

/** The constructors, indexed by kind. */
const KINDS: readonly BinaryConstructor[] = [
  ArrayBuffer as unknown as BinaryConstructor,
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  Float16Array,
];

/** Returns the kind of a value that is not a Uint8Array, or -1 if it cannot be sent. */
export function kindOf(value: Binary): number {
  const kind = KINDS.findIndex((constructor) => value instanceof constructor);
  return kind < 0 || value.byteLength % elementBytes(kind) === 0 ? kind : -1;
}

/** Returns the memory of a value as bytes. */
export function bytesOf(value: Binary): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

/**
 * Returns a value of the given kind whose memory is `memory`. Returns `undefined` if the kind is
 * unknown, or if the length is not a multiple of the kind's element size.
 */
export function binaryOf(kind: number, memory: ArrayBuffer): Binary | undefined {
  const constructor = KINDS[kind];
  if (constructor === undefined || memory.byteLength % elementBytes(kind) !== 0) return undefined;
  return kind === 0 ? memory : new constructor(memory);
}

function elementBytes(kind: number): number {
  return KINDS[kind]!.BYTES_PER_ELEMENT ?? 1;
}
