/**
 * Defines channels: each has a pattern of topics, and handlers of joins and events.
 *
 * @module
 */
import { checkNames } from "../base/spelling.ts";
import type { Connection } from "../ws/connection.ts";
import { ChannelError } from "./errors.ts";
import { isName } from "./wire.ts";

/** Default time for which a client that has lost its connection stays present, in milliseconds. */
const GRACE_MS = 5_000;

/** A validator that implements Standard Schema, version 1, as zod, valibot and arktype do. */
export interface Schema<Value = unknown> {
  /** The property that Standard Schema defines. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Value> | Promise<SchemaResult<Value>>;
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined;
  };
}

/** Result of a {@linkcode Schema}: the validated value, or the issues. */
export type SchemaResult<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/**
 * Presence metadata of a client or an actor: a JSON object, at most 4,096 characters as JSON text.
 */
export type PresenceMeta = Readonly<Record<string, unknown>>;

/** Presence entries by key: one entry for each connection or actor. */
export type PresenceList<Meta = PresenceMeta> = Readonly<
  Record<string, { readonly metas: readonly (Meta & { readonly phx_ref: string })[] }>
>;

/** One client in one topic, as passed to the handlers of its channel. */
export interface ChannelSocket<Data = unknown, State = unknown> {
  /** The topic, such as `"room:42"`. */
  readonly topic: string;
  /** A number that is unique among all clients that this node has had. */
  readonly id: number;
  /** The user, as returned by the option `channelUser` of `serve`. */
  readonly user: string | undefined;
  /** The connection's `data`, as returned by the upgrade hook. */
  readonly data: Data;
  /** The connection. Undefined for a client that uses the fallback without WebSockets. */
  readonly connection: Connection<Data> | undefined;
  /** State of this client, initially the return value of the channel's option `state`. */
  state: State;
  /** Sends an event to this client. */
  push(event: string, payload?: unknown): void;
  /**
   * Sends an event to all clients of the topic, on all nodes. Resolves as {@linkcode
   * Channels.broadcast} does.
   */
  broadcast(event: string, payload?: unknown): Promise<Position | undefined>;
  /** Sends an event to all clients of the topic except this one. */
  broadcastFrom(event: string, payload?: unknown): Promise<Position | undefined>;
  /**
   * Adds this client to the topic's presence until it leaves the topic. Replaces its previous
   * entry.
   */
  track(key: string, meta?: PresenceMeta): void;
  /** Removes this client from the topic's presence. */
  untrack(): void;
  /** Returns the presence of the topic, on all nodes. */
  presence(): PresenceList;
  /**
   * Removes the client from the topic, and notifies the client. The channel's `leave` handler is
   * called with the reason "removed".
   */
  leave(): void;
}

/** Position of a message in a topic's history. */
export interface Position {
  /** Identifies the epoch: a sequence of offsets without gaps. */
  readonly epoch: string;
  /**
   * The number of the message within the topic. Each message has the number of the previous one
   * plus 1.
   */
  readonly offset: number;
}

/**
 * Options of a topic's history: how many messages are kept, for how long, and on how many nodes.
 */
export interface HistoryOptions {
  /** Maximum number of messages that are kept. Default 100. */
  readonly size?: number | undefined;
  /** Milliseconds for which a message is kept. Default 5 minutes. */
  readonly ttl?: number | undefined;
  /** Number of nodes that keep the history, 1 to 5. Default 2. */
  readonly copies?: number | undefined;
}

/** Handles an event from a client. The return value is the reply. */
export type EventHandler<Data, State> = (
  // deno-lint-ignore no-explicit-any
  payload: any,
  socket: ChannelSocket<Data, State>,
) => unknown;

/** Options of a channel. */
export interface ChannelOptions<Data, State, Params, On, Events> {
  /**
   * Called when a client joins a topic. The return value is sent to the client. To reject the join
   * with a reason, throw a {@linkcode ChannelError}. Default: accepts all joins.
   */
  join?(socket: ChannelSocket<Data, State>, params: Params): unknown;
  /**
   * Handlers by event. The client's `push` resolves with the return value of the handler; if the
   * handler throws a {@linkcode ChannelError}, `push` rejects with it. Any other error is logged,
   * and removes the client from the topic. The events of one client are handled one after another.
   * An event without a handler is rejected.
   */
  readonly on?: On & Readonly<Record<string, EventHandler<Data, State>>>;
  /**
   * Called when a client has left the topic. Reasons: "left" (the client has left), "closed" (its
   * connection was closed, or it has joined the topic again), "removed" (this or another node has
   * removed the client), "crashed" (a handler threw).
   */
  leave?(socket: ChannelSocket<Data, State>, reason: LeaveReason): unknown;
  /**
   * Returns the initial {@linkcode ChannelSocket.state}, or a promise of it. If it throws, the join
   * is rejected, as if `join` had thrown. Default: undefined.
   */
  state?(): State | Promise<State>;
  /** Validates the parameters of joins. Default: all parameters are accepted. */
  readonly params?: Schema<Params> | undefined;
  /** Validates payloads, by event. Default: all payloads are accepted. */
  readonly schemas?: { readonly [Event in keyof On]?: Schema } | undefined;
  /**
   * Enables presence. A client that has lost its connection stays present for `grace` milliseconds,
   * so that a quick reconnection is not reported. `true` means 5 seconds. Default: no presence.
   */
  readonly presence?: boolean | { readonly grace?: number | undefined } | undefined;
  /** Keeps messages for clients that reconnect. Default: no history. */
  readonly history?: boolean | HistoryOptions | undefined;
  /**
   * Limits the events that one client may send to one topic: `events` in `per` milliseconds. Events
   * above the limit are rejected with the reason "rate_limited". Default: no limit.
   */
  readonly rate?: { readonly events: number; readonly per?: number | undefined } | undefined;
  /**
   * The types of payloads of sent events, for typed clients: `{} as { message: Message }`. Default:
   * any events.
   */
  readonly events?: Events;
}

/**
 * The reason why a client left a topic. See {@linkcode ChannelOptions.leave}.
 *
 * - `"left"`: the client has left;
 * - `"closed"`: the client's connection has ended, or the client has joined the topic again;
 * - `"removed"`: the server has removed the client;
 * - `"crashed"`: a handler has failed while it handled the client's message.
 */
export type LeaveReason = "left" | "closed" | "removed" | "crashed";

/** A channel definition, returned by {@linkcode channel}. */
export interface Channel<Params = unknown, On = unknown, Events = unknown> {
  /** A topic, or a prefix of topics followed by `*`. */
  readonly pattern: string;
  /** The options of the channel. */
  // deno-lint-ignore no-explicit-any
  readonly options: ChannelOptions<any, any, any, any, any>;
  /**
   * Carries the types from which typed clients infer theirs. The property does not exist at run
   * time.
   */
  readonly types?: { readonly params: Params; readonly on: On; readonly events: Events };
}

const OPTIONS: Readonly<Record<keyof ChannelOptions<never, never, never, never, never>, true>> = {
  join: true,
  on: true,
  leave: true,
  state: true,
  params: true,
  schemas: true,
  presence: true,
  history: true,
  rate: true,
  events: true,
};

/**
 * Defines a channel. Pass it to `node.serve` in the option `channels`. The pattern is a topic, or a
 * prefix of topics followed by `*`.
 *
 * @throws {ChannelError} `code` "badchannel": the pattern or an option is invalid.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { channel, ChannelError } from "@firn/firn/channels";
 * import { Socket } from "@firn/firn/client";
 * import { assertEquals } from "@std/assert";
 *
 * const room = channel("room:*", {
 *   join(_socket, params: { name: string }) {
 *     if (params.name === "") throw new ChannelError("noname");
 *   },
 *   on: {
 *     message(payload: { text: string }, socket) {
 *       socket.broadcast("message", payload);
 *       return { length: payload.text.length };
 *     },
 *   },
 *   events: {} as { message: { text: string } },
 * });
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({ channels: [room] });
 *
 * const socket = new Socket(`${server.url}socket`);
 * const lobby = socket.channel<typeof room>("room:lobby", { name: "ann" });
 * const heard = new Promise((hear) => lobby.on("message", hear));
 * assertEquals(await lobby.push("message", { text: "hello" }), { length: 5 });
 * assertEquals(await heard, { text: "hello" });
 * socket.close();
 * ```
 */
export function channel<
  Data = unknown,
  State = undefined,
  Params = unknown,
  On extends Readonly<Record<string, EventHandler<Data, State>>> = Record<never, never>,
  Events = Record<string, unknown>,
>(
  pattern: string,
  options: ChannelOptions<Data, State, Params, On, Events> = {},
): Channel<Params, On, Events> {
  const star = pattern.indexOf("*");
  if (!isName(pattern) || pattern === "phoenix" || (star >= 0 && star !== pattern.length - 1)) {
    throw invalid(
      `${
        JSON.stringify(pattern)
      } is no pattern: use a topic of 1 to 255 bytes, "*" only at its end`,
    );
  }
  checkNames(options, OPTIONS, (words) => invalid(words));
  const { on = {}, rate, presence } = options;
  for (const [event, handler] of Object.entries(on)) {
    if (!isName(event) || event.startsWith("phx_")) {
      throw invalid(
        `${
          JSON.stringify(event)
        } is not a valid event name: use 1 to 255 bytes that do not begin with "phx_"`,
      );
    }
    if (typeof handler !== "function") throw invalid(`the handler of ${event} is not a function`);
  }
  for (const name of ["join", "leave", "state"] as const) {
    if (options[name] === undefined || typeof options[name] === "function") continue;
    throw invalid(`option ${name} is not a function`);
  }
  if (rate !== undefined && !(rate.events >= 1 && (rate.per ?? 1) >= 1)) {
    throw invalid("option rate needs events and per of 1 or more");
  }
  if (typeof presence === "object" && !((presence.grace ?? 0) >= 0)) {
    throw invalid("option presence.grace needs 0 or more milliseconds");
  }
  historyOf(options.history);
  return { pattern, options };
}

/** Returns whether a topic matches a pattern. */
export function matches(pattern: string, topic: string): boolean {
  return pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern;
}

/** Returns the grace period in milliseconds, or undefined if the channel has no presence. */
export function graceOf({ options: { presence } }: Channel): number | undefined {
  if (presence === undefined || presence === false) return undefined;
  return presence === true ? GRACE_MS : presence.grace ?? GRACE_MS;
}

/** Returns the history options with defaults, or undefined if the channel has no history. */
export function historyOf(
  history: boolean | HistoryOptions | undefined,
): Readonly<Required<{ size: number; ttl: number; copies: number }>> | undefined {
  if (history === undefined || history === false) return undefined;
  const { size = 100, ttl = 300_000, copies = 2 } = history === true ? {} : history;
  if (!(Number.isInteger(size) && size >= 1 && size <= 10_000)) {
    throw invalid(`option history.size is ${size}: use 1 to 10000 messages`);
  }
  if (!(ttl >= 1_000)) throw invalid(`option history.ttl is ${ttl}: use 1000 or more milliseconds`);
  if (!(Number.isInteger(copies) && copies >= 1 && copies <= 5)) {
    throw invalid(`option history.copies is ${copies}: use 1 to 5 nodes`);
  }
  return { size, ttl, copies };
}

function invalid(words: string): ChannelError {
  return new ChannelError("badchannel", words);
}
