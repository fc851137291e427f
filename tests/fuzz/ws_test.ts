/**
 * Tests random frames in a connection and random requests in the handshake: nothing throws, nothing
 * hangs, and every outcome is a message or a close that follows the rules. `FIRN_FUZZ` and
 * `FIRN_FUZZ_SEED` are explained in `tests/kit/fuzz.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import { EMPTY } from "../../lib/base/bytes.ts";
import type { SeededRandom } from "../../lib/base/random.ts";
import { isWireCode } from "../../lib/ws/close.ts";
import { WebSocketConnection } from "../../lib/ws/websocket_connection.ts";
import { DeflatePool } from "../../lib/ws/deflate.ts";
import { acceptDeflate, type DeflateTerms, parseExtensions } from "../../lib/ws/extension.ts";
import { checkUpgrade, HeadReader, wantsWebSocket } from "../../lib/ws/handshake.ts";
import { checkDeflate } from "../../lib/ws/limits.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { Deflator, makeOutput } from "../../lib/ws/zlib.ts";
import { cut, fuzzCount, rounds } from "../kit/fuzz.ts";
import { pick } from "../kit/seeds.ts";
import { test } from "../kit/test.ts";
import { buildFrame, bytesOf, closePayload, join, upgradeRequest } from "../kit/ws_client.ts";
import { FakeStream } from "../ws/recorder.ts";
import { termsWith } from "../ws/terms.ts";

const PAYLOAD_MAX = 5000;
const FRAMES_A_ROUND = 8;
const ROUNDS = Math.ceil(fuzzCount(10_000) / FRAMES_A_ROUND);

const shop = new DeflatePool(checkDeflate(true)!);
const scratches = { input: new Scratch(), output: new Scratch() };

/** The observed effects of one connection. */
interface Outcome {
  readonly messages: (string | Uint8Array)[];
  readonly ends: { code: number; reason: string }[];
  readonly log: string[];
  readonly stream: FakeStream;
  readonly state: string;
}

/** Feeds these chunks to a connection, and then closes it. */
function run(chunks: readonly Uint8Array[], deflate?: DeflateTerms): Outcome {
  const [messages, ends, log]: [(string | Uint8Array)[], Outcome["ends"], string[]] = [[], [], []];
  const stream = new FakeStream();
  const conn = new WebSocketConnection<undefined>(
    termsWith({
      handlers: {
        message: (_conn, data) => messages.push(data),
        close: (_conn, code, reason) => ends.push({ code, reason }),
      },
      log: (_level, line) => log.push(line),
      ...scratches,
      payloadBytesMax: PAYLOAD_MAX,
      backpressure: { bytesMax: 1 << 20, policy: "close" },
      deflate: shop,
    }),
    stream,
    { id: 1, data: undefined, protocol: undefined, deflate },
  );
  conn.start(EMPTY);
  for (const chunk of chunks) stream.handler.data(chunk);
  const { state } = conn;
  stream.handler.end();
  stream.handler.close({ kind: "closed" });
  return { messages, ends, log, stream, state };
}

const ALPHABET = ["a", "é", "€", "😀", "\0", "\u{10ffff}", "0123456789"];

function randomText(random: SeededRandom): string {
  let text = "";
  const most = random.below(8) === 0 ? 300 : 12;
  for (let i = random.below(most); i > 0; i--) text += pick(random, ALPHABET);
  return text;
}

/** Returns a message, and its frames with control frames in between. */
function randomMessage(random: SeededRandom): { data: string | Uint8Array; frames: Uint8Array[] } {
  const text = random.below(2) === 0;
  const data = text ? randomText(random) : random.bytes(random.below(random.below(4) ? 40 : 3000));
  const bytes = bytesOf(data);
  const frames: Uint8Array[] = [];
  const parts = random.below(3) === 0 ? 1 + random.below(4) : 1;
  for (let part = 0, at = 0; part < parts; part++) {
    const last = part === parts - 1;
    const end = last ? bytes.length : at + random.below(bytes.length - at + 1);
    const opcode = part > 0 ? 0 : text ? 1 : 2;
    const mask = [...random.bytes(4)];
    frames.push(buildFrame({ opcode, fin: last, payload: bytes.subarray(at, end), mask }));
    at = end;
    if (random.below(4) === 0) {
      frames.push(
        buildFrame({ opcode: 9 + random.below(2), payload: random.bytes(random.below(126)) }),
      );
    }
  }
  return { data, frames };
}

/** Asserts the rules that hold for every connection, whatever it received. */
function checkOutcome({ messages, ends, log, stream, state }: Outcome): void {
  assertEquals(log, []);
  assertEquals(ends.length, 1);
  const { code } = ends[0]!;
  assert(isWireCode(code) || code === 1005 || code === 1006, `close ${code}`);
  const closes = stream.sent.filter((line) => line.startsWith("8 "));
  assertEquals(closes.length, state === "open" ? 0 : 1);
  if (closes.length === 1) {
    assertEquals(stream.sent.at(-1), closes[0]);
    const sent = Number(closes[0]!.split(" ")[1]);
    assert(isWireCode(sent) || sent === 1005, `sent ${sent}`);
    assertEquals(sent, code);
  }
  for (const each of messages) {
    const length = bytesOf(each).length;
    assert(length <= PAYLOAD_MAX);
    if (typeof each === "string") assert(each.isWellFormed());
  }
}

test("WebSocketConnection passes on every valid message, however its frames are split", () => {
  rounds(ROUNDS, (random) => {
    const sent = Array.from({ length: FRAMES_A_ROUND / 2 }, () => randomMessage(random));
    const bytes = join(...sent.flatMap(({ frames }) => frames));
    const outcome = run(cut(random, bytes));
    checkOutcome(outcome);
    assertEquals(outcome.state, "open");
    assertEquals(outcome.messages.map(String), sent.map(({ data }) => String(data)));
  });
});

test("WebSocketConnection follows the protocol for random frames", () => {
  rounds(ROUNDS, (random) => {
    const frames = Array.from({ length: FRAMES_A_ROUND }, () => {
      const wrong = (odds: number): boolean => random.below(odds) === 0;
      return buildFrame({
        opcode: wrong(10) ? random.below(16) : [0, 1, 2, 8, 9, 10][random.below(wrong(3) ? 6 : 3)]!,
        fin: !wrong(3),
        reserved: wrong(30) ? random.below(8) : 0,
        payload: wrong(10)
          ? closePayload(random.below(5100), random.bytes(random.below(4)))
          : wrong(2)
          ? randomText(random)
          : random.bytes(random.below(200)),
        ...(wrong(30) ? { mask: false } : {}),
        ...(wrong(30) ? { form: 64 } : {}),
        ...(wrong(30) ? { claims: random.below(10_000), form: 16 } : {}),
      });
    });
    checkOutcome(run(cut(random, join(...frames))));
  });
});

test("WebSocketConnection follows the protocol for damaged frames", () => {
  rounds(ROUNDS, (random) => {
    const frames = Array.from({ length: FRAMES_A_ROUND / 2 }, () => randomMessage(random).frames);
    const bytes = join(...frames.flat());
    for (let i = random.below(4); i >= 0; i--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    checkOutcome(run(cut(random, bytes.subarray(0, 1 + random.below(bytes.length)))));
  });
});

test("WebSocketConnection follows the protocol for random bytes", () => {
  rounds(ROUNDS, (random) => checkOutcome(run(cut(random, random.bytes(1 + random.below(300))))));
});

test("HeadReader returns the same result for any request, however it is split", () => {
  rounds(ROUNDS, (random) => {
    const request = bytesOf(upgradeRequest());
    for (let i = random.below(4); i > 0; i--) {
      const byte = [0, 9, 10, 13, 32, 58, random.below(256)][random.below(7)]!;
      request[random.below(request.length)] = byte;
    }
    const verdicts = [[request], cut(random, request)].map((chunks) => {
      const reader = new HeadReader();
      for (const chunk of chunks) {
        const progress = reader.push(chunk);
        if (progress.state === "more") continue;
        if (progress.state === "refused") return progress.refusal;
        const { head } = progress;
        return [head, wantsWebSocket(head), checkUpgrade(head)];
      }
      return "more";
    });
    assertEquals(verdicts[0], verdicts[1]);
  });
});

/** Returns random parameters: with or without context takeover, and any window size. */
function randomTerms(random: SeededRandom): DeflateTerms {
  const direction = () => ({ takeover: random.below(2) === 0, windowBits: 8 + random.below(8) });
  return { server: direction(), client: direction() };
}

/** Returns messages, some of them compressed as negotiated, and their frames. */
function packedMessages(
  random: SeededRandom,
  { client }: DeflateTerms,
): { sent: (string | Uint8Array)[]; frames: Uint8Array[] } {
  const deflator = new Deflator(true, client.windowBits, {}, output);
  const sent: (string | Uint8Array)[] = [];
  const frames: Uint8Array[] = [];
  for (let i = 0; i < FRAMES_A_ROUND / 2; i++) {
    const { data, frames: plain } = randomMessage(random);
    sent.push(data);
    if (random.below(3) === 0) {
      frames.push(...plain);
      continue;
    }
    const bytes = deflator.compress(bytesOf(data));
    if (!client.takeover) deflator.reset();
    const opcode = typeof data === "string" ? 1 : 2;
    const at = random.below(bytes.length + 1);
    if (random.below(2) === 0) frames.push(buildFrame({ opcode, payload: bytes, reserved: 4 }));
    else {
      frames.push(
        buildFrame({ opcode, payload: bytes.subarray(0, at), reserved: 4, fin: false }),
        buildFrame({ opcode: 9 }),
        buildFrame({ opcode: 0, payload: bytes.subarray(at) }),
      );
    }
  }
  deflator.close();
  return { sent, frames };
}

const output = makeOutput();

test("WebSocketConnection inflates every valid message with any agreed parameters", () => {
  rounds(ROUNDS, (random) => {
    const terms = randomTerms(random);
    const { sent, frames } = packedMessages(random, terms);
    const outcome = run(cut(random, join(...frames)), terms);
    checkOutcome(outcome);
    assertEquals(outcome.state, "open");
    assertEquals(outcome.messages.map(String), sent.map(String));
  });
});

test("WebSocketConnection follows the protocol for damaged compressed frames", () => {
  rounds(ROUNDS, (random) => {
    const terms = randomTerms(random);
    const bytes = join(...packedMessages(random, terms).frames);
    for (let i = random.below(4); i >= 0; i--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    checkOutcome(run(cut(random, bytes), terms));
  });
});

test("acceptDeflate answers an offer only with parameters that the client supports, or declines it", () => {
  const words = [
    "permessage-deflate",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
    ...'; ; ; , = 8 15 16 " \\ x'.split(" "),
    " ",
  ];
  rounds(ROUNDS, (random) => {
    let offer = random.below(2) === 0 ? "permessage-deflate" : "";
    for (let i = random.below(12); i > 0; i--) offer += words[random.below(words.length)];
    const offers = parseExtensions(offer);
    const accepted = offers && acceptDeflate(offers, randomTerms(random));
    if (accepted === undefined) return;
    assertEquals(parseExtensions(accepted.answer)?.length, 1, offer);
    for (const { windowBits } of Object.values(accepted.terms)) {
      assert(windowBits >= 8 && windowBits <= 15);
    }
  });
});
