import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import type { Opened } from "../../lib/mesh/session.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import {
  HandshakeIo,
  type HandshakeOwner,
  UNPROVEN_BYTES_MAX,
} from "../../lib/mesh/handshake_io.ts";
import { Initiator, type Met, Responder, type Self, type Step } from "../../lib/mesh/handshake.ts";
import { decodeReject, encodeReject, encodeRoomBroadcast, TAG } from "../../lib/mesh/message.ts";
import type { Host } from "../../lib/host/host.ts";
import { countingHost } from "../kit/mesh.ts";
import { test, until } from "../kit/test.ts";
import { Collector, hex, joined } from "./collector.ts";
import { type Raw, type Wire, withWire } from "./wire.ts";

const random = new SeededRandom(23);
const KEY = random.bytes(32);
const CERTIFICATE = hex("30820000");
const NEAR: Self = { name: "near@h:1", creation: 1, proofKey: KEY, exposed: [] };
const FAR: Self = { name: "far@h:2", creation: 2, proofKey: KEY, exposed: [] };

/** A deadline that is not reached, except by tests of the deadline. */
const LONG_MS = 60_000;

/** Records the outcome of a handshake. */
class HandshakeRecord implements HandshakeOwner {
  met: Met | undefined;
  readonly ups: Opened[] = [];
  readonly failures: string[] = [];
  words = "";
  byPeer = false;
  /** The frames received after the handshake. */
  readonly after: Collector = new Collector();
  overlong = 0;
  gones = 0;
  refusal: ReturnType<HandshakeOwner["decide"]>;
  onDecide: () => void = () => {};

  decide(): ReturnType<HandshakeOwner["decide"]> {
    this.onDecide();
    return this.refusal;
  }

  up(met: Met, opened: Opened): ReturnType<HandshakeOwner["up"]> {
    this.met = met;
    this.ups.push(opened);
    opened.reader.limit = 100;
    return {
      frame: (tag, body) => this.after.frame(tag, body),
      overlong: () => void this.overlong++,
    };
  }

  failed(failure: string, words: string, byPeer: boolean): void {
    this.failures.push(failure);
    this.words = words;
    this.byPeer = byPeer;
  }

  gone(): void {
    assertEquals(this.failures.length, 1, "the stream was released before the failure");
    this.gones++;
  }
}

function responder(self: Self): Responder {
  return new Responder(self, random.bytes(32), CERTIFICATE);
}

function initiator(self: Self, expected: string): Initiator {
  return new Initiator(self, expected, random.bytes(32), CERTIFICATE, () => 0n, () => undefined);
}

/** Returns the first message of an initiator. */
function begun(machine: Initiator): Uint8Array {
  const step = machine.begin();
  assert(step.kind === "send");
  return step.frame;
}

interface Fixture extends Wire {
  readonly io: HandshakeIo;
  readonly record: HandshakeRecord;
  readonly host: Host;
}

/** Runs the responder of a handshake; the test acts as the initiator, `far`. */
function accepting(
  body: (fixture: Fixture) => Promise<void>,
  deadlineMs: number = LONG_MS,
): Promise<void> {
  return withWire(async (wire, host) => {
    const record = new HandshakeRecord();
    const io = new HandshakeIo(wire.near, responder(NEAR), record, host.clock, deadlineMs);
    await body({ ...wire, io, record, host });
  });
}

/** Runs the initiator of a handshake; the test acts as the responder, `far`. */
function dialing(
  body: (fixture: Fixture) => Promise<void>,
  deadlineMs: number = LONG_MS,
): Promise<void> {
  return withWire(async (wire, host) => {
    const record = new HandshakeRecord();
    const machine = initiator(NEAR, FAR.name);
    const io = new HandshakeIo(wire.near, machine, record, host.clock, deadlineMs);
    await until("NAME has arrived", () => wire.far.frames.length === 1);
    await body({ ...wire, io, record, host });
  });
}

function frameIn(step: Step): Uint8Array {
  assert("frame" in step && step.frame !== undefined, step.kind);
  return step.frame;
}

/** Acts as the initiator up to its REPLY. Returns the REPLY without sending it. */
async function proving(
  far: Raw,
  machine: Initiator = initiator(FAR, NEAR.name),
): Promise<Uint8Array> {
  far.write(begun(machine));
  await until("CHALLENGE has arrived", () => far.frames.length === 1);
  const { tag, body } = far.frames[0]!;
  return frameIn(machine.receive(tag, body));
}

async function untilFailed({ record }: Fixture, failure: string): Promise<void> {
  await until(`the handshake has failed as ${failure}`, () => record.failures.length > 0);
  assertEquals([record.failures, record.ups], [[failure], []]);
}

/** Asserts that the other side received the reason of a rejection. */
async function assertRejected({ far }: Fixture, reason: string): Promise<void> {
  await until("the other side has received the end", () => far.isOver);
  const { tag, body } = far.frames.at(-1)!;
  assertEquals([tag, decodeReject(body)?.reason], [TAG.REJECT, reason]);
}

test("HandshakeIo accepts an authenticated initiator, and passes the bytes after the proof to the session", async () => {
  await accepting(async ({ far, record }) => {
    const reply = await proving(far);
    far.write(
      reply,
      encodeRoomBroadcast("r", "x"),
      hex("00000000"),
      encodeFrame(0x77).subarray(0, 3),
    );
    await until("the session is open", () => record.after.frames.length === 1);
    far.write(encodeFrame(0x77).subarray(3));
    await until("ACK has arrived", () => far.frames.length === 2);
    assertEquals(far.tags, [TAG.CHALLENGE, TAG.ACK]);
    assertEquals([record.met?.name, record.met?.creation], [FAR.name, FAR.creation]);
    assertEquals(record.ups.length, 1);
    assertEquals(record.failures, []);
  });
});

test("HandshakeIo accepts an authenticated responder, and passes the bytes after the ACK to the session", async () => {
  await dialing(async ({ far, record }) => {
    const machine = responder(FAR);
    far.write(frameIn(machine.receive(far.frames[0]!.tag, far.frames[0]!.body)));
    await until("REPLY has arrived", () => far.frames.length === 2);
    machine.receive(far.frames[1]!.tag, far.frames[1]!.body);
    far.write(machine.accept().frame, encodeRoomBroadcast("r", "x"), encodeRoomBroadcast("r", "y"));
    await until("the session is open", () => record.after.frames.length === 2);
    assertEquals([record.met?.name, record.met?.creation], [FAR.name, FAR.creation]);
    assertEquals([record.ups.length, record.failures], [1, []]);
  });
});

test("HandshakeIo passes an oversized frame right after the handshake to the session", async () => {
  await accepting(async ({ far, record }) => {
    const reply = await proving(far);
    far.write(reply, encodeFrame(0x77), hex("65000000 1e"), encodeFrame(0x78));
    await until("the session is open", () => record.ups.length === 1 && record.overlong > 0);
    assertEquals(record.after.hex, ["77:"]);
    assertEquals(record.overlong, 1);
  });
});

test("HandshakeIo rejects more than 4096 bytes before the session opens, however they are split", async () => {
  const floods: Readonly<Record<string, Uint8Array>> = {
    "one frame announced as 4097 bytes": hex("01100000"),
    "one announced as 4 GiB": hex("ffffffff 01"),
    "frames of no length": new Uint8Array(UNPROVEN_BYTES_MAX + 1),
    "a NAME of 4095 bytes, and two more": joined(
      encodeFrame(TAG.NAME, new Uint8Array(4090)).with(0, 0xff).subarray(0, 4095),
      hex("0000"),
    ),
  };
  for (const [what, flood] of Object.entries(floods)) {
    await accepting(async (fixture) => {
      fixture.far.write(flood);
      await untilFailed(fixture, "protocol");
      await assertRejected(fixture, "protocol");
      assertEquals(fixture.far.tags, [TAG.REJECT], what);
    });
  }
});

test("HandshakeIo limits the sum of all bytes before the proof, not each message", async () => {
  await accepting(async (fixture) => {
    const { far } = fixture;
    const reply = await proving(far);
    far.write(new Uint8Array(3000));
    far.write(new Uint8Array(1200));
    await untilFailed(fixture, "protocol");
    assertEquals(fixture.record.words, "more than 4096 bytes before the session is up");
    far.write(reply);
    await assertRejected(fixture, "protocol");
  });
});

test("HandshakeIo does not limit the bytes after the proof", async () => {
  await accepting(async ({ far, record }) => {
    far.write(await proving(far), ...new Array(200).fill(encodeFrame(0x77, new Uint8Array(90))));
    await until("all frames have arrived", () => record.after.frames.length === 200);
    assertEquals(record.failures, []);
  });
});

test("HandshakeIo aborts a silent peer at the deadline, on either side, without a reply", async () => {
  for (const side of [accepting, dialing]) {
    await side(async (fixture) => {
      const before = fixture.far.frames.length;
      await untilFailed(fixture, "timeout");
      assertEquals(fixture.record.words, "no handshake in 50 ms");
      await until("the connection is closed", () => fixture.far.isOver);
      assertEquals(fixture.far.frames.length, before);
    }, 50);
  }
});

test("HandshakeIo's deadline covers the whole handshake, even if bytes arrive in the meantime", async () => {
  await accepting(async (fixture) => {
    const name = begun(initiator(FAR, NEAR.name));
    let at = 0;
    await until("the handshake has failed", () => {
      fixture.far.write(name.subarray(at, ++at));
      return fixture.record.failures.length > 0;
    });
    assert(at < name.length, "the whole NAME was received before the deadline");
    assertEquals(fixture.record.failures, ["timeout"]);
  }, 50);
});

test("HandshakeIo's deadline ends when the session opens", async () => {
  const { host, armed } = countingHost();
  await withWire(async ({ near, far }) => {
    const record = new HandshakeRecord();
    new HandshakeIo(near, responder(NEAR), record, host.clock, LONG_MS);
    assertEquals(armed.size, 1);
    far.write(await proving(far));
    await until("the session is open", () => record.ups.length === 1);
    assertEquals([...armed], []);
  });
});

test("HandshakeIo reports a closed connection as silent only if the peer never sent a byte", async () => {
  for (const [bytes, words] of [["", "it hung up without a word"], ["01", "it hung up"]] as const) {
    await accepting(async (fixture) => {
      fixture.far.write(hex(bytes));
      fixture.far.stream.end();
      await untilFailed(fixture, "broken");
      assertEquals(fixture.record.words, words);
    });
  }
});

test("HandshakeIo fails with the reason of the peer's REJECT", async () => {
  for (const side of [accepting, dialing]) {
    await side(async (fixture) => {
      const before = fixture.far.frames.length;
      fixture.far.send(TAG.REJECT, encodeReject("stopping", "see\nyou"));
      await untilFailed(fixture, "stopping");
      assertEquals([fixture.record.words, fixture.record.byPeer], ["see you", true]);
      await until("the connection is closed", () => fixture.far.isOver);
      assertEquals(fixture.far.frames.length, before, "a REJECT is not answered");
    });
  }
});

test("HandshakeIo's owner can reject an authenticated initiator", async () => {
  await accepting(async (fixture) => {
    fixture.record.refusal = { reason: "duplicate", words: "there is one" };
    fixture.far.write(await proving(fixture.far), encodeFrame(0x77));
    await untilFailed(fixture, "duplicate");
    await assertRejected(fixture, "duplicate");
    assertEquals(fixture.record.after.frames, []);
  });
});

test("HandshakeIo's owner is not called for an unauthenticated initiator", async () => {
  await accepting(async (fixture) => {
    fixture.record.onDecide = () => assert(false, "asked");
    const impostor = initiator({ ...FAR, proofKey: random.bytes(32) }, NEAR.name);
    fixture.far.write(begun(impostor));
    await until("CHALLENGE has arrived", () => fixture.far.frames.length === 1);
    fixture.far.send(TAG.REPLY, new Uint8Array(42));
    await untilFailed(fixture, "cookie");
    await assertRejected(fixture, "cookie");
  });
});

test("HandshakeIo opens no session if it is aborted while the owner decides", async () => {
  await accepting(async (fixture) => {
    fixture.record.onDecide = () => fixture.io.abort();
    fixture.far.write(await proving(fixture.far));
    await untilFailed(fixture, "aborted");
    await until("the connection is closed", () => fixture.far.isOver);
    assertEquals(fixture.far.tags, [TAG.CHALLENGE]);
  });
});

test("HandshakeIo.abort aborts the handshake once, and has no effect on an open session", async () => {
  await accepting(async (fixture) => {
    fixture.io.abort();
    fixture.io.abort();
    await untilFailed(fixture, "aborted");
    await until("the connection is closed", () => fixture.far.isOver);
    assertEquals(fixture.far.frames, []);
  });
  await accepting(async ({ far, record, io }) => {
    far.write(await proving(far));
    await until("the session is open", () => record.ups.length === 1);
    io.abort();
    far.send(0x77);
    await until("the session receives a frame", () => record.after.frames.length === 1);
    assertEquals(record.failures, []);
  });
});

test("HandshakeIo aborts the connection if a rejected peer does not close it within a second", async () => {
  await accepting(async (fixture) => {
    fixture.far.send(0x99);
    await untilFailed(fixture, "protocol");
    await assertRejected(fixture, "protocol");
    let gone = false;
    fixture.far.close = () => gone = true;
    const from = performance.now();
    await until("the connection is closed", () => {
      fixture.far.write(begun(initiator(FAR, NEAR.name)));
      return gone;
    });
    assert(performance.now() - from < 3000);
    assertEquals(fixture.far.tags, [TAG.REJECT]);
    fixture.far.closed = { kind: "aborted" };
  });
});

test("HandshakeIo.abort closes the connection of a failed handshake at once", async () => {
  await accepting(async ({ far, record, io }) => {
    far.send(0x99);
    await until("the peer has received the REJECT", () => far.ended);
    assertEquals([record.failures, record.gones], [["protocol"], 0]);
    io.abort();
    assertEquals([record.failures, record.gones], [["protocol"], 1]);
    await until("the connection is closed", () => {
      far.send(0x99);
      return far.closed !== undefined;
    });
    io.abort();
    assertEquals(record.gones, 1);
  });
});

test("HandshakeIo reports every failure exactly once", async () => {
  const ways: readonly ((fixture: Fixture) => void)[] = [
    ({ far }) => far.stream.end(),
    ({ far }) => far.stream.abort(),
    ({ io }) => io.abort(),
    ({ io }) => io.withdraw(),
    ({ far }) => {
      far.send(0x99);
      far.stream.end();
    },
  ];
  for (const side of [accepting, dialing]) {
    for (const way of ways) {
      await side(async (fixture) => {
        fixture.far.end = () => fixture.far.stream.end();
        way(fixture);
        await until("the stream is released", () => fixture.record.gones > 0);
        assertEquals([fixture.record.failures.length, fixture.record.gones], [1, 1]);
      });
    }
  }
});

test("HandshakeIo.withdraw sends a REJECT only if this side has not sent its proof", async () => {
  await dialing(async (fixture) => {
    fixture.io.withdraw();
    await untilFailed(fixture, "duplicate");
    await assertRejected(fixture, "duplicate");
    assertEquals(fixture.far.tags, [TAG.NAME, TAG.REJECT]);
  });
  await dialing(async (fixture) => {
    const { far } = fixture;
    const machine = responder(FAR);
    far.write(frameIn(machine.receive(far.frames[0]!.tag, far.frames[0]!.body)));
    await until("REPLY has arrived", () => far.frames.length === 2);
    fixture.io.withdraw();
    await untilFailed(fixture, "duplicate");
    await until("the other side has received the end", () => far.isOver);
    assertEquals(far.tags, [TAG.NAME, TAG.REPLY]);
    assertEquals(far.closed, undefined, "the connection was aborted, which may lose the proof");
  });
});

test("HandshakeIo.withdraw has no effect on an open session", async () => {
  await accepting(async ({ far, record, io }) => {
    far.write(await proving(far));
    await until("the session is open", () => record.ups.length === 1);
    io.withdraw();
    far.send(0x77);
    await until("the session receives a frame", () => record.after.frames.length === 1);
    assertEquals([record.failures, far.tags], [[], [TAG.CHALLENGE, TAG.ACK]]);
  });
});
