/**
 * Implements gossip: nodes exchange the names of their peers until all have the same list of nodes.
 * Deterministic.
 *
 *     a session is up ─▶ PEER_LIST of all peers to the new peer, at once
 *                     ─▶ PEER_LIST of the new peers of this tick to all others
 *     every EXCHANGE_MS, with one random peer:
 *         node ── PEER_DIGEST ──▶ peer; if the digests differ:
 *         node ◀── PEER_LIST, PEER_DIGEST (marked as an answer) ── peer
 *         node ── PEER_LIST ──▶ peer
 *
 * A node lists only nodes with which it has a session. The name of a lost node therefore stops
 * circulating, and each circulating name is reachable from at least one node.
 *
 * @module
 */
import { Reader, Writer } from "../base/bytes.ts";
import { encodeFrame } from "./frame.ts";
import { encodeList, LIST_COUNT_MAX, TAG } from "./message.ts";

/**
 * Interval at which a digest is sent to one peer, in milliseconds. Each interval is shortened at
 * random by up to half.
 */
export const EXCHANGE_MS = 10_000;

/** Minimum interval between two answers to digests of the same peer, in milliseconds. */
const ANSWER_MS = 1_000;

/** The parts of the node that gossip uses. */
export interface GossipPort {
  /** Returns the names of the connected nodes. */
  peers(): readonly string[];
  send(peer: string, frame: Uint8Array): void;
}

/** Sends and answers gossip, for one node. */
export class Gossip {
  /** Number of digests sent, not counting answers. */
  exchanges = 0;
  /** Number of received digests that differed from this node's. */
  mismatches = 0;
  readonly #self: string;
  readonly #chance: () => number;
  readonly #port: GossipPort;
  /** Nodes that have connected since the last tick. */
  readonly #newPeers = new Set<string>();
  /** The time of the last answer to each peer's digest. */
  readonly #answered = new Map<string, number>();
  #exchangeAt: number;

  /** `chance` returns numbers in [0, 1). */
  constructor(self: string, chance: () => number, now: number, port: GossipPort) {
    this.#self = self;
    this.#chance = chance;
    this.#port = port;
    this.#exchangeAt = now + this.#pause();
  }

  /**
   * Called when a session has opened: sends the names of all peers to the new node. In the next
   * tick, the name of the new node is sent to all other peers.
   */
  up(peer: string): void {
    this.#sendList(peer);
    this.#newPeers.add(peer);
  }

  /** Called when a session has ended. Removes the record of the peer. */
  down(peer: string): void {
    this.#newPeers.delete(peer);
    this.#answered.delete(peer);
  }

  /** Sends the lists and the digest that are due. Returns whether a digest was due. */
  tick(now: number): boolean {
    const peers = this.#port.peers();
    if (this.#newPeers.size > 0) {
      const newPeers = [...this.#newPeers];
      this.#newPeers.clear();
      for (const peer of peers) this.#send(peer, newPeers);
    }
    if (now < this.#exchangeAt) return false;
    this.#exchangeAt = now + this.#pause();
    const peer = peers[Math.floor(this.#chance() * peers.length)];
    if (peer !== undefined) {
      this.exchanges++;
      this.#port.send(peer, encodeDigest(false, this.#names()));
    }
    return true;
  }

  /** Handles a PEER_DIGEST. Returns the rule that the peer violated, or undefined. */
  digest(from: string, body: Uint8Array, now: number): string | undefined {
    const theirs = decodeDigest(body);
    if (theirs === undefined) return "a malformed PEER_DIGEST";
    const names = this.#names();
    if (theirs.count === names.length && theirs.digest === digestOf(names)) return undefined;
    this.mismatches++;
    if (now - (this.#answered.get(from) ?? -Infinity) < ANSWER_MS) return undefined;
    this.#answered.set(from, now);
    this.#sendList(from);
    if (!theirs.isAnswer) this.#port.send(from, encodeDigest(true, names));
    return undefined;
  }

  /** Returns the names that a digest covers: this node and its peers. */
  #names(): string[] {
    return [this.#self, ...this.#port.peers()];
  }

  #sendList(to: string): void {
    this.#send(to, this.#port.peers());
  }

  #send(to: string, names: readonly string[]): void {
    const others = names.filter((name) => name !== to);
    for (let at = 0; at < others.length; at += LIST_COUNT_MAX) {
      const list = encodeList(others.slice(at, at + LIST_COUNT_MAX));
      this.#port.send(to, encodeFrame(TAG.PEER_LIST, list));
    }
  }

  #pause(): number {
    return EXCHANGE_MS * (1 - this.#chance() / 2);
  }
}

/** Returns a digest of a set of names: 64 bits that do not depend on the order of the names. */
export function digestOf(names: readonly string[]): bigint {
  let low = 0;
  let high = 0;
  for (const name of names) {
    let one = 0x811c9dc5;
    let other = 0x9e3779b9;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      one = Math.imul(one ^ code, 0x01000193);
      other = Math.imul(other ^ code, 0x85ebca6b) + (other >>> 13);
    }
    low ^= one;
    high ^= other;
  }
  return BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
}

/** Encodes a PEER_DIGEST frame. */
export function encodeDigest(isAnswer: boolean, names: readonly string[]): Uint8Array {
  const body = new Writer(16).u8(isAnswer ? 1 : 0).u32(names.length).u64(digestOf(names));
  return encodeFrame(TAG.PEER_DIGEST, body.done());
}

function decodeDigest(
  body: Uint8Array,
): { isAnswer: boolean; count: number; digest: bigint } | undefined {
  const reader = new Reader(body);
  const row = { isAnswer: reader.u8() === 1, count: reader.u32(), digest: reader.u64() };
  return reader.ok ? row : undefined;
}
