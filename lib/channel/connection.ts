/**
 * Handles the channel messages of one client's connection, which may join many topics.
 *
 *     message ─▶ phx_join ─▶ join handler ─▶ subscribed, reply, missed messages, presence_state
 *             ─▶ event    ─▶ its handler  ─▶ reply
 *             ─▶ phx_leave, or the connection is closed ─▶ leave handler
 *
 * @module
 */
import type { Connection } from "../ws/connection.ts";
import type { Member } from "../ws/room.ts";
import {
  type Channel,
  type ChannelSocket,
  graceOf,
  type LeaveReason,
  type Position,
  type PresenceList,
  type PresenceMeta,
  type Schema,
} from "./channel.ts";
import type { ClientConnection, TopicClient } from "./client.ts";
import { ChannelError } from "./errors.ts";
import type { Resumed } from "./history.ts";
import { type Hub, TOPICS_MAX } from "./hub.ts";
import type { PresenceEntry } from "./presence.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import {
  type ClientMessage,
  encodePush,
  encodeReply,
  EVENT,
  isName,
  PHOENIX_TOPIC,
  readMessage,
} from "./wire.ts";

/** Close code for a message that violates the channel protocol: RFC 6455, section 7.4.1. */
const POLICY_VIOLATION = 1008;

/** A transport of messages to a client: a WebSocket, or a stream of events. */
export interface Transport<Data = unknown> {
  /** The member of rooms that represents the transport. */
  readonly member: Member;
  readonly data: Data;
  /** The WebSocket, or undefined for a stream of events. */
  readonly connection: Connection<Data> | undefined;
  send(data: string | Uint8Array): unknown;
  close(code: number, reason: string): void;
}

/** A client that has joined a topic. */
export class JoinedSocket implements ChannelSocket, TopicClient {
  readonly id: number;
  readonly topic: string;
  readonly channel: Channel;
  readonly joinRef: string | null;
  readonly rate: TokenBucket | undefined;
  readonly of: ChannelConnection;
  state: unknown;
  entry: PresenceEntry | undefined;

  constructor(of: ChannelConnection, id: number, channel: Channel, message: ClientMessage) {
    this.of = of;
    this.id = id;
    this.channel = channel;
    this.topic = message.topic;
    this.joinRef = message.joinRef;
    const { rate } = channel.options;
    this.rate = rate && new TokenBucket(rate, of.hub.now());
  }

  get user(): string | undefined {
    return this.of.user;
  }

  get member(): Member {
    return this.of.transport.member;
  }

  send(frame: string | Uint8Array): void {
    this.of.send(frame);
  }

  get data(): unknown {
    return this.of.transport.data;
  }

  get connection(): Connection<unknown> | undefined {
    return this.of.transport.connection;
  }

  push(event: string, payload?: unknown): void {
    if (!isName(event)) {
      throw new ChannelError("badtopic", `${JSON.stringify(event)} is not a valid event name`);
    }
    this.of.send(this.of.hub.encoded(() => encodePush(this.joinRef, this.topic, event, payload)));
  }

  broadcast(event: string, payload?: unknown): Promise<Position | undefined> {
    return this.of.hub.broadcast(this.topic, event, payload);
  }

  broadcastFrom(event: string, payload?: unknown): Promise<Position | undefined> {
    return this.of.hub.broadcast(this.topic, event, payload, this);
  }

  track(key: string, meta: PresenceMeta = {}): void {
    const grace = graceOf(this.channel);
    if (grace === undefined) {
      throw new ChannelError(
        "badchannel",
        `${this.channel.pattern} has no presence: set its option`,
      );
    }
    const old = this.entry;
    this.entry = this.of.hub.presence.track(this.topic, key, meta, grace);
    if (old !== undefined) this.of.hub.presence.leave(old);
  }

  untrack(): void {
    if (this.entry !== undefined) this.of.hub.presence.leave(this.entry);
    this.entry = undefined;
  }

  presence(): PresenceList {
    return this.of.hub.presence.list(this.topic);
  }

  leave(): void {
    this.of.remove(this);
  }
}

/** The connection of one client: joins topics and handles the client's messages. */
export class ChannelConnection implements ClientConnection {
  readonly hub: Hub;
  readonly transport: Transport;
  readonly user: string | undefined;
  readonly #joined = new Map<string, JoinedSocket>();
  #isOpen = true;

  constructor(hub: Hub, transport: Transport, user: string | undefined) {
    this.hub = hub;
    this.transport = transport;
    this.user = user;
    hub.entered(this);
  }

  send(frame: string | Uint8Array): void {
    if (!this.#isOpen) return;
    this.hub.rooms.settle(this.transport.member);
    this.transport.send(frame);
  }

  notify(topic: string, event: string, payload: unknown): void {
    this.send(encodePush(null, topic, event, payload));
  }

  /** Handles a message. The caller awaits a returned promise before it passes the next message. */
  received(data: string | Uint8Array): void | Promise<void> {
    const message = readMessage(data);
    if (message === undefined) {
      return this.transport.close(POLICY_VIOLATION, "not a channel message");
    }
    const { topic, event } = message;
    if (topic === PHOENIX_TOPIC) {
      if (event === EVENT.HEARTBEAT) this.send(encodeReply(message, "ok", {}));
      return;
    }
    // An invalid name is a mistake in one part of the client's program. Only this message is
    // therefore rejected, and the other topics of the connection continue.
    if (!isName(topic)) return this.#reject(message, "unmatched topic");
    if (!isName(event)) return this.#reject(message, "unmatched event");
    if (event === EVENT.JOIN) return this.#join(message);
    const socket = this.#joined.get(topic);
    if (event === EVENT.LEAVE) {
      if (socket !== undefined && isCurrent(message, socket)) this.#left(socket, "left");
      this.send(encodeReply(message, "ok", {}));
      return this.send(closeOf(message));
    }
    if (socket === undefined) return this.#reject(message, "unmatched topic");
    if (isCurrent(message, socket)) return this.#event(message, socket);
  }

  /** Called when the connection was closed. The client then leaves all topics. */
  closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const socket of [...this.#joined.values()]) this.#left(socket, "closed");
    this.hub.left(this);
  }

  /** Removes a client from a topic, and notifies the client. */
  remove(socket: JoinedSocket, reason: LeaveReason = "removed"): void {
    if (this.#joined.get(socket.topic) !== socket) return;
    this.#left(socket, reason);
    this.send(closeOf(socket));
  }

  removeFrom(topic: string): void {
    const socket = this.#joined.get(topic);
    if (socket !== undefined) this.remove(socket);
  }

  close(code: number, reason: string): void {
    this.hub.rooms.settle(this.transport.member);
    this.transport.close(code, reason);
  }

  #reject(message: ClientMessage, reason: string, details?: object): void {
    if (message.ref === null) return;
    let reply: string | Uint8Array;
    try {
      reply = encodeReply(message, "error", { reason, ...details });
    } catch (error) {
      // The application sets the details of a ChannelError. They may not be JSON values.
      this.hub.failed(`encoding the details of the error ${reason} in ${message.topic}`, error);
      reply = encodeReply(message, "error", { reason });
    }
    this.send(reply);
  }

  async #join(message: ClientMessage): Promise<void> {
    const { hub } = this;
    const { topic } = message;
    const channel = hub.find(topic);
    if (channel === undefined) return this.#reject(message, "unmatched topic");
    const known = this.#joined.get(topic);
    if (known !== undefined) this.remove(known, "closed");
    else if (this.#joined.size >= TOPICS_MAX) return this.#reject(message, "toomanytopics");
    const { options } = channel;
    const socket = new JoinedSocket(this, hub.nextId(), channel, message);
    let response: unknown;
    try {
      socket.state = await options.state?.();
      const params = await validated(options.params, message.payload ?? {});
      response = await options.join?.(socket, params);
    } catch (error) {
      socket.untrack();
      if (error instanceof ChannelError) {
        return this.#reject(message, error.code, error.details);
      }
      hub.failed(`the join of ${topic}`, error);
      return this.#reject(message, "join crashed");
    }
    this.#joined.set(topic, socket);
    await hub.subscribe(
      socket,
      message.details,
      (resumed) => this.#enter(message, socket, response, resumed),
    );
  }

  /** Answers a join, sends the missed messages, and makes the client receive later messages. */
  #enter(
    message: ClientMessage,
    socket: JoinedSocket,
    response: unknown,
    resumed: Resumed | undefined,
  ): void {
    const { hub } = this;
    const { topic, channel } = socket;
    if (this.#joined.get(topic) !== socket) return hub.unsubscribe(socket);
    if (!this.#isOpen) return this.#left(socket, "closed");
    const details = resumed && resumed.details;
    try {
      this.send(encodeReply(message, "ok", response, details));
    } catch (error) {
      hub.failed(`the reply to a join of ${topic}`, error);
      this.#left(socket, "crashed");
      return this.#reject(message, "join crashed");
    }
    for (const frame of resumed?.missed ?? []) this.send(frame);
    hub.rooms.join(topic, this.transport.member);
    if (graceOf(channel) !== undefined) socket.push(EVENT.PRESENCE_STATE, socket.presence());
  }

  #event(message: ClientMessage, socket: JoinedSocket): void | Promise<void> {
    const { event } = message;
    if (socket.rate?.take(this.hub.now()) === false) return this.#reject(message, "rate_limited");
    const { on = {}, schemas } = socket.channel.options;
    const handler = Object.hasOwn(on, event) ? on[event] : undefined;
    if (handler === undefined) return this.#reject(message, "unmatched event");
    const schema: Schema | undefined = schemas !== undefined && Object.hasOwn(schemas, event)
      ? schemas[event]
      : undefined;
    let result: unknown;
    try {
      result = schema === undefined
        ? handler(message.payload, socket)
        : validated(schema, message.payload).then((payload) => handler(payload, socket));
      if (!(result instanceof Promise)) return this.#reply(message, result);
    } catch (error) {
      return this.#failed(message, socket, error);
    }
    return result.then((value) => this.#reply(message, value))
      .catch((error) => this.#failed(message, socket, error));
  }

  #reply(message: ClientMessage, value: unknown): void {
    if (message.ref !== null) this.send(encodeReply(message, "ok", value));
  }

  #failed(message: ClientMessage, socket: JoinedSocket, error: unknown): void {
    if (error instanceof ChannelError) return this.#reject(message, error.code, error.details);
    this.hub.failed(`the handler of ${message.event} in ${socket.topic}`, error);
    if (this.#joined.get(socket.topic) !== socket) return;
    this.#left(socket, "crashed");
    const { joinRef, topic } = socket;
    this.send(JSON.stringify([joinRef, joinRef, topic, EVENT.ERROR, {}]));
  }

  #left(socket: JoinedSocket, reason: LeaveReason): void {
    const { hub } = this;
    this.#joined.delete(socket.topic);
    hub.unsubscribe(socket);
    const { entry } = socket;
    if (entry !== undefined) {
      if (reason === "closed") hub.presence.depart(entry);
      else hub.presence.leave(entry);
    }
    const { leave } = socket.channel.options;
    if (leave === undefined) return;
    const failed = (error: unknown): void => hub.failed(`leave of ${socket.topic}`, error);
    try {
      const done = leave(socket, reason);
      if (done instanceof Promise) done.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

/** Returns whether a message belongs to the current join of its topic, not to an earlier join. */
function isCurrent({ joinRef }: ClientMessage, socket: JoinedSocket): boolean {
  return joinRef === null || joinRef === socket.joinRef;
}

function closeOf({ joinRef, topic }: { joinRef: string | null; topic: string }): string {
  return JSON.stringify([joinRef, joinRef, topic, EVENT.CLOSE, {}]);
}

/** Validates a value, and returns the output of the schema. Rejects with `ChannelError`. */
async function validated(schema: Schema | undefined, value: unknown): Promise<unknown> {
  if (schema === undefined) return value;
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message }) => message);
  throw new ChannelError("invalid", issues.join("; "), { issues });
}
