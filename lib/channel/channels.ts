/**
 * Channels, as programs use them: `node.channels`.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Pid } from "../term/pid.ts";
import type { Channel, Position, PresenceList, PresenceMeta } from "./channel.ts";
import { ChannelError } from "./errors.ts";
import type { Hub, HubRequest, ListedClient, UserAction } from "./hub.ts";
import { encodeBroadcast, isName } from "./wire.ts";

/** Milliseconds that a query waits for other nodes, by default. */
const QUERY_MS = 2_000;

/** How to ask all nodes. */
export interface QueryOptions {
  /** Milliseconds after which nodes that have not answered are `missing`. Default 2000. */
  readonly timeout?: number | undefined;
}

/** The connections of one user, on all nodes. Returned by {@linkcode Channels.user}. */
export interface ChannelUser {
  /** Sends an event about a topic to each of them, whether it has joined the topic or not. */
  push(topic: string, event: string, payload?: unknown): void;
  /** Closes each of them. The code is 1000 or from 3000 to 4999; default 4000. */
  disconnect(options?: { readonly code?: number; readonly reason?: string }): void;
  /** Invites each of them to a topic: Firn's client joins it if it listens for invitations. */
  invite(topic: string): void;
  /** Takes each of them out of a topic, and informs it. */
  leave(topic: string): void;
  /** Counts them. `missing`: nodes that did not answer in time. */
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

  /** For the runtime: programs use `node.channels`. */
  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * Makes channels known to this node, so that it can broadcast to them without serving them. `serve` does it
   * for those that it is given.
   *
   * @throws {ChannelError} `code` "badchannel": there is another channel with that pattern.
   */
  define(...channels: readonly Channel[]): void {
    for (const channel of channels) this.#hub.define(channel);
  }

  /**
   * Sends an event to all clients of a topic, on all nodes. At most once; in order for each sender. With history
   * it resolves with the event's position when as many nodes have it as the channel says, and is in one order
   * for all clients; without, it resolves at once.
   *
   * Rejects with {@linkcode ChannelError}: `code` "nochannel" (this node has no channel for the topic),
   * "badtopic", "badpayload" (it is no JSON value, and no `Uint8Array`), "toolarge", "nohome" (no node keeps the
   * history).
   */
  broadcast(topic: string, event: string, payload?: unknown): Promise<Position | undefined> {
    return this.#hub.broadcast(topic, event, payload);
  }

  /** All that are present in a topic, on all nodes: by key, the metadata of each connection or actor. */
  presence(topic: string): PresenceList {
    return this.#hub.presence.list(topic);
  }

  /**
   * Shows an actor of this node in the presence of a topic, until it ends or the returned function is called.
   *
   * @throws {ChannelError} `code` "nochannel", "badchannel" (the channel has no presence), "toolarge".
   */
  track(topic: string, key: string, meta: PresenceMeta, pid: Pid<never>): () => void {
    return this.#hub.track(topic, key, meta, pid);
  }

  /** The connections of a user, as `channelUser` of `serve` named it, on all nodes. */
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
      count: async (options) => {
        const answers = await this.#ask<number>("users", id, ["user", id, NO_ACTION], options);
        return { count: sum(answers.values), missing: answers.missing };
      },
    };
  }

  /** Counts the clients of a topic on all nodes. `missing`: nodes that did not answer in time. */
  async count(
    topic: string,
    options?: QueryOptions,
  ): Promise<{ count: number; missing: string[] }> {
    const { values, missing } = await this.#ask<number>("topics", topic, ["count", topic], options);
    return { count: sum(values), missing };
  }

  /** Lists clients of a topic on all nodes, at most `limit` of each node; default 1000. */
  async list(
    topic: string,
    { limit = 1000, ...options }: QueryOptions & { readonly limit?: number | undefined } = {},
  ): Promise<{ clients: ListedClient[]; missing: string[] }> {
    const request: HubRequest = ["list", topic, limit];
    const { values, missing } = await this.#ask<ListedClient[]>("topics", topic, request, options);
    return { clients: values.flat(), missing };
  }

  /** Asks the hubs that have clients of a topic or a user. */
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

/** Does nothing with connections but count them. */
const NO_ACTION = ["count"] as unknown as UserAction;

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
