/**
 * Implements the public API of channels: `node.channels`.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Pid } from "../term/pid.ts";
import type { Channel, Position, PresenceList, PresenceMeta } from "./channel.ts";
import { ChannelError } from "./errors.ts";
import type { Hub, HubRequest, ListedClient, UserAction } from "./hub.ts";
import { encodeBroadcast, isName } from "./wire.ts";

/** Default timeout of queries to other nodes, in milliseconds. */
const QUERY_MS = 2_000;

/** Options of a query to all nodes. */
export interface QueryOptions {
  /**
   * Time limit for the answers of other nodes, in milliseconds. The result lists nodes that have
   * not answered by then in `missing`. Default 2000.
   */
  readonly timeout?: number | undefined;
}

/** The connections of one user, on all nodes. Returned by {@linkcode Channels.user}. */
export interface ChannelUser {
  /** Sends an event of a topic to each connection, even to those that have not joined the topic. */
  push(topic: string, event: string, payload?: unknown): void;
  /** Closes each connection. The code must be 1000 or from 3000 to 4999. Default 4000. */
  disconnect(options?: { readonly code?: number; readonly reason?: string }): void;
  /** Invites each connection to a topic: emits the event "invite" of Firn's client. */
  invite(topic: string): void;
  /** Removes each connection from a topic, and notifies it. */
  leave(topic: string): void;
  /** Counts the connections. `missing` lists nodes that did not answer in time. */
  count(options?: QueryOptions): Promise<{ count: number; missing: string[] }>;
}

/**
 * The channels of a node. A topic's clients may be on any node.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { channel } from "@firn/firn/channels";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * node.channels.define(channel("news"));
 * node.channels.broadcast("news", "headline", { text: "it works" });
 * assertEquals(await node.channels.count("news"), { count: 0, missing: [] });
 * ```
 */
export class Channels {
  readonly #hub: Hub;

  /** Internal: programs use `node.channels`. */
  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * Defines channels on this node, so that it can broadcast to their topics without serving them.
   * `serve` defines the channels that are passed to it.
   *
   * @throws {ChannelError} `code` "badchannel": there is another channel with that pattern.
   */
  define(...channels: readonly Channel[]): void {
    for (const channel of channels) this.#hub.define(channel);
  }

  /**
   * Sends an event to all clients of a topic, on all nodes, at most once and in order per sender.
   * With history, it resolves with the event's position when `copies` nodes have stored the event,
   * and all clients receive events in the same order. Without history, it resolves at once.
   *
   * Rejects with {@linkcode ChannelError}: `code` "nochannel" (this node has no channel for the
   * topic), "badtopic", "badpayload" (neither a JSON value nor a `Uint8Array`), "toolarge",
   * "nohome" (no node keeps the history).
   */
  broadcast(topic: string, event: string, payload?: unknown): Promise<Position | undefined> {
    return this.#hub.broadcast(topic, event, payload);
  }

  /**
   * Returns the presence of a topic on all nodes: the metadata of each connection or actor, by key.
   */
  presence(topic: string): PresenceList {
    return this.#hub.presence.list(topic);
  }

  /**
   * Adds an actor of this node to the presence of a topic until it exits or the returned function
   * is called.
   *
   * @throws {ChannelError} `code` "nochannel", "badchannel" (the channel has no presence),
   * "toolarge".
   */
  track(topic: string, key: string, meta: PresenceMeta, pid: Pid<never>): () => void {
    return this.#hub.track(topic, key, meta, pid);
  }

  /**
   * Returns the connections of a user on all nodes. `id` is a value that `channelUser` of `serve`
   * has returned.
   */
  user(id: string): ChannelUser {
    const hub = this.#hub;
    const to = (action: UserAction): void => hub.toUser(id, action);
    return {
      push: (topic, event, payload) => {
        if (!isName(topic) || !isName(event)) {
          throw new ChannelError("badtopic", "topics and events have 1 to 255 bytes");
        }
        to(["push", topic, hub.encoded(() => encodeBroadcast(topic, event, payload))]);
      },
      disconnect: ({ code = 4000, reason = "" } = {}) => {
        if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
          throw new ChannelError("badcode", `close code ${code}: use 1000, or 3000 to 4999`);
        }
        to(["close", code, reason]);
      },
      invite: (topic) => to(["invite", topic]),
      leave: (topic) => to(["leave", topic]),
      count: (options) => this.#count("users", id, ["user", id, NO_ACTION], options),
    };
  }

  /**
   * Counts the clients of a topic on all nodes. `missing` lists nodes that did not answer in time.
   */
  count(
    topic: string,
    options?: QueryOptions,
  ): Promise<{ count: number; missing: string[] }> {
    return this.#count("topics", topic, ["count", topic], options);
  }

  /** Lists clients of a topic on all nodes, at most `limit` per node. Default 1000. */
  list(
    topic: string,
    { limit = 1000, ...options }: QueryOptions & { readonly limit?: number | undefined } = {},
  ): Promise<{ clients: ListedClient[]; missing: string[] }> {
    const request: HubRequest = ["list", topic, limit];
    return this.#hub.system.tracked(async () => {
      const { values, missing } = await this.#ask<ListedClient[]>(
        "topics",
        topic,
        request,
        options,
      );
      return { clients: values.flat(), missing };
    });
  }

  #count(
    what: "topics" | "users",
    key: string,
    request: HubRequest,
    options: QueryOptions | undefined,
  ): Promise<{ count: number; missing: string[] }> {
    return this.#hub.system.tracked(async () => {
      const { values, missing } = await this.#ask<number>(what, key, request, options);
      return { count: values.reduce((total, count) => total + count, 0), missing };
    });
  }

  /** Queries the hubs that have clients of a topic or a user. */
  async #ask<Answer>(
    what: "topics" | "users",
    key: string,
    request: HubRequest,
    { timeout = QUERY_MS }: QueryOptions = {},
  ): Promise<{ values: Answer[]; missing: string[] }> {
    const { system } = this.#hub;
    const values: Answer[] = [];
    const missing: string[] = [];
    await Promise.all(
      this.#hub.members(what, key).map((pid) =>
        system.call(pid as unknown as Pid<Call<HubRequest, Answer>>, request, { timeout })
          .then((answer) => values.push(answer), () => missing.push(pid.node))
      ),
    );
    return { values, missing };
  }
}

/** An action that only counts the connections of a user. */
const NO_ACTION = ["count"] as unknown as UserAction;
