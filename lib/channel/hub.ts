/**
 * Implements the channels of one node: stores the clients of each topic on this node, and sends
 * broadcasts to other nodes.
 *
 *     broadcast ─┬─▶ clients of this node, by rooms
 *                └─▶ the hub of each node that has clients in the topic ─▶ its clients
 *
 * The hub is an actor. It joins a process group for each topic and each user with clients on its
 * node. Other nodes therefore send it only messages for these topics and users.
 *
 * Longer than 400 lines: it is one actor, with a handler for each message of clients and of other
 * nodes.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import type { Self } from "../actor/self.ts";
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import { describeFully } from "../actor/describe.ts";
import { GroupChange } from "../cluster/changes.ts";
import type { GroupTable } from "../cluster/groups.ts";
import { bucketOf, type RelayLink } from "../cluster/relay_link.ts";
import type { Log } from "../base/log.ts";
import { inPortions } from "../base/portions.ts";
import { Down } from "../actor/exit.ts";
import type { Pid, Ref } from "../term/pid.ts";
import { Rooms, type TurnEnd } from "../ws/rooms.ts";
import { RoomError } from "../ws/room.ts";
import { type Channel, graceOf, historyOf, matches, type Position } from "./channel.ts";
import type { ClientConnection, TopicClient } from "./client.ts";
import { ChannelError } from "./errors.ts";
import { EventSessions, type SendRequest, type SendStatus } from "./event_sessions.ts";
import type { History, Resumed } from "./history.ts";
import type { HomeMessage } from "./history_home.ts";
import { Presence, type PresenceEntry, type PresenceMessage } from "./presence.ts";
import { encodeBroadcast, EVENT, isName, PHOENIX_TOPIC } from "./wire.ts";

/** The scopes of the process groups that hubs join. */
const SCOPE = {
  hubs: "\0channel hubs",
  topics: "\0channel topics",
  users: "\0channel users",
} as const;

/**
 * Number of bytes that are reserved in each frame: for its position, and for the fields that are
 * added when it is sent to another node.
 */
const OVERHEAD_BYTES = 2_048;

/** Time limit for another node to handle a client's messages, in milliseconds. */
const SEND_MS = 60_000;

/** Maximum number of joined topics per connection. */
export const TOPICS_MAX = 1000;

/**
 * The fractional part of the golden ratio. The multiples of this number, modulo 1, are evenly
 * distributed.
 */
const GOLDEN = 0.618033988749895;

/** The name of the process group of all hubs. */
const HUBS = "hubs";

/** A client of a topic, as `Channels.list` returns it. */
export interface ListedClient {
  /** The node that the client is connected to. */
  readonly node: string;
  /** A number that is unique among all clients that the node has had. */
  readonly id: number;
  /** The client's user, if `channelUser` of `serve` returned one. */
  readonly user?: string | undefined;
}

/** An action on all connections of one user. */
export type UserAction =
  | readonly ["push", topic: string, frame: string | Uint8Array]
  | readonly ["close", code: number, reason: string]
  | readonly ["leave", topic: string]
  | readonly ["invite", topic: string];

/** Messages between hubs. */
type HubMessage =
  | readonly ["broadcast", topic: string, frame: string | Uint8Array]
  | readonly ["user", user: string, action: UserAction]
  | readonly ["presence", from: Pid, message: PresenceMessage]
  | readonly ["history", message: unknown];

/** Requests between hubs. */
export type HubRequest =
  | readonly ["count", topic: string]
  | readonly ["list", topic: string, most: number]
  | readonly ["user", user: string, action: UserAction]
  | readonly ["history", topic: string]
  | SendRequest;

/** The parts of a node that its hub uses. */
export interface HubPorts {
  readonly system: System;
  readonly groups: GroupTable;
  readonly turn: TurnEnd;
  readonly messageBytesMax: number;
  readonly log: Log;
  /** Carries messages to other meshes, or replaces the mesh. */
  readonly link?: RelayLink | undefined;
}

/**
 * The hub of one node. Stores the clients of each topic on the node, and sends broadcasts to other
 * hubs.
 */
export class Hub {
  readonly rooms: Rooms;
  readonly presence: Presence;
  /** The sessions of clients without a WebSocket. */
  readonly sessions: EventSessions;
  readonly system: System;
  readonly log: Log;
  /** The history, set when the first channel with history is defined. */
  history: History | undefined;
  readonly #groups: GroupTable;
  readonly #channels: Channel[] = [];
  readonly #topics = new Map<string, Map<number, TopicClient>>();
  readonly #connections = new Set<ClientConnection>();
  readonly #users = new Map<string, Set<ClientConnection>>();
  /** The hubs of other nodes, by the name of the node. */
  readonly #peers = new Map<string, Pid>();
  /** Presence entries of actors, by the reference of the actor's monitor. */
  readonly #tracked = new Map<Ref, PresenceEntry>();
  readonly #refs = new Map<PresenceEntry, Ref>();
  readonly #keeps: (channel: Channel) => History | undefined;
  readonly #prefix: string;
  readonly #link: RelayLink | undefined;
  #self!: Self<unknown>;
  #ids = 0;

  /**
   * `keeps` is called with each defined channel, and returns the history if the channel has one.
   */
  constructor(
    { system, groups, turn, messageBytesMax, log, link }: HubPorts,
    keeps: (channel: Channel) => History | undefined,
  ) {
    this.system = system;
    this.#keeps = keeps;
    this.#groups = groups;
    this.log = log;
    this.rooms = new Rooms(turn, { roomsMax: TOPICS_MAX, messageBytesMax });
    const { node, creation } = system.home;
    const chance = Math.floor(system.chance() * 2 ** 32);
    this.#prefix = `${creation.toString(36)}${chance.toString(36)}`;
    this.presence = new Presence(node, this.#prefix, {
      send: (to, message) => this.#sendPresence(to, message),
      deliver: (topic, diff) =>
        this.rooms.deliver(topic, encodeBroadcast(topic, EVENT.PRESENCE_DIFF, diff)),
      after: (ms, task) => this.after(ms, task),
      soon: (task) => system.scheduler.ready({ run: task }),
    });
    this.sessions = new EventSessions({
      creation,
      peers: () => this.#peers.values(),
      call: (pid, request) =>
        system.call(pid as unknown as Pid<Call<HubRequest, SendStatus>>, request, {
          timeout: SEND_MS,
        }),
      newSecret: () => system.uuid(),
      now: () => this.now(),
      after: (ms, task) => this.after(ms, task),
      yieldToIo: (task) => system.yieldToIo(task),
      failed: (what, error) => this.failed(what, error),
    });
    const pid = system.spawn(undefined, undefined, (self: Self<unknown>) => {
      this.#self = self;
      return (message: unknown) => this.#received(message);
    }, []);
    this.#groups.monitor(SCOPE.hubs, HUBS, pid as Pid<never> as Pid<GroupChange>);
    this.#groups.join(SCOPE.hubs, HUBS, pid);
    this.pid = pid;
    this.#link = link;
    if (link !== undefined) {
      link.topics = {
        deliver: (topic, frame, isText) => this.rooms.deliver(topic, frame, isText),
        store: (topic, frame) => this.#store(topic, frame),
      };
      link.receiveEvents(this.#isFirst());
    }
    system.whenEnded(pid).then(() => {
      this.presence.stop();
      this.history?.stop();
      this.sessions.stop();
    });
  }

  /** The pid of the hub. */
  readonly pid: Pid<unknown>;

  /** Returns the hubs of the other nodes, by the name of the node. */
  get peers(): ReadonlyMap<string, Pid> {
    return this.#peers;
  }

  /** Returns the time in milliseconds. */
  now(): number {
    return this.system.now();
  }

  /** Returns a number that is unique on this node. */
  nextId(): number {
    return ++this.#ids;
  }

  /** Returns an identifier that is unique in the cluster. */
  newId(): string {
    return `${this.#prefix}.${this.nextId().toString(36)}`;
  }

  /** Monitors an actor, and notifies the history when it exits. */
  monitor(pid: Pid<never>): void {
    this.#self.monitor(pid);
  }

  /** Runs a task after `ms` milliseconds. */
  after(ms: number, task: () => void): { cancel(): void } {
    const deadline = new Deadline(task);
    this.system.setTimer(deadline, ms);
    return {
      cancel: () => void (deadline.next !== undefined && this.system.wheel.remove(deadline)),
    };
  }

  /** Adds a channel. Adding the same channel again has no effect. Throws `ChannelError`. */
  define(channel: Channel): void {
    if (this.#channels.includes(channel)) return;
    if (this.#channels.some(({ pattern }) => pattern === channel.pattern)) {
      throw new ChannelError(
        "badchannel",
        `there is another channel ${channel.pattern} on this node`,
      );
    }
    this.#channels.push(channel);
    // The most specific pattern comes first, because the first matching channel is used.
    this.#channels.sort((a, b) => rank(b) - rank(a));
    this.history = this.#keeps(channel) ?? this.history;
  }

  /**
   * Returns whether this node receives the events of other meshes for its mesh. The first node by
   * name does so.
   */
  #isFirst(): boolean {
    const { node } = this.system.home;
    return [...this.#peers.keys()].every((peer) => node < peer);
  }

  /** Publishes an event of another mesh in the history of its topic. */
  async #store(topic: string, frame: string | Uint8Array): Promise<void> {
    const channel = this.find(topic);
    if (channel !== undefined && historyOf(channel.options.history) !== undefined) {
      await this.history!.publish(topic, frame, undefined);
    } else this.log.warn(`an event of another mesh was dropped: no history for topic ${topic}`);
  }

  /** Returns the channel of a topic, or undefined. */
  find(topic: string): Channel | undefined {
    return this.#channels.find(({ pattern }) => matches(pattern, topic));
  }

  /** Returns the channel of a topic. Throws `ChannelError` if no channel matches. */
  channelOf(topic: string): Channel {
    if (!isName(topic)) {
      throw new ChannelError(
        "badtopic",
        `${JSON.stringify(topic)} is not a valid topic: use 1 to 255 bytes`,
      );
    }
    const channel = this.find(topic);
    if (channel !== undefined) return channel;
    throw new ChannelError(
      "nochannel",
      `this node has no channel for ${
        JSON.stringify(topic)
      }: pass it to serve or to channels.define`,
    );
  }

  /** Encodes a payload. Throws `ChannelError` if it is not a JSON value. */
  encoded<Frame>(encode: () => Frame): Frame {
    try {
      return encode();
    } catch (error) {
      throw new ChannelError(
        "badpayload",
        `the payload is not a JSON value: ${(error as Error).message}`,
      );
    }
  }

  /** Sends an event to the clients of a topic, on all nodes. Rejects with `ChannelError`. */
  broadcast(
    topic: string,
    event: string,
    payload: unknown,
    except?: TopicClient,
  ): Promise<Position | undefined> {
    let frame: string | Uint8Array;
    try {
      const channel = this.channelOf(topic);
      if (!isName(event)) {
        throw new ChannelError("badtopic", `${JSON.stringify(event)} is not a valid event name`);
      }
      frame = this.encoded(() => encodeBroadcast(topic, event, payload));
      this.#check(topic, frame);
      if (historyOf(channel.options.history) !== undefined) {
        const published = this.history!.publish(topic, frame, except);
        return this.#link === undefined ? published : this.#passOn(published, topic, frame);
      }
      this.deliver(topic, frame, except);
    } catch (error) {
      return this.system.rejected(error, this.system.running);
    }
    this.#link?.topic(topic, frame);
    if (this.#link?.isAlone) return NOTHING;
    const message: HubMessage = ["broadcast", topic, frame];
    for (const pid of this.#groups.members(SCOPE.topics, topic)) {
      if (pid.home !== this.system.home) this.#send(pid, message);
    }
    return NOTHING;
  }

  /** Sends an event to other meshes after this mesh has stored it. */
  async #passOn(
    published: Promise<Position>,
    topic: string,
    frame: string | Uint8Array,
  ): Promise<Position> {
    const position = await published;
    this.#link!.event(topic, frame);
    return position;
  }

  /** Throws `ChannelError` if a frame is too long to be sent to all nodes. */
  #check(topic: string, frame: string | Uint8Array): void {
    try {
      this.rooms.checkLength(topic, frame, OVERHEAD_BYTES);
    } catch (error) {
      if (error instanceof RoomError) throw new ChannelError(error.code, error.message);
      throw error;
    }
  }

  /** Sends a frame to the clients of a topic on this node. */
  deliver(topic: string, frame: string | Uint8Array, except?: TopicClient): void {
    if (except === undefined) this.rooms.broadcast(topic, frame);
    else this.rooms.broadcastFrom(except.member, topic, frame);
  }

  /**
   * Adds a client to a topic. Calls `enter` when the client may receive messages. With history,
   * `enter` receives the messages that the client missed.
   */
  async subscribe(
    socket: TopicClient,
    details: unknown,
    enter: (resumed: Resumed | undefined) => void,
  ): Promise<void> {
    const { topic } = socket;
    let sockets = this.#topics.get(topic);
    if (sockets === undefined) {
      this.#topics.set(topic, sockets = new Map());
      this.#groups.join(SCOPE.topics, topic, this.pid);
      this.#link?.enter(bucketOf(topic));
    }
    sockets.set(socket.id, socket);
    if (this.history === undefined) enter(undefined);
    else await this.history.subscribe(topic, details, enter);
  }

  /**
   * Removes a client from a topic. If it was the last one, the hub leaves the group of the topic.
   */
  unsubscribe(socket: TopicClient): void {
    const { topic } = socket;
    this.rooms.leave(topic, socket.member);
    const sockets = this.#topics.get(topic);
    if (sockets === undefined || !sockets.delete(socket.id) || sockets.size > 0) return;
    this.#topics.delete(topic);
    this.#groups.leave(SCOPE.topics, topic, this.pid);
    this.#link?.exit(bucketOf(topic));
    this.history?.unsubscribe(topic);
  }

  /**
   * Adds the connection of a client. If it is the first of a user, the hub joins the group of the
   * user.
   */
  entered(connection: ClientConnection): void {
    this.#connections.add(connection);
    const { user } = connection;
    if (user === undefined) return;
    let connections = this.#users.get(user);
    if (connections === undefined) {
      this.#users.set(user, connections = new Set());
      this.#groups.join(SCOPE.users, user, this.pid);
    }
    connections.add(connection);
  }

  /**
   * Sends each client a delay from 0 to `ms` milliseconds. When its connection is closed, the
   * client reconnects after this delay. The delays are evenly distributed. Resolves when all were
   * sent.
   */
  spread(ms: number): Promise<void> {
    let count = 0;
    return new Promise((over) =>
      inPortions(this.#connections, this.system, (connection) => {
        connection.notify(PHOENIX_TOPIC, "firn_reconnect", { after: reconnectTime(count++, ms) });
      }, over)
    );
  }

  /**
   * Removes the connection of a client. If it was the last of a user, the hub leaves the group of
   * the user.
   */
  left(connection: ClientConnection): void {
    this.#connections.delete(connection);
    const { user } = connection;
    const connections = user === undefined ? undefined : this.#users.get(user);
    if (connections === undefined || !connections.delete(connection) || connections.size > 0) {
      return;
    }
    this.#users.delete(user!);
    this.#groups.leave(SCOPE.users, user!, this.pid);
  }

  /** Returns a client of this node in a topic by its id. */
  clientOf(topic: string, id: number): TopicClient | undefined {
    return this.#topics.get(topic)?.get(id);
  }

  /**
   * Returns the hubs with clients in a topic, or with connections of a user. This hub may be one of
   * them.
   */
  members(what: "topics" | "users", key: string): Pid[] {
    return this.#groups.members(SCOPE[what], key);
  }

  /** Sends an action to the hubs that have connections of a user. */
  toUser(user: string, action: UserAction): void {
    for (const pid of this.members("users", user)) {
      if (pid.home === this.system.home) this.act(user, action);
      else this.#send(pid, ["user", user, action]);
    }
  }

  /** Applies an action to this node's connections of a user. Returns their number. */
  act(user: string, action: UserAction): number {
    const connections = [...this.#users.get(user) ?? []];
    for (const connection of connections) {
      switch (action[0]) {
        case "push":
          connection.send(action[2]);
          break;
        case "close":
          connection.close(action[1], action[2]);
          break;
        case "leave":
          connection.removeFrom(action[1]);
          break;
        case "invite":
          connection.notify(action[1], "firn_invite", {});
      }
    }
    return connections.length;
  }

  /**
   * Adds an actor of this node to a topic's presence, until it exits or the returned function is
   * called.
   */
  track(topic: string, key: string, meta: object, pid: Pid<never>): () => void {
    const grace = graceOf(this.channelOf(topic));
    if (grace === undefined) throw new ChannelError("badchannel", `${topic} has no presence`);
    const entry = this.presence.track(topic, key, meta as never, 0);
    const ref = this.#self.monitor(pid);
    this.#tracked.set(ref, entry);
    this.#refs.set(entry, ref);
    return () => {
      if (this.#refs.get(entry) !== ref) return;
      this.#self.demonitor(ref);
      this.#untrack(ref);
    };
  }

  /** Logs an error of the application's code. */
  failed(what: string, error: unknown): void {
    this.log.error(`${what} failed: ${describeFully(error)}`);
  }

  /** Sends a message about histories to the hub of another node. */
  sendToHub(pid: Pid, message: unknown): void {
    this.#send(pid, ["history", message]);
  }

  #send(hub: Pid, message: HubMessage): void {
    this.system.send(hub as Pid<never> as Pid<HubMessage>, message);
  }

  #untrack(ref: Ref): void {
    const entry = this.#tracked.get(ref);
    if (entry === undefined) return;
    this.#tracked.delete(ref);
    this.#refs.delete(entry);
    this.presence.leave(entry);
  }

  #sendPresence(to: string | undefined, message: PresenceMessage): void {
    const row: HubMessage = ["presence", this.pid as Pid, message];
    const one = to === undefined ? undefined : this.#peers.get(to);
    if (to !== undefined && one !== undefined) this.#send(one, row);
    else if (to === undefined) {
      for (const pid of this.#peers.values()) {
        this.#send(pid, row);
      }
    }
  }

  #received(message: unknown): void {
    if (message instanceof GroupChange) return this.#changed(message);
    if (message instanceof Down) {
      if (this.#tracked.has(message.ref)) return this.#untrack(message.ref);
      return this.history?.down(message.pid);
    }
    try {
      if (message instanceof Call) return this.#asked(message);
      if (Array.isArray(message)) return this.#hubMessage(message as unknown as HubMessage);
    } catch (error) {
      this.failed("a message from another node's channels", error);
    }
  }

  #hubMessage(message: HubMessage): void {
    switch (message[0]) {
      case "broadcast":
        return this.rooms.deliver(message[1], message[2]);
      case "user":
        return void this.act(message[1], message[2]);
      case "presence":
        return this.presence.received(message[1].node, message[2]);
      case "history":
        return this.history?.received(message[1] as HomeMessage);
    }
  }

  #asked(call: Call<HubRequest, unknown>): void {
    const { request } = call;
    switch (request[0]) {
      case "count":
        return call.reply(this.#topics.get(request[1])?.size ?? 0);
      case "list":
        return call.reply(this.clients(request[1], request[2]));
      case "user":
        return call.reply(this.act(request[1], request[2]));
      case "history":
        return this.history === undefined
          ? call.reply(undefined)
          : call.reply(this.history.copyOf(String(request[1])));
      case "send":
        this.sessions.sent(request).then((status) => call.reply(status));
        return;
      default:
        return call.refuse(new ChannelError("badrequest", "an unknown request"));
    }
  }

  /** Returns at most `most` clients of this node in a topic. */
  clients(topic: string, most: number): ListedClient[] {
    const { node } = this.system.home;
    const clients: ListedClient[] = [];
    for (const { id, user } of this.#topics.get(topic)?.values() ?? []) {
      if (clients.length >= most) break;
      clients.push(user === undefined ? { node, id } : { node, id, user });
    }
    return clients;
  }

  #changed({ joined, left }: GroupChange): void {
    for (const pid of left) {
      if (this.#peers.get(pid.node) !== pid && !this.#peers.get(pid.node)?.equals(pid)) continue;
      this.#peers.delete(pid.node);
      this.presence.down(pid.node);
    }
    for (const pid of joined) {
      if (pid.home === this.system.home) continue;
      this.#peers.set(pid.node, pid);
      this.presence.up(pid.node);
    }
    this.#link?.receiveEvents(this.#isFirst());
  }
}

const NOTHING: Promise<undefined> = Promise.resolve(undefined);

/** Returns the priority of a channel: exact topics first, then patterns by length. */
function rank({ pattern }: Channel): number {
  return pattern.length * 2 + (pattern.endsWith("*") ? 0 : 1000);
}

/**
 * Returns the delay, from 0 to `ms`, after which the client with this number reconnects. Clients
 * with consecutive numbers, such as those of one batch, have evenly distributed delays.
 */
export function reconnectTime(number: number, ms: number): number {
  return Math.round(ms * (number * GOLDEN % 1));
}
