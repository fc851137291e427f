/**
 * Dials the nodes that the queue selects. A dial opens a session, fails with a logged reason, or is
 * abandoned.
 *
 *     DialQueue ─names─▶ TCP and TLS ─▶ HandshakeIo ─ACK─▶ up
 *      ▲                     │              │
 *      └────── failed ───────┴──────────────┘
 *
 * If the peer's own dial takes precedence, this node abandons its dial, but completes TLS first.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type ClientTls, ConnectError, type Host } from "../host/host.ts";
import type { Stream } from "../host/stream.ts";
import type { Opened } from "./session.ts";
import { type HandshakeFailure, HandshakeIo, type SessionSink } from "./handshake_io.ts";
import { type CertificateCheck, Initiator, type Met, type Self } from "./handshake.ts";
import { NONCE_BYTES } from "./message.ts";
import { isNormalName, parseName } from "./name.ts";
import type { DialQueue } from "./dial_queue.ts";
import type { DialFailure, PeerOrigin, Peers } from "./peers.ts";
import { untrustedWords } from "./rejections.ts";
import { NodeConnectError } from "./connect_waiters.ts";

/** Advice for the user about a failed dial, by its code. */
const HELP: Readonly<Record<string, string>> = {
  nameinuse: ": stop that node, or start this one with another name",
  refused:
    ": if the node is running, its name has another host or port: use the value of its node.name",
  unreachable: ": the host of a node's name must resolve to the machine that it runs on",
};

/**
 * Time limit of a dial for TCP and TLS together, and again for the handshake after TLS, in
 * milliseconds.
 */
const DIAL_MS = 5_000;

/**
 * Maximum number of failing nodes that are recorded. The record is cleared when it exceeds this
 * number.
 */
const FAILING_MAX = 4_096;

/** The result of a dial. */
export interface DialOutcome {
  readonly node: string;
  readonly origin: PeerOrigin;
  /** `"up"`, or the reason of the failure. */
  readonly code: string;
  readonly ms: number;
}

/** The parts of a node that a dialer uses. */
export interface DialerOwner {
  /** Returns what this node sends about itself in a handshake. It changes with the node's name. */
  readonly self: () => Self;
  /** Returns the log of this node. It changes with the node's name. */
  readonly log: () => Log;
  /**
   * Returns the TLS settings for a host: certificates derived from the cookie, or the user's own.
   */
  readonly tls: (hostname: string) => ClientTls;
  /** Checks that the responder's certificate belongs to the dialed name. */
  readonly checkCertificate: CertificateCheck;
  readonly hasSession: (name: string) => boolean;
  /** Returns true when no more nodes may be dialed. */
  readonly isStopping: () => boolean;
  /**
   * Returns a promise that resolves when the links, monitors and calls of the last session with a
   * node have ended. Returns undefined if they have already ended.
   */
  readonly losing: (name: string) => Promise<void> | undefined;
  /** Returns whether a node may be dialed. */
  readonly canDial: (name: string, origin: PeerOrigin) => boolean;
  /** Called when a dial has ended. */
  readonly ended: (outcome: DialOutcome) => void;
  /**
   * Called when a session has opened. `exposed`: the functions of this node that were sent in the
   * handshake. Returns the receiver of the session's frames.
   */
  readonly up: (met: Met, opened: Opened, exposed: readonly string[]) => SessionSink;
  /** Called when a dial has failed. */
  readonly failed: (name: string, error: NodeConnectError) => void;
  /** Called when the peer has rejected this node, or this node has rejected the peer. */
  readonly refused: (name: string, reason: string, words: string) => void;
}

/** A dial in progress: first TCP and TLS, then the handshake. */
interface Dial {
  readonly origin: PeerOrigin;
  readonly beganAt: number;
  readonly cancel: AbortController;
  handshake: HandshakeIo | undefined;
}

/** Dials other nodes, for one node. */
export class Dialer {
  readonly #host: Host;
  readonly #peers: Peers;
  readonly #queue: DialQueue;
  readonly #owner: DialerOwner;
  readonly #dials = new Map<string, Dial>();
  /** Dials that have not completed TCP and TLS, including abandoned ones. */
  readonly #connecting = new Set<AbortController>();
  /** Handshakes that have neither succeeded nor closed their streams. */
  readonly #handshakes = new Set<HandshakeIo>();
  /** The last failure of each node, so that it is logged once instead of at every attempt. */
  readonly #failing = new Map<string, string>();
  #timer: Timer | undefined;

  constructor(host: Host, peers: Peers, queue: DialQueue, owner: DialerOwner) {
    this.#host = host;
    this.#peers = peers;
    this.#queue = queue;
    this.#owner = owner;
  }

  /**
   * Dials the nodes that are due, and schedules the next check. Called whenever another node may
   * have become due.
   */
  due(): void {
    this.#timer?.cancel();
    if (this.#owner.isStopping()) return;
    const { clock } = this.#host;
    const { names, wakeAt } = this.#queue.next(clock.now());
    for (const name of names) this.#begin(name);
    if (wakeAt === Infinity || this.#owner.isStopping()) return;
    this.#timer?.cancel();
    this.#timer = clock.after(Math.max(0, wakeAt - clock.now()), () => this.due());
  }

  /** Abandons a dial, because the user has disconnected the node. */
  cancel(name: string): void {
    this.#dials.get(name)?.cancel.abort();
  }

  /** Abandons a dial, because the peer's own dial takes precedence. */
  giveUp(name: string): void {
    const dial = this.#dials.get(name);
    if (dial === undefined) return;
    this.#dials.delete(name);
    this.#peers.yielded(name, this.#host.clock.now());
    // If the handshake has not begun, the dial still completes TCP and TLS, and `#handshake` then
    // withdraws it.
    dial.handshake?.withdraw();
  }

  /**
   * Called when a session with a node has opened, so that the node's next failure is logged again.
   */
  reached(name: string): void {
    this.#failing.delete(name);
  }

  /** Called when a node was forgotten, so that the node's next failure is logged again. */
  forgotten(name: string): void {
    this.#failing.delete(name);
  }

  /** Aborts all dials. */
  stop(): void {
    this.#timer?.cancel();
    for (const cancel of this.#connecting) cancel.abort();
    for (const handshake of [...this.#handshakes]) handshake.abort();
  }

  #begin(name: string): void {
    // The user's function `canDial` was called for other nodes of this round. It may have connected
    // or disconnected the node `name`, or stopped this node.
    if (this.#peers.stateOf(name) !== "idle" || this.#owner.isStopping()) return;
    const origin = this.#peers.originOf(name)!;
    const now = this.#host.clock.now();
    if (this.#owner.canDial(name, origin)) return void this.#dial(name, origin, now);
    this.#peers.denied(name, now);
    const words = `no session with ${name}: option canDial does not allow it`;
    this.#owner.failed(name, new NodeConnectError("denied", words));
  }

  async #dial(name: string, origin: PeerOrigin, beganAt: number): Promise<void> {
    const parts = parseName(name);
    assert(parts !== undefined, `not a node name: ${name}`);
    const { hostname, port } = parts;
    const dial: Dial = { origin, beganAt, cancel: new AbortController(), handshake: undefined };
    const { signal } = dial.cancel;
    this.#peers.dialing(name, beganAt);
    this.#dials.set(name, dial);
    const tls = this.#owner.tls(hostname);
    let stream: Stream | undefined;
    this.#connecting.add(dial.cancel);
    try {
      const losing = this.#owner.losing(name);
      if (losing !== undefined) await losing;
      if (!signal.aborted) {
        stream = await this.#host.connect({ hostname, port, tls, timeoutMs: DIAL_MS, signal });
      }
    } catch (error) {
      if (error instanceof ConnectError) this.#failed(name, dial, error.code, error.message);
      else throw error;
      return;
    } finally {
      this.#connecting.delete(dial.cancel);
    }
    if (stream === undefined || signal.aborted) {
      stream?.abort();
      return this.#failed(name, dial, "aborted", "given up");
    }
    this.#handshake(name, dial, stream);
  }

  #handshake(name: string, dial: Dial, stream: Stream): void {
    const self = this.#owner.self();
    const machine = new Initiator(
      self,
      name,
      this.#host.random.bytes(NONCE_BYTES),
      stream.peerCertificate,
      () => this.#peers.proving(name),
      this.#owner.checkCertificate,
    );
    const handshake: HandshakeIo = new HandshakeIo(
      stream,
      machine,
      {
        decide: () => undefined,
        up: (met, opened) => {
          this.#handshakes.delete(handshake);
          this.#dials.delete(name);
          this.#ended(name, dial, "up");
          return this.#owner.up(met, opened, self.exposed);
        },
        failed: (failure, words, byPeer) => this.#failed(name, dial, failure, words, byPeer),
        gone: () => void this.#handshakes.delete(handshake),
      },
      this.#host.clock,
      DIAL_MS,
    );
    this.#handshakes.add(handshake);
    dial.handshake = handshake;
    dial.cancel.signal.addEventListener("abort", () => handshake.abort(), { once: true });
    if (this.#dials.get(name) !== dial) handshake.withdraw();
  }

  #failed(
    name: string,
    dial: Dial,
    failure: HandshakeFailure | ConnectError["code"],
    words: string,
    byPeer = false,
  ): void {
    if (this.#dials.get(name) !== dial) return;
    this.#dials.delete(name);
    const now = this.#host.clock.now();
    const peers = this.#peers;
    this.#ended(name, dial, failure);
    if (failure === "duplicate" || failure === "aborted" || this.#owner.hasSession(name)) {
      peers.yielded(name, now);
    } else {
      peers.failed(name, now, failureOf(failure));
      this.#explain(name, failure, words, byPeer);
      // The TLS error message alone does not show which setting is wrong.
      const why = failure === "untrusted" && !byPeer ? `${untrustedWords(words)}; ${words}` : words;
      const help = failure === "wrongnode" ? otherName(words) : HELP[failure] ?? "";
      const message = `no session with ${name}: ${why}${help}`;
      this.#owner.failed(name, new NodeConnectError(failure, message));
    }
    this.due();
  }

  #ended(node: string, { origin, beganAt }: Dial, code: string): void {
    this.#owner.ended({ node, origin, code, ms: this.#host.clock.now() - beganAt });
  }

  /**
   * Logs why a dial failed. Logs it again only if the reason changes, or after a dial has
   * succeeded.
   */
  #explain(name: string, failure: string, words: string, byPeer: boolean): void {
    if (this.#failing.get(name) === failure) return;
    if (this.#failing.size > FAILING_MAX) this.#failing.clear();
    this.#failing.set(name, failure);
    const log = this.#owner.log();
    const said = byPeer ? "it refused us: " : "";
    switch (failure) {
      case "refused":
      case "unreachable":
      case "timeout":
        log.info(`cannot reach ${name} yet: ${words}`);
        return;
      case "untrusted":
        log.warn(`refused ${name}: ${untrustedWords(words)}`);
        break;
      case "nameinuse":
        log.error(`${name} rejected this node: ${words}`);
        break;
      default:
        log.warn(`refused ${name}: ${said}${words}`);
    }
    this.#owner.refused(name, failure, words);
  }
}

function failureOf(code: HandshakeFailure | ConnectError["code"]): DialFailure {
  if (code === "timeout") return "silent";
  return code === "wrongnode" || code === "nameinuse" || code === "name" ? "futile" : "refused";
}

/** Returns advice for the case that a node with another name has answered. */
function otherName(words: string): string {
  const name = words.slice(0, words.indexOf(" "));
  return isNormalName(name) ? `: use the name ${name}` : "";
}
