/**
 * This node among the others: listens, has them dialled, greets, keeps the sessions, and tells of them.
 *
 *     seeds, peers of peers ─▶ Peers ─due─▶ Dialer ─┐
 *                                                  ├─▶ HandshakeIo ─▶ Session ─▶ inbound
 *     listener ────────────────────────────────────┘       │             │
 *                                                       refused    nodeup, nodedown
 *
 * @module
 */
import type { Emitter } from "../base/emitter.ts";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { place } from "../host/connect_error.ts";
import type { ClientTls, Host, Listener, ServerTls } from "../host/host.ts";
import type { Address, Stream } from "../host/stream.ts";
import { ClockSkew, skewWords } from "./clock_skew.ts";
import { derOf, LEAF_RENEW_MS, makeLeaf, SERVER_NAME } from "./certificate.ts";
import { certificateNames, checkHost, checkNodeUri } from "./certificate_names.ts";
import { type Opened, Session, type SessionEnd, type SessionLimits } from "./session.ts";
import { Dialer } from "./dialer.ts";
import { Joining } from "./joining.ts";
import { Discovery } from "./discovery.ts";
import { ExposedFunctions } from "./exposed_functions.ts";
import { encodeFrame } from "./frame.ts";
import { HandshakeIo, type HandshakeOwner } from "./handshake_io.ts";
import { type CertificateCheck, fail, type Met, Responder, type Self } from "./handshake.ts";
import { type ClusterKeys, makeCreation } from "./identity.ts";
import { identify } from "./identify.ts";
import type { SeedFunction } from "./seed.ts";
import type { RoomSink } from "./dispatch.ts";
import {
  encodeClock,
  encodeExposed,
  encodeList,
  NONCE_BYTES,
  type RejectReason,
  TAG,
} from "./message.ts";
import { formatName, type NodeName } from "./name.ts";
import { Peers } from "./peers.ts";
import { Reauthentication } from "./reauthentication.ts";
import { refusalWords, Rejections } from "./rejections.ts";
import { type SessionActors, type SessionOwner, SessionReceiver } from "./session_receiver.ts";
import { ConnectWaiters, NodeConnectError, stoppingError } from "./connect_waiters.ts";

/** A dialler may take this long over TLS, and as long over the handshake in it. Milliseconds. */
const GREETING_MS = 5_000;

/** How long {@linkcode Mesh.connect} waits by default. Milliseconds. */
export const CONNECT_MS = 15_000;

/** At most this many diallers may be unproven at once; one more ends the one that is so longest. */
const UNPROVEN_MAX = 128;

/** Certificates of the user's own, PEM: instead of those that are derived from the cookie. */
export interface OwnTls {
  /** This node's certificate, with its host name or address in it. */
  readonly cert: string;
  /** The private key of it. */
  readonly key: string;
  /** The authority that signed every node's certificate. */
  readonly ca: string;
  /**
   * Returns whether a certificate is that of the node with this name; called on both sides of a connection,
   * after TLS has verified that `ca` signed it. For names other than hosts, such as `spiffe://` URIs.
   * Default: the host of the node's name must be in the certificate, as a host name or an address. A node
   * whose certificate is not accepted is rejected with the code "certificate".
   */
  readonly verifyPeer?:
    | ((
      node: string,
      certificate: {
        /** Host names, in lower case. */
        readonly dns: readonly string[];
        /** Addresses: 4 bytes of IPv4, 16 of IPv6. */
        readonly addresses: readonly Uint8Array[];
        readonly uris: readonly string[];
        /** The whole certificate, DER. */
        readonly der: Uint8Array;
      },
    ) => boolean)
    | undefined;
}

/** Stands for the first evaluation of seeds while a node joins. */
const DISCOVERY = "*";

/** How to take part. */
export interface MeshOptions {
  readonly name: NodeName;
  /** The keys of the cookie that is used. */
  readonly keys: ClusterKeys;
  /** Those of further cookies that are accepted. */
  readonly acceptedKeys?: readonly ClusterKeys[] | undefined;
  readonly listen: Address;
  /** Names of nodes to join. */
  readonly seeds: readonly string[];
  /** Seeds that are evaluated again and again, and how many milliseconds apart. */
  readonly discovery?: {
    readonly seeds: readonly string[] | SeedFunction;
    readonly intervalMs: number;
  } | undefined;
  readonly tls?: OwnTls | undefined;
  readonly limits: SessionLimits;
  readonly log: Log;
}

/** What a mesh tells. */
export interface MeshEvents {
  /** A session with a node is up. */
  nodeup: { readonly node: string };
  /** The session with a node is over. */
  nodedown: { readonly node: string; readonly reason: SessionEnd };
  /** More than half of what may wait for a node waits, or less than an eighth again. */
  pressure: { readonly node: string; readonly high: boolean };
  /**
   * A listener of this node or of its servers accepts no connections, for example because the process is
   * out of file descriptors, or accepts them again. It is retried until it does.
   */
  listener: {
    readonly address: string;
    readonly state: "failed" | "recovered";
    readonly message: string;
  };
  /**
   * A peer's clock and this node's differ by half a minute or more: by how many milliseconds the peer's is
   * ahead, or behind if negative. 0: they agree again.
   */
  clockskew: { readonly node: string; readonly skew: number };
  /** Somebody was not let in, or did not let us in. `peer` is a node's name or an address. */
  refused: { readonly peer: string; readonly reason: string; readonly words: string };
}

/** A node's part of the mesh. */
export class Mesh implements SessionOwner {
  readonly events: Emitter<MeshEvents>;
  readonly creation: number;
  roomSink: RoomSink | undefined = undefined;
  /** Filled when there are actors: gives those of a new session. Until then there are none. */
  attach: ((session: Session) => SessionActors) | undefined = undefined;

  readonly #host: Host;
  readonly #options: MeshOptions;
  readonly #tickMs: number;
  readonly #refusals: Rejections;
  readonly #sessions = new Map<string, Session>();
  readonly #exposures = new ExposedFunctions();
  readonly #dials: Dialer;
  /** Handshakes of diallers, until they are up or their streams are closed. */
  readonly #greetings = new Set<HandshakeIo>();
  /** Diallers in the middle of the handshake, the oldest first. */
  readonly #unproven = new Set<HandshakeIo>();
  readonly #waiters: ConnectWaiters;
  /** From {@linkcode Mesh.join} on. */
  #joining: Joining | undefined;
  #discovery: Discovery | undefined;
  #name: string;
  #log: Log;
  #peers: Peers;
  #self: Self;
  #listener: Listener | undefined;
  #certificate: Uint8Array | undefined;
  #keys: ClusterKeys;
  #acceptedKeys: readonly ClusterKeys[];
  readonly #clocks = new ClockSkew();
  readonly #reauthentication: Reauthentication;
  #timers: Timer[] = [];
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(host: Host, options: MeshOptions, events: Emitter<MeshEvents>) {
    this.events = events;
    this.#host = host;
    this.#options = options;
    this.creation = makeCreation(host.random);
    this.#name = formatName(options.name);
    this.#log = options.log;
    this.#peers = new Peers(this.#name, () => host.random.next());
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
    this.#refusals = new Rejections(host.clock);
    this.#waiters = new ConnectWaiters(host.clock);
    this.#dials = new Dialer(host, {
      self: () => this.#self,
      peers: () => this.#peers,
      log: () => this.#log,
      tls: (hostname) => this.#dialTls(hostname),
      checkCertificate: options.tls === undefined ? checkNodeUri : this.#checkOwn,
      hasSession: (name) => this.#sessions.has(name),
      isStopping: () => this.#stopping,
      up: (met, opened, exposed) => this.#up(met, true, opened, exposed),
      failed: (name, error) => {
        this.#waiters.settle(name, error);
        this.#joining?.failed(name);
      },
      refused: (peer, reason, words) => this.events.emit("refused", { peer, reason, words }),
    });
  }

  /** This node's name, with the port that it really has. */
  get name(): string {
    return this.#name;
  }

  /** The log, in which that name stands in front. */
  get log(): Log {
    return this.#log;
  }

  /** The names of the nodes with which there is a session, in order. */
  peers(): string[] {
    return [...this.#sessions.keys()].sort();
  }

  /** The session with a node. */
  session(name: string): Session | undefined {
    return this.#sessions.get(name);
  }

  /** All sessions. */
  sessions(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Listens. Rejects with a `ListenError`. */
  async start(): Promise<void> {
    const { listen, name } = this.#options;
    const tls = await this.#makeTls();
    this.#listener = await this.#host.listen({
      hostname: listen.hostname,
      port: listen.port,
      tls,
      handshakeMs: GREETING_MS,
      refused: (remote, message) => {
        const { reason, words } = refusalWords(message);
        this.#refused(place(remote), remote.hostname, reason, words);
      },
      report: ({ state, message }) => {
        const at = place(this.#listener!.address);
        if (state === "failed") this.#log.error(`the listener on ${at} has failed: ${message}`);
        else this.#log.warn(`the listener on ${at} accepts connections again, ${message}`);
        this.events.emit("listener", { address: at, state, message });
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
   * Begins to dial the seeds. Resolves when each was dialed once and those that are up are synchronised, as
   * `synced` says of a node.
   */
  join(synced: (node: string) => Promise<void>): Promise<void> {
    const { clock } = this.#host;
    const seeds = this.#options.seeds.filter((seed) => this.#peers.add(seed, "seed", clock.now()));
    const { discovery } = this.#options;
    const more = discovery === undefined ? [] : [DISCOVERY];
    this.#joining = new Joining(clock, [...seeds, ...more], synced);
    this.#dials.due();
    if (discovery !== undefined) void this.#discover(discovery.seeds, discovery.intervalMs);
    return this.#joining.done;
  }

  /** Evaluates seeds from now on. The nodes that the first evaluation finds are waited for like other seeds. */
  async #discover(seeds: readonly string[] | SeedFunction, intervalMs: number): Promise<void> {
    this.#discovery = new Discovery(this.#host, seeds, intervalMs, {
      log: () => this.#log,
      isKnown: (name) => name === this.#name || this.#sessions.has(name),
      identify: (hostname, port, signal) =>
        identify(this.#host, this.#self, this.#dialTls(hostname), hostname, port, signal),
      found: (names) => this.#found(names),
    });
    this.#found(await this.#discovery.start());
    this.#joining?.failed(DISCOVERY);
  }

  #found(names: readonly string[]): void {
    const now = this.#host.clock.now();
    for (const name of names) {
      if (!this.#peers.add(name, "hearsay", now)) continue;
      this.#joining?.awaits(name);
      if (this.#sessions.has(name)) this.#joining?.up(name);
    }
    this.#dials.due();
  }

  /**
   * Connects to a node, dialing it unless there is a session. Rejects with {@linkcode NodeConnectError}, with the
   * code "timeout" after `timeoutMs`.
   */
  connect(name: string, timeoutMs: number = CONNECT_MS): Promise<void> {
    if (this.#sessions.has(name)) return Promise.resolve();
    if (this.#stopping) return Promise.reject(stoppingError(name));
    if (!this.#peers.add(name, "asked", this.#host.clock.now())) {
      return Promise.reject(new NodeConnectError("name", `${name} is this node itself`));
    }
    const waiting = this.#waiters.wait(name, timeoutMs);
    this.#dials.due();
    return waiting;
  }

  /** Ends the session with a node and does not dial it again. False: there was none. */
  async disconnect(name: string): Promise<boolean> {
    const session = this.#sessions.get(name);
    this.#dials.cancel(name);
    this.#peers.leave(name);
    this.#waiters.settle(
      name,
      new NodeConnectError("aborted", `no session with ${name}: disconnected`),
    );
    await session?.goodbye("disconnected");
    return session !== undefined;
  }

  /** Says goodbye to everybody and listens no more. */
  stop(): Promise<void> {
    this.#stopping = true;
    // Not within this call: who is told of a session's end may stop the node too.
    return this.#stopped ??= Promise.resolve().then(() => this.#stop());
  }

  /** A queue is more than half full, or not any more. Called by the session. */
  pressure({ met }: Session, high: boolean): void {
    if (high) this.#log.warn(`${met.name} is slow: much waits for it`);
    this.events.emit("pressure", { node: met.name, high });
  }

  /** A session is over. Called by it. */
  over({ actors }: SessionReceiver, connection: Session, end: SessionEnd, words: string): void {
    const { name } = connection.met;
    if (this.#sessions.get(name) !== connection) return;
    this.#sessions.delete(name);
    this.#exposures.down(name);
    this.#clocks.over(name);
    this.#reauthentication.over(connection);
    this.#peers.down(name, end !== "disconnected", this.#host.clock.now());
    if (this.#stopping) this.#log.debug(`${name} is down: we are stopping`);
    else if (end === "shutdown" || end === "disconnected") {
      this.#log.info(`${name} is down: ${end}`);
    } else this.#log.warn(`${name} is down: ${end} (${words})`);
    // First what is bound to the node's actors ends, then it is told that the node has gone.
    actors?.lost();
    this.events.emit("nodedown", { node: name, reason: end });
    this.#dials.schedule();
  }

  /** A peer says with whom it is connected. Called by the dispatcher. */
  peerList(names: readonly string[]): void {
    const now = this.#host.clock.now();
    for (const name of names) {
      if (this.#peers.stateOf(name) === "unknown" && this.#peers.add(name, "hearsay", now)) {
        this.#joining?.named(name);
      }
    }
    this.#dials.due();
  }

  /** A peer exposes functions, or does not any more. Called by the dispatcher. */
  exposed(added: boolean, names: readonly string[], from: string): void {
    this.#exposures.changed(from, added, names);
  }

  /** This node exposes a function, or does not any more: the peers are told. */
  expose(names: readonly string[], added: boolean, name: string): void {
    this.#exposures.own = names;
    this.#self = this.#makeSelf();
    const frame = encodeExposed(added, [name]);
    for (const session of this.#sessions.values()) session.sendControl(frame);
  }

  /** What a peer exposes, in order; undefined if there is no session with it. */
  exposedBy(name: string): string[] | undefined {
    return this.#exposures.of(name);
  }

  /**
   * Changes the cookie that is used, and which others are accepted. Sessions stay up; those that were proved
   * with a cookie that is not accepted any more must be proved again with one that is.
   */
  async changeKeys(use: ClusterKeys, accepted: readonly ClusterKeys[]): Promise<void> {
    this.#keys = use;
    this.#acceptedKeys = accepted;
    this.#self = this.#makeSelf();
    if (this.#options.tls === undefined && !this.#stopping) await this.#renew();
    for (const session of this.#sessions.values()) this.#reauthentication.check(session);
  }

  /** A peer's time of day has come. Called by the dispatcher. */
  clock(wall: number, from: string): void {
    const skew = this.#clocks.compare(from, wall, this.#host.clock.wall());
    if (skew === undefined) return;
    if (skew === 0) this.#log.info(`the clocks of ${from} and this node agree again`);
    else this.#log.warn(`the clock of ${from} is ${skewWords(skew)} of this node's: one is wrong`);
    this.events.emit("clockskew", { node: from, skew });
  }

  /** A peer asks which cookies this node has. Called by the dispatcher. */
  prove(nonce: Uint8Array, from: string): void {
    const session = this.#sessions.get(from);
    if (session !== undefined) this.#reauthentication.prove(session, nonce);
  }

  /** A peer has proved which cookies it has. Called by the dispatcher. */
  proof(proofs: readonly Uint8Array[], from: string): void {
    const session = this.#sessions.get(from);
    if (session !== undefined) this.#reauthentication.proof(session, proofs);
  }

  #makeSelf(): Self {
    return {
      name: this.#name,
      creation: this.creation,
      proofKey: this.#keys.proofKey,
      acceptedKeys: this.#acceptedKeys.map(({ proofKey }) => proofKey),
      exposed: this.#exposures.own,
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

  /** The system chose the port: the name, and the certificate that holds it, are known only now. */
  async #rename(port: number): Promise<void> {
    this.#name = formatName({ ...this.#options.name, port });
    this.#log = this.#log.as(this.#name);
    this.#peers = new Peers(this.#name, () => this.#host.random.next());
    this.#self = this.#makeSelf();
    if (this.#options.tls === undefined) await this.#renew();
  }

  async #stop(): Promise<void> {
    this.#discovery?.stop();
    for (const timer of this.#timers) timer.cancel();
    this.#dials.stop();
    this.#joining?.stop();
    for (const greeting of [...this.#greetings]) greeting.abort();
    this.#waiters.stop();
    const closing = [...this.#sessions.values()].map((session) => session.goodbye("shutdown"));
    await Promise.all([this.#listener?.close(), ...closing]);
  }

  #tick(): void {
    const now = this.#host.clock.now();
    for (const session of [...this.#sessions.values()]) session.tick(now);
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
    const greeter: HandshakeOwner = {
      decide: (met) => this.#decide(met, stream.peerCertificate),
      up: (met, opened) => {
        this.#greetings.delete(greeting);
        this.#unproven.delete(greeting);
        return this.#up(met, false, opened, self.exposed);
      },
      failed: (failure, words, byPeer) => {
        this.#unproven.delete(greeting);
        if (failure === "duplicate" || failure === "stopping" || failure === "aborted") return;
        const said = byPeer ? "it refused us: " : "";
        const hint = failure === "broken" && words.endsWith("without a word")
          ? " (a node with another cookie does that)"
          : "";
        this.#refused(place(remote), remote.hostname, failure, `${said}${words}${hint}`);
      },
      gone: () => void this.#greetings.delete(greeting),
    };
    const greeting = new HandshakeIo(stream, machine, greeter, this.#host.clock, GREETING_MS);
    this.#greetings.add(greeting);
    this.#unproven.add(greeting);
    if (this.#unproven.size <= UNPROVEN_MAX) return;
    // Honest diallers prove themselves in milliseconds: the oldest is the one to doubt.
    for (const oldest of this.#unproven) {
      oldest.abort();
      break;
    }
  }

  #refused(peer: string, hostname: string, reason: string, words: string): void {
    if (this.#refusals.isNews(hostname, reason)) this.#log.warn(`refused ${peer}: ${words}`);
    this.events.emit("refused", { peer, reason, words });
  }

  /** Compares a certificate of the user's authority with a node's name. */
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
    certificate: Uint8Array | undefined,
  ): { reason: RejectReason; words: string } | undefined {
    if (this.#options.tls !== undefined) {
      const failure = certificate === undefined
        ? fail("certificate", "its certificate cannot be read")
        : this.#checkOwn(met.name, certificate);
      if (failure !== undefined) return failure;
    }
    const verdict = this.#peers.judge(met.name, met.creation, met.lastSession);
    if (verdict === "duplicate") {
      return { reason: "duplicate", words: `there is a session with ${this.#name} already` };
    }
    if (verdict === "replace") {
      this.#sessions.get(met.name)?.abort("restarted", "a later session took its place");
    }
    // Asked last: who is told of the end of that session may stop the node.
    if (this.#stopping) return { reason: "stopping", words: `${this.#name} is stopping` };
    this.#dials.giveUp(met.name);
    return undefined;
  }

  #up(met: Met, dialled: boolean, opened: Opened, exposed: readonly string[]): Session {
    const { limits } = this.#options;
    const receiver = new SessionReceiver(this);
    const session = new Session(
      met,
      dialled,
      opened,
      receiver,
      limits,
      this.#tickMs,
      this.#host,
    );
    this.#sessions.set(met.name, session);
    this.#exposures.up(met.name, met.exposed);
    // Before names and groups: a node that joins knows by their end that it has been named all peers.
    const others = this.peers().filter((name) => name !== met.name);
    if (others.length > 0) session.sendControl(encodeFrame(TAG.PEER_LIST, encodeList(others)));
    receiver.actors = this.attach?.(session);
    this.#peers.up(met.name, met.session, met.creation, this.#host.clock.now());
    this.#dials.reached(met.name);
    this.#log.info(`${met.name} is up`);
    for (const frame of this.#exposures.since(exposed)) session.sendControl(frame);
    session.sendControl(encodeClock(this.#host.clock.wall()));
    // The keys may have changed since its handshake began.
    this.#reauthentication.check(session);
    this.#waiters.settle(met.name);
    this.#joining?.up(met.name);
    this.events.emit("nodeup", { node: met.name });
    this.#dials.schedule();
    return session;
  }
}
