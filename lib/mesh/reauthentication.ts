/**
 * Makes peers prove their membership again when the cookie of their session is no longer accepted.
 * Otherwise a peer with a leaked cookie would stay connected until its session ends.
 *
 *     this node                                  peer
 *        │── PROVE: a nonce ─────────────────────▶│
 *        │◀── PROOF: one for each of its cookies ─│
 *     if a proof for an accepted cookie arrives within PROOF_MS, the session stays open;
 *     otherwise it ends with "cookie"
 *
 * A proof covers the handshake of the session, and thereby the certificate, so it cannot be
 * relayed.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";
import type { Clock, Timer } from "../base/clock.ts";
import { type Binding, proveAgain } from "./handshake.ts";
import { encodeProof, encodeProve } from "./message.ts";
import type { Session } from "./session.ts";

/** Time limit for a peer to prove its membership again, in milliseconds. */
export const PROOF_MS = 5_000;

/** Maximum number of proofs read from one PROOF. */
const PROOFS_MAX = 8;

/** Returns the proof keys of this node. The first is that of the cookie in use. */
export type ProofKeys = () => readonly Uint8Array[];

/** Requests new proofs of peers, checks them, and answers the requests of peers. */
export class Reauthentication {
  readonly #clock: Clock;
  readonly #keys: ProofKeys;
  readonly #nonce: () => Uint8Array;
  readonly #pending = new Map<Session, { readonly nonce: Uint8Array; readonly timer: Timer }>();
  /** The key with which the peer of each session last proved its membership again. */
  readonly #proved = new WeakMap<Session, Uint8Array>();

  constructor(clock: Clock, keys: ProofKeys, nonce: () => Uint8Array) {
    this.#clock = clock;
    this.#keys = keys;
    this.#nonce = nonce;
  }

  /** Requests a new proof if the key of the session is no longer accepted. */
  check(session: Session): void {
    const { binding } = session.met;
    if (binding === undefined || this.#pending.has(session)) return;
    const key = this.#proved.get(session) ?? binding.key;
    if (this.#keys().some((accepted) => sameBytes(accepted, key))) return;
    const nonce = this.#nonce();
    const timer = this.#clock.after(PROOF_MS, () => {
      this.#pending.delete(session);
      session.abort("cookie", "it did not prove that it has a cookie that is accepted now");
    });
    this.#pending.set(session, { nonce, timer });
    session.sendControl(encodeProve(nonce));
  }

  /** Handles a PROVE: answers with a proof for each of this node's cookies. */
  prove(session: Session, nonce: Uint8Array): void {
    const { binding } = session.met;
    if (binding === undefined) return;
    const { role, transcript } = binding;
    session.sendControl(
      encodeProof(this.#keys().map((key) => proveAgain(key, role, transcript, nonce))),
    );
  }

  /** Handles a PROOF: ends the session unless a proof matches an accepted cookie. */
  proof(session: Session, proofs: readonly Uint8Array[]): void {
    const pending = this.#pending.get(session);
    const { binding } = session.met;
    if (pending === undefined || binding === undefined) return;
    this.#pending.delete(session);
    pending.timer.cancel();
    const key = this.#keys().find((key) => isProved(key, binding, pending.nonce, proofs));
    if (key === undefined) session.abort("cookie", "it has no cookie that is accepted now");
    else this.#proved.set(session, key);
  }

  /** Called when the session has ended. Stops the wait for a proof. */
  over(session: Session): void {
    this.#pending.get(session)?.timer.cancel();
    this.#pending.delete(session);
  }
}

function isProved(
  key: Uint8Array,
  { role, transcript }: Binding,
  nonce: Uint8Array,
  proofs: readonly Uint8Array[],
): boolean {
  const theirs = role === "initiator" ? "responder" : "initiator";
  const expected = proveAgain(key, theirs, transcript, nonce);
  return proofs.slice(0, PROOFS_MAX).some((proof) => timingSafeEqual(proof, expected));
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
