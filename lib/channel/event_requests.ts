/**
 * Handles the requests of clients that cannot open a WebSocket. They are authorised as WebSockets
 * are: by the origin, and by the application's upgrade hook. The hook receives the same URL and
 * headers, but the method POST.
 *
 * @module
 */
import type { Address } from "../host/stream.ts";
import type { Backpressure } from "../ws/backpressure.ts";
import { ClientCounts } from "../ws/client_counts.ts";
import type { Acceptance, ServeOptions, UpgradeAnswer } from "../ws/options.ts";
import { BACKPRESSURE, limitsOf, originsOf } from "../ws/limits.ts";
import { checkOriginOf, type Origins } from "../ws/origin.ts";
import { ChannelConnection } from "./connection.ts";
import type { EventSession, SendStatus } from "./event_sessions.ts";
import type { Hub } from "./hub.ts";

const WORDS: Readonly<Record<Exclude<SendStatus, 204>, string>> = {
  400: "not a request of the client of channels",
  409: "an earlier request is missing: connect again",
  410: "there is no such session: connect again",
  503: "the node of this session cannot be reached: connect again",
};

/** The parts of a server that the requests use. */
export interface EventRequestPorts<Data> {
  readonly options: ServeOptions<Data>;
  readonly hub: Hub;
  user(data: Data): string | undefined;
  /** Checks the version of the protocol, and calls the application's upgrade hook. */
  upgrade(request: Request, remote: Address): UpgradeAnswer<Data> | Promise<UpgradeAnswer<Data>>;
}

/** Handles the requests of clients without WebSockets, for one server. */
export class EventRequests<Data> {
  /** The open sessions of this server. */
  readonly sessions: Set<EventSession> = new Set();
  readonly #ports: EventRequestPorts<Data>;
  readonly #origins: Origins;
  readonly #limits: Backpressure;
  readonly #clients = new ClientCounts();

  constructor(ports: EventRequestPorts<Data>) {
    this.#ports = ports;
    this.#origins = originsOf(ports.options.origins);
    this.#limits = limitsOf(ports.options, BACKPRESSURE)!;
  }

  /**
   * Opens a session. Returns the response that carries its messages to the client, or a rejection.
   */
  async open(request: Request, remote: Address): Promise<Response> {
    const most = this.#ports.options.maxConnectionsPerAddress ?? Infinity;
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return refusal;
    // Sessions are counted per client here, because the clients behind a proxy share the proxy's
    // connections, whose number is not limited.
    if (this.#clients.of(remote) >= most) {
      return this.#answer(request, 503, "too many connections from this address");
    }
    const answer = await this.#ports.upgrade(request, remote);
    if (answer instanceof Response) {
      const { body, status, statusText, headers } = answer;
      return new Response(body, { status, statusText, headers: this.#headers(request, headers) });
    }
    return this.#accept(request, remote, answer ?? {});
  }

  /** Handles a request with messages of a client. The client's session may be on any node. */
  async send(request: Request): Promise<Response> {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return refusal;
    const status = await this.#ports.hub.sessions.send(await request.text());
    if (status !== 204) return this.#answer(request, status, WORDS[status]);
    return new Response(null, { status, headers: this.#headers(request) });
  }

  #accept(
    request: Request,
    remote: Address,
    { data, headers, backpressure }: Acceptance<Data>,
  ): Response {
    const { hub } = this.#ports;
    const user = this.#ports.user(data as Data);
    let connection: ChannelConnection | undefined;
    const limits = limitsOf(backpressure, this.#limits) ?? this.#limits;
    const session = hub.sessions.open(limits, (session) => {
      this.sessions.delete(session);
      this.#clients.leave(remote);
      hub.rooms.leaveAll(session.stream);
      connection?.closed();
    });
    if (session === undefined) return this.#answer(request, 503, "too many connections");
    this.sessions.add(session);
    this.#clients.enter(remote);
    const { stream } = session;
    const transport = {
      member: stream,
      data,
      connection: undefined,
      send: (frame: string | Uint8Array) => stream.send(frame),
      close: (code: number, reason: string) => session.close(code, reason),
    };
    const response = session.response(this.#headers(request, headers));
    session.receiver = connection = new ChannelConnection(hub, transport, user);
    return response;
  }

  #refusal(request: Request): Response | undefined {
    const { headers } = request;
    const [origin, host] = ["origin", "host"].map((name) => headers.get(name) ?? undefined);
    const refusal = checkOriginOf(origin, host, this.#origins);
    return refusal && new Response(refusal.words, { status: refusal.status });
  }

  #answer(request: Request, status: number, words: string): Response {
    return new Response(words, { status, headers: this.#headers(request) });
  }

  /** Adds the headers that allow a page of another, permitted origin to read a response. */
  #headers(request: Request, more?: HeadersInit): Headers {
    const headers = new Headers(more);
    const origin = request.headers.get("origin");
    if (origin !== null) {
      headers.set("access-control-allow-origin", origin);
      headers.set("access-control-allow-credentials", "true");
      headers.append("vary", "origin");
    }
    return headers;
  }
}
