/**
 * Implements the handshake: four messages, inside TLS, that authenticate both sides.
 *
 *     initiator                                            responder
 *        │                                                  │  its certificate has been verified
 *        │── NAME: name, creation, version, nonce ─────────▶│  waits for name
 *        │◀── CHALLENGE: the responder's, and its proof ────│  waits for reply
 *        │── REPLY: initiator's proof, exposed functions ──▶│  decides
 *        │◀── ACK: the responder's exposed functions ───────│  up
 *        up
 *
 * A proof is an HMAC-SHA256 with a key derived from the cookie, over the role of the prover and a
 * hash of NAME, CHALLENGE and the responder's certificate. A proof is therefore valid for one
 * handshake, in one direction, over one TLS session: it cannot be replayed, reflected or relayed.
 * Before its first message, the initiator compares the certificate with the dialed name; an
 * initiator that cannot read the certificate is rejected (NAME has a flag for it). The responder
 * proves itself first, then the initiator.
 *
 * Either side may answer with REJECT instead. An out-of-order message is a failure. Deterministic:
 * the caller enforces the deadline.
 *
 * Longer than 400 lines: it has both sides of the protocol, which must match.
 *
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { unreachable } from "../base/assert.ts";
import { Reader } from "../base/bytes.ts";
import { encodeFrame } from "./frame.ts";
import {
  type Challenge,
  coveredByChallenge,
  decodeAck,
  decodeChallenge,
  decodeName,
  decodeReject,
  decodeReply,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReject,
  encodeReply,
  FLAG_HIDDEN,
  FLAG_READS_CERTIFICATE,
  type Name,
  type RejectReason,
  TAG,
} from "./message.ts";
import { isNormalName } from "./name.ts";

/** The protocol version of this code. */
export const VERSION = 1;

/** Feature bits. A message or field that requires a feature is sent only to peers that have it. */
export const FEATURE = {
  /**
   * Claims of global names are granted one at a time. Adds the messages with the tags 0x38 to 0x3B,
   * and fencing tokens.
   */
  CLAIMS: 0x10,
  /**
   * Messages may contain the context of a trace: see `trace_context.ts`. Only nodes with tracing
   * switched on have this feature.
   */
  TRACE: 0x20,
  /** Nodes announce in which rooms they have members, with ROOM_INTEREST. */
  ROOM_INTEREST: 0x40,
} as const;

/** The features supported by this code. */
const FEATURES: number = FEATURE.CLAIMS | FEATURE.ROOM_INTEREST;

/** Returns the features of a node. */
function featuresOf({ features = 0 }: Pick<Self, "features">): number {
  return FEATURES | features;
}

/** What a node sends about itself in a handshake, and its keys. */
export interface Self {
  readonly name: string;
  readonly creation: number;
  /** The start time of the node by its own clock: milliseconds since 1970. */
  readonly startedAt?: number | undefined;
  /** The key of this node's proofs as a responder. */
  readonly proofKey: Uint8Array;
  /** Keys of further accepted cookies, for the change from one cookie to another. */
  readonly acceptedKeys?: readonly Uint8Array[] | undefined;
  readonly exposed: readonly string[];
  /** Features of this node, in addition to those of every node with this code. */
  readonly features?: number | undefined;
  /** Whether the node does not take part in names, groups, rooms and gossip. */
  readonly isHidden?: boolean | undefined;
}

/**
 * The data that the proofs of a handshake cover. A later proof in the same session covers them too.
 */
export interface Binding {
  /** This side's role in the handshake. */
  readonly role: "initiator" | "responder";
  /** The key derived from the cookie that both sides have proved to have. */
  readonly key: Uint8Array;
  readonly transcript: Uint8Array;
}

/** The data about a peer that a handshake has established. */
export interface Met {
  readonly name: string;
  readonly creation: number;
  readonly version: number;
  /** Features supported by both sides. */
  readonly features: number;
  readonly exposed: readonly string[];
  /**
   * The id of this session, the same on both sides. It is a part of the initiator's nonce, and
   * never 0.
   */
  readonly session: bigint;
  /**
   * The id of the last session between the two nodes that was open on the initiator's side, or 0 if
   * there was none. Always 0 on the initiator's side, which does not need it.
   */
  readonly lastSession: bigint;
  /**
   * The start time of the peer by its own clock: milliseconds since 1970. 0 or absent if the peer
   * runs an older version.
   */
  readonly startedAt?: number | undefined;
  /** Whether one of the two nodes is hidden: they share no names, groups, rooms and gossip. */
  readonly isHidden?: boolean | undefined;
  /**
   * The data that later proofs in this session cover. Absent if there was no handshake, which only
   * happens in tests.
   */
  readonly binding?: Binding | undefined;
}

/**
 * Compares a certificate (DER) with a node's name. Returns an error if the certificate does not
 * belong to that node.
 */
export type CertificateCheck = (name: string, certificate: Uint8Array) => Failure | undefined;

/** What the caller must do after a message. */
export type Step =
  | { readonly kind: "send"; readonly frame: Uint8Array }
  /** Returned when the initiator is authenticated: the responder must call `accept` or `reject`. */
  | { readonly kind: "decide"; readonly met: Met }
  | { readonly kind: "up"; readonly met: Met }
  | Failure;

/** A failed handshake. If `frame` is set, it is sent before the stream is closed. */
export interface Failure {
  readonly kind: "fail";
  readonly reason: RejectReason;
  readonly words: string;
  /** Whether the other side has rejected the handshake. */
  readonly byPeer: boolean;
  readonly frame: Uint8Array | undefined;
}

/** Runs the handshake on the side that has dialed. */
export class Initiator {
  readonly #self: Self;
  readonly #expected: string;
  readonly #name: Name;
  readonly #certificate: Uint8Array | undefined;
  readonly #check: CertificateCheck;
  readonly #lastSession: () => bigint;
  #state:
    | { readonly waitsFor: "challenge" }
    | { readonly waitsFor: "ack"; readonly challenge: Challenge; readonly binding: Binding }
    | { readonly waitsFor: "nothing" } = { waitsFor: "challenge" };

  /**
   * `expected` is the dialed name. `certificate` is the responder's certificate in DER, which
   * `check` compares with that name. `lastSession` is called when the proof is sent.
   */
  constructor(
    self: Self,
    expected: string,
    nonce: Uint8Array,
    certificate: Uint8Array | undefined,
    lastSession: () => bigint,
    check: CertificateCheck,
  ) {
    this.#self = self;
    this.#expected = expected;
    this.#certificate = certificate;
    this.#check = check;
    this.#lastSession = lastSession;
    this.#name = {
      name: self.name,
      creation: self.creation,
      version: VERSION,
      features: featuresOf(self),
      flags: self.isHidden ? FLAG_READS_CERTIFICATE | FLAG_HIDDEN : FLAG_READS_CERTIFICATE,
      nonce,
    };
  }

  /**
   * Returns the first message, or the failure if the certificate does not belong to the dialed
   * node.
   */
  begin(): Step {
    const trouble = this.#certificate === undefined
      ? fail("certificate", "its certificate cannot be read")
      : this.#check(this.#expected, this.#certificate);
    if (trouble === undefined) {
      return { kind: "send", frame: encodeFrame(TAG.NAME, encodeName(this.#name)) };
    }
    this.#state = { waitsFor: "nothing" };
    return trouble;
  }

  /** Handles a message of the responder. Returns the next step. */
  receive(tag: number, body: Uint8Array): Step {
    const state = this.#state;
    this.#state = { waitsFor: "nothing" };
    if (tag === TAG.REJECT) return rejectedByPeer(body);
    switch (state.waitsFor) {
      case "challenge":
        return tag === TAG.CHALLENGE ? this.#challenged(body) : outOfTurn(tag);
      case "ack":
        return tag === TAG.ACK ? this.#acked(body, state) : outOfTurn(tag);
      case "nothing":
        return outOfTurn(tag);
      default:
        return unreachable(state);
    }
  }

  #challenged(body: Uint8Array): Step {
    const decoded = decodeChallenge(body);
    if (decoded === undefined) return fail("protocol", "a malformed CHALLENGE");
    const challenge = decoded.message;
    if (challenge.version !== VERSION) {
      return fail("version", `it chose version ${challenge.version}, we speak ${VERSION}`);
    }
    const transcript = hashOf(encodeName(this.#name), coveredByChallenge(body), this.#certificate!);
    // The responder's proof is made with the cookie that the responder uses. The initiator must
    // accept this cookie, but may use another one.
    const { proofKey, acceptedKeys = [] } = this.#self;
    const key = [proofKey, ...acceptedKeys].find((key) =>
      timingSafeEqual(decoded.proof, prove(key, "responder", transcript))
    );
    if (key === undefined) return fail("cookie", "its proof is wrong: it has another cookie");
    if (challenge.name !== this.#expected) {
      const named = isNormalName(challenge.name) ? challenge.name : "a node without a valid name";
      return fail("wrongnode", `${named} answered where ${this.#expected} was dialed`);
    }
    this.#state = { waitsFor: "ack", challenge, binding: { role: "initiator", key, transcript } };
    const proof = prove(key, "initiator", transcript);
    const { exposed, startedAt = 0 } = this.#self;
    const reply = { lastSession: this.#lastSession(), exposed, startedAt };
    return { kind: "send", frame: encodeFrame(TAG.REPLY, encodeReply(proof, reply)) };
  }

  #acked(
    body: Uint8Array,
    { challenge, binding }: { readonly challenge: Challenge; readonly binding: Binding },
  ): Step {
    const ack = decodeAck(body);
    if (ack === undefined) return fail("protocol", "a malformed ACK");
    return {
      kind: "up",
      met: {
        name: challenge.name,
        creation: challenge.creation,
        version: challenge.version,
        features: challenge.features & featuresOf(this.#self),
        exposed: ack.exposed,
        startedAt: ack.startedAt,
        session: sessionOf(this.#name),
        lastSession: 0n,
        ...this.#self.isHidden ? { isHidden: true } : {},
        binding,
      },
    };
  }
}

/** Runs the handshake on the side that was dialed. */
export class Responder {
  readonly #self: Self;
  readonly #nonce: Uint8Array;
  readonly #certificate: Uint8Array;
  #state:
    | { readonly waitsFor: "name" }
    | { readonly waitsFor: "reply"; readonly name: Name; readonly transcript: Uint8Array }
    | { readonly waitsFor: "decision"; readonly met: Met }
    | { readonly waitsFor: "nothing" } = { waitsFor: "name" };

  /** `certificate` is this side's certificate, in DER. */
  constructor(self: Self, nonce: Uint8Array, certificate: Uint8Array) {
    this.#self = self;
    this.#nonce = nonce;
    this.#certificate = certificate;
  }

  /** Handles a message of the initiator. Returns the next step. */
  receive(tag: number, body: Uint8Array): Step {
    const state = this.#state;
    this.#state = { waitsFor: "nothing" };
    if (tag === TAG.REJECT) return rejectedByPeer(body);
    switch (state.waitsFor) {
      case "name":
        return tag === TAG.NAME ? this.#named(body) : outOfTurn(tag);
      case "reply":
        return tag === TAG.REPLY
          ? this.#replied(body, state.name, state.transcript)
          : outOfTurn(tag);
      case "decision":
      case "nothing":
        return outOfTurn(tag);
      default:
        return unreachable(state);
    }
  }

  /** Accepts the initiator, after the step "decide". Returns the last step: the session is open. */
  accept(): Step & { readonly kind: "up"; readonly frame: Uint8Array } {
    const state = this.#state;
    if (state.waitsFor !== "decision") throw new Error("nothing to accept");
    this.#state = { waitsFor: "nothing" };
    const { exposed, startedAt = 0 } = this.#self;
    const frame = encodeFrame(TAG.ACK, encodeAck({ exposed, startedAt }));
    return { kind: "up", met: state.met, frame };
  }

  #named(body: Uint8Array): Step {
    const name = decodeName(body);
    if (name === undefined) return fail("protocol", "a malformed NAME");
    if (name.version < VERSION) {
      return fail("version", `it speaks version ${name.version}, we speak ${VERSION}`);
    }
    if (!isNormalName(name.name)) return fail("name", "its name is not of the form name@host:port");
    if (name.name === this.#self.name && name.creation === this.#self.creation) {
      return fail("duplicate", "it is this node itself");
    }
    if ((name.flags & FLAG_READS_CERTIFICATE) === 0) {
      return fail("certificate", "it cannot read certificates, so its proof would not cover ours");
    }
    const challenge = {
      name: this.#self.name,
      creation: this.#self.creation,
      version: VERSION,
      features: name.features & featuresOf(this.#self),
      nonce: this.#nonce,
    };
    const covered = encodeChallenge(challenge);
    const transcript = hashOf(body, covered, this.#certificate);
    const proof = prove(this.#self.proofKey, "responder", transcript);
    this.#state = { waitsFor: "reply", name, transcript };
    const whole = new Uint8Array([...covered, ...proof]);
    return { kind: "send", frame: encodeFrame(TAG.CHALLENGE, whole) };
  }

  #replied(body: Uint8Array, name: Name, transcript: Uint8Array): Step {
    const decoded = decodeReply(body);
    if (decoded === undefined) return fail("protocol", "a malformed REPLY");
    if (!timingSafeEqual(decoded.proof, prove(this.#self.proofKey, "initiator", transcript))) {
      return fail("cookie", "its proof is wrong: it has another cookie");
    }
    const met = {
      name: name.name,
      creation: name.creation,
      version: VERSION,
      features: name.features & featuresOf(this.#self),
      exposed: decoded.message.exposed,
      startedAt: decoded.message.startedAt,
      session: sessionOf(name),
      lastSession: decoded.message.lastSession,
      ...name.flags & FLAG_HIDDEN ? { isHidden: true } : {},
      binding: { role: "responder", key: this.#self.proofKey, transcript } as const,
    };
    this.#state = { waitsFor: "decision", met };
    return { kind: "decide", met };
  }
}

/** Returns a failure that this side has detected, with the REJECT for the other side. */
export function fail(reason: RejectReason, words: string): Failure {
  const frame = encodeFrame(TAG.REJECT, encodeReject(reason, words));
  return { kind: "fail", reason, words, byPeer: false, frame };
}

function rejectedByPeer(body: Uint8Array): Step {
  const { reason, words } = decodeReject(body) ?? { reason: "protocol", words: "" } as const;
  return { kind: "fail", reason, words, byPeer: true, frame: undefined };
}

function outOfTurn(tag: number): Step {
  return fail("protocol", `message 0x${tag.toString(16).padStart(2, "0")} out of order`);
}

/**
 * Hashes the handshake. The messages are hashed as they were sent, so that the hash includes fields
 * of later versions.
 */
function hashOf(name: Uint8Array, challenge: Uint8Array, certificate: Uint8Array): Uint8Array {
  const hash = createHash("sha256").update("firn handshake 1");
  // Each part is preceded by its length, so that different transcripts never result in the same
  // bytes.
  for (const part of [name, challenge, certificate]) {
    hash.update(new Uint8Array(new Uint32Array([part.length]).buffer)).update(part);
  }
  return hash.digest();
}

/** The texts that represent the roles in proofs. They are a part of the protocol. */
const ROLE_TEXTS = { initiator: "dialler", responder: "acceptor" } as const;

function prove(key: Uint8Array, role: Binding["role"], transcript: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(ROLE_TEXTS[role]).update(transcript).digest();
}

/**
 * Returns a proof, within an open session, that this side has the cookie from which a key was
 * derived. The proof covers a nonce of the other side.
 */
export function proveAgain(
  key: Uint8Array,
  role: Binding["role"],
  transcript: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  return createHmac("sha256", key).update(`again ${ROLE_TEXTS[role]}`).update(transcript).update(
    nonce,
  )
    .digest();
}

function sessionOf(name: Name): bigint {
  return new Reader(name.nonce).u64() || 1n;
}
