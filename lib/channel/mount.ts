/**
 * Adds channels to a server: WebSockets at `/socket/websocket` use the channel protocol, all others
 * are passed to the application.
 *
 * @module
 */
import type { Connection } from "../ws/connection.ts";
import { OptionError, type ServeOptions } from "../ws/options.ts";
import { clientSource } from "../client/source.ts";
import type { Channel } from "./channel.ts";
import { ChannelConnection } from "./connection.ts";
import type { Hub } from "./hub.ts";

/** Options of `node.serve` about channels. */
export interface ChannelServeOptions<Data> {
  /** The channels that clients may join. Default: none. */
  readonly channels?: readonly Channel[] | undefined;
  /**
   * The path at which clients connect, without the suffix `/websocket` that Phoenix's and Firn's
   * clients append. Default `"/socket"`.
   */
  readonly channelPath?: string | undefined;
  /** Returns the user of a connection from its `data`, for `node.channels.user`. */
  channelUser?: ((data: Data) => string | undefined) | undefined;
}

/** Adds channels to the options of a server. */
export function mountChannels<Data>(
  options: ServeOptions<Data>,
  { channels, channelPath = "/socket", channelUser }: ChannelServeOptions<Data>,
  hub: Hub,
): ServeOptions<Data> {
  if (!Array.isArray(channels)) throw new OptionError("option channels is no list of channels");
  if (!channelPath.startsWith("/") || channelPath.endsWith("/")) {
    throw new OptionError(
      `option channelPath is ${JSON.stringify(channelPath)}: begin it with "/", and end it without`,
    );
  }
  for (const channel of channels) hub.define(channel);
  const path = `${channelPath}/websocket`;
  const waiting = new WeakMap<object, true>();
  const connections = new WeakMap<object, ChannelConnection>();
  const { upgrade, fetch, open, message, close } = options;
  let source: string | undefined;
  return {
    ...options,
    async upgrade(request, remote) {
      const { pathname, searchParams } = new URL(request.url);
      const isChannel = pathname === path;
      const version = searchParams.get("vsn") ?? "2.0.0";
      if (isChannel && !version.startsWith("2.")) {
        const words = `vsn ${version}: this server has version 2.0.0 of the channel protocol`;
        return new Response(words, { status: 400 });
      }
      const answer = await upgrade?.(request, remote);
      if (!isChannel || answer instanceof Response) return answer;
      const data = answer?.data as Data;
      const wrapped = { data };
      waiting.set(wrapped, true);
      return { ...answer, data: wrapped as never };
    },
    fetch(request, remote) {
      if (new URL(request.url).pathname === `${channelPath}/client.js`) {
        const headers = {
          "content-type": "text/javascript; charset=utf-8",
          "cache-control": "no-cache",
        };
        return new Response(source ??= clientSource(), { headers });
      }
      return fetch?.(request, remote) ?? new Response("not found", { status: 404 });
    },
    open(conn) {
      const wrapped = conn.data as object;
      if (typeof wrapped !== "object" || wrapped === null || !waiting.delete(wrapped)) {
        return open?.(conn);
      }
      conn.data = (wrapped as { data: Data }).data;
      const transport = {
        member: conn,
        get data(): Data {
          return conn.data;
        },
        connection: conn as unknown as Connection<unknown>,
        send: (data: string | Uint8Array) => conn.send(data),
        close: (code: number, reason: string) => conn.close(code, reason),
      };
      connections.set(conn, new ChannelConnection(hub, transport, channelUser?.(conn.data)));
      return undefined;
    },
    message(conn, data) {
      const channels = connections.get(conn);
      return channels === undefined ? message?.(conn, data) : channels.received(data);
    },
    close(conn, code, reason) {
      const channels = connections.get(conn);
      if (channels === undefined) return close?.(conn, code, reason);
      connections.delete(conn);
      hub.rooms.leaveAll(conn);
      return channels.closed();
    },
  };
}
