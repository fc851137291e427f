/**
 * Manages the sessions of this node with all other nodes: listens for connections, accepts them,
 * and reports changes. `membership.ts` decides which nodes are dialed.
 *
 *     Membership ─dial──▶ HandshakeIo ─┐
 *                                      ├─▶ Session ─▶ inbound
 *     listener ─accept─▶ HandshakeIo ──┘      │
 *                            │          nodeup, nodedown
 *                         refused
 *
 * Longer than 400 lines: it connects the listener, dials, sessions and events of a node; the
 * decisions are in separate files.
 *
 * @module
 */
import type { Emitter } from "../base/emitter.ts";
import { ReceiveBudget } from "../base/receive_budget.ts";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { clientKey } from "../host/client_key.ts";
import { place } from "../host/connect_error.ts";
import type { ClientTls, Host, Listener, ListenerReport, ServerTls } from "../host/host.ts";
import type { Address, Stream } from "../host/stream.ts";
import { Unproven } from "../host/unproven.ts";
import { ClockSkew, skewWords } from "./clock_skew.ts";
import { derOf, LEAF_RENEW_MS, makeLeaf, SERVER_NAME } from "./certificate.ts";
import { certificateNames, checkHost, checkNodeUri } from "./certificate_names.ts";
import { type Opened, Session, type SessionEnd, type SessionLimits } from "./session.ts";
import { ExposedFunctions } from "./exposed_functions.ts";
import { MESSAGE_BYTES_MAX } from "./fragment_reader.ts";
import { HandshakeIo, type HandshakeOwner } from "./handshake_io.ts";
import { type CertificateCheck, fail, type Met, Responder, type Self } from "./handshake.ts";
import { type ClusterKeys, makeCreation } from "./identity.ts";
import type { RoomSink } from "./dispatch.ts";
import type { Inbound } from "./inbound.ts";
import {
  CONNECT_MS,
  Membership,
  type MembershipEvents,
  type MembershipOptions,
  type MembershipStats,
} from "./membership.ts";
import { encodeClock, encodeExposed, NONCE_BYTES, type RejectReason } from "./message.ts";
import { formatName, type NodeName } from "./name.ts";
import { Reauthentication } from "./reauthentication.ts";
import { refusalWords, Rejections } from "./rejections.ts";
import { type SessionOwner, SessionReceiver } from "./session_receiver.ts";

/**
 * Maximum memory for incomplete messages of all nodes, as a number of messages of maximum length.
 */
const INCOMPLETE_MAX = 16;
/**
 * Maximum memory for incomplete messages of the nodes at one address, as a number of messages of
 * maximum length.
 */
const INCOMPLETE_PER_ADDRESS_MAX = 8;

/** Time limit for an initiator to complete TLS, and again for the handshake, in milliseconds. */
const HANDSHAKE_MS = 5_000;

/** Time that the peer of a possibly dead session has to answer a probe, in milliseconds. */
const PROBE_MS = 1_000;

/** Maximum number of sessions with all nodes. Further initiators are rejected with "limit". */
export const SESSIONS_MAX = 2048;
/**
 * Maximum number of sessions with the nodes at one address. Further initiators are rejected with
 * "limit".
 */
export const SESSIONS_PER_ADDRESS_MAX = 256;

/** The user's certificates, PEM, instead of those derived from the cookie. */
export interface OwnTls {
  /** This node's certificate, which contains its host name or address. */
  readonly cert: string;
  /** The private key of the certificate. */
  readonly key: string;
  /** The authority that signed every node's certificate. */
  readonly ca: string;
  /**
   * Returns whether a certificate belongs to the node with this name. Called on both sides of a
   * connection, after TLS has verified that `ca` signed the certificate. Needed for certificates
   * whose names are not hosts, such as `spiffe://` URIs. Default: the certificate must contain the
   * host of the node's name, as a host name or an address. A node whose certificate is not accepted
   * is rejected with the code "certificate".
   */
  readonly verifyPeer?:
    | ((
      node: string,
      certificate: {
        /** Host names in lower case. */
        readonly dns: readonly string[];
        /** Addresses: 4 bytes for IPv4, 16 for IPv6. */
        readonly addresses: readonly Uint8Array[];
        readonly uris: readonly string[];
        /** The whole certificate, in DER. */
        readonly der: Uint8Array;
      },
    ) => boolean)
    | undefined;
}

/** Options of a mesh. */
export interface MeshOptions extends MembershipOptions {
  readonly name: NodeName;
  /** The keys of the cookie in use. */
  readonly keys: ClusterKeys;
  /** The keys of further accepted cookies. */
  readonly acceptedKeys?: readonly ClusterKeys[] | undefined;
  readonly listen: Address;
  readonly tls?: OwnTls | undefined;
  readonly limits: SessionLimits;
  readonly log: Log;
  /** Whether the node does not take part in names, groups, rooms and gossip. */
  readonly isHidden?: boolean | undefined;
  /** Features of this node, in addition to those of every node with this code. */
  readonly features?: number | undefined;
}

/** Events of a mesh. */
export interface MeshEvents extends MembershipEvents {
  /** A session with a node has opened. */
  nodeup: { readonly node: string };
  /** The session with a node has ended. */
  nodedown: { readonly node: string; readonly reason: SessionEnd };
  /** The queue to a node has exceeded half of its limit (`high`), or fallen below an eighth. */
  pressure: { readonly node: string; readonly high: boolean };
  /**
   * A listener of this node or of its servers accepts no connections, for example because the
   * process is out of file descriptors, or accepts them again. The host retries until it succeeds.
   */
  listener: {
    readonly address: string;
    readonly state: "failed" | "recovered";
    readonly message: string;
  };
  /**
   * The clocks of a peer and of this node differ by half a minute or more. `skew` is the number of
   * milliseconds by which the peer's clock is ahead (negative: behind); 0 if they agree again.
   */
  clockskew: { readonly node: string; readonly skew: number };
  /**
   * This node rejected a peer, or a peer rejected this node. `peer` is a node's name or an address.
   */
  refused: { readonly peer: string; readonly reason: string; readonly words: string };
}

/** An ended session whose links, monitors and calls are still being ended. */
interface Loss {
  readonly actors: Inbound;
  /** Functions to call when all links, monitors and calls have ended. */
  readonly after: (() => void)[];
}

/** The reason why an initiator is rejected: a code, and a text for the initiator's log. */
interface Rejection {
  readonly reason: RejectReason;
  readonly words: string;
}

/** The mesh of one node: listens, and keeps the sessions with other nodes. */
export class Mesh implements SessionOwner {
  readonly events: Emitter<MeshEvents>;
  readonly creation: number;
  /** The start time of this node by its own clock: milliseconds since 1970. */
  readonly startedAt: number;
  roomSink: RoomSink | undefined = undefined;
  /** Attaches the actors to a new session. Set by `start.ts`. */
  attach: ((session: Session) => Inbound) | undefined = undefined;

  readonly #host: Host;
  readonly #options: MeshOptions;
  readonly #tickMs: number;
  readonly #refusals: Rejections;
  readonly #sessions = new Map<string, Session>();
  /**
   * Ended sessions whose links, monitors and calls are still being ended, by node. When all of them
   * have ended, `nodedown` is emitted.
   */
  readonly #losing = new Map<string, Loss>();
  readonly #received: ReceiveBudget;
  readonly #exposures = new ExposedFunctions();
  /** Finds and dials the other nodes. */
  readonly membership: Membership;
  /** Handshakes with initiators. Each is removed when it has succeeded or its stream is closed. */
  readonly #handshakes = new Unproven<HandshakeIo>();
  #name: string;
  #log: Log;
  #self: Self;
  #listener: Listener | undefined;
  #certificate: Uint8Array | undefined;
  #keys: ClusterKeys;
  #acceptedKeys: readonly ClusterKeys[];
  readonly #clocks = new ClockSkew();
  #listenerFailures = 0;
  #clockSkews = 0;
  readonly #reauthentication: Reauthentication;
  #timers: Timer[] = [];
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(host: Host, options: MeshOptions, events: Emitter<MeshEvents>) {
    this.events = events;
    this.#host = host;
    this.#options = options;
    this.creation = makeCreation(host.random);
    this.startedAt = host.clock.wall();
    this.#name = formatName(options.name);
    this.#log = options.log;
    this.#keys = options.keys;
    this.#acceptedKeys = options.acceptedKeys ?? [];
    this.#reauthentication = new Reauthentication(
      host.clock,
      () => [this.#keys, ...this.#acceptedKeys].map(({ proofKey }) => proofKey),
      () => host.random.bytes(NONCE_BYTES),
    );
    this.#self = this.#makeSelf();
    const { quietMs, deadlineMs } = options.limits;
    this.#tickMs = Math.min(1_000, Math.max(10, Math.min(quietMs, deadlineMs - quietMs) / 4));
    const messageBytesMax = options.limits.messageBytesMax ?? MESSAGE_BYTES_MAX;
    this.#received = new ReceiveBudget(
      INCOMPLETE_MAX * messageBytesMax,
      INCOMPLETE_PER_ADDRESS_MAX * messageBytesMax,
    );
    this.#refusals = new Rejections(host.clock);
    this.membership = new Membership(host, this.#name, options, {
      self: () => this.#self,
      log: () => this.#log,
      tls: (hostname) => this.#dialTls(hostname),
      checkCertificate: options.tls === undefined ? checkNodeUri : this.#checkOwn,
      hasSession: (name) => this.#sessions.has(name),
      isStopping: () => this.#stopping,
      losing: (name) => this.#whenLost(name),
      up: (met, opened, exposed) => this.#up(met, true, opened, exposed),
      sessions: () => this.#visible(),
      send: (name, frame) => this.#sessions.get(name)?.sendControl(frame),
      refused: (peer, reason, words) => this.events.emit("refused", { peer, reason, words }),
      emit: (name, event) => this.events.emit(name, event as never),
    });
  }

  /** This node's name, with its actual port. */
  get name(): string {
    return this.#name;
  }

  /** The log; each line begins with this node's name. */
  get log(): Log {
    return this.#log;
  }

  /** Returns the names of the connected nodes, sorted. */
  peers(): string[] {
    return [...this.#visible()].sort();
  }

  /**
   * Iterates over the names of the connected nodes that are not hidden. On a hidden node, iterates
   * over all.
   */
  *#visible(): Generator<string> {
    const all = this.#options.isHidden === true;
    for (const [name, { met }] of this.#sessions) if (all || !met.isHidden) yield name;
  }

  /** Returns the session with a node. */
  session(name: string): Session | undefined {
    return this.#sessions.get(name);
  }

  /** Returns an iterator over all sessions. */
  sessions(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Returns counts since the start of this node, and current numbers. */
  stats(): MembershipStats {
    return {
      ...this.membership.stats(),
      listenerFailures: this.#listenerFailures,
      clockSkews: this.#clockSkews,
    };
  }

  /** Reports that a listener of this node or of its servers stopped accepting, or accepts again. */
  listenerChanged(address: string, { state, message }: ListenerReport): void {
    if (state === "failed") this.#listenerFailures++;
    this.events.emit("listener", { address, state, message });
  }

  /** Starts to listen. Rejects with a `ListenError`. */
  async start(): Promise<void> {
    const { listen, name } = this.#options;
    const tls = await this.#makeTls();
    this.#listener = await this.#host.listen({
      hostname: listen.hostname,
      port: listen.port,
      tls,
      handshakeMs: HANDSHAKE_MS,
      refused: (remote, message) => {
        const { reason, words } = refusalWords(message);
        this.#refused(place(remote), remote.hostname, reason, words);
      },
      report: ({ state, message }) => {
        const at = place(this.#listener!.address);
        if (state === "failed") this.#log.error(`the listener on ${at} has failed: ${message}`);
        else this.#log.warn(`the listener on ${at} accepts connections again, ${message}`);
        this.listenerChanged(at, { state, message });
      },
    }, (stream) => this.#accept(stream));
    if (name.port === 0) await this.#rename(this.#listener.address.port);
    const { clock } = this.#host;
    if (this.#stopping) return;
    this.#clocks.step(clock.now(), clock.wall());
    this.#timers.push(clock.every(this.#tickMs, () => this.#tick()));
    if (this.#options.tls === undefined) {
      this.#timers.push(clock.every(LEAF_RENEW_MS, () => void this.#renew()));
    }
  }

  /**
   * Connects to a node, and dials it if there is no session. Rejects with `NodeConnectError`, with
   * the code "timeout" after `timeoutMs`.
   */
  connect(name: string, timeoutMs: number = CONNECT_MS): Promise<void> {
    return this.membership.connect(name, timeoutMs);
  }

  /**
   * Ends the session with a node and does not dial the node again. Returns whether there was a
   * session.
   */
  async disconnect(name: string): Promise<boolean> {
    const session = this.#sessions.get(name);
    this.membership.leave(name);
    await session?.goodbye("disconnected");
    return session !== undefined;
  }

  /** Sends GOODBYE on all sessions and stops listening. */
  stop(): Promise<void> {
    this.#stopping = true;
    // Deferred, because a listener for the end of a session may call `stop` again.
    return this.#stopped ??= Promise.resolve().then(() => this.#stop());
  }

  /**
   * Called by the session when its queue has exceeded half of its limit (`high`), or fallen below
   * an eighth.
   */
  pressure({ met }: Session, high: boolean): void {
    if (high) this.#log.warn(`${met.name} is slow: much data is queued for it`);
    this.events.emit("pressure", { node: met.name, high });
  }

  /** Called by a session when it has ended. Removes the session, and reports its end. */
  over({ actors }: SessionReceiver, connection: Session, end: SessionEnd, words: string): void {
    const { name } = connection.met;
    if (this.#sessions.get(name) !== connection) return;
    this.#sessions.delete(name);
    const after: (() => void)[] = [];
    if (actors !== undefined) this.#losing.set(name, { actors, after });
    this.#exposures.down(name);
    this.#clocks.over(name);
    this.#reauthentication.over(connection);
    this.membership.down(name, end);
    if (this.#stopping) this.#log.debug(`${name} is down: this node is stopping`);
    else if (end === "shutdown" || end === "disconnected") {
      this.#log.info(`${name} is down: ${end}`);
    } else this.#log.warn(`${name} is down: ${end} (${words})`);
    // Called when the links, monitors and calls with the node have ended. `nodedown` is emitted
    // only then.
    const done = (): void => {
      this.#losing.delete(name);
      this.events.emit("nodedown", { node: name, reason: end });
      this.membership.gone();
      for (const task of after) task();
    };
    if (actors === undefined) done();
    else actors.lost(done);
  }

  /**
   * Returns a promise that resolves when the links, monitors and calls of the last session with a
   * node have ended. Returns undefined if they have already ended.
   */
  #whenLost(name: string): Promise<void> | undefined {
    const loss = this.#losing.get(name);
    return loss && new Promise((lost) => loss.after.push(lost));
  }

  /** Called by the dispatch when a peer has sent the names of its peers. */
  peerList(names: readonly string[], from: string): void {
    this.membership.named(names, from);
  }

  /** Called by the dispatch when a peer has sent a digest of the names of its peers. */
  peerDigest(body: Uint8Array, from: string): string | undefined {
    return this.membership.digest(body, from);
  }

  /** Called by the dispatch when a peer has exposed or unexposed functions. */
  exposed(added: boolean, names: readonly string[], from: string): void {
    this.#exposures.changed(from, added, names);
  }

  /** Notifies the peers that this node has exposed or unexposed a function. */
  expose(names: readonly string[], added: boolean, name: string): void {
    this.#exposures.own = names;
    this.#self = this.#makeSelf();
    const frame = encodeExposed(added, [name]);
    for (const session of this.#sessions.values()) session.sendControl(frame);
  }

  /**
   * Returns the functions that a peer exposes, sorted, or undefined if there is no session with it.
   */
  exposedBy(name: string): string[] | undefined {
    return this.#exposures.of(name);
  }

  /**
   * Changes the cookie in use, and the other accepted cookies. Sessions stay open; sessions that
   * were proved with a cookie that is no longer accepted must be proved again with an accepted one.
   */
  async changeKeys(use: ClusterKeys, accepted: readonly ClusterKeys[]): Promise<void> {
    this.#keys = use;
    this.#acceptedKeys = accepted;
    this.#self = this.#makeSelf();
    if (this.#options.tls === undefined && !this.#stopping) await this.#renew();
    for (const session of this.#sessions.values()) this.#reauthentication.check(session);
  }

  /**
   * Called by the dispatch when a peer has sent its time of day. Reports a skew that begins or
   * ends.
   */
  clock(wall: number, from: string): void {
    const skew = this.#clocks.compare(from, wall, this.#host.clock.wall());
    if (skew === undefined) return;
    if (skew === 0) this.#log.info(`the clocks of ${from} and this node agree again`);
    else {
      this.#clockSkews++;
      this.#log.warn(`the clock of ${from} is ${skewWords(skew)} of this node's: one is wrong`);
    }
    this.events.emit("clockskew", { node: from, skew });
  }

  /** Called by the dispatch when a peer has requested proofs of this node's cookies. Sends them. */
  prove(nonce: Uint8Array, from: string): void {
    const session = this.#sessions.get(from);
    if (session !== undefined) this.#reauthentication.prove(session, nonce);
  }

  /** Called by the dispatch when a peer has sent proofs of its cookies. */
  proof(proofs: readonly Uint8Array[], from: string): void {
    const session = this.#sessions.get(from);
    if (session !== undefined) this.#reauthentication.proof(session, proofs);
  }

  #makeSelf(): Self {
    return {
      name: this.#name,
      creation: this.creation,
      startedAt: this.startedAt,
      proofKey: this.#keys.proofKey,
      acceptedKeys: this.#acceptedKeys.map(({ proofKey }) => proofKey),
      exposed: this.#exposures.own,
      isHidden: this.#options.isHidden === true,
      features: this.#options.features,
    };
  }

  async #makeTls(): Promise<ServerTls> {
    const own = this.#options.tls;
    if (own !== undefined) {
      this.#certificate = derOf(own.cert);
      return { cert: own.cert, key: own.key, clientCa: own.ca };
    }
    const { authority, leaf: simulated } = this.#keys;
    const leaf = simulated?.(this.#name) ??
      await makeLeaf(authority, this.#name, this.#host.random.bytes(16));
    this.#certificate = leaf.der;
    return { cert: leaf.cert, key: leaf.key };
  }

  #dialTls(hostname: string): ClientTls {
    const own = this.#options.tls;
    if (own !== undefined) {
      const { ca, cert, key, verifyPeer } = own;
      return { ca, cert, key, serverName: hostname, anyName: verifyPeer !== undefined };
    }
    const authorities = [this.#keys, ...this.#acceptedKeys].map(({ authority }) => authority.pem);
    return { ca: authorities.join(""), serverName: SERVER_NAME };
  }

  async #renew(): Promise<void> {
    this.#listener?.secure(await this.#makeTls());
  }

  /** Sets the name and the certificate once the system has chosen the port. */
  async #rename(port: number): Promise<void> {
    this.#name = formatName({ ...this.#options.name, port });
    this.#log = this.#log.as(this.#name);
    this.membership.rename(this.#name);
    this.#self = this.#makeSelf();
    if (this.#options.tls === undefined) await this.#renew();
  }

  async #stop(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.membership.stop();
    for (const handshake of [...this.#handshakes]) handshake.abort();
    const closing = [...this.#sessions.values()].map((session) => session.goodbye("shutdown"));
    await Promise.all([this.#listener?.close(), ...closing]);
    await Promise.all(Array.from(this.#losing.keys(), (name) => this.#whenLost(name)));
  }

  #tick(): void {
    const now = this.#host.clock.now();
    for (const session of [...this.#sessions.values()]) session.tick(now);
    this.membership.tick(now);
    const wall = this.#host.clock.wall();
    const step = this.#clocks.step(now, wall);
    if (step === 0) return;
    this.#log.info(`this node's clock was set: it is ${skewWords(step)} of what it was`);
    for (const session of this.#sessions.values()) session.sendControl(encodeClock(wall));
  }

  #accept(stream: Stream): void {
    if (this.#stopping) return stream.abort();
    const self = this.#self;
    const machine = new Responder(
      self,
      this.#host.random.bytes(NONCE_BYTES),
      this.#certificate!,
    );
    const { remote } = stream;
    const owner: HandshakeOwner = {
      decide: (met) => {
        const decision = this.#decide(met, stream);
        if (decision === "later") this.#probe(met, handshake, stream);
        return decision;
      },
      up: (met, opened) => {
        this.#handshakes.delete(handshake);
        return this.#up(met, false, opened, self.exposed);
      },
      failed: (failure, words, byPeer) => {
        if (failure === "duplicate" || failure === "stopping" || failure === "aborted") return;
        const said = byPeer ? "it refused us: " : "";
        const hint = failure === "broken" && words.endsWith("without a word")
          ? " (a node with another cookie does that)"
          : "";
        this.#refused(place(remote), remote.hostname, failure, `${said}${words}${hint}`);
      },
      gone: () => this.#handshakes.delete(handshake),
    };
    const handshake = new HandshakeIo(stream, machine, owner, this.#host.clock, HANDSHAKE_MS);
    this.#handshakes.add(handshake, remote.hostname)?.abort();
  }

  #refused(peer: string, hostname: string, reason: string, words: string): void {
    if (this.#refusals.isDue(hostname, reason)) this.#log.warn(`refused ${peer}: ${words}`);
    this.events.emit("refused", { peer, reason, words });
  }

  /** Checks that a certificate of the user's authority belongs to the node with this name. */
  readonly #checkOwn: CertificateCheck = (node, certificate) => {
    const verify = this.#options.tls?.verifyPeer;
    if (verify === undefined) return checkHost(node, certificate);
    try {
      const names = certificateNames(certificate);
      if (verify(node, { ...names, der: certificate.slice() }) === true) return undefined;
    } catch (error) {
      this.#log.error(`option tls.verifyPeer threw, so ${node} is rejected: ${error}`);
    }
    return fail("certificate", `option tls.verifyPeer does not accept its certificate for ${node}`);
  };

  #decide(
    met: Met,
    { remote, peerCertificate: certificate }: Stream,
    dead?: bigint,
  ): Rejection | "later" | undefined {
    const address = clientKey(remote.hostname);
    if (this.#options.tls !== undefined) {
      const failure = certificate === undefined
        ? fail("certificate", "its certificate cannot be read")
        : this.#checkOwn(met.name, certificate);
      if (failure !== undefined) return failure;
    }
    if (met.name === this.#name) return this.#inUse(met.name, this.startedAt);
    const verdict = this.membership.decide(met, dead);
    if (verdict === "probe") return "later";
    if (verdict === "duplicate") {
      return { reason: "duplicate", words: `there is a session with ${this.#name} already` };
    }
    if (verdict === "replace") {
      this.#sessions.get(met.name)?.abort("restarted", "a later session replaced it");
    }
    if (!this.#sessions.has(met.name)) {
      const ofAddress = [...this.#sessions.values()].filter((other) => other.address === address);
      if (this.#sessions.size >= SESSIONS_MAX || ofAddress.length >= SESSIONS_PER_ADDRESS_MAX) {
        const words =
          `${this.#name} has ${ofAddress.length} sessions with ${address}, ${this.#sessions.size} in all`;
        return { reason: "limit", words };
      }
    }
    // This check must follow the end of the replaced session, because a listener for the end of
    // that session may have stopped this node.
    if (this.#stopping) return { reason: "stopping", words: `${this.#name} is stopping` };
    if (this.#losing.has(met.name)) return "later";
    this.membership.accepted(met.name);
    return undefined;
  }

  /**
   * Called when the decision about an initiator was deferred. If there is a session with another
   * incarnation of the initiator, checks whether that incarnation is still alive. If the last
   * session with the initiator is still being ended, waits for its end. Then decides.
   */
  #probe(met: Met, handshake: HandshakeIo, stream: Stream): void {
    const session = this.#sessions.get(met.name);
    if (session === undefined) {
      const conclude = (): void => this.#conclude(met, handshake, stream);
      const loss = this.#losing.get(met.name);
      return loss === undefined ? conclude() : void loss.after.push(conclude);
    }
    session.probe(PROBE_MS, (isAlive) => {
      if (isAlive) handshake.decided(this.#inUse(met.name, session.met.startedAt));
      else this.#conclude(met, handshake, stream, session.met.session);
    });
  }

  #conclude(
    met: Met,
    handshake: HandshakeIo,
    stream: Stream,
    dead?: bigint,
  ): void {
    // The initiator may have closed the connection during the probe. The old session then stays.
    if (!handshake.isWaiting) return;
    const decision = this.#decide(met, stream, dead);
    if (decision === "later") this.#probe(met, handshake, stream);
    else handshake.decided(decision);
  }

  #inUse(name: string, startedAt: number | undefined): Rejection {
    const since = startedAt === undefined || startedAt <= 0
      ? "another node that is alive"
      : `a node started at ${new Date(startedAt).toISOString()}`;
    const words = `name in use by ${since}`;
    this.membership.rejected(name, words);
    return { reason: "nameinuse", words };
  }

  #up(met: Met, dialed: boolean, opened: Opened, exposed: readonly string[]): Session {
    // The links, monitors and calls of the earlier session end before the new session opens, so
    // that actors and listeners observe the end first.
    this.#losing.get(met.name)?.actors.finishLoss();
    const { limits } = this.#options;
    const receiver = new SessionReceiver(this);
    const session = new Session(
      met,
      dialed,
      opened,
      receiver,
      limits,
      this.#tickMs,
      this.#host,
      this.#received,
    );
    this.#sessions.set(met.name, session);
    this.#exposures.up(met.name, met.exposed);
    // The list of peers is sent before names and groups. A joining node that has received all names
    // and groups has therefore also received the list of all peers.
    this.membership.starting(met.name);
    receiver.actors = this.attach?.(session);
    this.membership.up(met, dialed);
    this.#log.info(`${met.name} is up`);
    for (const frame of this.#exposures.since(exposed)) session.sendControl(frame);
    session.sendControl(encodeClock(this.#host.clock.wall()));
    // The keys may have changed since the session's handshake began.
    this.#reauthentication.check(session);
    this.events.emit("nodeup", { node: met.name });
    this.membership.ready(met.name);
    return session;
  }
}
