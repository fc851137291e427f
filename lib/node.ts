/**
 * `Node`: the public API of a running node.
 *
 * Longer than 400 lines: mostly documentation of the public API; each method delegates to a part.
 *
 * @module
 */
import type { ListenOptions } from "./base/emitter.ts";
import { type Random, uuid } from "./base/random.ts";
import type { ActorFunction, SpawnOptions } from "./actor/self.ts";
import type { Call, CallOptions } from "./actor/call.ts";
import type { ExitReason } from "./term/exit.ts";
import { setSystem } from "./actor/behind.ts";
import { checkLocal, checkPid, checkRemoteSpawn } from "./actor/arguments.ts";
import { ArgumentError, NodeStoppedError } from "./actor/errors.ts";
import { shutDown } from "./actor/shutdown.ts";
import type { ActorName, RemoteSpawn } from "./actor/remote.ts";
import { checkNames, unknownName } from "./base/spelling.ts";
import type { ExposeOptions } from "./mesh/spawner.ts";
import { timerMs, type TimerRef } from "./actor/timer.ts";
import type { Spawnable } from "./otp/spawnable.ts";
import type { Global } from "./cluster/global.ts";
import { DEFAULT_SCOPE, Groups } from "./cluster/groups.ts";
import type { Homes } from "./cluster/home.ts";
import { Channels } from "./channel/channels.ts";
import type { Hub } from "./channel/hub.ts";
import { type ChannelServeOptions, mountChannels } from "./channel/mount.ts";
import { startHub } from "./channel/start.ts";
import { leave, type LeaveOptions } from "./leave.ts";
import { CONNECT_MS, type MembershipStats } from "./mesh/membership.ts";
import { normalName } from "./mesh/name.ts";
import { ListenError } from "./host/host.ts";
import type { ActorInfo } from "./observe/actor_info.ts";
import { metricsText } from "./observe/metrics.ts";
import type { NodeStats } from "./observe/stats.ts";
import type { Sys } from "./observe/sys.ts";
import type { TopActor, TopOptions } from "./observe/top.ts";
import type { TreeEntry } from "./observe/tree.ts";
import type { PressureState } from "./mesh/pressure.ts";
import type { NodeOptions } from "./node_options.ts";
import { NODE_EVENTS, type NodeEvents } from "./node_events.ts";
import type { Parts } from "./start.ts";
import { startNode } from "./start.ts";
import type { Pid } from "./term/pid.ts";
import type { Rooms } from "./ws/rooms.ts";
import { serve, type Server } from "./ws/server.ts";
import type { ServeOptions } from "./ws/options.ts";

/** Options of `Node.connect`. */
export interface ConnectNodeOptions {
  /** Milliseconds after which `connect` rejects. Default 15000. */
  readonly timeout?: number | undefined;
}

/** Options of `Node.stop`. */
export interface NodeStopOptions {
  /**
   * Time limit for servers and actors to end, in milliseconds. Default 20000, less than the 30
   * seconds of Kubernetes. `0` kills all actors at once. `Infinity` waits as long as the shutdown
   * rules of the children permit.
   */
  readonly timeout?: number | undefined;
}

/** The names of the options of `stop`. */
const STOP_OPTIONS: Readonly<Record<keyof NodeStopOptions, true>> = { timeout: true };

/** The default time limit of `stop`, in milliseconds. */
const STOP_MS = 20_000;

/**
 * Maximum time to wait for clients to close their sockets, in milliseconds. At most half of the
 * time limit is used.
 */
const SERVERS_STOP_MS = 5_000;

/** Maximum number of actors that the log lists because they did not exit in time. */
const LATE_LOGGED_MAX = 8;

/**
 * Minimum time in milliseconds over which the channel clients of one batch of closed connections
 * reconnect.
 */
const SPREAD_MS = 250;

/**
 * A node: one member of a cluster, with its rooms and its sessions with the other nodes.
 *
 * Nodes with the same cookie form a full mesh over TLS 1.3, and authenticate each other by the
 * cookie. There is no global state: a program may run several nodes.
 *
 * @example Two nodes, one room
 * ```ts
 * import { Node } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * await b.connect(a.name);
 * assertEquals(b.peers(), [a.name]);
 * ```
 */
export class Node {
  readonly #parts: Parts;
  #channels: Channels | undefined;
  #channelHub: Hub | undefined;
  #stopped: Promise<void> | undefined;
  #left: Promise<void> | undefined;
  #ignoreSigterm: () => void = () => {};

  /**
   * Global names, which all nodes of the cluster share.
   *
   * @example
   * ```ts
   * import { type Call, Node, type Pid, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await b.connect(a.name);
   *
   * const echo = a.spawn((_self: Self<Call<string, string>>) => (call) => call.reply(call.request));
   * assertEquals(await a.global.register("echo", echo), true);
   * assertEquals(await b.global.register("echo", b.spawn(() => () => {})), false);
   * const found = b.global.whereis<Pid<Call<string, string>>>("echo")!;
   * assertEquals(await b.call(found, "hello"), "hello");
   * ```
   */
  readonly global: Global;
  /** Process groups that span the cluster. */
  readonly groups: Groups;

  private constructor(parts: Parts) {
    this.#parts = parts;
    setSystem(this, parts.system);
    this.global = parts.global;
    this.groups = new Groups(parts.groups, DEFAULT_SCOPE);
    parts.observation.onLeave = () => void this.leave();
    const { host, leaveOnSigterm } = parts;
    if (leaveOnSigterm === undefined) return;
    this.#ignoreSigterm = host.onTermination(() => this.leave(leaveOnSigterm));
  }

  /**
   * Starts a node, which listens and joins the cluster of its seeds. Resolves when each seed was
   * dialed once, and the global names, groups and peers of the reached seeds were received; at the
   * latest after `joinTimeout`. `global.register` and `global.singleton` may then be called at
   * once. Seeds that were not reached are dialed again in the background, with increasing pauses of
   * up to 10 seconds.
   *
   * @throws {NodeNameError} `code` "badname": the name or a seed is not `name@host:port`.
   * @throws {CookieError} `code` "badcookie": the cookie is empty, or too weak for a node that
   * other machines can reach; "cookiefile": the cookie file can neither be read nor be created.
   * @throws {NodeOptionError} `code` "badoption": another option is invalid.
   * @throws {ListenError} `code` of the system: the port is in use, or not permitted.
   * @throws {NodeConnectError} `code` "nameinuse": a reached node is connected with another live
   * node of this name.
   */
  static async start(options: NodeOptions = {}): Promise<Node> {
    return new Node(await startNode(options));
  }

  /**
   * Internal, for the simulator: returns the node that consists of parts that were started
   * separately.
   */
  static of(parts: Parts): Node {
    return new Node(parts);
  }

  /**
   * Random values: `bytes` is cryptographically secure, `next` is not. In the simulator, the seed
   * determines both.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assert, assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * assert(node.random.next() < 1);
   * assertEquals(node.random.bytes(8).length, 8);
   * assertEquals(node.uuid().length, 36);
   * assert(Math.abs(node.now() - Date.now()) < 1000);
   * ```
   */
  get random(): Random {
    return this.#parts.host.random;
  }

  /** Returns a random UUID (RFC 9562, version 4), as `crypto.randomUUID()` does. */
  uuid(): string {
    return uuid(this.#parts.host.random);
  }

  /**
   * Returns milliseconds since 1970, as `Date.now()` does. In the simulator, the time is virtual.
   */
  now(): number {
    return this.#parts.host.clock.wall();
  }

  /**
   * Internal: the kinds of actors that this node offers or calls, and that are placed on nodes by
   * key. Programs use `shards` of `@firn/firn/cluster`.
   */
  get homes(): Homes {
    return this.#parts.homes;
  }

  /** This node's name, `name@host:port`, with the actual port. */
  get name(): string {
    return this.#parts.mesh.name;
  }

  /** Rooms that span the cluster. */
  get rooms(): Rooms {
    return this.#parts.rooms;
  }

  /**
   * Resolves when this node has joined its cluster: each seed was dialed once, and the global
   * names, groups and peers of the reached seeds were received. `Node.start` waits for this, up to
   * `joinTimeout`.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await a.global.register("clock", a.spawn(() => () => {}));
   *
   * const seeds = [a.name];
   * const options = { cookie, seeds, joinTimeout: 0, logLevel: "silent" } as const;
   * await using b = await Node.start(options);
   * await b.joined;
   * assertEquals(b.peers(), [a.name]);
   * assertEquals(await b.global.register("clock", b.spawn(() => () => {})), false);
   * ```
   */
  get joined(): Promise<void> {
    return this.#parts.joined;
  }

  /**
   * Returns counts of membership: known nodes, dials, forgotten nodes, names in use, gossip,
   * failures of listeners, and peers with a wrong clock.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = "the same on every node";
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ cookie, seeds: [a.name], logLevel: "silent" });
   * const { known, connected, dials } = b.membership();
   * assertEquals([known, connected, dials], [1, 1, 1]);
   * ```
   */
  membership(): MembershipStats {
    return this.#parts.mesh.stats();
  }

  /**
   * Returns information about an actor of any node: name, function, supervisor, status, mailbox,
   * current message, pending calls, links, monitors, timers, names and groups. It contains the
   * types of messages, but not their contents.
   *
   * @throws {ObserveError} `code` "noproc": the actor has exited; "denied": its node does not
   * permit access; "noconnection", "timeout", "busy": its node does not answer.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const pid = node.spawnWith({ name: "counter" }, () => () => {});
   * node.send(pid, 1);
   * await new Promise((later) => setTimeout(later, 10));
   * const { names, status, mailbox, handled } = await node.info(pid);
   * assertEquals({ names, status, mailbox, handled }, {
   *   names: ["counter"],
   *   status: "waiting",
   *   mailbox: 0,
   *   handled: 1,
   * });
   * ```
   */
  info(pid: Pid<never>): Promise<ActorInfo> {
    checkPid(pid);
    return this.#parts.observation.info(this.#parts.system.here(pid));
  }

  /**
   * Returns the actors of a node for which a figure is highest, in descending order. The option
   * `by` selects the figure: waiting messages ("mailbox"); handler time ("time") or handled
   * messages ("rate") within a window; timers ("timers").
   *
   * @throws {ObserveError} As `info`; `code` "badarg": an option is invalid.
   *
   * @example
   * ```ts
   * import { Node, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const idle = node.spawn(async (self: Self<number>) => {
   *   await self.receive({ match: (n) => n < 0 });
   * });
   * for (let n = 0; n < 5; n++) node.send(idle, n);
   * await new Promise((later) => setTimeout(later, 10));
   * const [first] = await node.top({ by: "mailbox", count: 1 });
   * assertEquals([first?.pid, first?.mailbox], [idle, 5]);
   * ```
   */
  top(options: TopOptions = {}): Promise<TopActor[]> {
    return this.#parts.observation.top(options);
  }

  /**
   * Returns the supervision trees of a node: types, states, restarts and mailboxes. Does not call
   * the supervisors, so it also works while they are busy.
   *
   * @throws {ObserveError} As `info`.
   */
  tree(options: { readonly node?: string | undefined } = {}): Promise<TreeEntry[]> {
    return this.#parts.observation.tree(options);
  }

  /**
   * Returns statistics of a node: actors, messages, timers, event loop, memory, sessions with
   * queue, drops and round trip, sockets, rooms, names and warnings.
   *
   * @throws {ObserveError} As `info`.
   */
  stats(options: { readonly node?: string | undefined } = {}): Promise<NodeStats> {
    return this.#parts.observation.stats(options);
  }

  /**
   * Returns the metrics of this node, for a route that Prometheus scrapes. The format is
   * OpenMetrics, or with "prometheus" the older text format of Prometheus. All names begin with
   * `firn_`, and all metrics have the label `node`. The guide "Diagnosing a cluster" lists them.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertStringIncludes } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   * const headers = { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" };
   * const server = await node.serve({
   *   fetch: async () => new Response(await node.metrics(), { headers }),
   * });
   * const scraped = await fetch(server.url.replace("ws:", "http:"));
   * assertStringIncludes(await scraped.text(), `firn_actors{node="${node.name}"} 0`);
   * ```
   */
  async metrics(format: "openmetrics" | "prometheus" = "openmetrics"): Promise<string> {
    return metricsText(await this.stats(), format);
  }

  /**
   * Inspects and controls actors: states, suspension, message traces. Corresponds to OTP's `sys`.
   */
  get sys(): Sys {
    return this.#parts.observation;
  }

  /** Returns the names of the nodes with which there is a session, sorted. */
  peers(): string[] {
    return this.#parts.mesh.peers();
  }

  /**
   * Connects to a node. Resolves at once if already connected. Otherwise resolves when the session
   * is open and the node's global names and groups were received, which may take up to 5 seconds.
   * The node is dialed once, before all other nodes that are due. If the session is lost later, it
   * is restored.
   *
   * @throws {NodeConnectError} The dial failed. `code` is the reason: "refused", "untrusted", …, or
   * "timeout" after at most `timeout` milliseconds (default 15000).
   * @throws {ArgumentError} `code` "badarg": the timeout is negative or above 24 days.
   */
  connect(name: string, options: ConnectNodeOptions = {}): Promise<void> {
    const { system, mesh, registry } = this.#parts;
    return system.tracked(async () => {
      const node = normalName(name);
      await mesh.connect(node, timerMs(options.timeout ?? CONNECT_MS));
      await registry.synced(node);
    });
  }

  /**
   * Changes the cookie of a running node. If there are several cookies, the first is used, and all
   * are accepted. Sessions stay open. To change the cookie of a cluster, call this on every node,
   * in three rounds:
   *
   * 1. `changeCookie([current, next])`: every node accepts the next cookie.
   * 2. `changeCookie([next, current])`: every node uses the next cookie.
   * 3. `changeCookie(next)`: the previous cookie is no longer accepted. Peers that authenticated
   *    with it must prove that they have the next one; otherwise their sessions end with "cookie".
   *
   * @throws {CookieError} `code` "badcookie": a cookie is invalid, or there are none or more than
   * 4.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const [current, next] = ["the same on every node", "another one for all"];
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie: current, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie: current, logLevel: "silent" });
   * await b.connect(a.name);
   * for (const cookies of [[current, next], [next, current], [next]]) {
   *   for (const node of [a, b]) await node.changeCookie(cookies);
   * }
   * assertEquals(b.peers(), [a.name]);
   * ```
   */
  changeCookie(cookies: string | readonly string[]): Promise<void> {
    return this.#parts.system.tracked(() => this.#parts.changeCookie(cookies));
  }

  /**
   * Ends the session with a node. Neither side dials the other again automatically. Resolves with
   * false if there was no session.
   */
  disconnect(name: string): Promise<boolean> {
    const { system, mesh } = this.#parts;
    return system.tracked(async () => await mesh.disconnect(normalName(name)));
  }

  /**
   * Returns the state of the send queue to a node: bytes `queued`; the `limit` above which messages
   * are dropped; the number of `dropped` messages; and whether the queue is `high`, from half of
   * the limit until it falls below an eighth. Returns `undefined` if there is no session with the
   * node.
   */
  pressure(name: string): PressureState | undefined {
    return this.#parts.mesh.session(normalName(name))?.pressure();
  }

  /** Resolves when the send queue to a node is not high, or when its session has ended. */
  drained(name: string): Promise<void> {
    const { system, mesh } = this.#parts;
    return system.tracked(async () => await mesh.session(normalName(name))?.drained());
  }

  /**
   * Adds a listener of an event. Returns a function that removes it.
   *
   * - Events of the mesh: `"nodeup"`; `"nodedown"` with the reason "closed", "timeout", "shutdown",
   *   "disconnected", "restarted", "cookie", "protocol" or "overload"; `"pressure"` when the send
   *   queue to a node becomes high or is no longer high; `"refused"` when a peer was rejected or
   *   has rejected this node; `"listener"` when a listener stops accepting or accepts again;
   *   `"clockskew"` when a peer's clock differs by half a minute or more; `"dial"` when a dial has
   *   ended; `"forgotten"` when a node is no longer dialed; `"nameinuse"` when two live nodes have
   *   the same name.
   * - Events of actors: `"spawn"`, `"exit"`, `"crash"`, `"restart"`, `"givenup"`, `"deadletter"`,
   *   `"mailbox"`, and `"warning"` when a limit of the option `warnings` was reached.
   * - Events of global names: `"name"` when a name was registered, moved or freed; `"nameconflict"`
   *   when an actor of this node has lost a name.
   *
   * The listener is removed when `signal` aborts, or with `once` after its first event. If a
   * listener throws, or its promise rejects, the error is logged; other listeners and the node are
   * not affected.
   *
   * @throws {ArgumentError} `code` "badarg": the event does not exist.
   */
  // The type is written out so that the compiler lists the events for an unknown name.
  on<Name extends { [Each in keyof NodeEvents]: Each }[keyof NodeEvents]>(
    name: Name,
    listener: (event: NodeEvents[Name]) => unknown,
    options: ListenOptions = {},
  ): () => void {
    if (Object.hasOwn(NODE_EVENTS, name)) return this.#parts.events.on(name, listener, options);
    throw new ArgumentError(unknownName("event", String(name), NODE_EVENTS));
  }

  /**
   * Spawns an actor, and returns its pid. The actor starts after the current turn. Inside an actor,
   * use `self.spawn`, `self.spawnLink` or `self.spawnMonitor`, so that the new actor becomes its
   * child.
   *
   * @example
   * ```ts
   * import { type Call, Node, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Node.start({ logLevel: "silent" });
   *
   * // A handler: called with each message, no promise per message.
   * const counter = node.spawn((_self: Self<number | Call<"sum", number>>) => {
   *   let sum = 0;
   *   return (message) => {
   *     if (typeof message === "number") sum += message;
   *     else message.reply(sum);
   *   };
   * });
   * node.send(counter, 40);
   * node.send(counter, 2);
   * assertEquals(await node.call(counter, "sum"), 42);
   *
   * // A loop: it awaits its messages, and ends when it returns.
   * const echo = node.spawn(async (self: Self<Call<string, string>>) => {
   *   for await (const call of self) call.reply(call.request);
   * });
   * assertEquals(await node.call(echo, "hello"), "hello");
   * ```
   */
  spawn<M, A extends unknown[]>(body: ActorFunction<M, A>, ...args: A): Pid<M>;
  /**
   * Spawns an exposed function of another node. Resolves with the pid.
   *
   * @throws {SpawnError} `code` is the reason: "notexposed", "refused", "timeout", "noconnection",
   *   "limit".
   * @throws {TermError} `code` "badarg": an argument cannot be sent.
   * @throws {ArgumentError} `code` "badarg": the timeout is above 24 days, and not `Infinity`.
   *
   * @example
   * ```ts
   * import { type Call, Node, remote, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
   * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
   * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
   * await b.connect(a.name);
   *
   * const adder = remote("adder", (_self: Self<Call<number, number>>, to: number) => {
   *   return (call) => call.reply(call.request + to);
   * });
   * a.expose(adder);
   * const pid = await b.spawn(adder.on(a.name), 40);
   * assertEquals(pid.node, a.name);
   * assertEquals(await b.call(pid, 2), 42);
   * ```
   */
  spawn<M, A extends unknown[] = unknown[]>(there: RemoteSpawn<M, A>, ...args: A): Promise<Pid<M>>;
  spawn(what: unknown, ...args: unknown[]): unknown {
    const { system } = this.#parts;
    const body = what as ActorFunction<never, never[]> | RemoteSpawn;
    if (typeof body === "function") {
      this.#checkRuns();
      return system.spawn(undefined, undefined, body, args as never[]);
    }
    checkRemoteSpawn(body);
    const there = { ...body, node: normalName(body.node) };
    return system.spawnAt(system.externalCaller, there, false, undefined, args);
  }

  /**
   * Exposes a function, so that other nodes may spawn it: a function that was defined with
   * `remote`, or a service with a name. Other nodes can spawn only exposed functions. `allow`
   * selects the permitted nodes. Replaces the function that was exposed under the same name.
   *
   * @throws {ArgumentError} `code` "badarg": the name is empty or longer than 255 bytes.
   *
   * @example
   * ```ts
   * import { Node, remote, type Self } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const echo = remote("echo", (_self: Self<string>) => (_message) => {});
   * await using node = await Node.start({ logLevel: "silent" });
   * node.expose(echo, { allow: ["b@10.0.0.2:9101"] });
   * assertEquals(node.exposed(), ["echo"]);
   * assertEquals(node.unexpose(echo.name), true);
   * ```
   */
  expose<M, A extends unknown[]>(
    what: Pick<Spawnable<M, A>, "name" | "body">,
    options?: ExposeOptions,
  ): void;
  /** Exposes a function under a name. Other nodes spawn it as `{ node, fn: name }`. */
  expose<M, A extends unknown[]>(
    name: string,
    fn: ActorFunction<M, A>,
    options?: ExposeOptions,
  ): void;
  expose(what: unknown, ...rest: unknown[]): void {
    const { spawner } = this.#parts.remote;
    if (typeof what === "string") return spawner.expose(what, rest[0] as never, rest[1] as never);
    const { name, body } = what as Spawnable<unknown, unknown[]>;
    spawner.expose(name, body as never, rest[0] as never);
  }

  /** Stops exposing a function. Its actors are not affected. Returns whether it was exposed. */
  unexpose(name: string): boolean {
    return this.#parts.remote.spawner.unexpose(name);
  }

  /** Returns the sorted names of the functions that this node or a connected node exposes. */
  exposed(node: string = this.name): string[] {
    const { mesh, remote } = this.#parts;
    const name = normalName(node);
    return name === mesh.name ? remote.spawner.names().sort() : mesh.exposedBy(name) ?? [];
  }

  /**
   * Spawns an actor with a name or a bounded mailbox.
   *
   * @throws {NameError} `code` "taken": another actor has the name; "badname": the name is empty.
   * @throws {ArgumentError} `code` "badarg": the maximum length of the mailbox is less than 1.
   */
  spawnWith<M, A extends unknown[]>(
    options: Omit<SpawnOptions, "link">,
    body: ActorFunction<M, A>,
    ...args: A
  ): Pid<M> {
    this.#checkRuns();
    return this.#parts.system.spawn(undefined, options, body, args);
  }

  /** Throws `NodeStoppedError` if the node has been stopped. */
  #checkRuns(): void {
    const { system, mesh } = this.#parts;
    if (system.isStopped) throw new NodeStoppedError(mesh.name, "it cannot spawn actors any more");
  }

  /**
   * Sends a message to an actor, by pid, by name, or by name on a node: `{ name, node }`. It never
   * blocks, and does not throw if the receiver does not exist: a message that cannot be delivered,
   * or cannot be sent to its node, is reported as event "deadletter". Within a node, messages are
   * passed by reference, so do not modify a sent message. Messages to other nodes are copied.
   *
   * @throws {ArgumentError} `code` "badarg": `to` is neither a pid nor a name.
   */
  send<M>(to: Pid<M> | ActorName | string, message: M): void {
    const { system } = this.#parts;
    if (!system.isStopped) return system.sendTo(to, message);
    this.#reportUnsent(to, message);
  }

  /** Reports a message that was sent on a stopped node as event "deadletter". */
  #reportUnsent(to: Pid<never> | ActorName | string, message: unknown): void {
    const { events, unsent } = this.#parts;
    const error = new NodeStoppedError(this.name, "it cannot send messages any more");
    if (events.has("deadletter")) events.emit("deadletter", { to, message, error });
    unsent(
      typeof to === "object" && "name" in to ? `${to.name} on ${to.node}` : `${to}`,
      error.message,
    );
  }

  /**
   * Calls an actor. Resolves with its reply. The actor receives a `Call` and replies to it.
   *
   * An unawaited rejection is reported as a crash; the process continues. Errors contain the
   * caller, the callee and the request. For up to 20 calls per 100 ms, they also contain the stack
   * of the caller.
   *
   * @throws {CallingSelfError} `code` "calling_self": an actor has called itself.
   * @throws {NodeStoppedError} `code` "stopped": this node has been stopped.
   * @throws {CallTimeoutError} `code` "timeout": no reply within `timeout` (default 5000 ms).
   * @throws {NoProcError} `code` "noproc": the actor does not exist.
   * @throws {NoConnectionError} `code` "noconnection": there is no session with the actor's node,
   * or it was lost.
   * @throws {TermError} `code` "badarg": the request cannot be sent to another node.
   * @throws {MailboxFullError} `code` "mailboxfull": the request was dropped because the actor's
   * mailbox is full.
   * @throws {QueueFullError} `code` "queuefull": the request was dropped because the queue to the
   * actor's node is full.
   * @throws {ArgumentError} `code` "badarg": the timeout is above 24 days, and not `Infinity`.
   * @throws {CallExitError} `code` "exit": the actor exited before it replied, with `reason`.
   */
  call<Q, R>(
    to: Pid<Call<Q, R>> | ActorName | string,
    request: Q,
    options?: CallOptions,
  ): Promise<R> {
    return this.#parts.system.call(to, request, options);
  }

  /**
   * Sends an exit signal, which ends an actor that does not trap exits. `"kill"` ends any actor.
   */
  exit(to: Pid<never>, reason: ExitReason): void {
    this.#parts.system.exit(to, reason);
  }

  /**
   * Returns whether an actor of this node is alive.
   *
   * @throws {ArgumentError} `code` "badarg": the actor is on another node: monitor it instead.
   */
  isAlive(pid: Pid<never>): boolean {
    checkPid(pid);
    checkLocal(this.#parts.system.here(pid));
    return this.#parts.system.isAlive(pid);
  }

  /** Returns all actors of this node, in the order of their spawning. */
  actors(): Pid[] {
    return this.#parts.system.pids();
  }

  /**
   * Registers an actor of this node under a name.
   *
   * @throws {NameError} `code` "taken": the actor `holder` has the name; "badname": the name is
   * empty.
   * @throws {NoProcError} `code` "noproc": the actor does not exist.
   */
  register(name: string, pid: Pid<never>): void {
    this.#parts.system.names.register(name, pid);
  }

  /**
   * Returns the actor registered under a name on this node. The caller specifies the type of the
   * pid.
   */
  whereis<P extends Pid<never> = Pid>(name: string): P | undefined {
    return this.#parts.system.names.whereis(name) as Pid<never> | undefined as P | undefined;
  }

  /** Unregisters a name. Returns whether it was registered. */
  unregister(name: string): boolean {
    return this.#parts.system.names.unregister(name);
  }

  /** Returns all names on this node, in the order of their registration. */
  registered(): string[] {
    return this.#parts.system.names.registered();
  }

  /**
   * Sends a message after `ms` milliseconds, if the actor is still alive then.
   *
   * @throws {ArgumentError} `code` "badarg": the time is above 24 days.
   */
  sendAfter<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    if (this.#parts.system.isStopped) this.#reportUnsent(to, message);
    return this.#parts.system.sendAfter(to, message, ms);
  }

  /**
   * Sends a message every `ms` milliseconds, while the actor is alive.
   *
   * @throws {ArgumentError} `code` "badarg": the time is above 24 days.
   */
  sendInterval<M>(to: Pid<M>, message: M, ms: number): TimerRef {
    if (this.#parts.system.isStopped) this.#reportUnsent(to, message);
    return this.#parts.system.sendInterval(to, message, ms);
  }

  /**
   * Cancels a timer. Returns the remaining milliseconds, or false if the timer had fired or been
   * cancelled.
   */
  cancelTimer(timer: TimerRef): number | false {
    return this.#parts.system.cancelTimer(timer);
  }

  /**
   * The channels of this node: topics with presence and history, whose clients may be on any node.
   */
  get channels(): Channels {
    this.#hub();
    return this.#channels!;
  }

  #hub(): Hub {
    if (this.#channelHub === undefined) {
      const { system, groups, homes, host, log, messageBytesMax, link } = this.#parts;
      this.#channelHub = startHub({
        system,
        groups,
        homes,
        turn: host,
        log,
        messageBytesMax,
        link,
      });
      this.#channels = new Channels(this.#channelHub);
    }
    return this.#channelHub;
  }

  /**
   * Serves WebSockets, and plain HTTP on the same port. Connections join this node's rooms, which
   * span the cluster.
   *
   * @throws {OptionError} `code` "badoption": an option is invalid.
   * @throws {ListenError} `code` of the system: the port is in use, or not permitted; "stopped":
   *   the node has been stopped.
   */
  serve<Data = undefined>(
    {
      channels,
      channelPath,
      channelUser,
      ...options
    }: ServeOptions<Data> & ChannelServeOptions<Data> = {},
  ): Promise<Server> {
    const { host, mesh, system, servers } = this.#parts;
    return system.tracked(async () => {
      if ((this.#left ?? this.#stopped) !== undefined) {
        throw new ListenError("stopped", `${this.name} has been stopped`);
      }
      const mounted = channels === undefined
        ? undefined
        : mountChannels(options, { channels, channelPath, channelUser }, this.#hub());
      const server = await serve(
        host,
        { rooms: this.rooms, ...mounted?.options ?? options },
        system,
        {
          report: (address, report) => mesh.listenerChanged(address, report),
          responses: mounted?.responses,
        },
      );
      servers.push(server);
      return server;
    });
  }

  /**
   * Leaves the cluster gracefully, and stops. First, no more children are placed on this node.
   * Singletons move to other nodes that take part in them, and children of supervisors on other
   * nodes move according to their restart rules. Then the servers' sockets are closed in batches,
   * with code 1012 and the reason "reconnect". Then the actors exit, and the other nodes emit
   * `nodedown` with "shutdown". Further calls return the promise of the first.
   *
   * With the option `leaveOnSigterm` of `Node.start`, SIGTERM calls this.
   *
   * @throws {OptionError} `code` "badoption": the timeout, the close code or a batch option is
   * invalid.
   *
   * @example
   * ```ts
   * import { Node } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const node = await Node.start({ logLevel: "silent" });
   * const server = await node.serve({ message: (conn, data) => conn.send(data) });
   * const socket = new WebSocket(server.url);
   * await new Promise((open) => socket.onopen = open);
   * const closed = new Promise<CloseEvent>((close) => socket.onclose = close);
   * await node.leave({ timeout: 10_000 });
   * const { code, reason } = await closed;
   * assertEquals([code, reason], [1012, "reconnect"]);
   * ```
   */
  leave(options: LeaveOptions = {}): Promise<void> {
    return this.#parts.system.tracked(() =>
      this.#left ??= this.#leave(options)
        .then((left) => {
          this.#left = undefined;
          return this.stop({ timeout: left });
        }, (error) => {
          this.#left = undefined;
          throw error;
        })
    );
  }

  async #leave(options: LeaveOptions): Promise<number> {
    const hub = this.#channelHub;
    // Distributes the reconnections of channel clients over the time until the next batch.
    if (hub !== undefined) await hub.spread(Math.max(SPREAD_MS, options.batchInterval ?? 0));
    return await leave(this.#parts, this.#parts.servers, options);
  }

  /**
   * Stops the node in order, as OTP's `init:stop` does. First it stops its servers. Then it stops
   * its top-level supervisors in the reverse order of their start; each stops its children
   * according to their shutdown rules. Then it sends all other actors the exit signal "shutdown",
   * so that services run `terminate`. Finally it ends its sessions, so that other nodes emit
   * `nodedown` with "shutdown", and stops listening. Resolves when all of this is done.
   *
   * An actor that traps exits and has no supervisor must exit within 5 seconds. If it waits for the
   * next message instead, it has ignored the signal, and is ended. Actors that have not exited
   * within `timeout` are killed and logged. Further calls return the promise of the first.
   *
   * @throws {ArgumentError} `code` "badarg": the timeout is negative, or not a number.
   *
   * @example
   * ```ts
   * import { Node, service, Supervisor } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * const written: string[] = [];
   * const buffer = service<{ state: string[]; cast: { add(line: string): void } }>({
   *   init: () => [],
   *   cast: { add: (lines, line) => [...lines, line] },
   *   terminate: (lines) => void written.push(...lines),
   * });
   *
   * const node = await Node.start({ logLevel: "silent" });
   * const tree = await Supervisor.start(node, {
   *   children: [{ id: "buffer", start: (self) => buffer.startAs("buffer", self) }],
   * });
   * buffer.cast(buffer.at(node, "buffer")).add("one");
   * await node.stop({ timeout: 10_000 });
   * assertEquals(written, ["one"]);
   * assertEquals(node.isAlive(tree.pid), false);
   * ```
   */
  stop(options: NodeStopOptions = {}): Promise<void> {
    checkNames(options, STOP_OPTIONS, (words) => new ArgumentError(`stop: ${words}`));
    const { timeout = STOP_MS } = options;
    if (!(timeout >= 0)) {
      throw new ArgumentError(`stop: timeout is ${timeout}: use milliseconds, or Infinity`);
    }
    return this.#parts.system.tracked(() => this.#stopped ??= this.#stop(timeout));
  }

  async #stop(timeout: number): Promise<void> {
    const { system, mesh, log, link } = this.#parts;
    this.#ignoreSigterm();
    const deadline = system.now() + timeout;
    const patience = Math.min(SERVERS_STOP_MS, timeout / 2);
    await Promise.all(this.#parts.servers.map((server) => server.stop({ timeout: patience })));
    const late = await shutDown(system, Math.max(0, deadline - system.now()));
    if (late.length > 0) {
      const some = late.slice(0, LATE_LOGGED_MAX).join(" ");
      log.warn(`${late.length} actors did not exit within ${timeout} ms and were killed: ${some}`);
    }
    await link?.stop();
    await mesh.stop();
  }

  /** Stops the node, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
