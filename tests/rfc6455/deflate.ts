/**
 * The cases of groups 12 and 13: compression as specified in RFC 7692. Group 12 tests compressed
 * messages of each length, whole and in fragments. Group 13 tests the client's offer and the
 * server's response.
 *
 * Cases whose number begins with `x` are not in the public test suite. The public suite sends a
 * thousand messages per case. Here, a case sends fewer.
 */
import type { DeflateOptions } from "../../lib/ws/options.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { bytesOf } from "../kit/ws_client.ts";
import { BINARY, TEXT } from "./case.ts";
import { FULL } from "./volume.ts";

/** One case: messages that the server echoes. */
export interface DeflateCase {
  readonly id: string;
  readonly title: string;
  /** The server's compression options. */
  readonly server: DeflateOptions;
  /** The extension that the client offers. */
  readonly offer: string;
  /** The extension header that the server must answer. */
  readonly answer: string;
  readonly opcode: number;
  /** The number of messages. Each has `length` bytes. */
  readonly count: number;
  readonly length: number;
  /** Number of bytes of each frame into which the client splits a message. */
  readonly fragment: number;
  /** Returns the payload of a message. */
  readonly payload: (random: SeededRandom, length: number) => Uint8Array;
}

const NAME = "permessage-deflate";

/**
 * Server options with which the compression context is kept if the client allows it, and every
 * message is compressed.
 */
const KEEPS_CONTEXT: DeflateOptions = {
  threshold: 0,
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
};

/** The message lengths of the public suite, each with the length of the fragments. */
const ALL_SIZES: readonly (readonly [length: number, fragment: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((length) =>
    [length, Infinity] as const
  ),
  ...[[8192, 256], [16_384, 256], [32_768, 256], [65_536, 256], [131_072, 256]] as const,
  ...[[131_072, 1024], [131_072, 8192], [131_072, 32_768]] as const,
];

/**
 * The tested lengths and the number of messages of each. Without `FIRN_RFC6455=full`, there are
 * fewer.
 */
const SIZES = FULL ? ALL_SIZES : [0, 3, 5, 9, 10, 16].map((i) => ALL_SIZES[i]!);
const COUNT = FULL ? 12 : 4;

const json = (random: SeededRandom, length: number): Uint8Array => {
  let text = "[";
  while (text.length < length) {
    text += `{"id":${random.below(1e6)},"name":"n${random.below(100)}","on":true},`;
  }
  return bytesOf(text.slice(0, length));
};

const greek = (random: SeededRandom, length: number): Uint8Array =>
  bytesOf(
    Array.from({ length: length / 2 }, () => String.fromCharCode(0x3b1 + random.below(25))).join(
      "",
    ),
  );

const KINDS = [
  { name: "JSON", opcode: TEXT, payload: json },
  { name: "Greek", opcode: TEXT, payload: greek },
  {
    name: "one byte repeated",
    opcode: BINARY,
    payload: (_: SeededRandom, length: number) => new Uint8Array(length).fill(7),
  },
  {
    name: "noise",
    opcode: BINARY,
    payload: (random: SeededRandom, length: number) => random.bytes(length),
  },
  {
    name: "JSON as binary",
    opcode: BINARY,
    payload: json,
  },
] as const;

const FORGETS = `${NAME}; server_no_context_takeover; client_no_context_takeover`;

/** Offers and the expected responses, with server options in addition to `KEEPS_CONTEXT`. */
const AGREEMENTS: readonly (readonly [offer: string, answer: string, server?: DeflateOptions])[] = [
  [NAME, NAME],
  [`${NAME}; server_no_context_takeover`, `${NAME}; server_no_context_takeover`],
  [`${NAME}; server_max_window_bits=9`, `${NAME}; server_max_window_bits=9`],
  [`${NAME}; server_max_window_bits=15`, `${NAME}; server_max_window_bits=15`],
  [
    `${NAME}; server_no_context_takeover; server_max_window_bits=9`,
    `${NAME}; server_no_context_takeover; server_max_window_bits=9`,
  ],
  [
    `${NAME}; server_no_context_takeover; server_max_window_bits=15`,
    `${NAME}; server_no_context_takeover; server_max_window_bits=15`,
  ],
  [
    `${NAME}; unknown=1, ${NAME}; client_no_context_takeover; server_max_window_bits=9, ${NAME}`,
    `${NAME}; client_no_context_takeover; server_max_window_bits=9`,
  ],
];

/** Negotiations that the public suite does not contain. */
const ADDITIONAL: typeof AGREEMENTS = [
  [`${NAME}; client_max_window_bits`, NAME],
  [`${NAME}; client_max_window_bits`, `${NAME}; client_max_window_bits=9`, {
    clientMaxWindowBits: 9,
  }],
  [`${NAME}; client_max_window_bits=8`, `${NAME}; client_max_window_bits=8`],
  [`${NAME}; server_max_window_bits=8`, `${NAME}; server_max_window_bits=8`],
  [NAME, FORGETS, { serverNoContextTakeover: true, clientNoContextTakeover: true }],
  [`${NAME}; server_no_context_takeover; client_no_context_takeover`, FORGETS],
  [`${NAME}; client_max_window_bits, ${NAME}`, `${NAME}; server_max_window_bits=10`, {
    serverMaxWindowBits: 10,
  }],
];

function agreements(group: string, all: typeof AGREEMENTS): DeflateCase[] {
  return all.flatMap(([offer, answer, server], i) =>
    SIZES.map(([length, fragment], k) => ({
      id: `${group}.${i + 1}.${k + 1}`,
      title: `${offer}: ${length} bytes, in fragments of ${fragment}`,
      server: { ...KEEPS_CONTEXT, ...server },
      offer,
      answer,
      opcode: TEXT,
      count: COUNT,
      length,
      fragment,
      payload: json,
    }))
  );
}

/** All cases of groups 12 and 13, compression. */
export const DEFLATE: readonly DeflateCase[] = [
  ...KINDS.flatMap(({ name, opcode, payload }, i) =>
    SIZES.map(([length, fragment], k) => ({
      id: `12.${i + 1}.${k + 1}`,
      title: `${name}, ${length} bytes, in fragments of ${fragment}`,
      server: KEEPS_CONTEXT,
      offer: NAME,
      answer: NAME,
      opcode,
      count: COUNT,
      length,
      fragment,
      payload,
    }))
  ),
  ...agreements("13", AGREEMENTS),
  ...agreements("x.13", ADDITIONAL),
];
