/**
 * The dials of this node: those that are due are begun, so many at once, and each ends as a session, as a
 * failure that is told, or given up.
 *
 *     Peers ─due─▶ TCP and TLS ─▶ HandshakeIo ─ACK─▶ up
 *      ▲               │              │
 *      └─── failed ────┴──────────────┘
 *
 * Whoever dials us meanwhile may win: then ours is given up. What is in TLS goes on to its end first.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type ClientTls, ConnectError, type Host } from "../host/host.ts";
import type { Stream } from "../host/stream.ts";
import type { Opened } from "./session.ts";
import { type GreetingFailure, HandshakeIo, type SessionSink } from "./handshake_io.ts";
import { type CertificateCheck, Initiator, type Met, type Self } from "./handshake.ts";
import { NONCE_BYTES } from "./message.ts";
import { parseName } from "./name.ts";
import type { Peers } from "./peers.ts";
import { untrustedWords } from "./rejections.ts";
import { NodeConnectError } from "./connect_waiters.ts";

/** A dial may take this long to reach TLS, and a handshake this long after it. Milliseconds. */
const DIAL_MS = 5_000;

/** At most this many nodes are dialled at once; the others wait until one of these is done. */
const DIALS_MAX = 64;

/** So many nodes are remembered as failing; past it the memory begins anew. */
const FAILING_MAX = 4_096;

/** Who has nodes dialled. */
export interface DialerOwner {
  /** What this node says of itself, whom it knows, and its log: they change with its name. */
  readonly self: () => Self;
  readonly peers: () => Peers;
  readonly log: () => Log;
  /** How to reach a host: with certificates of the cookie, or of the user's own. */
  readonly tls: (hostname: string) => ClientTls;
  /** Compares the acceptor's certificate with the name that was dialled. */
  readonly checkCertificate: CertificateCheck;
  readonly hasSession: (name: string) => boolean;
  /** Nobody is dialled any more. */
  readonly isStopping: () => boolean;
  /** It is up; `exposed` was named in the handshake. Who takes its frames. */
  readonly up: (met: Met, opened: Opened, exposed: readonly string[]) => SessionSink;
  /** It came to nothing. */
  readonly failed: (name: string, error: NodeConnectError) => void;
  /** We were not let in, or did not want in: for those who listen. */
  readonly refused: (name: string, reason: string, words: string) => void;
}

/** A dial that is on its way: in TCP and TLS at first, then in the handshake. */
interface Dial {
  readonly cancel: AbortController;
  greeting: HandshakeIo | undefined;
}

/** All of them. */
export class Dialer {
  readonly #host: Host;
  readonly #owner: DialerOwner;
  readonly #dials = new Map<string, Dial>();
  /** Dialer in TCP and TLS, those that were given up among them. */
  readonly #connecting = new Set<AbortController>();
  /** Handshakes, until they are up or their streams are closed. */
  readonly #greetings = new Set<HandshakeIo>();
  /** Failures by node, so that each is logged once and not at every attempt. */
  readonly #failing = new Map<string, string>();
  #timer: Timer | undefined;

  constructor(host: Host, owner: DialerOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** Dialer whoever is due, and sees to it that those who will be are dialled then. */
  due(): void {
    if (this.#owner.isStopping()) return;
    for (const name of this.#owner.peers().due(this.#host.clock.now())) {
      if (this.#dials.size >= DIALS_MAX) break;
      void this.#dial(name);
    }
    this.schedule();
  }

  /** Somebody may be due at another time than before. */
  schedule(): void {
    this.#timer?.cancel();
    // With as many dials as there may be, the first that is done schedules the next.
    if (this.#owner.isStopping() || this.#dials.size >= DIALS_MAX) return;
    const at = this.#owner.peers().nextDueAt();
    if (at === Infinity) return;
    const { clock } = this.#host;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.due());
  }

  /** The user does not want it any more. */
  cancel(name: string): void {
    this.#dials.get(name)?.cancel.abort();
  }

  /** Their dial has won: ours need not go on. */
  giveUp(name: string): void {
    const dial = this.#dials.get(name);
    if (dial === undefined) return;
    this.#dials.delete(name);
    this.#owner.peers().yielded(name, this.#host.clock.now());
    // What is still in TLS goes on to its end, and is withdrawn then.
    dial.greeting?.withdraw();
  }

  /** There is a session: the next failure is news again. */
  reached(name: string): void {
    this.#failing.delete(name);
  }

  /** Cuts all that is on its way. */
  stop(): void {
    this.#timer?.cancel();
    for (const cancel of this.#connecting) cancel.abort();
    for (const greeting of [...this.#greetings]) greeting.abort();
  }

  async #dial(name: string): Promise<void> {
    const parts = parseName(name);
    assert(parts !== undefined, `not a node name: ${name}`);
    const { hostname, port } = parts;
    const dial: Dial = { cancel: new AbortController(), greeting: undefined };
    const { signal } = dial.cancel;
    this.#owner.peers().dialling(name);
    this.#dials.set(name, dial);
    const tls = this.#owner.tls(hostname);
    let stream: Stream;
    try {
      this.#connecting.add(dial.cancel);
      stream = await this.#host.connect({ hostname, port, tls, timeoutMs: DIAL_MS, signal });
    } catch (error) {
      if (error instanceof ConnectError) this.#failed(name, dial, error.code, error.message);
      else throw error;
      return;
    } finally {
      this.#connecting.delete(dial.cancel);
    }
    if (signal.aborted) {
      stream.abort();
      return this.#failed(name, dial, "aborted", "given up");
    }
    this.#greet(name, dial, stream);
  }

  #greet(name: string, dial: Dial, stream: Stream): void {
    const self = this.#owner.self();
    const machine = new Initiator(
      self,
      name,
      this.#host.random.bytes(NONCE_BYTES),
      stream.peerCertificate,
      () => this.#owner.peers().proving(name),
      this.#owner.checkCertificate,
    );
    const greeting: HandshakeIo = new HandshakeIo(
      stream,
      machine,
      {
        decide: () => undefined,
        up: (met, opened) => {
          this.#greetings.delete(greeting);
          this.#dials.delete(name);
          return this.#owner.up(met, opened, self.exposed);
        },
        failed: (failure, words, byPeer) => this.#failed(name, dial, failure, words, byPeer),
        gone: () => void this.#greetings.delete(greeting),
      },
      this.#host.clock,
      DIAL_MS,
    );
    this.#greetings.add(greeting);
    dial.greeting = greeting;
    dial.cancel.signal.addEventListener("abort", () => greeting.abort(), { once: true });
    if (this.#dials.get(name) !== dial) greeting.withdraw();
  }

  #failed(
    name: string,
    dial: Dial,
    failure: GreetingFailure | ConnectError["code"],
    words: string,
    byPeer = false,
  ): void {
    if (this.#dials.get(name) !== dial) return;
    this.#dials.delete(name);
    const now = this.#host.clock.now();
    const peers = this.#owner.peers();
    if (failure === "duplicate" || failure === "aborted" || this.#owner.hasSession(name)) {
      peers.yielded(name, now);
    } else {
      peers.failed(name, now);
      this.#explain(name, failure, words, byPeer);
      // What TLS says of it says not what to look at.
      const why = failure === "untrusted" && !byPeer ? `${untrustedWords(words)}; ${words}` : words;
      this.#owner.failed(name, new NodeConnectError(failure, `no session with ${name}: ${why}`));
    }
    this.schedule();
  }

  /** Logs why a dial failed, once until it changes or succeeds. */
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
      default:
        log.warn(`refused ${name}: ${said}${words}`);
    }
    this.#owner.refused(name, failure, words);
  }
}
