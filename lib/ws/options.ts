/**
 * The options of `serve`. They are checked by `limits.ts`.
 *
 * | option | default | at the limit |
 * |---|---|---|
 * | `maxConnections` | 10 000 | the connection that has waited longest for its next request is closed; if none waits, the oldest connection without a complete request, of the address that has most such connections; otherwise 503 |
 * | `maxConnectionsPerAddress` | no limit | 503 |
 * | `handshakeTimeout` | 10 s until a request's head is complete, and for the upgrade hook | 408; 503 while the hook is pending |
 * | `requestBodyTimeout` | 60 s without progress of a request's body | 408 |
 * | `responseTimeout` | 120 s until the fetch hook has answered | 503 |
 * | `sendTimeout` | 60 s in which the client reads nothing | the connection is aborted |
 * | `keepAliveTimeout` | 75 s between two requests | closed |
 * | `maxRequestsPerConnection` | 1000 | the connection closes after the last response |
 * | `maxRequestBodySize` | 1 MiB | 413 |
 * | `maxRequestBodiesSize` | 256 MiB for all unanswered requests | 503 |
 * | `maxPayloadLength` | 16 MiB | the connection closes with 1009 |
 * | incomplete messages of all connections | 256 MiB, or `maxPayloadLength` if more | the connection whose message uses most closes with 1013 |
 * | `backpressureLimit` | 16 MiB | by `backpressurePolicy`: the connection closes with 1013, the message is dropped, or only the latest is stored |
 * | `idleTimeout` | 30 s without data, with a ping at half of it | the connection is aborted |
 * | `closeTimeout` | 5 s after this side's close frame or last response was sent | the connection is closed |
 * | `perMessageDeflate` | off | a message that would inflate beyond `maxPayloadLength`: 1009 |
 *
 * @module
 */
import type { LogSink } from "../base/log.ts";
import type { Address } from "../host/stream.ts";
import type { SpawnOptions } from "../actor/self.ts";
import type { BackpressureOptions } from "./backpressure.ts";
import type { ConnectionHandlers } from "./connection.ts";
import type { Rooms } from "./rooms.ts";

/**
 * The error for an invalid option of `serve` or `connect`.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { OptionError } from "@firn/firn/ws";
 * import { assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * await assertRejects(() => node.serve({ idleTimeout: -1 }), OptionError);
 * ```
 */
export class OptionError extends TypeError {
  /** The name of the class. */
  override readonly name = "OptionError";
  /** Stable code: `"badoption"`. */
  readonly code = "badoption";
}

/** The result of an upgrade hook that accepts a WebSocket. */
export interface Acceptance<Data> {
  /** The connection's `data`. Default: undefined. */
  readonly data?: Data;
  /** One of the subprotocols offered by the client. Default: none. */
  readonly protocol?: string | undefined;
  /** Headers for the 101 response. Default: none. */
  readonly headers?: HeadersInit | undefined;
  /** Backpressure options of this connection. Default: those of the server. */
  readonly backpressure?: BackpressureOptions | undefined;
}

/**
 * The result of an upgrade hook: `undefined` or an {@linkcode Acceptance} accepts the request, a
 * `Response` rejects it.
 */
export type UpgradeAnswer<Data> = Response | Acceptance<Data> | undefined | void;

/**
 * Options of compression. A connection with context takeover uses memory outside of the heap, about
 * 225 KiB for compression and 20 to 30 KiB for inflation. Without it, which is the default for both
 * sides, a connection uses none, except 30 KiB while a message arrives in pieces.
 */
export interface DeflateOptions {
  /** Minimum length of a message that is compressed, in bytes. Default 1024. */
  readonly threshold?: number | undefined;
  /** The compression level of zlib, 0 to 9. Default 6. */
  readonly level?: number | undefined;
  /** The memory level of zlib, 1 to 9. Default 8. */
  readonly memLevel?: number | undefined;
  /** Whether the server resets its context after each message. Default true. */
  readonly serverNoContextTakeover?: boolean | undefined;
  /** Whether the client must reset its context after each message. Default true. */
  readonly clientNoContextTakeover?: boolean | undefined;
  /** The base-2 logarithm of the server's maximum window size in bytes: 8 to 15. Default 15. */
  readonly serverMaxWindowBits?: number | undefined;
  /**
   * The base-2 logarithm of the maximum window size in bytes of a client that accepts a limit: 8 to
   * 15. Default 15.
   */
  readonly clientMaxWindowBits?: number | undefined;
}

/** Options of `serve`. */
export interface ServeOptions<Data = undefined>
  extends ConnectionHandlers<Data>, BackpressureOptions {
  /** The address to listen on. Default "127.0.0.1": this machine only. */
  readonly hostname?: string | undefined;
  /** The port to listen on. Default 0: the system chooses one. */
  readonly port?: number | undefined;
  /**
   * Path of a Unix socket to listen on, instead of `hostname` and `port`. The file of a killed
   * process is replaced; permissions follow the process's umask. `remote.hostname` of its clients
   * is `"unix"`, also in `trustedProxies`. Cannot be combined with `tls`. Default: none.
   */
  readonly unix?: string | undefined;
  /**
   * Shares the port with other processes of the same user that also set this option. The system
   * spreads connections over these processes. A server with this option accepts waiting connections
   * before it stops. Default false.
   */
  readonly reusePort?: boolean | undefined;
  /** Certificate and key, PEM, for `wss` and `https` over TLS 1.2 or 1.3. Default: no TLS. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    /** Certificates for other host names, by SNI; `"*.example.org"` matches one label. */
    readonly hosts?:
      | Readonly<Record<string, { readonly cert: string; readonly key: string }>>
      | undefined;
    /**
     * Certificate of an authority, PEM: clients must present a certificate that it has issued,
     * which hooks get as `remote.certificate`. Default: no client certificate is required.
     */
    readonly ca?: string | undefined;
  } | undefined;
  /** The rooms that connections join. Default: separate rooms of this server. */
  readonly rooms?: Rooms | undefined;
  /** Receives reports of failed handlers. Default: the host's log. */
  readonly log?: LogSink | undefined;
  /**
   * The origins whose pages may open a WebSocket, such as `"https://example.org"`; a request
   * from another page is rejected with 403. `"*"`: all origins, for servers that do not rely on
   * cookies. A client without the header Origin is not a browser, and is accepted. Default: the
   * host and port of the request, so a proxy must pass on the header Host.
   */
  readonly origins?: readonly string[] | "*" | undefined;
  /**
   * Maximum length of a message, in bytes, after inflating; the compressed form may be twice as
   * long. Default 16 MiB.
   */
  readonly maxPayloadLength?: number | undefined;
  /** Compresses messages if the client supports it: RFC 7692. Default false. */
  readonly perMessageDeflate?: boolean | DeflateOptions | undefined;
  /** The limit of the mailbox of each connection's actor. Default: none. */
  readonly mailbox?: SpawnOptions["mailbox"];
  /**
   * Seconds without data from a client after which its connection is aborted; a ping is sent after
   * half of this time. 0 means no limit. Default 30.
   */
  readonly idleTimeout?: number | undefined;
  /**
   * Time limit from the accept, or from the first byte of a further request, until a request's head
   * is complete, in milliseconds; the same limit applies to the upgrade hook. Default 10000.
   */
  readonly handshakeTimeout?: number | undefined;
  /**
   * Maximum time without progress of an awaited request body, in milliseconds; each KiB counts as
   * progress. Default 60000.
   */
  readonly requestBodyTimeout?: number | undefined;
  /**
   * Time limit for the fetch hook to return a response, in milliseconds; 0 means no limit. Default
   * 120000.
   */
  readonly responseTimeout?: number | undefined;
  /**
   * Maximum time for which a client may read nothing of the data that waits for it, in
   * milliseconds; then the connection is aborted. Default 60000.
   */
  readonly sendTimeout?: number | undefined;
  /**
   * Time for which a connection is kept between two plain requests, in milliseconds; with 0, it is
   * not kept. It must exceed the time for which a proxy keeps its connections to this server (nginx
   * and AWS: 60 s); otherwise the proxy may send a request while the server closes the connection.
   * Default 75000.
   */
  readonly keepAliveTimeout?: number | undefined;
  /** Maximum number of plain requests on one connection. Default 1000. */
  readonly maxRequestsPerConnection?: number | undefined;
  /**
   * Milliseconds to wait for the client to close the connection after this side's close frame or
   * last response was sent; then the connection is closed. Default 5000.
   */
  readonly closeTimeout?: number | undefined;
  /**
   * Maximum number of connections and WebSockets of one client (an IPv4 address or an IPv6 /64); a
   * further one is rejected with 503. Behind `trustedProxies`, WebSockets are counted by the
   * address that the proxy names. Default: no limit.
   */
  readonly maxConnectionsPerAddress?: number | undefined;
  /**
   * Addresses and networks of proxies, such as `"10.0.0.0/8"`, whose X-Forwarded-For and
   * X-Forwarded-Proto are used: hooks and `remoteAddress` then get the client's address (with port
   * 0), and `request.url` has the client's scheme. Default: none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
  /**
   * Whether connections begin with the PROXY protocol's header, version 1 or 2; connections from
   * other addresses than `trustedProxies` are aborted. Default false.
   */
  readonly proxyProtocol?: boolean | undefined;
  /**
   * Maximum number of connections, WebSockets included. A further one replaces the connection that
   * has waited longest for its next request; if there is none, it gets a 503. Default 10,000.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Maximum number of bytes of a plain request's body. A body that does not arrive together with
   * the head is streamed through `request.body`. Default 1 MiB.
   */
  readonly maxRequestBodySize?: number | undefined;
  /**
   * Maximum number of bytes of the bodies of all unanswered plain requests; a request that exceeds
   * it gets a 503. Default 256 MiB, or `maxRequestBodySize` if that is larger.
   */
  readonly maxRequestBodiesSize?: number | undefined;
  /**
   * Decides on a WebSocket request before it is accepted. If it throws, the response is 500.
   * `remote` is the peer's address: behind a proxy, that of the proxy unless `trustedProxies`
   * includes it.
   */
  upgrade?(
    request: Request,
    remote: Address,
  ): UpgradeAnswer<Data> | Promise<UpgradeAnswer<Data>>;
  /**
   * Answers plain requests; `remote` is as for `upgrade`. `request.signal` is aborted when the
   * client closes before the response is complete. Default: 404.
   *
   * @example The address of the client
   * ```ts
   * import { serve } from "@firn/firn";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = await serve({
   *   fetch: (_request, remote) => new Response(`you ask from ${remote.hostname}`),
   * });
   * const answer = await fetch(server.url.replace("ws:", "http:"));
   * assertEquals(await answer.text(), "you ask from 127.0.0.1");
   * ```
   */
  fetch?(request: Request, remote: Address): Response | Promise<Response>;
}
