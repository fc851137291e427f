/**
 * The cases of groups 1 to 5 and 10: message lengths, pings, reserved bits and opcodes, fragments.
 */
import {
  BINARY,
  binary,
  type Case,
  CLOSE,
  CONTINUATION,
  fragments,
  frame,
  PING,
  PONG,
  pong,
  section,
  TEXT,
  text,
} from "./case.ts";

const LENGTHS = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];
const HELLO = "Hello, world!";
const BYTES = Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff);

/** Group 1: one frame for each form of the length. */
const messages: Case[] = [
  ...section(
    "1.1",
    LENGTHS.map((length) => ({
      title: `a text of ${length} bytes`,
      sends: [frame(TEXT, "*".repeat(length))],
      expects: [text("*".repeat(length))],
      large: length > 1000,
    })),
  ),
  ...section(
    "1.2",
    LENGTHS.map((length) => ({
      title: `binary of ${length} bytes`,
      sends: [frame(BINARY, new Uint8Array(length).fill(0xfe))],
      expects: [binary(new Uint8Array(length).fill(0xfe))],
      large: length > 1000,
    })),
  ),
];

const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
const LONGEST = new Uint8Array(125).fill(0xfe);

/** Group 2: pings and pongs. */
const pings: Case[] = section("2", [
  { title: "an empty ping", sends: [frame(PING)], expects: [pong("")] },
  { title: "a ping with text", sends: [frame(PING, HELLO)], expects: [pong(HELLO)] },
  { title: "a ping with binary", sends: [frame(PING, BYTES)], expects: [pong(BYTES)] },
  { title: "a ping of 125 bytes", sends: [frame(PING, LONGEST)], expects: [pong(LONGEST)] },
  {
    title: "a ping of 126 bytes",
    sends: [frame(PING, new Uint8Array(126))],
    expects: [],
    close: 1002,
  },
  { title: "another of 125 bytes", sends: [frame(PING, LONGEST)], expects: [pong(LONGEST)] },
  { title: "an unsolicited empty pong", sends: [frame(PONG)], expects: [] },
  { title: "an unsolicited pong with text", sends: [frame(PONG, HELLO)], expects: [] },
  {
    title: "an unsolicited pong, then a ping",
    sends: [frame(PONG, "unasked"), frame(PING, "asked")],
    expects: [pong("asked")],
  },
  { title: "ten pings", sends: ten.map((each) => frame(PING, each)), expects: ten.map(pong) },
  {
    title: "ten pings, the longest",
    sends: ten.map((each) => frame(PING, each.padEnd(125, "."))),
    expects: ten.map((each) => pong(each.padEnd(125, "."))),
  },
]);

/** Group 3: a reserved bit that no extension uses. */
const reserved: Case[] = section("3", [
  {
    title: "a text with bit 3",
    sends: [frame(TEXT, HELLO, { reserved: 1 })],
    expects: [],
    close: 1002,
  },
  ...[2, 3, 4].map((bits) => ({
    title: `a text, a text with bits ${bits}, a ping`,
    sends: [frame(TEXT, HELLO), frame(TEXT, HELLO, { reserved: bits }), frame(PING)],
    expects: [text(HELLO)],
    close: 1002,
  })),
  {
    title: "binary with bits 5",
    sends: [frame(BINARY, BYTES, { reserved: 5 })],
    expects: [],
    close: 1002,
  },
  {
    title: "a ping with bits 6",
    sends: [frame(PING, HELLO, { reserved: 6 })],
    expects: [],
    close: 1002,
  },
  {
    title: "a close frame with bits 7",
    sends: [frame(CLOSE, "", { reserved: 7 })],
    expects: [],
    close: 1002,
  },
]);

/** Group 4: reserved opcodes. */
const opcodes: Case[] = [["4.1", 3], ["4.2", 11]].flatMap(([id, first]) =>
  section(
    String(id),
    [0, 1, 2, 3, 4].map((i) => {
      const opcode = Number(first) + i;
      const strange = frame(opcode, i % 2 === 0 ? "" : HELLO);
      return i < 2 ? { title: `opcode ${opcode}`, sends: [strange], expects: [], close: 1002 } : {
        title: `a text, opcode ${opcode}, a ping`,
        sends: [frame(TEXT, HELLO), strange, frame(PING)],
        expects: [text(HELLO)],
        close: 1002,
      };
    }),
  )
);

const halves = fragments(TEXT, "fragment1", "fragment2");
const whole = text("fragment1fragment2");
const stray = (fin: boolean): Uint8Array => frame(CONTINUATION, "stray", { fin });

/**
 * Returns the same case three times, because the public suite splits its frames in three ways. This
 * client splits the frames of every case in these ways.
 */
function thrice(row: Omit<Case, "id">): Omit<Case, "id">[] {
  return ["in one piece", "by frames", "by bytes"].map((how) => ({
    ...row,
    title: `${row.title}, ${how}`,
  }));
}

const five = fragments(TEXT, "f1", "f2", "f3", "f4", "f5");
const fiveWithPings = [
  ...five.slice(0, 2),
  frame(PING, "ping 1"),
  ...five.slice(2, 4),
  frame(PING, "ping 2"),
  five[4]!,
];

/** Group 5: fragments. */
const fragmentation: Case[] = section("5", [
  {
    title: "a ping in two fragments",
    sends: [frame(PING, "f1", { fin: false }), frame(CONTINUATION, "f2")],
    expects: [],
    close: 1002,
  },
  {
    title: "a pong in two fragments",
    sends: [frame(PONG, "f1", { fin: false }), frame(CONTINUATION, "f2")],
    expects: [],
    close: 1002,
  },
  ...thrice({ title: "a text in two fragments", sends: halves, expects: [whole] }),
  ...thrice({
    title: "a text in two fragments, a ping between",
    sends: [halves[0]!, frame(PING, "between"), halves[1]!],
    expects: [pong("between"), whole],
  }),
  ...thrice({
    title: "an unexpected last fragment, then a text",
    sends: [stray(true), frame(TEXT, HELLO)],
    expects: [],
    close: 1002,
  }),
  ...thrice({
    title: "an unexpected middle fragment, then a text",
    sends: [stray(false), frame(TEXT, HELLO)],
    expects: [],
    close: 1002,
  }),
  {
    title: "a text in two fragments, an unexpected middle fragment, a text",
    sends: [...halves, stray(false), frame(TEXT, HELLO)],
    expects: [whole],
    close: 1002,
  },
  {
    title: "an unexpected middle fragment, a text, and both again",
    sends: [stray(false), frame(TEXT, HELLO), stray(false), frame(TEXT, HELLO)],
    expects: [],
    close: 1002,
  },
  {
    title: "an unexpected last fragment, a text, and both again",
    sends: [stray(true), frame(TEXT, HELLO), stray(true), frame(TEXT, HELLO)],
    expects: [],
    close: 1002,
  },
  {
    title: "a text within a text",
    sends: [frame(TEXT, "fragment1", { fin: false }), frame(TEXT, "fragment2")],
    expects: [],
    close: 1002,
  },
  {
    title: "a text in five fragments with pings between, in one segment",
    sends: fiveWithPings,
    expects: [pong("ping 1"), pong("ping 2"), text("f1f2f3f4f5")],
  },
  {
    title: "a text in five fragments with pings between, frame by frame",
    sends: fiveWithPings,
    expects: [pong("ping 1"), pong("ping 2"), text("f1f2f3f4f5")],
  },
]);

const long = "*".repeat(65_536);
const cut = Array.from(
  { length: Math.ceil(long.length / 1300) },
  (_, i) => long.slice(1300 * i, 1300 * (i + 1)),
);

/** Group 10: a message that the sender fragments automatically. */
const automatic: Case[] = section("10.1", [{
  title: "a text of 65536 bytes in frames of 1300",
  sends: fragments(TEXT, ...cut),
  expects: [text(long)],
  large: true,
}]);

/** Cases that the public suite does not contain. */
const additional: Case[] = section("x.1", [
  {
    title: "a frame without a mask",
    sends: [frame(TEXT, HELLO, { mask: false })],
    expects: [],
    close: 1002,
  },
  {
    title: "a ping without a mask, inside a message",
    sends: [halves[0]!, frame(PING, "", { mask: false })],
    expects: [],
    close: 1002,
  },
  ...([[125, 16], [0, 16], [125, 64], [65_535, 64]] as const).map(([length, form]) => ({
    title: `${length} bytes with a length of ${form} bits`,
    sends: [frame(BINARY, new Uint8Array(length), { form })],
    expects: [],
    close: 1002,
    large: length > 1000,
  })),
  {
    title: "a ping whose length has 16 bits",
    sends: [frame(PING, "x", { form: 16 })],
    expects: [],
    close: 1002,
  },
  {
    title: "a length with the highest bit",
    sends: [frame(BINARY, "", { claims: 1n << 63n, form: 64 })],
    expects: [],
    close: 1002,
  },
  {
    title: "a length over every limit",
    sends: [frame(BINARY, "", { claims: (1n << 62n) + 1n, form: 64 })],
    expects: [],
    close: 1009,
  },
  {
    title: "fragments that together exceed the limit",
    sends: [
      frame(BINARY, "x", { fin: false }),
      frame(CONTINUATION, "", { claims: 1n << 32n, form: 64 }),
    ],
    expects: [],
    close: 1009,
  },
  {
    title: "binary within a text",
    sends: [frame(TEXT, "a", { fin: false }), frame(BINARY, "b")],
    expects: [],
    close: 1002,
  },
  {
    title: "a close frame in fragments",
    sends: [frame(CLOSE, Uint8Array.of(3, 232), { fin: false })],
    expects: [],
    close: 1002,
  },
  {
    title: "binary that is not UTF-8, in fragments",
    sends: fragments(BINARY, BYTES, BYTES),
    expects: [binary(Uint8Array.of(...BYTES, ...BYTES))],
  },
  {
    title: "a mask of zeros",
    sends: [frame(TEXT, HELLO, { mask: [0, 0, 0, 0] })],
    expects: [text(HELLO)],
  },
]);

/** All cases of groups 1 to 5 and 10, frames and fragments. */
export const FRAMING: readonly Case[] = [
  ...messages,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragmentation,
  ...automatic,
  ...additional,
];
