import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import {
  fail,
  Initiator,
  type Met,
  Responder,
  type Self,
  type Step,
  VERSION,
} from "../../lib/mesh/handshake.ts";
import {
  decodeName,
  decodeReject,
  encodeName,
  encodeReject,
  type RejectReason,
  TAG,
} from "../../lib/mesh/message.ts";
import { test } from "../kit/test.ts";
import { flip, type Frame, frameOf, hex, joined } from "./collector.ts";

const random = new SeededRandom(17);
const CERTIFICATE = hex("308200aabbcc");
const KEY = random.bytes(32);
const BELIEVED = (): undefined => undefined;

const alpha: Self = {
  name: "alpha@h:1",
  creation: 7,
  startedAt: 1_000,
  proofKey: KEY,
  exposed: ["f"],
};
const beta: Self = {
  name: "beta@h:2",
  creation: 0xffff_ffff,
  startedAt: 2_000,
  proofKey: KEY,
  exposed: [],
};

interface Sides {
  readonly initiator?: Partial<Self>;
  readonly responder?: Partial<Self>;
  readonly expected?: string;
  /** The certificate that the initiator reads; `null` if it cannot read it. */
  readonly read?: Uint8Array | null;
  readonly shown?: Uint8Array;
  readonly lastSession?: bigint;
}

/** Creates both sides: alpha dials beta. */
function sides(with_: Sides = {}): { initiator: Initiator; responder: Responder } {
  const read = with_.read === null ? undefined : with_.read ?? CERTIFICATE;
  return {
    initiator: new Initiator(
      { ...alpha, ...with_.initiator },
      with_.expected ?? beta.name,
      random.bytes(32),
      read,
      () => with_.lastSession ?? 0n,
      BELIEVED,
    ),
    responder: new Responder(
      { ...beta, ...with_.responder },
      random.bytes(32),
      with_.shown ?? CERTIFICATE,
    ),
  };
}

/** Returns the frame that a step sends. */
function sent(step: Step): Frame {
  assert(step.kind === "send" && step.frame !== undefined, `${step.kind}, not send`);
  return frameOf(step.frame);
}

function begun(initiator: Initiator): Frame {
  return sent(initiator.begin());
}

/** A message of the handshake, by name. */
type Way = "NAME" | "CHALLENGE" | "REPLY" | "ACK";

interface Outcome {
  readonly initiator: Step;
  readonly responder: Step;
}

/** Runs a handshake until it completes or fails. `meddle` may change each message in transit. */
function run(
  { initiator, responder }: { initiator: Initiator; responder: Responder },
  meddle: (way: Way, frame: Frame) => Frame = (_, frame) => frame,
): Outcome {
  const to = (side: Initiator | Responder, way: Way, frame: Frame): Step => {
    const { tag, body } = meddle(way, frame);
    return side.receive(tag, body);
  };
  /** Delivers the REJECT of a failed step to the other side. */
  const received = (step: Step, other: Initiator | Responder): Step => {
    assert(step.kind === "fail", step.kind);
    assert(step.frame !== undefined);
    const { tag, body } = frameOf(step.frame);
    return other.receive(tag, body);
  };
  const named = to(responder, "NAME", begun(initiator));
  if (named.kind !== "send") return { initiator: received(named, initiator), responder: named };
  const challenged = to(initiator, "CHALLENGE", sent(named));
  if (challenged.kind !== "send") {
    return { initiator: challenged, responder: received(challenged, responder) };
  }
  const decide = to(responder, "REPLY", sent(challenged));
  if (decide.kind !== "decide") {
    return { initiator: received(decide, initiator), responder: decide };
  }
  const up = responder.accept();
  return { initiator: to(initiator, "ACK", frameOf(up.frame)), responder: up };
}

function metOf(step: Step): Met {
  assert(step.kind === "up", `${step.kind}: ${JSON.stringify(step, (_, v) => String(v))}`);
  return step.met;
}

/** Asserts that both sides failed with this reason: one detected it, the other was notified. */
function assertRefused(
  outcome: Outcome,
  finder: "initiator" | "responder",
  reason: RejectReason,
): void {
  for (const side of ["initiator", "responder"] as const) {
    const step = outcome[side];
    assert(step.kind === "fail", `${side}: ${step.kind}`);
    assertEquals([side, step.reason, step.byPeer], [side, reason, side !== finder]);
    assertEquals(step.frame === undefined, side !== finder);
    assert(step.words.length > 0);
  }
}

test("Initiator and Responder authenticate each other and agree on the session id", () => {
  {
    const outcome = run(sides({ lastSession: 42n }));
    const [there, here] = [metOf(outcome.initiator), metOf(outcome.responder)];
    assertEquals(there, {
      name: beta.name,
      creation: beta.creation,
      version: 1,
      features: 0x50,
      exposed: [],
      startedAt: 2_000,
      session: here.session,
      lastSession: 0n,
      binding: { ...here.binding!, role: "initiator" },
    });
    assertEquals(here, {
      name: alpha.name,
      creation: alpha.creation,
      version: 1,
      features: 0x50,
      exposed: ["f"],
      startedAt: 1_000,
      session: there.session,
      lastSession: 42n,
      binding: { ...there.binding!, role: "responder" },
    });
    assertNotEquals(here.session, 0n);
  }
});

test("Initiator's session id is the first 8 bytes of its nonce, and never 0", () => {
  const session = (nonce: Uint8Array): bigint => {
    const initiator = new Initiator(alpha, beta.name, nonce, CERTIFICATE, () => 0n, BELIEVED);
    const outcome = run({ ...sides(), initiator });
    assertEquals(metOf(outcome.responder).session, metOf(outcome.initiator).session);
    return metOf(outcome.initiator).session;
  };
  assertEquals(session(hex(`0807060504030201 ${"ee".repeat(24)}`)), 0x0102030405060708n);
  assertEquals(session(hex(`${"00".repeat(8)} ${"ee".repeat(24)}`)), 1n);
});

test("Initiator and Responder reject a peer with another cookie", () => {
  const proofKey = random.bytes(32);
  // The initiator is the first side to receive a proof, so it detects the wrong key.
  assertRefused(run(sides({ initiator: { proofKey } })), "initiator", "cookie");
  assertRefused(run(sides({ responder: { proofKey } })), "initiator", "cookie");
});

test("Responder rejects an initiator that answers without knowing the cookie", () => {
  for (const proof of [new Uint8Array(32), new Uint8Array(32).fill(0xff), random.bytes(32)]) {
    const outcome = run(
      sides(),
      (way, frame) =>
        way === "REPLY" ? { ...frame, body: joined(proof, frame.body.subarray(32)) } : frame,
    );
    assertRefused(outcome, "responder", "cookie");
  }
});

test("Responder rejects its own proof when reflected", () => {
  let proof: Uint8Array | undefined;
  const outcome = run(sides(), (way, frame) => {
    if (way === "CHALLENGE") proof = frame.body.slice(-32);
    return way === "REPLY" ? { ...frame, body: joined(proof!, frame.body.subarray(32)) } : frame;
  });
  assertRefused(outcome, "responder", "cookie");
});

test("Initiator rejects a CHALLENGE made from its own NAME", () => {
  // A reflection attack: the attacker, dialed by the initiator, sends the initiator's own messages
  // back.
  const { initiator } = sides({ expected: alpha.name });
  const mirror = new Responder(
    { ...alpha, proofKey: new Uint8Array(32) },
    random.bytes(32),
    CERTIFICATE,
  );
  const named = mirror.receive(
    TAG.NAME,
    encodeName({
      ...decodeName(begun(initiator).body)!,
      name: beta.name,
    }),
  );
  const { tag, body } = sent(named);
  const step = initiator.receive(tag, body);
  assert(step.kind === "fail" && step.reason === "cookie");
});

test("Initiator and Responder reject messages recorded in another handshake", () => {
  for (const replayed of ["NAME", "CHALLENGE", "REPLY"] as const) {
    let recorded: Frame | undefined;
    const keep = (way: Way, frame: Frame): Frame => {
      if (way === replayed) recorded = { tag: frame.tag, body: frame.body.slice() };
      return frame;
    };
    metOf(run(sides(), keep).responder);
    const again = run(sides(), (way, frame) => way === replayed ? recorded! : frame);
    // A replayed NAME is answered with a CHALLENGE, but the initiator detects that the CHALLENGE is
    // for another NAME.
    assertRefused(again, replayed === "REPLY" ? "responder" : "initiator", "cookie");
  }
});

test("Responder rejects a complete recorded handshake that is replayed without the cookie", () => {
  const recorded: Frame[] = [];
  run(sides(), (way, frame) => {
    if (way === "NAME" || way === "REPLY") recorded.push({ ...frame, body: frame.body.slice() });
    return frame;
  });
  const { responder } = sides();
  assertEquals(responder.receive(recorded[0]!.tag, recorded[0]!.body).kind, "send");
  const step = responder.receive(recorded[1]!.tag, recorded[1]!.body);
  assert(step.kind === "fail" && step.reason === "cookie");
});

test("Initiator rejects a proof that covers another certificate, such as a relay's", () => {
  assertRefused(run(sides({ shown: hex("3081ff") })), "initiator", "cookie");
  assertRefused(run(sides({ shown: hex("") })), "initiator", "cookie");
});

test("Initiator fails before its first message if the certificate is unreadable or another node's", () => {
  const unread = sides({ read: null }).initiator;
  const step = unread.begin();
  assert(step.kind === "fail" && step.reason === "certificate");
  assertEquals(unread.receive(TAG.CHALLENGE, new Uint8Array()).kind, "fail");
  const asked: unknown[] = [];
  const other = new Initiator(
    alpha,
    beta.name,
    random.bytes(32),
    CERTIFICATE,
    () => 0n,
    (...at) => {
      asked.push(at);
      return fail("wrongnode", "another's");
    },
  );
  const wrong = other.begin();
  assert(wrong.kind === "fail" && wrong.reason === "wrongnode");
  assertEquals(asked, [[beta.name, CERTIFICATE]]);
});

test("Responder rejects an initiator without the flag for reading certificates, even if the flag was removed in transit", () => {
  for (const shown of [CERTIFICATE, hex("3081ff")]) {
    const outcome = run(sides({ shown }), (way, frame) => {
      if (way !== "NAME") return frame;
      const name = decodeName(frame.body)!;
      return { ...frame, body: encodeName({ ...name, flags: 0 }) };
    });
    assertRefused(outcome, "responder", "certificate");
  }
});

test("Initiator and Responder detect every changed bit that has an effect", () => {
  const lengths: Partial<Record<Way, number>> = {};
  run(sides(), (way, frame) => {
    lengths[way] = frame.body.length;
    return frame;
  });
  for (const changed of ["NAME", "CHALLENGE"] as const) {
    for (let at = 0; at < lengths[changed]!; at++) {
      for (const mask of [0x01, 0x80]) {
        const outcome = run(
          sides(),
          (way, frame) => way === changed ? { ...frame, body: flip(frame.body, at, mask) } : frame,
        );
        assertEquals(outcome.initiator.kind, "fail", `${changed} byte ${at}`);
        assertEquals(outcome.responder.kind, "fail", `${changed} byte ${at}`);
      }
    }
  }
  for (let at = 0; at < 32; at++) {
    const outcome = run(
      sides(),
      (way, frame) => way === "REPLY" ? { ...frame, body: flip(frame.body, at) } : frame,
    );
    assertRefused(outcome, "responder", "cookie");
  }
});

test("Initiator rejects a node other than the dialed node", () => {
  assertRefused(run(sides({ expected: "gamma@h:3" })), "initiator", "wrongnode");
  assertRefused(run(sides({ expected: "Beta@h:2" })), "initiator", "wrongnode");
  const step = run(sides({ responder: { name: "x\ny" } })).initiator;
  assert(step.kind === "fail" && step.reason === "wrongnode");
  assertEquals(step.words, "a node without a valid name answered where beta@h:2 was dialed");
});

test("Responder rejects an initiator that is its own node or has an invalid name", () => {
  const { name, creation } = beta;
  assertRefused(run(sides({ initiator: { name, creation } })), "responder", "duplicate");
  for (const name of ["", "alpha", "alpha@h", "alpha@H:1", "alpha@h:01", "a\n@h:1", "ä@h:1"]) {
    assertRefused(run(sides({ initiator: { name } })), "responder", "name");
  }
});

test("Responder rejects a version below its own, and answers a higher version with its own", () => {
  const withVersion = (version: number): Step => {
    const { initiator, responder } = sides();
    const name = decodeName(begun(initiator).body)!;
    return responder.receive(TAG.NAME, encodeName({ ...name, version }));
  };
  const low = withVersion(VERSION - 1);
  assert(low.kind === "fail" && low.reason === "version");
  for (const version of [VERSION, VERSION + 1, 255]) {
    const { body } = sent(withVersion(version));
    assertEquals(body[2 + beta.name.length + 4], VERSION);
  }
});

test("Initiator rejects a version that it does not support, even with a valid proof", () => {
  for (const version of [0, VERSION + 1, 255]) {
    const outcome = run(
      sides(),
      (way, frame) =>
        way === "CHALLENGE"
          ? { ...frame, body: frame.body.with(2 + beta.name.length + 4, version) }
          : frame,
    );
    assertRefused(outcome, "initiator", "version");
  }
});

test("Responder does not agree to features that it lacks", () => {
  const { initiator, responder } = sides();
  const name = decodeName(begun(initiator).body)!;
  const { body } = sent(
    responder.receive(TAG.NAME, encodeName({ ...name, features: 0xffff_ffff })),
  );
  const at = 2 + beta.name.length + 4 + 1;
  assertEquals(body.subarray(at, at + 4).toHex(), "50000000");
});

/**
 * Functions that create a state machine of each side in each of its states. `expects` is the
 * message that it accepts next.
 */
const STATES: Readonly<Record<string, () => { machine: Initiator | Responder; expects?: Way }>> = {
  "Initiator that waits for a CHALLENGE": () => {
    const { initiator } = sides();
    initiator.begin();
    return { machine: initiator, expects: "CHALLENGE" };
  },
  "Initiator that waits for an ACK": () => {
    const { initiator, responder } = sides();
    const { body } = sent(responder.receive(TAG.NAME, begun(initiator).body));
    sent(initiator.receive(TAG.CHALLENGE, body));
    return { machine: initiator, expects: "ACK" };
  },
  "Initiator with an open session": () => {
    const both = sides();
    metOf(run(both).initiator);
    return { machine: both.initiator };
  },
  "Initiator that has failed": () => {
    const both = sides({ expected: "gamma@h:3" });
    run(both);
    return { machine: both.initiator };
  },
  "Responder that waits for a NAME": () => ({ machine: sides().responder, expects: "NAME" }),
  "Responder that waits for a REPLY": () => {
    const { initiator, responder } = sides();
    sent(responder.receive(TAG.NAME, begun(initiator).body));
    return { machine: responder, expects: "REPLY" };
  },
  "Responder that waits for a decision": () => {
    const { initiator, responder } = sides();
    const { body } = sent(responder.receive(TAG.NAME, begun(initiator).body));
    const replied = sent(initiator.receive(TAG.CHALLENGE, body));
    assertEquals(responder.receive(TAG.REPLY, replied.body).kind, "decide");
    return { machine: responder };
  },
  "Responder with an open session": () => {
    const both = sides();
    metOf(run(both).responder);
    return { machine: both.responder };
  },
  "Responder that has failed": () => {
    const both = sides({ initiator: { name: beta.name } });
    run(both);
    return { machine: both.responder };
  },
};

/** Returns a valid body for every tag of the handshake. */
function bodies(): Readonly<Record<Way, Uint8Array>> {
  const kept: Partial<Record<Way, Uint8Array>> = {};
  run(sides(), (way, frame) => {
    kept[way] = frame.body.slice();
    return frame;
  });
  return kept as Record<Way, Uint8Array>;
}

for (const [state, make] of Object.entries(STATES)) {
  test(`${state} rejects every out-of-order message and all later messages`, () => {
    const known = bodies();
    for (let tag = 0; tag <= 0xff; tag++) {
      const { machine, expects } = make();
      if (tag === TAG.REJECT || (expects !== undefined && tag === TAG[expects])) continue;
      const way = (Object.keys(known) as Way[]).find((way) => TAG[way] === tag);
      const body = way === undefined ? hex("0000") : known[way];
      const step = machine.receive(tag, body);
      assert(step.kind === "fail", `0x${tag.toString(16)}: ${step.kind}`);
      assertEquals([step.reason, step.byPeer], ["protocol", false]);
      assertEquals(step.words, `message 0x${tag.toString(16).padStart(2, "0")} out of order`);
      for (const [late, body] of Object.entries(known)) {
        const after = machine.receive(TAG[late as Way], body);
        assert(after.kind === "fail" && after.reason === "protocol", `${late} after a failure`);
      }
      if (machine instanceof Responder) assertThrows(() => machine.accept());
    }
  });

  test(`${state} fails at every REJECT, even a malformed one`, () => {
    const rejects = [
      [encodeReject("stopping", "bye"), "stopping", "bye"],
      [hex(""), "protocol", ""],
      [hex("01"), "protocol", ""],
      [hex("01 ffff 41"), "protocol", ""],
    ] as const;
    for (const [body, reason, words] of rejects) {
      const { machine } = make();
      const step = machine.receive(TAG.REJECT, body);
      assertEquals(step, { kind: "fail", reason, words, byPeer: true, frame: undefined });
      const after = machine.receive(TAG.NAME, bodies().NAME);
      assert(after.kind === "fail" && after.reason === "protocol");
    }
  });

  test(`${state} fails with "protocol" if the message is truncated at any byte`, () => {
    const { expects } = make();
    if (expects === undefined) return;
    // The message that the state machine accepts in this state.
    const whole = bodies()[expects];
    // REPLY and ACK of an older version omit the start time at the end.
    const optional = expects === "REPLY" || expects === "ACK" ? 8 : 0;
    for (let length = 0; length < whole.length - optional; length++) {
      const { machine } = make();
      const step = machine.receive(TAG[expects], whole.subarray(0, length));
      assert(step.kind === "fail", `${length} bytes: ${step.kind}`);
      assertEquals([step.reason, step.words], ["protocol", `a malformed ${expects}`]);
    }
  });
}

test("Responder.accept throws before the initiator is authenticated, and when called twice", () => {
  const { initiator, responder } = sides();
  assertThrows(() => responder.accept());
  const { body } = sent(responder.receive(TAG.NAME, begun(initiator).body));
  assertThrows(() => responder.accept());
  responder.receive(TAG.REPLY, sent(initiator.receive(TAG.CHALLENGE, body)).body);
  responder.accept();
  assertThrows(() => responder.accept());
});

test("Initiator reads the id of the last session only when it sends its proof", () => {
  let asked = 0;
  const initiator = new Initiator(alpha, beta.name, random.bytes(32), CERTIFICATE, () => {
    asked++;
    return 9n;
  }, BELIEVED);
  const { responder } = sides();
  const named = sent(responder.receive(TAG.NAME, begun(initiator).body));
  assertEquals(asked, 0);
  sent(initiator.receive(TAG.CHALLENGE, named.body));
  assertEquals(asked, 1);
  // The initiator sends no proof to a responder that is not authenticated, because that responder
  // could keep it.
  const other = sides({ responder: { proofKey: random.bytes(32) } });
  const unproven = new Initiator(alpha, beta.name, random.bytes(32), CERTIFICATE, () => {
    throw new Error("the proof is being sent");
  }, BELIEVED);
  const step = unproven.receive(
    TAG.CHALLENGE,
    sent(other.responder.receive(TAG.NAME, begun(unproven).body)).body,
  );
  assertEquals(step.kind, "fail");
});

test("every handshake message is a frame of at most 4096 bytes for names of any length", () => {
  const long = `${"a".repeat(64)}@${"h".repeat(180)}:65535`;
  const both = sides({ initiator: { name: long }, responder: { name: `b${long.slice(1)}` } });
  const { responder } = both;
  const initiator = new Initiator(
    { ...alpha, name: long },
    `b${long.slice(1)}`,
    random.bytes(32),
    CERTIFICATE,
    () => 0n,
    BELIEVED,
  );
  const outcome = run({ initiator, responder }, (_, frame) => {
    assert(frame.body.length < 700);
    return frame;
  });
  metOf(outcome.initiator);
});

test("fail returns the REJECT to send to the peer", () => {
  const step = fail("duplicate", "there is one");
  const { tag, body } = frameOf(step.frame!);
  assertEquals(tag, TAG.REJECT);
  assertEquals(decodeReject(body), { reason: "duplicate", words: "there is one" });
  assertEquals(encodeFrame(tag, body), step.frame);
});
