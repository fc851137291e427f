/** The cases of group 6: valid UTF-8, and invalid UTF-8, which must be detected as it arrives. */
import { bytesOf, hex, join } from "../kit/ws_client.ts";
import { type Case, CONTINUATION, fragments, frame, section, TEXT, text } from "./case.ts";

type Row = Omit<Case, "id">;

/** Returns the frames of a message with one fragment per byte. */
function bytewise(bytes: Uint8Array): Uint8Array[] {
  return fragments(TEXT, ...Array.from(bytes, (byte) => Uint8Array.of(byte)));
}

/** Returns a case with valid text in one frame. */
function right(title: string, bytes: Uint8Array): Row {
  return { title, sends: [frame(TEXT, bytes)], expects: [text(bytes)] };
}

/** Returns a case with invalid text in one frame. */
function wrong(title: string, bytes: Uint8Array): Row {
  return { title, sends: [frame(TEXT, bytes)], expects: [], close: 1007 };
}

/** Return a case whose text is the given bytes in hex: valid for `good`, invalid for `bad`. */
const good = (digits: string): Row => right(digits, hex(digits));
const bad = (digits: string): Row => wrong(digits, hex(digits));

/** Encodes a code point as UTF-8 without validation, so that surrogates can be encoded too. */
function character(code: number): Uint8Array {
  if (code < 0x80) return Uint8Array.of(code);
  const tail = (shift: number): number => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x800) return Uint8Array.of(0xc0 | (code >> 6), tail(0));
  if (code < 0x10000) return Uint8Array.of(0xe0 | (code >> 12), tail(6), tail(0));
  return Uint8Array.of(0xf0 | (code >> 18), tail(12), tail(6), tail(0));
}

const WORD = "Hello-µ@ßöäüàá-UTF-8!!";
const KOSME = hex("ce ba e1 bd b9 cf 83 ce bc ce b5");
const SURROGATE = hex("ed a0 80");
const BEYOND = hex("f4 90 80 80");
const EDITED = bytesOf("edited");
const invalid = join(KOSME, SURROGATE, EDITED);
const wordBytes = bytesOf(WORD);

/** Returns a frame whose last bytes are missing. A server that waits for them hangs. */
function cutFrame(bytes: Uint8Array, sent: number): Uint8Array {
  const all = frame(TEXT, bytes);
  return all.subarray(0, all.length - (bytes.length - sent));
}

const empties: Case[] = section("6.1", [
  right("an empty text", new Uint8Array(0)),
  {
    title: "a text of three empty fragments",
    sends: fragments(TEXT, "", "", ""),
    expects: [text("")],
  },
  {
    title: "a fragment between two empty ones",
    sends: fragments(TEXT, "", "middle", ""),
    expects: [text("middle")],
  },
]);

const valid: Case[] = section("6.2", [
  right("a text in one frame", wordBytes),
  {
    title: "cut between two characters",
    sends: fragments(TEXT, WORD.slice(0, 12), WORD.slice(12)),
    expects: [text(WORD)],
  },
  { title: "every byte a fragment", sends: bytewise(wordBytes), expects: [text(WORD)] },
  { title: "every byte of Greek a fragment", sends: bytewise(KOSME), expects: [text(KOSME)] },
]);

const invalids: Case[] = section("6.3", [
  wrong("a surrogate in one frame", invalid),
  {
    title: "a surrogate, every byte a fragment",
    sends: bytewise(invalid),
    expects: [],
    close: 1007,
  },
]);

/**
 * Cases whose message is incomplete when the invalid byte arrives. The server must not wait for the
 * rest.
 */
const early: Case[] = section("6.4", [
  {
    title: "an invalid fragment in the middle, without a last one",
    sends: [
      frame(TEXT, KOSME, { fin: false }),
      frame(CONTINUATION, BEYOND, { fin: false }),
    ],
    expects: [],
    close: 1007,
  },
  {
    title: "a byte that is invalid after the previous one",
    sends: [
      frame(TEXT, join(KOSME, hex("f4")), { fin: false }),
      frame(CONTINUATION, hex("90"), { fin: false }),
    ],
    expects: [],
    close: 1007,
  },
  {
    title: "an invalid character in an incomplete frame",
    sends: [cutFrame(join(KOSME, BEYOND, EDITED), KOSME.length + BEYOND.length)],
    expects: [],
    close: 1007,
  },
  {
    title: "an invalid byte in an incomplete frame",
    sends: [cutFrame(join(KOSME, BEYOND, EDITED), KOSME.length + 2)],
    expects: [],
    close: 1007,
  },
]);

const prefixes = (bytes: Uint8Array): Row[] =>
  Array.from({ length: bytes.length }, (_, i) => {
    const part = bytes.subarray(0, i + 1);
    const whole = new TextDecoder().decode(part).includes("\ufffd") === false;
    return whole
      ? right(`the first ${i + 1} bytes of Greek`, part)
      : wrong(`the first ${i + 1} bytes of Greek`, part);
  });

/** Texts at the limits of valid UTF-8, and just beyond these limits. */
const grid: Case[] = [
  ...section(
    "6.5",
    [0, 2, 5, 7, 9].map((at) => right(`Greek from byte ${at}`, KOSME.subarray(at))),
  ),
  ...section("6.6", prefixes(KOSME)),
  ...section(
    "6.7",
    [0x0, 0x80, 0x800, 0x10000].map((code) =>
      right(`the first character of ${character(code).length} bytes`, character(code))
    ),
  ),
  ...section("6.8", [bad("f8 88 80 80 80"), bad("fc 84 80 80 80 80")]),
  ...section(
    "6.9",
    [0x7f, 0x7ff, 0xffff, 0x10ffff].map((code) =>
      right(`the last character of ${character(code).length} bytes`, character(code))
    ),
  ),
  ...section("6.10", [bad("f7 bf bf bf"), bad("fb bf bf bf bf"), bad("fd bf bf bf bf bf")]),
  ...section("6.11", [
    good("ed 9f bf"),
    good("ee 80 80"),
    good("ef bf bd"),
    good("f4 8f bf bf"),
    bad("f4 90 80 80"),
  ]),
  ...section("6.12", [
    bad("80"),
    bad("bf"),
    ...[2, 3, 4, 5, 6].map((count) => bad("80 bf ".repeat(3).slice(0, count * 3))),
    wrong("all continuation bytes", Uint8Array.from({ length: 64 }, (_, i) => 0x80 + i)),
  ]),
  ...section(
    "6.13",
    [[0xc0, 32], [0xe0, 16], [0xf0, 8], [0xf8, 4], [0xfc, 2]].map(([lead, count]) =>
      wrong(
        `lead bytes from ${lead!.toString(16)}, each before a space`,
        Uint8Array.from({ length: 2 * count! }, (_, i) => i % 2 === 0 ? lead! + i / 2 : 0x20),
      )
    ),
  ),
  ...section(
    "6.14",
    [
      "c0",
      "e0 80",
      "f0 80 80",
      "f8 80 80 80",
      "fc 80 80 80 80",
      "df",
      "ef bf",
      "f7 bf bf",
      "fb bf bf bf",
      "fd bf bf bf bf",
    ].map(bad),
  ),
  ...section("6.15", [
    bad(
      "c0 e0 80 f0 80 80 f8 80 80 80 fc 80 80 80 80 df ef bf f7 bf bf fb bf bf bf fd bf bf bf bf",
    ),
  ]),
  ...section("6.16", ["fe", "ff", "fe fe ff ff"].map(bad)),
  ...section(
    "6.17",
    ["c0 af", "e0 80 af", "f0 80 80 af", "f8 80 80 80 af", "fc 80 80 80 80 af"].map(bad),
  ),
  ...section(
    "6.18",
    ["c1 bf", "e0 9f bf", "f0 8f bf bf", "f8 87 bf bf bf", "fc 83 bf bf bf bf"].map(bad),
  ),
  ...section(
    "6.19",
    ["c0 80", "e0 80 80", "f0 80 80 80", "f8 80 80 80 80", "fc 80 80 80 80 80"].map(bad),
  ),
  ...section(
    "6.20",
    [0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff].map((code) =>
      wrong(`the surrogate ${code.toString(16)}`, character(code))
    ),
  ),
  ...section(
    "6.21",
    [
      [0xd800, 0xdc00],
      [0xd800, 0xdfff],
      [0xdb7f, 0xdc00],
      [0xdb7f, 0xdfff],
      [0xdb80, 0xdc00],
      [0xdb80, 0xdfff],
      [0xdbff, 0xdc00],
      [0xdbff, 0xdfff],
    ].map(([high, low]) =>
      wrong(
        `the surrogates ${high!.toString(16)} ${low!.toString(16)}`,
        join(character(high!), character(low!)),
      )
    ),
  ),
  // The last two code points of every plane are noncharacters, and still valid UTF-8.
  ...section(
    "6.22",
    Array.from({ length: 17 }, (_, plane) =>
      [0xfffe, 0xffff].map((end) => {
        const code = plane * 0x10000 + end;
        return right(`the character ${code.toString(16)}`, character(code));
      })).flat(),
  ),
  ...section(
    "6.23",
    [0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff].map((code) =>
      right(`the character ${code.toString(16)}`, character(code))
    ),
  ),
];

/**
 * Cases that the public suite does not contain: a character split between two frames at each byte.
 */
const borders: Case[] = section(
  "x.6",
  [1, 2, 3].map((at) => {
    const face = bytesOf("😀");
    return {
      title: `a character split after byte ${at}`,
      sends: fragments(
        TEXT,
        join(bytesOf("a".repeat(40)), face.subarray(0, at)),
        face.subarray(at),
      ),
      expects: [text("a".repeat(40) + "😀")],
    };
  }),
);

/** All cases of group 6, valid and invalid UTF-8. */
export const UTF8: readonly Case[] = [
  ...empties,
  ...valid,
  ...invalids,
  ...early,
  ...grid,
  ...borders,
];
