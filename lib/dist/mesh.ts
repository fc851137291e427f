/**
 * This node among the others: listens, dials, greets, keeps the sessions, and tells of them.
 *
 *     seeds, peers of peers ─▶ Peers ─due─▶ dial ─┐
 *                                                  ├─▶ Greeting ─▶ Connection ─▶ inbound
 *     listener ───────────────────────────────────┘       │             │
 *                                                      refused    nodeup, nodedown
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Emitter } from "../base/emitter.ts";
import type { Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { place } from "../host/connect.ts";
import { ConnectError, type Host, type Listener, type ServerTls } from "../host/host.ts";
import type { Address, Stream } from "../host/stream.ts";
import { derOf, LEAF_RENEW_MS, makeLeaf, SERVER_NAME } from "./certificate.ts";
import { Connection, type Opened, type SessionEnd, type SessionLimits } from "./connection.ts";
import { Exposures } from "./exposures.ts";
import { encodeFrame } from "./frame.ts";
import { type Greeter, Greeting, type GreetingFailure } from "./greeting.ts";
import { Acceptor, Dialler, type Met, type Self } from "./handshake.ts";
import { type ClusterKeys, makeCreation } from "./identity.ts";
import type { RoomSink } from "./inbound.ts";
import { encodeExposed, encodeList, NONCE_BYTES, type RejectReason, TAG } from "./message.ts";
import { formatName, type NodeName, parseName } from "./name.ts";
import { Peers } from "./peers.ts";
import { Refusals, refusalWords } from "./refusals.ts";
import { Session, type SessionActors, type SessionOwner } from "./session.ts";

/** A dial may take this long to reach TLS, and a handshake this long after it. Milliseconds. */
const DIAL_MS = 5_000;

/** A dialler may take this long over TLS, and as long over the handshake in it. Milliseconds. */
const GREETING_MS = 5_000;

/** At most this many nodes are dialled at once; the others wait until one of these is done. */
const DIALS_MAX = 64;

/** At most this many diallers may be unproven at once; one more ends the one that is so longest. */
const UNPROVEN_MAX = 128;

/** Certificates of the user's own, PEM: instead of those that the cookie gives. */
export interface OwnTls {
  /** This node's certificate, with its host name or address in it. */
  readonly cert: string;
  /** The private key of it. */
  readonly key: string;
  /** The authority that signed every node's certificate. */
  readonly ca: string;
}

/** How to take part. */
export interface MeshOptions {
  readonly name: NodeName;
  readonly keys: ClusterKeys;
  readonly listen: Address;
  readonly seeds: readonly string[];
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
  /** Somebody was not let in, or did not let us in. `peer` is a node's name or an address. */
  refused: { readonly peer: string; readonly reason: string; readonly words: string };
}

/** A dial that is on its way: in TCP and TLS at first, then in the handshake. */
interface Dial {
  readonly cancel: AbortController;
  greeting: Greeting | undefined;
}

/** Somebody waits for a session. */
interface Waiter {
  readonly up: () => void;
  readonly failed: (error: Error) => void;
}

/** A session could not be had. `code` says why in one word. */
export class NodeConnectError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NodeConnectError";
  /** A `ConnectError`'s code, a reason to refuse, `"timeout"`, `"broken"` or `"stopping"`. */
  readonly code: string;

  /** With its code and words. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A node's part of the mesh. */
export class Mesh implements SessionOwner {
  readonly events: Emitter<MeshEvents>;
  readonly creation: number;
  roomSink: RoomSink | undefined = undefined;
  /** Filled when there are actors: gives those of a new session. Until then there are none. */
  attach: ((session: Connection) => SessionActors) | undefined = undefined;

  readonly #host: Host;
  readonly #options: MeshOptions;
  readonly #tickMs: number;
  readonly #refusals: Refusals;
  readonly #sessions = new Map<string, Connection>();
  readonly #exposures = new Exposures();
  readonly #dials = new Map<string, Dial>();
  /** Dials in TCP and TLS, those that were given up among them. */
  readonly #connecting = new Set<AbortController>();
  /** Handshakes of both sides, until they are up or their streams are closed. */
  readonly #greetings = new Set<Greeting>();
  /** Diallers in the middle of the handshake, the oldest first. */
  readonly #unproven = new Set<Greeting>();
  readonly #waiters = new Map<string, Waiter[]>();
  /** Dial failures by node, so that each is logged once and not at every attempt. */
  readonly #failing = new Map<string, string>();
  #name: string;
  #log: Log;
  #peers: Peers;
  #self: Self;
  #listener: Listener | undefined;
  #certificate: Uint8Array | undefined;
  #timers: Timer[] = [];
  #dialTimer: Timer | undefined;
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
    this.#self = this.#makeSelf();
    const { quietMs, deadlineMs } = options.limits;
    this.#tickMs = Math.min(1_000, Math.max(10, Math.min(quietMs, deadlineMs - quietMs) / 4));
    this.#refusals = new Refusals(host.clock);
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
  session(name: string): Connection | undefined {
    return this.#sessions.get(name);
  }

  /** All sessions. */
  sessions(): IterableIterator<Connection> {
    return this.#sessions.values();
  }

  /** Listens, and begins to dial the seeds. Rejects with a `ListenError`. */
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
    }, (stream) => this.#accept(stream));
    if (name.port === 0) await this.#rename(this.#listener.address.port);
    const { clock } = this.#host;
    if (this.#stopping) return;
    this.#timers.push(clock.every(this.#tickMs, () => this.#tick()));
    if (this.#options.tls === undefined) {
      this.#timers.push(clock.every(LEAF_RENEW_MS, () => void this.#renew()));
    }
    for (const seed of this.#options.seeds) this.#peers.add(seed, "seed", clock.now());
    this.#dialDue();
  }

  /** Has a session with a node, dialling it if need be. Rejects with {@linkcode NodeConnectError}. */
  connect(name: string): Promise<void> {
    if (this.#sessions.has(name)) return Promise.resolve();
    if (this.#stopping) return Promise.reject(stoppingError(name));
    if (!this.#peers.add(name, "asked", this.#host.clock.now())) {
      return Promise.reject(new NodeConnectError("name", `${name} is this node itself`));
    }
    const waiting = new Promise<void>((up, failed) => {
      const waiters = this.#waiters.get(name);
      if (waiters === undefined) this.#waiters.set(name, [{ up, failed }]);
      else waiters.push({ up, failed });
    });
    this.#dialDue();
    return waiting;
  }

  /** Ends the session with a node and does not dial it again. False: there was none. */
  async disconnect(name: string): Promise<boolean> {
    const session = this.#sessions.get(name);
    this.#dials.get(name)?.cancel.abort();
    this.#peers.leave(name);
    this.#settle(name, new NodeConnectError("aborted", `no session with ${name}: disconnected`));
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
  pressure({ met }: Connection, high: boolean): void {
    if (high) this.#log.warn(`${met.name} is slow: much waits for it`);
    this.events.emit("pressure", { node: met.name, high });
  }

  /** A session is over. Called by it. */
  over({ actors }: Session, connection: Connection, end: SessionEnd, words: string): void {
    const { name } = connection.met;
    if (this.#sessions.get(name) !== connection) return;
    this.#sessions.delete(name);
    this.#exposures.down(name);
    this.#peers.down(name, end !== "disconnected", this.#host.clock.now());
    if (this.#stopping) this.#log.debug(`${name} is down: we are stopping`);
    else if (end === "shutdown" || end === "disconnected") {
      this.#log.info(`${name} is down: ${end}`);
    } else this.#log.warn(`${name} is down: ${end} (${words})`);
    // First what is bound to the node's actors ends, then it is told that the node has gone.
    actors?.lost();
    this.events.emit("nodedown", { node: name, reason: end });
    this.#schedule();
  }

  /** A peer says with whom it is connected. Called by the dispatcher. */
  peerList(names: readonly string[]): void {
    const now = this.#host.clock.now();
    for (const name of names) this.#peers.add(name, "hearsay", now);
    this.#dialDue();
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

  #makeSelf(): Self {
    const { proofKey } = this.#options.keys;
    return { name: this.#name, creation: this.creation, proofKey, exposed: this.#exposures.own };
  }

  async #makeTls(): Promise<ServerTls> {
    const own = this.#options.tls;
    if (own !== undefined) {
      this.#certificate = derOf(own.cert);
      return { cert: own.cert, key: own.key, clientCa: own.ca };
    }
    const { clock, random } = this.#host;
    const { keys } = this.#options;
    const leaf = keys.leaf ??
      await makeLeaf(keys.authority, this.#name, clock.wall(), random.bytes(16));
    this.#certificate = leaf.der;
    return { cert: leaf.cert, key: leaf.key };
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
    for (const timer of this.#timers) timer.cancel();
    this.#dialTimer?.cancel();
    for (const cancel of this.#connecting) cancel.abort();
    for (const greeting of [...this.#greetings]) greeting.abort();
    for (const [name, waiters] of this.#waiters) {
      for (const { failed } of waiters) failed(stoppingError(name));
    }
    this.#waiters.clear();
    const closing = [...this.#sessions.values()].map((session) => session.goodbye("shutdown"));
    await Promise.all([this.#listener?.close(), ...closing]);
  }

  #tick(): void {
    const now = this.#host.clock.now();
    for (const session of [...this.#sessions.values()]) session.tick(now);
  }

  #schedule(): void {
    this.#dialTimer?.cancel();
    // With as many dials as there may be, the first that is done schedules the next.
    if (this.#stopping || this.#dials.size >= DIALS_MAX) return;
    const at = this.#peers.nextDueAt();
    if (at === Infinity) return;
    const { clock } = this.#host;
    this.#dialTimer = clock.after(Math.max(0, at - clock.now()), () => this.#dialDue());
  }

  #dialDue(): void {
    if (this.#stopping) return;
    for (const name of this.#peers.due(this.#host.clock.now())) {
      if (this.#dials.size >= DIALS_MAX) break;
      void this.#dial(name);
    }
    this.#schedule();
  }

  async #dial(name: string): Promise<void> {
    const parts = parseName(name);
    assert(parts !== undefined, `not a node name: ${name}`);
    const dial: Dial = { cancel: new AbortController(), greeting: undefined };
    this.#peers.dialling(name);
    this.#dials.set(name, dial);
    const own = this.#options.tls;
    const tls = own === undefined
      ? { ca: this.#options.keys.authority.pem, serverName: SERVER_NAME }
      : { ...own, serverName: parts.hostname };
    let stream: Stream;
    try {
      const { hostname, port } = parts;
      const { signal } = dial.cancel;
      this.#connecting.add(dial.cancel);
      stream = await this.#host.connect({ hostname, port, tls, timeoutMs: DIAL_MS, signal });
    } catch (error) {
      if (error instanceof ConnectError) this.#dialFailed(name, dial, error.code, error.message);
      else throw error;
      return;
    } finally {
      this.#connecting.delete(dial.cancel);
    }
    if (dial.cancel.signal.aborted) {
      stream.abort();
      return this.#dialFailed(name, dial, "aborted", "given up");
    }
    const self = this.#self;
    const machine = new Dialler(
      self,
      name,
      this.#host.random.bytes(NONCE_BYTES),
      stream.peerCertificate,
      () => this.#peers.proving(name),
    );
    const greeting: Greeting = new Greeting(
      stream,
      machine,
      {
        decide: () => undefined,
        up: (met, opened) => {
          this.#greetings.delete(greeting);
          this.#dials.delete(name);
          return this.#up(met, true, opened, self.exposed);
        },
        failed: (failure, words, byPeer) => this.#dialFailed(name, dial, failure, words, byPeer),
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

  #dialFailed(
    name: string,
    dial: Dial,
    failure: GreetingFailure | ConnectError["code"],
    words: string,
    byPeer = false,
  ): void {
    if (this.#dials.get(name) !== dial) return;
    this.#dials.delete(name);
    const now = this.#host.clock.now();
    if (failure === "duplicate" || failure === "aborted" || this.#sessions.has(name)) {
      this.#peers.yielded(name, now);
    } else {
      this.#peers.failed(name, now);
      this.#explain(name, failure, words, byPeer);
      this.#settle(name, new NodeConnectError(failure, `no session with ${name}: ${words}`));
    }
    this.#schedule();
  }

  /** Logs why a dial failed, once until it changes or succeeds. */
  #explain(name: string, failure: string, words: string, byPeer: boolean): void {
    if (this.#failing.get(name) === failure) return;
    if (this.#failing.size > 4096) this.#failing.clear();
    this.#failing.set(name, failure);
    const said = byPeer ? "it refused us: " : "";
    switch (failure) {
      case "refused":
      case "unreachable":
      case "timeout":
        this.#log.info(`cannot reach ${name} yet: ${words}`);
        return;
      case "untrusted":
        this.#log.warn(`refused ${name}: its certificate is not of our cluster (another cookie?)`);
        break;
      default:
        this.#log.warn(`refused ${name}: ${said}${words}`);
    }
    this.events.emit("refused", { peer: name, reason: failure, words });
  }

  #accept(stream: Stream): void {
    if (this.#stopping) return stream.abort();
    const self = this.#self;
    const machine = new Acceptor(
      self,
      this.#host.random.bytes(NONCE_BYTES),
      this.#certificate!,
    );
    const { remote } = stream;
    const greeter: Greeter = {
      decide: (met) => this.#decide(met),
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
    const greeting = new Greeting(stream, machine, greeter, this.#host.clock, GREETING_MS);
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

  #decide(met: Met): { reason: RejectReason; words: string } | undefined {
    const verdict = this.#peers.judge(met.name, met.creation, met.lastSession);
    if (verdict === "duplicate") {
      return { reason: "duplicate", words: `there is a session with ${this.#name} already` };
    }
    if (verdict === "replace") {
      this.#sessions.get(met.name)?.abort("restarted", "a later session took its place");
    }
    // Asked last: who is told of the end of that session may stop the node.
    if (this.#stopping) return { reason: "stopping", words: `${this.#name} is stopping` };
    this.#giveUpDial(met.name);
    return undefined;
  }

  /** Their dial has won: ours need not go on. */
  #giveUpDial(name: string): void {
    const dial = this.#dials.get(name);
    if (dial === undefined) return;
    this.#dials.delete(name);
    this.#peers.yielded(name, this.#host.clock.now());
    // What is still in TLS goes on to its end, and is withdrawn then.
    dial.greeting?.withdraw();
  }

  #up(met: Met, dialled: boolean, opened: Opened, exposed: readonly string[]): Connection {
    const { limits } = this.#options;
    const receiver = new Session(this);
    const session = new Connection(
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
    receiver.actors = this.attach?.(session);
    this.#peers.up(met.name, met.session, met.creation, this.#host.clock.now());
    this.#failing.delete(met.name);
    this.#log.info(`${met.name} is up`);
    const others = this.peers().filter((name) => name !== met.name);
    for (const frame of this.#exposures.since(exposed)) session.sendControl(frame);
    if (others.length > 0) session.sendControl(encodeFrame(TAG.PEER_LIST, encodeList(others)));
    this.#settle(met.name);
    this.events.emit("nodeup", { node: met.name });
    this.#schedule();
    return session;
  }

  #settle(name: string, error?: NodeConnectError): void {
    const waiters = this.#waiters.get(name);
    if (waiters === undefined) return;
    this.#waiters.delete(name);
    for (const waiter of waiters) {
      if (error === undefined) waiter.up();
      else waiter.failed(error);
    }
  }
}

function stoppingError(name: string): NodeConnectError {
  return new NodeConnectError("stopping", `no session with ${name}: this node is stopping`);
}
