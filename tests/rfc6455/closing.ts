/** The cases of group 7: closing a connection. */
import { bytesOf, hex, join } from "../kit/ws_client.ts";
import { type Case, CLOSE, close, CONTINUATION, frame, PING, section, TEXT, text } from "./case.ts";

const HELLO = "Hello World!";
const hello = frame(TEXT, HELLO);
const long = "BAsd7&jh23".repeat(26_214);

const order: Case[] = section("7.1", [
  {
    title: "a text, then close",
    sends: [hello, close(1000)],
    expects: [text(HELLO)],
    close: 1000,
  },
  { title: "close twice", sends: [close(1000), close(1000)], expects: [], close: 1000 },
  { title: "close, then a ping", sends: [close(1000), frame(PING)], expects: [], close: 1000 },
  { title: "close, then a text", sends: [close(1000), hello], expects: [], close: 1000 },
  {
    title: "a fragment, close, the last fragment",
    sends: [frame(TEXT, "f1", { fin: false }), close(1000), frame(CONTINUATION, "f2")],
    expects: [],
    close: 1000,
  },
  {
    title: "256 KiB, a text, close, a ping",
    sends: [frame(TEXT, long), hello, close(1000), frame(PING)],
    expects: [text(long), text(HELLO)],
    close: 1000,
    large: true,
  },
]);

const payloads: Case[] = section("7.3", [
  { title: "close without a code", sends: [close()], expects: [], close: 1005 },
  { title: "close with one byte", sends: [frame(CLOSE, "a")], expects: [], close: 1002 },
  { title: "close with a code", sends: [close(1000)], expects: [], close: 1000 },
  { title: "close with a reason", sends: [close(1000, HELLO)], expects: [], close: 1000 },
  {
    title: "close with the longest reason",
    sends: [close(1000, "*".repeat(123))],
    expects: [],
    close: 1000,
  },
  {
    title: "close with a reason that is too long",
    sends: [close(1000, "*".repeat(124))],
    expects: [],
    close: 1002,
  },
]);

const reasons: Case[] = section("7.5", [{
  title: "close with a reason that is not UTF-8",
  sends: [close(1000, join(bytesOf("κόσμε"), hex("ed a0 80"), bytesOf("edited")))],
  expects: [],
  close: 1007,
}]);

/**
 * Returns one case for each code. A valid code is echoed; an invalid one causes a protocol error.
 */
function codes(id: string, answer: (code: number) => number, all: readonly number[]): Case[] {
  return section(
    id,
    all.map((code) => ({
      title: `close with code ${code}`,
      sends: [close(code)],
      expects: [],
      close: answer(code),
    })),
  );
}

const rights = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const wrongs = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

/** Cases that the public suite does not have. */
const additional: Case[] = [
  ...codes("x.7", (code) => code, [1012, 1013, 1014]),
  ...codes("x.8", () => 1002, [1, 1015, 1999]),
  ...section("x.9", [
    {
      title: "a violation after close is ignored",
      sends: [close(1000), frame(3, "?")],
      expects: [],
      close: 1000,
    },
    {
      title: "an invalid reason after an invalid code",
      sends: [close(1005, hex("ff"))],
      expects: [],
      close: 1002,
    },
  ]),
];

/** All cases of group 7, closing a connection. */
export const CLOSING: readonly Case[] = [
  ...order,
  ...payloads,
  ...reasons,
  ...codes("7.7", (code) => code, rights),
  ...codes("7.9", () => 1002, wrongs),
  ...codes("7.13", () => 1002, [5000, 65_535]),
  ...additional,
];
