/**
 * Groups 12 and 13: compressed messages. What the client offers, what the server must answer, and
 * messages of each length, alone and in fragments, compressed as agreed.
 *
 * Group 12 is about what is sent, group 13 about what is agreed on. `x` are cases that the public
 * suite has not. That one sends a thousand messages in each case; we send fewer.
 */
import type { DeflateOptions } from "../../lib/ws/options.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { bytesOf } from "../kit/ws_client.ts";
import { BINARY, TEXT } from "./case.ts";
import { FULL } from "./volume.ts";

/** One row: messages that are echoed. */
export interface DeflateCase {
  readonly id: string;
  readonly title: string;
  /** What the server is told of compression. */
  readonly server: DeflateOptions;
  /** What the client offers. */
  readonly offer: string;
  /** What the server must answer. */
  readonly answer: string;
  readonly opcode: number;
  /** How many messages, and of which length. */
  readonly count: number;
  readonly length: number;
  /** The client cuts messages into frames of so many bytes. */
  readonly fragment: number;
  /** The payload of a message. */
  readonly payload: (random: SeededRandom, length: number) => Uint8Array;
}

const NAME = "permessage-deflate";

/** Remembers where it may, compresses everything. */
const WILLING: DeflateOptions = {
  threshold: 0,
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
};

/** Lengths, then the same in fragments: those of the public suite. */
const ALL_SIZES: readonly (readonly [length: number, fragment: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((length) =>
    [length, Infinity] as const
  ),
  ...[[8192, 256], [16_384, 256], [32_768, 256], [65_536, 256], [131_072, 256]] as const,
  ...[[131_072, 1024], [131_072, 8192], [131_072, 32_768]] as const,
];

/** Unless `FIRN_RFC6455=full`: a few of them, and fewer messages of each. */
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
    name: "one byte again and again",
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

/** What is offered, what the server is willing to do beside, and the answer. */
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

/** Beyond the public suite. */
const BEYOND: typeof AGREEMENTS = [
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
      server: { ...WILLING, ...server },
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

/** All of them. */
export const DEFLATE: readonly DeflateCase[] = [
  ...KINDS.flatMap(({ name, opcode, payload }, i) =>
    SIZES.map(([length, fragment], k) => ({
      id: `12.${i + 1}.${k + 1}`,
      title: `${name}, ${length} bytes, in fragments of ${fragment}`,
      server: WILLING,
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
  ...agreements("x.13", BEYOND),
];
