/**
 * What a channel is: a kind of topics, who may join them, and what their events do.
 *
 * @module
 */
import { checkNames } from "../base/spelling.ts";
import type { Connection } from "../ws/connection.ts";
import { ChannelError } from "./errors.ts";
import { isName } from "./wire.ts";

/** Milliseconds for which the presence of a client that has lost its connection is kept, by default. */
const GRACE_MS = 5_000;

/** A validator, as Standard Schema (version 1) specifies it: zod, valibot, arktype and others have it. */
export interface Schema<Value = unknown> {
  /** What the specification defines. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Value> | Promise<SchemaResult<Value>>;
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined;
  };
}

/** What a {@linkcode Schema} returns: the value, or what is wrong with it. */
export type SchemaResult<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** Presence metadata of a client or an actor: a JSON object, at most 4 KiB as text. */
export type PresenceMeta = Readonly<Record<string, unknown>>;

/** All that are present under one key: one entry for each connection or actor. */
export type PresenceList<Meta = PresenceMeta> = Readonly<
  Record<string, { readonly metas: readonly (Meta & { readonly phx_ref: string })[] }>
>;

/** One client that has joined one topic, as its channel's handlers see it. */
export interface ChannelSocket<Data = unknown, State = unknown> {
  /** The topic, such as `"room:42"`. */
  readonly topic: string;
  /** A number that no other joined client of this node has or had. */
  readonly id: number;
  /** The user, as `channelUser` of `serve` returned it. */
  readonly user: string | undefined;
  /** The connection's `data`, which the upgrade hook returned. */
  readonly data: Data;
  /** The connection; `undefined` for a client that uses the fallback without WebSockets. */
  readonly connection: Connection<Data> | undefined;
  /** What the channel keeps with this client: what `state` of the channel returned. */
  state: State;
  /** Sends an event to this client. */
  push(event: string, payload?: unknown): void;
  /** Sends an event to all clients of the topic, on all nodes. Resolves as {@linkcode Channels.broadcast} does. */
  broadcast(event: string, payload?: unknown): Promise<Position | undefined>;
  /** Sends an event to all clients of the topic but this one. */
  broadcastFrom(event: string, payload?: unknown): Promise<Position | undefined>;
  /** Shows this client under a key in the topic's presence, until it leaves. Replaces what it had shown. */
  track(key: string, meta?: PresenceMeta): void;
  /** Takes it out of the presence. */
  untrack(): void;
  /** All that are present in the topic, on all nodes. */
  presence(): PresenceList;
  /** Takes the client out of the topic; it is informed. Does not call the channel's `leave`. */
  leave(): void;
}

/** The place of a message in a topic's history. */
export interface Position {
  /** Identifies an unbroken sequence of offsets. */
  readonly epoch: string;
  /** Increases by one with each message. */
  readonly offset: number;
}

/** How much history a topic keeps. */
export interface HistoryOptions {
  /** The number of messages that are kept. Default 100. */
  readonly size?: number | undefined;
  /** Milliseconds for which a message is kept. Default 5 minutes. */
  readonly ttl?: number | undefined;
  /** The number of nodes that keep it, from 1 to 5. Default 2. */
  readonly copies?: number | undefined;
}

/** Handles an event from a client. What it returns is the reply. */
export type EventHandler<Data, State> = (
  // deno-lint-ignore no-explicit-any
  payload: any,
  socket: ChannelSocket<Data, State>,
) => unknown;

/** How a channel behaves. */
export interface ChannelOptions<Data, State, Params, On, Events> {
  /**
   * Called when a client joins a topic. What it returns is the client's answer; throw a
   * {@linkcode ChannelError} to reject it with a reason. Default: everybody may join.
   */
  join?(socket: ChannelSocket<Data, State>, params: Params): unknown;
  /**
   * Handlers by event. What they return is the reply that the client's `push` resolves with; a
   * {@linkcode ChannelError} rejects it. Any other error takes the client out of the topic, and is logged. The
   * events of one client are handled one after another. An event without a handler is rejected.
   */
  readonly on?: On & Readonly<Record<string, EventHandler<Data, State>>>;
  /**
   * Called when a client has left the topic: "left" (it asked for it), "closed" (its connection is over),
   * "removed" (by this or another node), "crashed" (a handler has thrown).
   */
  leave?(socket: ChannelSocket<Data, State>, reason: LeaveReason): unknown;
  /** Returns what {@linkcode ChannelSocket.state} is at first. */
  state?(): State;
  /** Validates the parameters of joins. */
  readonly params?: Schema<Params> | undefined;
  /** Validates payloads, by event. */
  readonly schemas?: { readonly [Event in keyof On]?: Schema } | undefined;
  /**
   * Makes presence available. A client whose connection is lost stays present for `grace` milliseconds, so that
   * others do not see it leave and come back. Default: none; `true`: with a grace period of 5 seconds.
   */
  readonly presence?: boolean | { readonly grace?: number | undefined } | undefined;
  /** Keeps messages for clients that come back. Default: none. */
  readonly history?: boolean | HistoryOptions | undefined;
  /**
   * The events that one client may send to one topic: `events` in `per` milliseconds. Further ones are rejected
   * with the reason "rate_limited". Default: no limit.
   */
  readonly rate?: { readonly events: number; readonly per?: number | undefined } | undefined;
  /** The types of what is broadcast and pushed, by event, for typed clients: `{} as { message: Message }`. */
  readonly events?: Events;
}

/** Why a client is not in a topic any more. */
export type LeaveReason = "left" | "closed" | "removed" | "crashed";

/** A kind of topics. Made by {@linkcode channel}. */
export interface Channel<Params = unknown, On = unknown, Events = unknown> {
  /** A topic, or the beginning of topics with `*` in place of the rest. */
  readonly pattern: string;
  /** How it behaves. */
  // deno-lint-ignore no-explicit-any
  readonly options: ChannelOptions<any, any, any, any, any>;
  /** Types only: what a typed client infers from. There is no such property. */
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
 * Defines a channel. Pass it to `node.serve` as one of `channels`. The pattern is a topic, or ends with `*`,
 * which stands for any rest.
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
        `${JSON.stringify(event)} is no event: use 1 to 255 bytes that do not begin with "phx_"`,
      );
    }
    if (typeof handler !== "function") throw invalid(`the handler of ${event} is no function`);
  }
  for (const name of ["join", "leave", "state"] as const) {
    if (options[name] === undefined || typeof options[name] === "function") continue;
    throw invalid(`option ${name} is no function`);
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

/** Whether a topic is one of a pattern. */
export function matches(pattern: string, topic: string): boolean {
  return pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern;
}

/** Milliseconds for which lost clients stay present; `undefined`: the channel has no presence. */
export function graceOf({ options: { presence } }: Channel): number | undefined {
  if (presence === undefined || presence === false) return undefined;
  return presence === true ? GRACE_MS : presence.grace ?? GRACE_MS;
}

/** The history options, complete; `undefined`: the channel has no history. */
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
