/**
 * Tests random and mutated frames in every reader of `lib/mesh`: nothing throws, memory stays
 * bounded, and no peer is accepted without the cookie.
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from "../../lib/mesh/frame.ts";
import { Initiator, Responder, type Self } from "../../lib/mesh/handshake.ts";
import { dispatch, type NodeMessages, type SessionMessages } from "../../lib/mesh/dispatch.ts";
import {
  decodeChallenge,
  decodeGoodbye,
  decodeList,
  decodeName,
  decodeReject,
  decodeReply,
  decodeRoomBroadcast,
  encodeChallenge,
  encodeGoodbye,
  encodeList,
  encodeName,
  encodeReject,
  encodeReply,
  encodeRoomBroadcast,
  TAG,
} from "../../lib/mesh/message.ts";
import {
  encodeInterestList,
  encodeInterestMap,
  ROOM_BUCKETS,
} from "../../lib/mesh/room_interest.ts";
import { isNormalName, NAME_LENGTH_MAX } from "../../lib/mesh/name.ts";
import { Collector, joined } from "../mesh/collector.ts";
import { fuzzCount, mutated, rounds } from "../kit/fuzz.ts";
import { test } from "../kit/test.ts";

const FRAMES = fuzzCount(10_000);

const KEY = new SeededRandom(99).bytes(32);
const NONCE = new SeededRandom(98).bytes(32);

/** A valid body of each kind of message. The tests mutate them. */
const SAMPLES: readonly (readonly [tag: number, body: Uint8Array])[] = [
  [
    TAG.NAME,
    encodeName({
      name: "a@h:1",
      creation: 1,
      version: 1,
      features: 0,
      flags: 1,
      nonce: NONCE,
    }),
  ],
  [
    TAG.CHALLENGE,
    joined(
      encodeChallenge({ name: "b@h:2", creation: 1, version: 1, features: 0, nonce: NONCE }),
      NONCE,
    ),
  ],
  [TAG.REPLY, encodeReply(NONCE, { lastSession: 5n, exposed: ["f", "gé"], startedAt: 6 })],
  [TAG.ACK, encodeList(["f"])],
  [TAG.REJECT, encodeReject("cookie", "wörds")],
  [TAG.PEER_LIST, encodeList(["a@h:1", "b@[::1]:2"])],
  [TAG.ROOM_BROADCAST, encodeRoomBroadcast("rööm", "hé").slice(5)],
  [TAG.ROOM_BROADCAST_BINARY, encodeRoomBroadcast("r", NONCE).slice(5)],
  [TAG.GOODBYE, encodeGoodbye("shutdown").slice(5)],
  [TAG.ROOM_INTEREST, encodeInterestList(1, [5, ROOM_BUCKETS - 1], 2).slice(5)],
  [TAG.ROOM_INTEREST, encodeInterestMap([1, 8, 9]).slice(5)],
  [TAG.PING, new Uint8Array(8)],
  [TAG.PONG, new Uint8Array(8)],
];

/** Returns the body of a message: valid, mutated, or random. */
function anyBody(random: SeededRandom): readonly [tag: number, body: Uint8Array] {
  const [tag, body] = SAMPLES[random.below(SAMPLES.length)]!;
  if (random.below(8) === 0) return [random.below(256), random.bytes(random.below(300))];
  const sent = random.below(4) === 0 ? body : mutated(random, body);
  return [random.below(10) === 0 ? random.below(256) : tag, sent];
}

test("every decoder returns undefined or values within its limits for any bytes", () => {
  rounds(FRAMES, (random) => {
    const body = anyBody(random)[1];
    const before = body.slice();
    for (const decode of [decodeName, decodeChallenge, decodeReply, decodeGoodbye]) decode(body);
    const list = decodeList(body);
    assert(list === undefined || list.length <= 1024);
    const reject = decodeReject(body);
    assert(reject === undefined || reject.words.length <= 200);
    const room = decodeRoomBroadcast(body);
    assert(room === undefined || room.room.length <= 255);
    assert(room === undefined || room.message.length <= body.length);
    const name = decodeName(body);
    if (name !== undefined && isNormalName(name.name)) {
      assert(name.name.length <= NAME_LENGTH_MAX && !/[\s\p{C}]/u.test(name.name));
    }
    assertEquals(body, before, "a decoder has changed its input");
  });
});

test("every decoded value is equal after it is encoded and decoded again", () => {
  rounds(FRAMES, (random) => {
    const body = anyBody(random)[1];
    const name = decodeName(body);
    if (name !== undefined) assertEquals(decodeName(encodeName(name)), name);
    const challenge = decodeChallenge(body);
    if (challenge !== undefined) {
      const again = joined(encodeChallenge(challenge.message), challenge.proof);
      assertEquals(decodeChallenge(again), challenge);
    }
    const reply = decodeReply(body);
    if (reply !== undefined) {
      assertEquals(decodeReply(encodeReply(reply.proof, reply.message)), reply);
    }
    const list = decodeList(body);
    if (list !== undefined) assertEquals(decodeList(encodeList(list)), list);
    const room = decodeRoomBroadcast(body);
    if (room !== undefined) {
      const frame = encodeRoomBroadcast(room.room, room.message.slice());
      assertEquals(
        decodeRoomBroadcast(frame.subarray(5)),
        {
          room: room.room,
          message: room.message.slice(),
        } as typeof room,
      );
    }
  });
});

const skip = (): undefined => undefined;
const session: SessionMessages = {
  met: { name: "a@h:1" },
  onPing: skip,
  onPong: skip,
  onGoodbye: skip,
  onBulk: skip,
  onFragment: skip,
  onTaken: skip,
  onRoomInterest: skip,
};

test("dispatch passes on valid names, rooms and texts for any frame", () => {
  rounds(FRAMES, (random) => {
    const [tag, body] = anyBody(random);
    const owner: NodeMessages = {
      exposed() {},
      peerList(names) {
        for (const name of names) assert(isNormalName(name), name);
      },
      roomSink: {
        roomMessage(room, message, text) {
          assert(room.length > 0 && room.isWellFormed());
          if (text) new TextDecoder("utf-8", { fatal: true }).decode(message);
        },
      },
    };
    const rule = dispatch(session, { owner, actors: undefined }, tag, body);
    assert(rule === undefined || rule.length < 100);
  });
});

test("FrameReader returns the frames of its input, however the input is split", () => {
  rounds(FRAMES / 10, (random) => {
    const limit = [64, 4096, FRAME_BYTES_MAX][random.below(3)]!;
    const frames = Array.from({ length: 10 }, () => {
      const [tag, body] = anyBody(random);
      return encodeFrame(tag, body);
    });
    let stream = joined(...frames);
    if (random.below(3) === 0) stream = mutated(random, stream);
    // The expected result is that of a reader to which all bytes are passed at once.
    const whole = new Collector();
    const wholeOk = new FrameReader(limit).push(stream, whole);
    const cut = new Collector();
    const reader = new FrameReader(limit);
    let cutOk = true;
    for (let at = 0; at < stream.length && cutOk;) {
      const next = Math.min(stream.length, at + 1 + random.below(40));
      const piece = stream.slice(at, next);
      cutOk = reader.push(piece, cut);
      piece.fill(0xee);
      at = next;
    }
    assertEquals([cutOk, cut.hex], [wholeOk, whole.hex]);
    for (const { body } of cut.frames) assert(body.length < limit);
  });
});

const NEAR: Self = { name: "near@h:1", creation: 1, proofKey: KEY, exposed: [] };

test("Initiator and Responder accept no peer without the cookie, whatever messages arrive", () => {
  rounds(FRAMES / 4, (random) => {
    const nonce = random.bytes(32);
    const acceptor = new Responder(NEAR, nonce, NONCE);
    const dialler = new Initiator(NEAR, "b@h:2", nonce, NONCE, () => 0n, () => undefined);
    for (const machine of [acceptor, dialler]) {
      for (let i = 0; i < 4; i++) {
        const [tag, body] = random.below(2) === 0
          ? anyBody(random)
          : SAMPLES[i % 2 === 0 ? (machine === acceptor ? 0 : 1) : 2]!;
        const step = machine.receive(tag, body);
        assert(step.kind !== "up" && step.kind !== "decide", `${step.kind} at ${tag}`);
        if (step.kind === "send") {
          assertEquals(machine, acceptor, "an initiator accepted a peer without the cookie");
          assert(step.frame.length <= 4096 + 4);
        } else {
          assert(step.words.length < 1000);
          assert(step.frame === undefined || step.frame.length <= 4096 + 4);
        }
      }
    }
  });
});

test("a handshake with one changed message fails, or succeeds with the same session on both sides", () => {
  rounds(FRAMES / 10, (random) => {
    const acceptor = new Responder(
      { ...NEAR, name: "b@h:2", creation: 2 },
      random.bytes(32),
      NONCE,
    );
    const dialler = new Initiator(
      NEAR,
      "b@h:2",
      random.bytes(32),
      NONCE,
      () => 7n,
      () => undefined,
    );
    const changed = random.below(4);
    let turn = 0;
    const pass = (frame: Uint8Array): readonly [number, Uint8Array] => {
      const body = turn++ === changed ? mutated(random, frame.subarray(5)) : frame.subarray(5);
      return [frame[4]!, body];
    };
    const begun = dialler.begin();
    assert(begun.kind === "send");
    const challenge = acceptor.receive(...pass(begun.frame));
    if (challenge.kind !== "send") return;
    const reply = dialler.receive(...pass(challenge.frame));
    if (reply.kind !== "send") return;
    const decide = acceptor.receive(...pass(reply.frame));
    if (decide.kind !== "decide") return;
    const up = dialler.receive(...pass(acceptor.accept().frame));
    if (up.kind !== "up") return;
    assertEquals([decide.met.session, decide.met.name], [up.met.session, NEAR.name]);
    assertEquals([up.met.name, up.met.creation, decide.met.creation], ["b@h:2", 2, 1]);
  });
});
