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
class Notes implements HandshakeOwner {
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

function acceptor(self: Self): Responder {
  return new Responder(self, random.bytes(32), CERTIFICATE);
}

function dialler(self: Self, expected: string): Initiator {
  return new Initiator(self, expected, random.bytes(32), CERTIFICATE, () => 0n, () => undefined);
}

/** Returns the first message of an initiator. */
function begun(machine: Initiator): Uint8Array {
  const step = machine.begin();
  assert(step.kind === "send");
  return step.frame;
}

interface Greeted extends Wire {
  readonly greeting: HandshakeIo;
  readonly notes: Notes;
  readonly host: Host;
}

/** Runs the responder of a handshake; the test acts as the initiator, `far`. */
function accepting(
  body: (greeted: Greeted) => Promise<void>,
  deadlineMs: number = LONG_MS,
): Promise<void> {
  return withWire(async (wire, host) => {
    const notes = new Notes();
    const greeting = new HandshakeIo(wire.near, acceptor(NEAR), notes, host.clock, deadlineMs);
    await body({ ...wire, greeting, notes, host });
  });
}

/** Runs the initiator of a handshake; the test acts as the responder, `far`. */
function dialing(
  body: (greeted: Greeted) => Promise<void>,
  deadlineMs: number = LONG_MS,
): Promise<void> {
  return withWire(async (wire, host) => {
    const notes = new Notes();
    const machine = dialler(NEAR, FAR.name);
    const greeting = new HandshakeIo(wire.near, machine, notes, host.clock, deadlineMs);
    await until("NAME has arrived", () => wire.far.frames.length === 1);
    await body({ ...wire, greeting, notes, host });
  });
}

function frameIn(step: Step): Uint8Array {
  assert("frame" in step && step.frame !== undefined, step.kind);
  return step.frame;
}

/** Acts as the initiator up to its REPLY. Returns the REPLY without sending it. */
async function proving(
  far: Raw,
  machine: Initiator = dialler(FAR, NEAR.name),
): Promise<Uint8Array> {
  far.write(begun(machine));
  await until("CHALLENGE has arrived", () => far.frames.length === 1);
  const { tag, body } = far.frames[0]!;
  return frameIn(machine.receive(tag, body));
}

async function untilFailed({ notes }: Greeted, failure: string): Promise<void> {
  await until(`the handshake has failed as ${failure}`, () => notes.failures.length > 0);
  assertEquals([notes.failures, notes.ups], [[failure], []]);
}

/** Asserts that the other side received the reason of a rejection. */
async function assertRejected({ far }: Greeted, reason: string): Promise<void> {
  await until("the other side has received the end", () => far.isOver);
  const { tag, body } = far.frames.at(-1)!;
  assertEquals([tag, decodeReject(body)?.reason], [TAG.REJECT, reason]);
}

test("HandshakeIo connects an authenticated initiator, and passes on bytes that follow its proof", async () => {
  await accepting(async ({ far, notes }) => {
    const reply = await proving(far);
    far.write(
      reply,
      encodeRoomBroadcast("r", "x"),
      hex("00000000"),
      encodeFrame(0x77).subarray(0, 3),
    );
    await until("the session is open", () => notes.after.frames.length === 1);
    far.write(encodeFrame(0x77).subarray(3));
    await until("ACK has arrived", () => far.frames.length === 2);
    assertEquals(far.tags, [TAG.CHALLENGE, TAG.ACK]);
    assertEquals([notes.met?.name, notes.met?.creation], [FAR.name, FAR.creation]);
    assertEquals(notes.ups.length, 1);
    assertEquals(notes.failures, []);
  });
});

test("HandshakeIo connects an authenticated responder, and passes on bytes that follow its ACK", async () => {
  await dialing(async ({ far, notes }) => {
    const machine = acceptor(FAR);
    far.write(frameIn(machine.receive(far.frames[0]!.tag, far.frames[0]!.body)));
    await until("REPLY has arrived", () => far.frames.length === 2);
    machine.receive(far.frames[1]!.tag, far.frames[1]!.body);
    far.write(machine.accept().frame, encodeRoomBroadcast("r", "x"), encodeRoomBroadcast("r", "y"));
    await until("the session is open", () => notes.after.frames.length === 2);
    assertEquals([notes.met?.name, notes.met?.creation], [FAR.name, FAR.creation]);
    assertEquals([notes.ups.length, notes.failures], [1, []]);
  });
});

test("HandshakeIo passes an oversized frame right after the handshake to the session", async () => {
  await accepting(async ({ far, notes }) => {
    const reply = await proving(far);
    far.write(reply, encodeFrame(0x77), hex("65000000 1e"), encodeFrame(0x78));
    await until("the session is open", () => notes.ups.length === 1 && notes.overlong > 0);
    assertEquals(notes.after.hex, ["77:"]);
    assertEquals(notes.overlong, 1);
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
    await accepting(async (greeted) => {
      greeted.far.write(flood);
      await untilFailed(greeted, "protocol");
      await assertRejected(greeted, "protocol");
      assertEquals(greeted.far.tags, [TAG.REJECT], what);
    });
  }
});

test("HandshakeIo limits the sum of all bytes before the proof, not each message", async () => {
  await accepting(async (greeted) => {
    const { far } = greeted;
    const reply = await proving(far);
    far.write(new Uint8Array(3000));
    far.write(new Uint8Array(1200));
    await untilFailed(greeted, "protocol");
    assertEquals(greeted.notes.words, "more than 4096 bytes before the session is up");
    far.write(reply);
    await assertRejected(greeted, "protocol");
  });
});

test("HandshakeIo does not limit the bytes after the proof", async () => {
  await accepting(async ({ far, notes }) => {
    far.write(await proving(far), ...new Array(200).fill(encodeFrame(0x77, new Uint8Array(90))));
    await until("all frames have arrived", () => notes.after.frames.length === 200);
    assertEquals(notes.failures, []);
  });
});

test("HandshakeIo aborts a silent peer at the deadline, on either side, without a reply", async () => {
  for (const side of [accepting, dialing]) {
    await side(async (greeted) => {
      const before = greeted.far.frames.length;
      await untilFailed(greeted, "timeout");
      assertEquals(greeted.notes.words, "no handshake in 50 ms");
      await until("the connection is closed", () => greeted.far.isOver);
      assertEquals(greeted.far.frames.length, before);
    }, 50);
  }
});

test("HandshakeIo's deadline covers the whole handshake, even if a byte arrives now and then", async () => {
  await accepting(async (greeted) => {
    const name = begun(dialler(FAR, NEAR.name));
    let at = 0;
    await until("the handshake has failed", () => {
      greeted.far.write(name.subarray(at, ++at));
      return greeted.notes.failures.length > 0;
    });
    assert(at < name.length, "the whole NAME was received before the deadline");
    assertEquals(greeted.notes.failures, ["timeout"]);
  }, 50);
});

test("HandshakeIo's deadline ends when the session opens", async () => {
  const { host, armed } = countingHost();
  await withWire(async ({ near, far }) => {
    const notes = new Notes();
    new HandshakeIo(near, acceptor(NEAR), notes, host.clock, LONG_MS);
    assertEquals(armed.size, 1);
    far.write(await proving(far));
    await until("the session is open", () => notes.ups.length === 1);
    assertEquals([...armed], []);
  });
});

test("HandshakeIo reports a silent peer only if it never sent a byte", async () => {
  for (const [bytes, words] of [["", "it hung up without a word"], ["01", "it hung up"]] as const) {
    await accepting(async (greeted) => {
      greeted.far.write(hex(bytes));
      greeted.far.stream.end();
      await untilFailed(greeted, "broken");
      assertEquals(greeted.notes.words, words);
    });
  }
});

test("HandshakeIo fails with the reason of the peer's REJECT", async () => {
  for (const side of [accepting, dialing]) {
    await side(async (greeted) => {
      const before = greeted.far.frames.length;
      greeted.far.send(TAG.REJECT, encodeReject("stopping", "see\nyou"));
      await untilFailed(greeted, "stopping");
      assertEquals([greeted.notes.words, greeted.notes.byPeer], ["see you", true]);
      await until("the connection is closed", () => greeted.far.isOver);
      assertEquals(greeted.far.frames.length, before, "a REJECT is not answered");
    });
  }
});

test("HandshakeIo's owner can reject an authenticated initiator", async () => {
  await accepting(async (greeted) => {
    greeted.notes.refusal = { reason: "duplicate", words: "there is one" };
    greeted.far.write(await proving(greeted.far), encodeFrame(0x77));
    await untilFailed(greeted, "duplicate");
    await assertRejected(greeted, "duplicate");
    assertEquals(greeted.notes.after.frames, []);
  });
});

test("HandshakeIo's owner is not called for an unauthenticated initiator", async () => {
  await accepting(async (greeted) => {
    greeted.notes.onDecide = () => assert(false, "asked");
    const impostor = dialler({ ...FAR, proofKey: random.bytes(32) }, NEAR.name);
    greeted.far.write(begun(impostor));
    await until("CHALLENGE has arrived", () => greeted.far.frames.length === 1);
    greeted.far.send(TAG.REPLY, new Uint8Array(42));
    await untilFailed(greeted, "cookie");
    await assertRejected(greeted, "cookie");
  });
});

test("HandshakeIo does not open a session if aborted while its owner decides", async () => {
  await accepting(async (greeted) => {
    greeted.notes.onDecide = () => greeted.greeting.abort();
    greeted.far.write(await proving(greeted.far));
    await untilFailed(greeted, "aborted");
    await until("the connection is closed", () => greeted.far.isOver);
    assertEquals(greeted.far.tags, [TAG.CHALLENGE]);
  });
});

test("HandshakeIo.abort aborts the handshake once, and has no effect on an open session", async () => {
  await accepting(async (greeted) => {
    greeted.greeting.abort();
    greeted.greeting.abort();
    await untilFailed(greeted, "aborted");
    await until("the connection is closed", () => greeted.far.isOver);
    assertEquals(greeted.far.frames, []);
  });
  await accepting(async ({ far, notes, greeting }) => {
    far.write(await proving(far));
    await until("the session is open", () => notes.ups.length === 1);
    greeting.abort();
    far.send(0x77);
    await until("the session receives a frame", () => notes.after.frames.length === 1);
    assertEquals(notes.failures, []);
  });
});

test("HandshakeIo stops reading after a failure, and aborts a peer that does not close within a second", async () => {
  await accepting(async (greeted) => {
    greeted.far.send(0x99);
    await untilFailed(greeted, "protocol");
    await assertRejected(greeted, "protocol");
    let gone = false;
    greeted.far.close = () => gone = true;
    const from = performance.now();
    await until("the connection is closed", () => {
      greeted.far.write(begun(dialler(FAR, NEAR.name)));
      return gone;
    });
    assert(performance.now() - from < 3000);
    assertEquals(greeted.far.tags, [TAG.REJECT]);
    greeted.far.closed = { kind: "aborted" };
  });
});

test("HandshakeIo.abort closes a failed handshake at once, and reports it", async () => {
  await accepting(async ({ far, notes, greeting }) => {
    far.send(0x99);
    await until("the peer has received the REJECT", () => far.ended);
    assertEquals([notes.failures, notes.gones], [["protocol"], 0]);
    greeting.abort();
    assertEquals([notes.failures, notes.gones], [["protocol"], 1]);
    await until("the connection is closed", () => {
      far.send(0x99);
      return far.closed !== undefined;
    });
    greeting.abort();
    assertEquals(notes.gones, 1);
  });
});

test("HandshakeIo reports its end exactly once for any failure", async () => {
  const ways: readonly ((greeted: Greeted) => void)[] = [
    ({ far }) => far.stream.end(),
    ({ far }) => far.stream.abort(),
    ({ greeting }) => greeting.abort(),
    ({ greeting }) => greeting.withdraw(),
    ({ far }) => {
      far.send(0x99);
      far.stream.end();
    },
  ];
  for (const side of [accepting, dialing]) {
    for (const way of ways) {
      await side(async (greeted) => {
        greeted.far.end = () => greeted.far.stream.end();
        way(greeted);
        await until("the stream is released", () => greeted.notes.gones > 0);
        assertEquals([greeted.notes.failures.length, greeted.notes.gones], [1, 1]);
      });
    }
  }
});

test("HandshakeIo.withdraw sends REJECT duplicate before the proof, and nothing after it", async () => {
  await dialing(async (greeted) => {
    greeted.greeting.withdraw();
    await untilFailed(greeted, "duplicate");
    await assertRejected(greeted, "duplicate");
    assertEquals(greeted.far.tags, [TAG.NAME, TAG.REJECT]);
  });
  await dialing(async (greeted) => {
    const { far } = greeted;
    const machine = acceptor(FAR);
    far.write(frameIn(machine.receive(far.frames[0]!.tag, far.frames[0]!.body)));
    await until("REPLY has arrived", () => far.frames.length === 2);
    greeted.greeting.withdraw();
    await untilFailed(greeted, "duplicate");
    await until("the other side has received the end", () => far.isOver);
    assertEquals(far.tags, [TAG.NAME, TAG.REPLY]);
    assertEquals(far.closed, undefined, "the connection was aborted, which may lose the proof");
  });
});

test("HandshakeIo.withdraw has no effect on an open session", async () => {
  await accepting(async ({ far, notes, greeting }) => {
    far.write(await proving(far));
    await until("the session is open", () => notes.ups.length === 1);
    greeting.withdraw();
    far.send(0x77);
    await until("the session receives a frame", () => notes.after.frames.length === 1);
    assertEquals([notes.failures, far.tags], [[], [TAG.CHALLENGE, TAG.ACK]]);
  });
});
