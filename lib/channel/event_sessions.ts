/**
 * Serves clients that cannot open a WebSocket: a response of server-sent events carries the
 * messages to the client, and requests carry those of the client.
 *
 *     POST /socket/websocket ─▶ data: [null,null,"phoenix","firn_session",{"id":"…"}]
 *                               data: …                        until either side closes
 *     POST /socket/send      ─▶ 204 when the messages have been handled
 *
 *       <id> <number>           the session, and the number of the request: 1, 2, …
 *       [join_ref, ref, …]      a message in JSON, or
 *       AAE…                    a binary message in base64
 *
 * A client has one request in progress at a time, which keeps its messages in order. Browsers
 * repeat a request if its connection breaks. A request with the number of the previous one
 * therefore gets the same answer, and is not handled again. A load balancer may send a request to
 * any node. The first part of the id identifies the node of the session, to which the mesh forwards
 * the request.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { utf8 } from "../base/bytes.ts";
import { inPortions, type YieldsToIo } from "../base/portions.ts";
import type { Pid } from "../term/pid.ts";
import type { Backpressure } from "../ws/backpressure.ts";
import { EventStream } from "../ws/event_stream.ts";
import { encodePush, PHOENIX_TOPIC } from "./wire.ts";

/** Maximum number of sessions per node. Further requests to open one are rejected with 503. */
const SESSIONS_MAX = 10_000;

/**
 * Time without a request after which a session is closed, in milliseconds. By default, the client
 * sends a heartbeat every 20 seconds, or every minute in a background tab.
 */
const IDLE_MS = 90_000;

/**
 * Interval at which idle sessions are closed, and comments are sent to keep streams alive, in
 * milliseconds.
 */
const BEAT_MS = 20_000;

/**
 * Maximum total length of requests that other nodes are handling, in bytes. Further requests are
 * rejected with 503.
 */
const FORWARDED_BYTES_MAX = 16 * 1024 * 1024;

/** Close code of RFC 6455, section 7.4.1: the server is going away. */
const GOING_AWAY = 1001;
/** Close code of RFC 6455, section 7.4.1: internal error. */
const INTERNAL_ERROR = 1011;

/** The status of the response to a request with messages. */
export type SendStatus =
  /** The messages have been handled. */
  | 204
  /** The request is malformed. */
  | 400
  /** A request of the session is missing, so the session was closed. */
  | 409
  /** The session does not exist. */
  | 410
  /** The node of the session cannot be reached, or too many requests are being forwarded. */
  | 503;

/** A request with messages, as sent between nodes. */
export type SendRequest = readonly [
  "send",
  id: string,
  number: number,
  messages: readonly string[],
];

/** Receives the messages of a session. */
interface Receiver {
  received(data: string | Uint8Array): void | Promise<void>;
}

/** The properties and functions of the hub that the sessions of its node use. */
export interface SessionPorts extends YieldsToIo {
  readonly creation: number;
  peers(): Iterable<Pid>;
  call(pid: Pid, request: SendRequest): Promise<SendStatus>;
  newSecret(): string;
  now(): number;
  after(ms: number, task: () => void): { cancel(): void };
  failed(what: string, error: unknown): void;
}

/** Opens and finds the sessions of one node. */
export class EventSessions {
  readonly #ports: SessionPorts;
  readonly #sessions = new Map<string, EventSession>();
  #forwardedBytes = 0;
  #opened = 0;
  #beat: { cancel(): void } | undefined;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /**
   * Opens a session. `ended` is called once, when the session has ended. Returns undefined if the
   * limit of sessions is reached.
   */
  open(limits: Backpressure, ended: (session: EventSession) => void): EventSession | undefined {
    if (this.#sessions.size >= SESSIONS_MAX) return undefined;
    const ports = this.#ports;
    const key = `${tagOf(ports.creation)}.${(++this.#opened).toString(36)}`;
    const id = `${key}.${ports.newSecret()}`;
    const session: EventSession = new EventSession(id, limits, ports, () => {
      this.#sessions.delete(key);
      ended(session);
    });
    this.#sessions.set(key, session);
    this.#beat ??= ports.after(BEAT_MS, () => this.#check());
    return session;
  }

  /** Handles a request with messages. `body` is described at the top of this file. */
  async send(body: string): Promise<SendStatus> {
    const [head, ...messages] = body.split("\n");
    const match = /^(([\da-z]{1,10})\.[\da-z]{1,11}\.[\w-]{1,64}) (\d{1,15})$/.exec(head!);
    if (match === null) return 400;
    const [, id, tag, number] = match;
    const request: SendRequest = ["send", id!, Number(number), messages];
    if (tag === tagOf(this.#ports.creation)) return await this.sent(request);
    for (const pid of this.#ports.peers()) {
      if (tagOf(pid.home.creation) === tag) return await this.#forward(pid, request, body.length);
    }
    return 410;
  }

  /**
   * Handles a request for a session of this node. This node or another one has received the
   * request.
   */
  async sent([, id, number, messages]: SendRequest): Promise<SendStatus> {
    const session = this.#sessions.get(id.slice(0, id.lastIndexOf(".")));
    return session === undefined || !equal(session.id, id) ? 410 : await session.take(
      number,
      messages,
    );
  }

  /** Closes all sessions. */
  stop(): void {
    for (const session of [...this.#sessions.values()]) session.close(GOING_AWAY, "");
    this.#beat?.cancel();
  }

  async #forward(pid: Pid, request: SendRequest, bytes: number): Promise<SendStatus> {
    if (this.#forwardedBytes + bytes > FORWARDED_BYTES_MAX) return 503;
    this.#forwardedBytes += bytes;
    try {
      return await this.#ports.call(pid, request);
    } catch {
      return 503;
    } finally {
      this.#forwardedBytes -= bytes;
    }
  }

  #check(): void {
    const ports = this.#ports;
    inPortions(this.#sessions.values(), ports, (session) => {
      if (ports.now() - session.usedAt >= IDLE_MS) session.close(GOING_AWAY, "no heartbeat");
      else session.stream.beat();
    }, () => {
      this.#beat = this.#sessions.size === 0
        ? undefined
        : ports.after(BEAT_MS, () => this.#check());
    });
  }
}

/** The session of one client. */
export class EventSession {
  /**
   * Identifies the session. Contains a secret, so that it also authenticates the client's requests.
   */
  readonly id: string;
  readonly stream: EventStream;
  /** Receives the messages of the client. Set before the response is sent. */
  receiver: Receiver | undefined;
  /** The time of the last request, in milliseconds. */
  usedAt: number;
  readonly #ports: SessionPorts;
  #number = 0;
  /**
   * The status of the last request. Resolves when the messages of that request have been handled.
   */
  #answer: Promise<SendStatus> = Promise.resolve(204);
  #isOver = false;

  constructor(id: string, limits: Backpressure, ports: SessionPorts, ended: () => void) {
    this.id = id;
    this.#ports = ports;
    this.usedAt = ports.now();
    this.stream = new EventStream(limits, () => {
      this.#isOver = true;
      ended();
    });
  }

  /** Returns the response that carries the messages to the client. */
  response(headers: Headers): Response {
    this.stream.send(encodePush(null, PHOENIX_TOPIC, "firn_session", { id: this.id }));
    return this.stream.response(headers);
  }

  /** Handles the messages of a request, after those of the previous request. */
  take(number: number, messages: readonly string[]): Promise<SendStatus> {
    this.usedAt = this.#ports.now();
    if (number === this.#number) return this.#answer;
    if (number !== this.#number + 1) {
      this.close(GOING_AWAY, "a request is missing");
      return Promise.resolve(409);
    }
    this.#number = number;
    return this.#answer = this.#handle(messages, this.#answer);
  }

  close(code: number, reason: string = ""): void {
    if (this.#isOver) return;
    this.stream.send(encodePush(null, PHOENIX_TOPIC, "firn_close", { code, reason }));
    this.stream.end();
  }

  async #handle(messages: readonly string[], before: Promise<SendStatus>): Promise<SendStatus> {
    await before;
    for (const message of messages) {
      if (this.#isOver) return 410;
      try {
        // A message in JSON begins with a bracket. A message in base64 never does.
        await this.receiver!.received(
          message.startsWith("[") ? message : new Uint8Array(Buffer.from(message, "base64")),
        );
      } catch (error) {
        this.#ports.failed("a message of a client", error);
        this.close(INTERNAL_ERROR, "");
      }
    }
    return 204;
  }
}

/**
 * Returns the first part of a session's id: the creation number of its node, which is not secret.
 */
function tagOf(creation: number): string {
  return creation.toString(36);
}

/** Compares two texts in a time that does not depend on their content. */
function equal(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(utf8(one), utf8(other));
}
