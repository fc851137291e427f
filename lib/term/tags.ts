/**
 * The layout of a term on the wire: every tag, one row each.
 *
 * An encoded term consists of a version byte, if the table of shapes restarts, and one value. A
 * value is a tag and its content. All integers are little-endian, except in BIGINT, whose bytes are
 * in the order of its hexadecimal digits.
 *
 * | tag        | name        | what follows                                   | value                          |
 * |------------|-------------|------------------------------------------------|--------------------------------|
 * | 0x00..0x3f | SHAPE       | a value for each key of that shape             | object of shape 0 to 63        |
 * | 0x40..0x7f | STRING      | one byte for each character                    | string of 0 to 63 characters   |
 * | 0x80..0xbf | INT         |                                                | integer, 0 to 63               |
 * | 0xc0..0xcf | ARRAY       | the values                                     | array of 0 to 15               |
 * | 0xd0..0xd3 | SHAPE_WIDE  | u8; values. Shape 256 × (tag - 0xd0) + u8      | object of shape 0 to 1023      |
 * | 0xd4       | NULL        |                                                | null                           |
 * | 0xd5       | UNDEFINED   |                                                | undefined                      |
 * | 0xd6       | FALSE       |                                                | false                          |
 * | 0xd7       | TRUE        |                                                | true                           |
 * | 0xd8       | UINT8       | u8                                             | integer                        |
 * | 0xd9       | UINT16      | u16                                            | integer                        |
 * | 0xda       | UINT32      | u32                                            | integer                        |
 * | 0xdb       | INT8        | i8                                             | integer below 0                |
 * | 0xdc       | INT16       | i16                                            | integer below 0                |
 * | 0xdd       | INT32       | i32                                            | integer below 0                |
 * | 0xde       | FLOAT64     | f64, bit for bit                               | any other number               |
 * | 0xdf       | BIGINT64    | i64                                            | bigint                         |
 * | 0xe0       | BIGINT      | u8 1 if below 0, u32 length, bytes             | bigint beyond 64 bits          |
 * | 0xe1       | STRING8     | u8 length, one byte for each character         | string up to U+00FF            |
 * | 0xe2       | STRING32    | u32 length, one byte for each character        | string up to U+00FF            |
 * | 0xe3       | UTF8_8      | u8 length, bytes of UTF-8                      | string                         |
 * | 0xe4       | UTF8_32     | u32 length, bytes of UTF-8                     | string                         |
 * | 0xe5       | UTF16       | u32 length in bytes, even; u16 code units      | string with a lone surrogate   |
 * | 0xe6       | ARRAY32     | u32 count, values                              | array                          |
 * | 0xe7       | OBJECT8     | u8 count, keys, values                         | object                         |
 * | 0xe8       | OBJECT32    | u32 count, keys, values                        | object                         |
 * | 0xe9       | SHAPE_NEW   | u16 shape, u8 count, keys, values              | object whose shape is defined  |
 * | 0xea       | MAP         | u32 count, then a key and a value for each     | Map                            |
 * | 0xeb       | SET         | u32 count, values                              | Set                            |
 * | 0xec       | DATE        | f64 milliseconds since 1970, NaN if invalid    | Date                           |
 * | 0xed       | BYTES       | u32 length, bytes                              | Uint8Array                     |
 * | 0xee       | TYPED       | u8 kind, u32 length in bytes, bytes            | see `term/typed_array`         |
 * | 0xef       | PID         | u64, see `term/pid`                            | Pid                            |
 * | 0xf0       | REF         | u64, in the form of a Pid                      | Ref                            |
 * | 0xf1       | VERSION     | value. Only at the start; discards all shapes  | the term, in version 1         |
 * | 0xf2       | ERROR       | u8 flags, name, message, optional stack, cause | Error                          |
 * | 0xf4       | CALL        | u64, in the form of a Pid; request (a value)   | a call that awaits a reply     |
 *
 * A key, a name, a message and a stack are values that must be strings. Flags of ERROR: 1 if a
 * stack follows, 2 if a cause follows, in this order.
 *
 * Lengths of Map, Set and bytes have four bytes even when they are short. This limits the ratio of
 * decoded to encoded size, which `ALLOCATED_BYTES_PER_BYTE` in `term/decode` states.
 *
 * @module
 */

/** The tags by name. A range of tags has the name of its first tag. */
export const TAG = {
  SHAPE: 0x00,
  STRING: 0x40,
  INT: 0x80,
  ARRAY: 0xc0,
  SHAPE_WIDE: 0xd0,
  NULL: 0xd4,
  UNDEFINED: 0xd5,
  FALSE: 0xd6,
  TRUE: 0xd7,
  UINT8: 0xd8,
  UINT16: 0xd9,
  UINT32: 0xda,
  INT8: 0xdb,
  INT16: 0xdc,
  INT32: 0xdd,
  FLOAT64: 0xde,
  BIGINT64: 0xdf,
  BIGINT: 0xe0,
  STRING8: 0xe1,
  STRING32: 0xe2,
  UTF8_8: 0xe3,
  UTF8_32: 0xe4,
  UTF16: 0xe5,
  ARRAY32: 0xe6,
  OBJECT8: 0xe7,
  OBJECT32: 0xe8,
  SHAPE_NEW: 0xe9,
  MAP: 0xea,
  SET: 0xeb,
  DATE: 0xec,
  BYTES: 0xed,
  TYPED: 0xee,
  PID: 0xef,
  REF: 0xf0,
  VERSION: 0xf1,
  ERROR: 0xf2,
} as const;

/**
 * The tag of a call. It is separate from the tags above, because a call is only meaningful within a
 * session.
 */
export const CALL_TAG = 0xf4;

/** A flag of an ERROR: it has a stack. */
export const ERROR_STACK = 1;

/** A flag of an ERROR: it has a cause. */
export const ERROR_CAUSE = 2;

/** Maximum nesting of arrays, objects, maps, sets and errors. Deeper terms are rejected. */
export const DEPTH_MAX = 64;

/**
 * Maximum number of shapes that a session numbers. The keys of objects with other shapes are sent
 * in each message.
 */
export const SHAPES_MAX = 1024;

/** Maximum number of keys of a shape. An object with more keys is sent with its keys. */
export const SHAPE_KEYS_MAX = 64;

/**
 * Maximum length of a key of a shape, in characters. An object with a longer key is sent with its
 * keys.
 */
export const SHAPE_KEY_LENGTH_MAX = 64;

/**
 * Maximum length of a bigint that can be sent or received. Bun does not support more than 128 KiB.
 */
export const BIGINT_BYTES_MAX = 65_536;

/** Maximum number of errors in one term, because each costs the creation of a stack. */
export const ERRORS_MAX = 256;

/** Default maximum length of a term. Longer terms are rejected. */
export const TERM_BYTES_MAX: number = 16 * 1024 * 1024;
