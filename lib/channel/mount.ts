/**
 * Adds channels to a server. WebSockets at `/socket/websocket` use the channel protocol, and so do
 * POST requests of clients that cannot open a WebSocket. All other requests are passed to the
 * application.
 *
 * @module
 */
import type { Address } from "../host/stream.ts";
import type { Connection } from "../ws/connection.ts";
import { OptionError, type ServeOptions, type UpgradeAnswer } from "../ws/options.ts";
import type { Closeable } from "../ws/server.ts";
import { clientSource } from "../client/source.ts";
import type { Channel } from "./channel.ts";
import { ChannelConnection } from "./connection.ts";
import { EventRequests } from "./event_requests.ts";
import type { Hub } from "./hub.ts";

/** Options of `node.serve` about channels. */
export interface ChannelServeOptions<Data> {
  /** The channels that clients may join. Default: no channels. */
  readonly channels?: readonly Channel[] | undefined;
  /**
   * The path at which clients connect, without the suffix `/websocket` that Phoenix's and Firn's
   * clients append. Default `"/socket"`.
   */
  readonly channelPath?: string | undefined;
  /**
   * Returns the user of a connection from its `data`, for `node.channels.user`. Default:
   * connections have no user.
   */
  channelUser?: ((data: Data) => string | undefined) | undefined;
}

/** A server's options with channels added. */
export interface Mounted<Data> {
  readonly options: ServeOptions<Data>;
  /** Returns the open event streams of clients without WebSockets, so that they can be closed. */
  responses(): Iterable<Closeable>;
}

/** Adds channels to the options of a server. */
export function mountChannels<Data>(
  options: ServeOptions<Data>,
  { channels, channelPath = "/socket", channelUser }: ChannelServeOptions<Data>,
  hub: Hub,
): Mounted<Data> {
  if (!Array.isArray(channels)) throw new OptionError("option channels is not a list of channels");
  if (!channelPath.startsWith("/") || channelPath.endsWith("/")) {
    throw new OptionError(
      `option channelPath is ${JSON.stringify(channelPath)}: begin it with "/", and end it without`,
    );
  }
  for (const channel of channels) hub.define(channel);
  const path = `${channelPath}/websocket`;
  const waiting = new WeakMap<object, true>();
  const connections = new WeakMap<object, ChannelConnection>();
  const { fetch, open, message, close } = options;
  const user = (data: Data): string | undefined => channelUser?.(data);
  let source: string | undefined;

  function upgrade(
    request: Request,
    remote: Address,
  ): UpgradeAnswer<Data> | Promise<UpgradeAnswer<Data>> {
    const { pathname, searchParams } = new URL(request.url);
    const version = searchParams.get("vsn") ?? "2.0.0";
    if (pathname === path && !version.startsWith("2.")) {
      const words = `vsn ${version}: this server has version 2.0.0 of the channel protocol`;
      return new Response(words, { status: 400 });
    }
    return options.upgrade?.(request, remote);
  }

  const requests = new EventRequests<Data>({ options, hub, user, upgrade });
  const mounted: ServeOptions<Data> = {
    ...options,
    async upgrade(request, remote) {
      const answer = await upgrade(request, remote);
      const isChannel = new URL(request.url).pathname === path;
      if (!isChannel || answer instanceof Response) return answer;
      const data = answer?.data as Data;
      const wrapped = { data };
      waiting.set(wrapped, true);
      return { ...answer, data: wrapped as never };
    },
    fetch(request, remote) {
      const { pathname } = new URL(request.url);
      if (pathname === path) {
        return request.method === "POST" ? requests.open(request, remote) : noUpgrade();
      }
      if (pathname === `${channelPath}/send` && request.method === "POST") {
        return requests.send(request);
      }
      if (pathname === `${channelPath}/client.js`) {
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
      connections.set(conn, new ChannelConnection(hub, transport, user(conn.data)));
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
  return { options: mounted, responses: () => requests.sessions };
}

/** Returns the response to a request whose WebSocket headers were removed by a proxy. */
function noUpgrade(): Response {
  const words = "this is the path of WebSockets, and the request has no header Upgrade: " +
    "a proxy in between must pass on the headers Upgrade and Connection";
  return new Response(words, { status: 426, headers: { upgrade: "websocket" } });
}
