// deno-lint-ignore-file no-console -- reports mistakes of the program to the programmer
/**
 * The client for channels, for browsers, Deno, Bun and Node. It has no imports, and its top level
 * contains only classes and types, so that `clientSource` can serve it to pages without a build
 * step.
 *
 * Longer than 400 lines: it has no imports, so that a browser can load it as one file.
 *
 * @module
 */

/**
 * The type of a server's channel, from which a typed client infers its types: `typeof room` of
 * `const room = channel(…)`.
 */
export interface TypedChannel {
  /** Carries types only: the property never has a value. */
  readonly types?: { readonly params: unknown; readonly on: unknown; readonly events: unknown };
}

/** The types of a {@linkcode TypedChannel}. */
export type ChannelTypes<C> = C extends { readonly types?: infer T } ? NonNullable<T> : never;
/** The handlers of a channel, by event. */
export type ChannelHandlers<C> = ChannelTypes<C> extends { readonly on: infer H } ? H : never;
/** The payloads that a channel sends, by event. */
export type ChannelSent<C> = ChannelTypes<C> extends { readonly events: infer E } ? E : never;

/** The events that may be pushed to a channel. */
export type PushEvent<C> = [keyof ChannelHandlers<C> & string] extends [never] ? string
  : keyof ChannelHandlers<C> & string;

/** The payload of an event that is pushed. */
export type PushPayload<C, E> = E extends keyof ChannelHandlers<C>
  // deno-lint-ignore no-explicit-any
  ? ChannelHandlers<C>[E] extends (payload: infer P, ...rest: any[]) => unknown ? P : unknown
  : unknown;

/** The reply to an event that is pushed. */
export type PushReply<C, E> = E extends keyof ChannelHandlers<C>
  // deno-lint-ignore no-explicit-any
  ? ChannelHandlers<C>[E] extends (...args: any[]) => infer R ? Awaited<R> : unknown
  : unknown;

/** The payload of an event that is received. */
export type EventPayload<C, E> = E extends keyof ChannelSent<C> ? ChannelSent<C>[E] : unknown;

/** The parameters of a join. */
export type JoinParams<C> = ChannelTypes<C> extends { readonly params: infer P } ? P : unknown;

/** One presence entry: the metadata of a connection or actor, and its reference. */
export type Present = Readonly<Record<string, unknown>> & { readonly phx_ref: string };

/**
 * The states of a {@linkcode Socket}.
 *
 * - `"connecting"`: an attempt to connect is in progress;
 * - `"open"`: the socket is connected;
 * - `"waiting"`: the socket waits for the next attempt;
 * - `"closed"`: the socket was closed, and does not connect again.
 */
export type SocketState = "connecting" | "open" | "waiting" | "closed";

/**
 * The states of a {@linkcode ClientChannel}.
 *
 * - `"joining"`: the server has not answered the join yet, or there is no connection;
 * - `"joined"`: the server has accepted the join;
 * - `"rejected"`: the server has rejected the join;
 * - `"left"`: the channel was left.
 */
export type ClientChannelState = "joining" | "joined" | "rejected" | "left";

/** Events of a socket. */
export interface SocketEvents {
  /**
   * The socket is connected. Its channels join afterwards. `transport` is "events" if a WebSocket
   * cannot be opened, for example because a proxy blocks it. Messages are then received as
   * server-sent events, and sent with HTTP requests.
   */
  open: { readonly url: string; readonly transport: "websocket" | "events" };
  /**
   * The connection was closed, or an attempt to connect has failed. After a failed attempt,
   * `reason` begins with the status of the response, such as "401 the token has expired". `retryIn`
   * is the number of milliseconds until the next attempt.
   */
  close: {
    readonly code: number;
    readonly reason: string;
    readonly retryIn: number | undefined;
  };
  /** The server has invited this client to a topic. */
  invite: { readonly topic: string };
}

/** Events of the channel itself, in addition to those of the application. */
export interface ChannelEvents {
  /**
   * The channel has joined or rejoined. `recovered` is whether no message was lost; undefined
   * without history.
   */
  joined: { readonly response: unknown; readonly recovered: boolean | undefined };
  /**
   * Messages were lost. Reasons: "expired" (they are no longer stored), "lost" (the
   * history was replaced by a new one), "diverged" (this client has received messages that the
   * history has lost) or "nohome" (no node keeps the history).
   */
  lost: { readonly reason: string };
  /** The server has removed or rejected this client. */
  closed: { readonly reason: string };
  /** The presence has changed. */
  presence: ReadonlyMap<string, readonly Present[]>;
}

/** Options of a {@linkcode Socket}. */
export interface SocketOptions {
  /**
   * Query parameters of the URL, such as credentials. A function is called for each attempt.
   * Default: no parameters.
   */
  readonly params?:
    | Record<string, string>
    | (() => Record<string, string> | Promise<Record<string, string>>)
    | undefined;
  /** Time limit of a connection attempt, a join or a push, in milliseconds. Default 10000. */
  readonly timeout?: number | undefined;
  /**
   * Milliseconds between two heartbeats. Default 20000. More than 80000 is too long where
   * WebSockets are blocked: the server closes a client that is silent for 90 seconds.
   */
  readonly heartbeat?: number | undefined;
  /**
   * Maximum pause between two attempts to connect, in milliseconds. The first pause is at most 250.
   * Default 10000.
   */
  readonly maxDelay?: number | undefined;
  /**
   * Maximum number of pushes that wait for the connection. Further pushes are rejected. Default
   * 1000.
   */
  readonly buffer?: number | undefined;
}

/**
 * The error of a failed push or join.
 *
 * @example
 * ```ts
 * import { ChannelClientError, type ClientChannel } from "@firn/firn/client";
 *
 * // Sends a message. Returns why the server has rejected it, or undefined.
 * async function reasonOf(room: ClientChannel): Promise<string | undefined> {
 *   try {
 *     await room.push("message", { text: "hello" });
 *     return undefined;
 *   } catch (error) {
 *     if (error instanceof ChannelClientError) return error.code;
 *     throw error;
 *   }
 * }
 * ```
 */
export class ChannelClientError extends Error {
  /** Name of the error class. */
  override readonly name = "ChannelClientError";
  /**
   * The reason from the server, or "timeout" (no reply in time), "disconnected" (the connection was
   * lost after the message was sent, so it may have been handled), "left" (the channel was left),
   * "rejected" (the server has rejected the join), "full" (too many pushes are waiting),
   * "badpayload" (the payload cannot be encoded), "badparams" (the function that returns the
   * parameters of the join threw).
   */
  readonly code: string;
  /** Further fields that the server sent with the reason. */
  readonly details: Readonly<Record<string, unknown>>;

  /** Creates an error with its code. `what` names the failed operation, for the message. */
  constructor(code: string, details: Readonly<Record<string, unknown>> = {}, what = "") {
    super(what + code);
    this.code = code;
    this.details = details;
  }
}

interface Pending {
  /** The name of the operation that waits for the reply, for error messages. */
  readonly what: string;
  readonly resolve: (value: never) => void;
  readonly reject: (error: ChannelClientError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A position in a topic's history: the epoch of the history, and the offset of a message in it. */
interface Place {
  readonly epoch: string;
  readonly offset: number;
}

/**
 * The parts of a WebSocket that this client uses. {@linkcode Socket} implements them with HTTP
 * requests too.
 */
interface Wire {
  binaryType?: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** The history fields of a join reply. */
interface JoinDetails extends Place {
  readonly recovered?: boolean;
  readonly reason?: string;
  /** Number of missed messages that the server sends after the reply. */
  readonly missed: number;
}

/**
 * A connection to a server's channels. Reconnects when the connection is lost.
 *
 * @example
 * ```ts ignore
 * import { Socket } from "@firn/firn/client";
 *
 * const socket = new Socket("/socket");
 * const room = socket.channel("room:lobby", { name: "ann" });
 * room.on("message", ({ text }) => console.log(text));
 * await room.push("message", { text: "hello" });
 * ```
 */
export class Socket {
  /** The state of the connection. */
  state: SocketState = "connecting";
  readonly #urls: string[];
  readonly #options: SocketOptions;
  readonly #channels = new Map<string, ClientChannel<TypedChannel>>();
  readonly #listeners = new Map<string, Set<(detail: never) => void>>();
  readonly #pending = new Map<string, Pending>();
  #socket: Wire | undefined;
  /** Whether any WebSocket of this client has received a message. */
  #hasWorked = false;
  /**
   * Whether to connect without a WebSocket, because no WebSocket has worked and a stream of events
   * has.
   */
  #isBlocked = false;
  #refs = 0;
  #attempts = 0;
  /**
   * The delay before the next attempt in milliseconds, if the server has sent one. A stopping
   * server sends a different delay to each client, so that they do not reconnect at the same time.
   */
  #after: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;

  /**
   * `url` is the server's channel endpoint, such as `"https://example.org/socket"`, or `"/socket"`
   * in a page. If there are several URLs, the client tries the next one when a server cannot be
   * reached.
   */
  constructor(url: string | URL | readonly (string | URL)[], options: SocketOptions = {}) {
    const here = typeof location === "undefined" ? undefined : location.href;
    this.#urls = (Array.isArray(url) ? url : [url]).map((each) => {
      const { href } = new URL(each, here);
      return href.replace(/^http/, "ws").replace(/\/?$/, "/websocket");
    });
    this.#options = options;
    this.#connect();
  }

  /** Adds a listener of an event. Returns a function that removes it. */
  on<E extends keyof SocketEvents>(
    event: E,
    listener: (detail: SocketEvents[E]) => void,
  ): () => void {
    const known = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, known.add(listener as never));
    return () => void known.delete(listener as never);
  }

  /**
   * Joins a topic, and rejoins it after each reconnection. Returns the existing channel if the
   * topic is already joined. If the topic has history, the client first receives the last `recent`
   * messages.
   */
  channel<C extends TypedChannel = TypedChannel>(
    topic: string,
    params?: JoinParams<C> | (() => JoinParams<C>),
    options: { readonly recent?: number | undefined } = {},
  ): ClientChannel<C> {
    const known = this.#channels.get(topic);
    if (known !== undefined) return known as unknown as ClientChannel<C>;
    const channel = new ClientChannel<C>(topic, params, options.recent ?? 0, {
      send: (event, payload, joinRef, details) =>
        this.#send(topic, event, payload, joinRef, details),
      isOpen: () => this.state === "open",
      forget: () => void this.#channels.delete(topic),
      buffer: this.#options.buffer ?? 1000,
      timeout: this.#options.timeout ?? 10_000,
    });
    this.#channels.set(topic, channel as unknown as ClientChannel<TypedChannel>);
    if (this.state === "open") channel.receive("open", undefined, null, undefined);
    return channel;
  }

  /** Leaves all channels, and closes the connection without reconnecting. */
  close(): void {
    clearTimeout(this.#timer);
    for (const channel of [...this.#channels.values()]) channel.leave();
    this.state = "closed";
    this.#socket?.close(1000);
    this.#lost();
  }

  async #connect(usesEvents = this.#isBlocked): Promise<void> {
    this.state = "connecting";
    const url = this.#urls[0]!;
    const { params, timeout = 10_000, heartbeat = 20_000 } = this.#options;
    let socket: Wire;
    try {
      const more = typeof params === "function" ? await params() : params;
      // The socket may have been closed in the meantime.
      if ((this.state as SocketState) === "closed") return;
      const full = `${url}?${new URLSearchParams({ ...more, vsn: "2.0.0" })}`;
      socket = usesEvents ? this.#events(full) : new WebSocket(full) as Wire;
    } catch (error) {
      return this.#retry(1006, String(error));
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let late: ReturnType<typeof setTimeout> | undefined = undefined;
    let works = false;
    // A WebSocket counts as working when its first message has arrived: some proxies let a
    // WebSocket open, but pass no messages.
    const working = (): void => {
      works = true;
      this.#attempts = 0;
      if (!usesEvents) this.#hasWorked = true;
      this.#isBlocked = !this.#hasWorked;
    };
    const over = (closeCode: number, reason: string): void => {
      clearTimeout(late);
      if (this.#socket !== socket) return;
      // Runtimes report different codes for a failed attempt. Here, all of them become 1006.
      const code = this.state === "open" ? closeCode : 1006;
      this.#lost();
      if (!works) {
        this.#isBlocked = false;
        // Tries once with HTTP requests, to determine whether only WebSockets are blocked. Does not
        // do so for a single failure after a success, because the server may have been stopped.
        if (code === 1006 && !usesEvents && (this.#attempts > 0 || !this.#hasWorked)) {
          return void this.#connect(true);
        }
      }
      // The next attempt uses the next server.
      this.#urls.push(this.#urls.shift()!);
      this.#retry(code, reason);
    };
    late = setTimeout(() => {
      over(1006, "timeout");
      socket.close();
    }, timeout);
    socket.onopen = () => {
      if (this.#socket !== socket) return socket.close();
      clearTimeout(late);
      this.state = "open";
      if (usesEvents) working();
      this.#beat = setInterval(() => {
        this.#send("phoenix", "heartbeat", {}, null).answer.catch(({ code }) => {
          // Does not wait for the closing handshake of an unresponsive server.
          if (code === "timeout") over(1006, "no heartbeat");
          if (code === "timeout") socket.close();
        });
      }, heartbeat);
      this.#emit("open", { url, transport: usesEvents ? "events" : "websocket" });
      for (const channel of this.#channels.values()) {
        channel.receive("open", undefined, null, undefined);
      }
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      if (!works) working();
      this.#received(data);
    };
    socket.onclose = ({ code, reason }) => over(code, reason);
    socket.onerror = () => {};
  }

  /** Connects without a WebSocket; `channel/event_sessions.ts` describes the requests. */
  #events(url: string): Wire {
    const abort = new AbortController();
    const http = url.replace("ws", "http");
    const queue: string[] = [];
    let id = "";
    let number = 0;
    let isBusy = false;
    let closing: ReturnType<typeof setTimeout> | undefined;
    const end = (code: number, reason: string): void => {
      clearTimeout(closing);
      abort.abort();
      wire.onclose?.({ code, reason });
      wire.onclose = null;
    };
    const failed = ({ message }: Error): void => end(1006, message);
    const post = async (to: string, body?: string): Promise<Response> => {
      const init = { method: "POST", body: body ?? null, credentials: "include" as const };
      const response = await fetch(to, { ...init, signal: abort.signal });
      if (response.ok) return response;
      throw new Error(`${response.status} ${await response.text()}`);
    };
    const flush = async (): Promise<void> => {
      while (queue.length > 0) {
        // Sends one request at a time, of at most 64 KiB unless a message is larger.
        let size = 0;
        const fits = queue.findIndex((each) => (size += each.length) > 65_536);
        const lines = queue.splice(0, fits < 0 ? queue.length : fits || 1);
        const body = [`${id} ${++number}`, ...lines].join("\n");
        await post(http.replace(/websocket\?.*/, "send"), body);
      }
      isBusy = false;
      if (closing !== undefined) end(1000, "");
    };
    const listen = async (): Promise<void> => {
      const reader = (await post(http)).body!.getReader();
      const decoder = new TextDecoder();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new Error("the stream ended");
        const text = decoder.decode(value, { stream: true });
        rest += text;
        if (!text.includes("\n")) continue;
        const lines = rest.split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const data = line.slice(6);
          if (!line.startsWith("data: ")) continue;
          if (id === "") {
            id = JSON.parse(data)[4].id;
            wire.onopen?.();
          } else if (data.startsWith('[null,null,"phoenix","firn_close"')) {
            const { code, reason } = JSON.parse(data)[4];
            end(code, reason);
          } else if (data[0] === "[") wire.onmessage?.({ data });
          else {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            wire.onmessage?.({ data: bytes.buffer });
          }
        }
      }
    };
    const wire: Wire = {
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      send(data) {
        queue.push(
          typeof data === "string"
            ? data
            : btoa(Array.from(data, (each) => String.fromCharCode(each)).join("")),
        );
        if (isBusy) return;
        isBusy = true;
        // Messages that are sent together are combined into one request.
        Promise.resolve().then(flush).catch(failed);
      },
      close() {
        // Waits up to a second for a request that is still sending earlier messages.
        if (isBusy) closing = setTimeout(() => end(1000, ""), 1_000);
        else end(1000, "");
      },
    };
    listen().catch(failed);
    return wire;
  }

  #retry(code: number, reason: string): void {
    if (this.state === "closed") return;
    this.state = "waiting";
    // The delays are random, so that clients that were disconnected at the same time do not
    // reconnect at the same time.
    const { maxDelay = 10_000 } = this.#options;
    const most = Math.min(maxDelay, 250 * 2 ** this.#attempts++);
    const retryIn = this.#after ?? most * (1 + Math.random()) / 2;
    this.#after = undefined;
    this.#timer = setTimeout(() => this.#connect(), retryIn);
    if (/^4\d\d /.test(reason) && !this.#listeners.has("close")) console.warn(reason);
    this.#emit("close", { code, reason, retryIn });
  }

  /** Called when the connection was lost. Rejects pending pushes, and stops the heartbeat. */
  #lost(): void {
    this.#socket = undefined;
    clearInterval(this.#beat);
    for (const [ref, { what, reject, timer }] of [...this.#pending]) {
      this.#pending.delete(ref);
      clearTimeout(timer);
      reject(new ChannelClientError("disconnected", {}, what));
    }
    for (const channel of this.#channels.values()) {
      channel.receive("down", undefined, null, undefined);
    }
  }

  #send(
    topic: string,
    event: string,
    payload: unknown,
    joinRef: string | null,
    details?: unknown,
  ): { ref: string; answer: Promise<never> } {
    const ref = String(++this.#refs);
    const what = event === "phx_join" ? `join of ${topic}: ` : `${event} to ${topic}: `;
    let data: string | Uint8Array<ArrayBuffer>;
    try {
      data = this.#encode(
        [event === "phx_join" ? ref : joinRef, ref, topic, event, payload],
        details,
      );
    } catch (error) {
      const { message } = error as Error;
      const answer = Promise.reject(new ChannelClientError("badpayload", { message }, what));
      answer.catch(() => {});
      return { ref, answer };
    }
    const answer = new Promise<never>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(ref);
        reject(new ChannelClientError("timeout", {}, what));
      }, this.#options.timeout ?? 10_000);
      this.#pending.set(ref, { what, resolve, reject, timer });
    });
    answer.catch(() => {});
    this.#socket?.send(data);
    return { ref, answer };
  }

  #encode(
    [join, ref, topic, event, payload]: [string | null, string, string, string, unknown],
    details: unknown,
  ): string | Uint8Array<ArrayBuffer> {
    if (!(payload instanceof Uint8Array || payload instanceof ArrayBuffer)) {
      const row = [join, ref, topic, event, payload ?? {}];
      if (details !== undefined) row.push(details);
      return JSON.stringify(row);
    }
    const encoder = new TextEncoder();
    const fields = [join ?? "", ref, topic, event].map((text) => encoder.encode(text));
    const head = [0, ...fields.map(({ length }) => length)];
    if (head.some((length) => length > 255)) throw new Error("an event has at most 255 bytes");
    for (const field of fields) head.push(...field);
    const bytes = new Uint8Array(head.length + payload.byteLength);
    bytes.set(head);
    bytes.set(new Uint8Array(payload as ArrayBuffer), head.length);
    return bytes;
  }

  #received(data: string | ArrayBuffer): void {
    const [joinRef, ref, topic, event, payload, details] = typeof data === "string"
      ? JSON.parse(data)
      : this.#decode(new Uint8Array(data));
    if (event === "phx_reply") {
      const pending = this.#pending.get(ref);
      if (pending === undefined) return;
      this.#pending.delete(ref);
      clearTimeout(pending.timer);
      const { status, response } = payload;
      // The channel must have its position before it receives the next message.
      if (status === "ok") this.#channels.get(topic)?.answered(ref, details);
      if (status === "ok") pending.resolve({ response, details } as never);
      else {
        const error = new ChannelClientError(response?.reason ?? "error", response, pending.what);
        // Logs the error, because it is a mistake of the program, which often does not await the
        // reply.
        if (error.code.startsWith("unmatched")) console.warn(error.message);
        pending.reject(error);
      }
    } else if (event === "firn_reconnect") this.#after = payload.after;
    else if (event === "firn_invite") this.#emit("invite", { topic });
    else this.#channels.get(topic)?.receive(event, payload, joinRef, details);
  }

  #decode(bytes: Uint8Array): [string | null, string | null, string, string, unknown] {
    const kind = bytes[0]!;
    const count = [3, 4, 2][kind]!;
    const fields: string[] = [];
    let at = 1 + count;
    for (const length of bytes.slice(1, at)) {
      fields.push(new TextDecoder().decode(bytes.slice(at, at += length)));
    }
    const rest = bytes.slice(at);
    if (kind === 0) return [fields[0] || null, null, fields[1]!, fields[2]!, rest];
    if (kind === 2) return [null, null, fields[0]!, fields[1]!, rest];
    const reply = { status: fields[3], response: rest };
    return [fields[0] || null, fields[1]!, fields[2]!, "phx_reply", reply];
  }

  #emit<E extends keyof SocketEvents>(event: E, detail: SocketEvents[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail as never);
      } catch (error) {
        console.error(error);
      }
    }
  }
}

/** The functions of a {@linkcode Socket} that its channels use. */
interface ChannelPort {
  send(
    event: string,
    payload: unknown,
    joinRef: string | null,
    details?: unknown,
  ): { ref: string; answer: Promise<never> };
  isOpen(): boolean;
  forget(): void;
  readonly buffer: number;
  readonly timeout: number;
}

/**
 * A joined topic, returned by {@linkcode Socket.channel}.
 *
 * @example
 * ```ts
 * import { Socket } from "@firn/firn/client";
 *
 * // Follows a room, and returns a function that leaves it.
 * async function follow(socket: Socket, show: (message: unknown) => void): Promise<() => void> {
 *   const room = socket.channel("room:lobby");
 *   room.on("message", show);
 *   await room.ready();
 *   return () => void room.leave();
 * }
 * ```
 */
export class ClientChannel<C extends TypedChannel = TypedChannel> {
  /** The topic of the channel. */
  readonly topic: string;
  /** The state of the channel. */
  state: ClientChannelState = "joining";
  /** The presence of the topic: entries by key. */
  readonly presence: Map<string, readonly Present[]> = new Map();
  readonly #params: unknown;
  readonly #recent: number;
  readonly #port: ChannelPort;
  readonly #listeners = new Map<string, Set<(payload: never) => void>>();
  readonly #ready = Promise.withResolvers<unknown>();
  #waiting: { send: () => void; reject: (error: ChannelClientError) => void }[] = [];
  #joinRef: string | null = null;
  #position: Place | undefined;
  #retries = 0;
  /**
   * Whether the program can detect a rejected join, because it uses `ready` or listens to "closed".
   */
  #isWatched = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Internal: use {@linkcode Socket.channel}. */
  constructor(topic: string, params: unknown, recent: number, port: ChannelPort) {
    this.topic = topic;
    this.#params = params;
    this.#recent = recent;
    this.#port = port;
    this.#ready.promise.catch(() => {});
  }

  /**
   * Resolves with the server's response to the first join that succeeds. Rejects with
   * {@linkcode ChannelClientError} if the server rejects the join, or after `leave`. While there is
   * no connection, the join times out, or the server's `join` crashes, the channel joins again with
   * growing pauses of at most 10 s, and the promise stays pending.
   */
  ready(): Promise<unknown> {
    this.#isWatched = true;
    return this.#ready.promise;
  }

  /** Adds a listener of an event of the application. Returns a function that removes it. */
  on<E extends (keyof ChannelSent<C> & string) | (string & Record<never, never>)>(
    event: E,
    listener: (payload: EventPayload<C, E>) => void,
  ): () => void {
    return this.#listen(`on ${event}`, listener as never);
  }

  /** Adds a listener of an event of the channel itself. Returns a function that removes it. */
  when<E extends keyof ChannelEvents>(
    event: E,
    listener: (detail: ChannelEvents[E]) => void,
  ): () => void {
    if (event === "closed") this.#isWatched = true;
    return this.#listen(event, listener as never);
  }

  /**
   * Sends an event, and resolves with the handler's reply. Without a connection, the event waits.
   * Rejects with {@linkcode ChannelClientError}. If the promise is not awaited, the rejection is
   * ignored.
   */
  push<E extends PushEvent<C>>(
    event: E,
    payload?: PushPayload<C, E>,
  ): Promise<PushReply<C, E>> {
    const pushed = new Promise<unknown>((resolve, reject) => {
      const send = (): void => {
        (this.#port.send(event, payload, this.#joinRef).answer as Promise<{ response: unknown }>)
          .then(({ response }) => resolve(response), reject);
      };
      if (this.state === "joined" && this.#port.isOpen()) return send();
      if (this.state !== "joining") return reject(new ChannelClientError(this.state));
      if (this.#waiting.length >= this.#port.buffer) return reject(new ChannelClientError("full"));
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each !== wait);
        reject(new ChannelClientError("timeout"));
      }, this.#port.timeout);
      const wait = {
        send: () => {
          clearTimeout(timer);
          send();
        },
        reject: (error: ChannelClientError) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiting.push(wait);
    });
    pushed.catch(() => {});
    return pushed as Promise<PushReply<C, E>>;
  }

  /** Leaves the topic. */
  leave(): void {
    if (this.state === "joined" && this.#port.isOpen()) {
      this.#port.send("phx_leave", {}, this.#joinRef);
    }
    this.#end("left", new ChannelClientError("left"));
  }

  /** Internal: the socket calls this when the connection opens or closes, and with each message. */
  receive(event: string, payload: unknown, joinRef: string | null, details: unknown): void {
    if (event === "open") return void this.#join();
    if (event === "down") {
      clearTimeout(this.#timer);
      if (this.state === "joined") this.state = "joining";
      this.#joinRef = null;
      return;
    }
    if (joinRef !== null && joinRef !== this.#joinRef) return;
    const place = details as Place | undefined;
    if (place !== undefined) {
      const known = this.#position;
      if (known?.epoch === place.epoch && known.offset >= place.offset) return;
      this.#position = place;
    }
    switch (event) {
      case "phx_error":
        if (this.state === "joined") this.state = "joining";
        return this.#rejoin();
      case "phx_close":
        if (this.state === "left") return;
        this.#end("left", new ChannelClientError("left"));
        return this.#emit("closed", { reason: "removed" });
      case "firn_position":
        this.#position = payload as Place;
        return;
      case "firn_lost":
        this.#position = payload as Place;
        return this.#emit("lost", payload as { reason: string });
      case "presence_state":
        this.presence.clear();
        return this.#present(payload as Record<string, { metas: Present[] }>, {});
      case "presence_diff": {
        const { joins, leaves } = payload as Record<string, Record<string, { metas: Present[] }>>;
        return this.#present(joins!, leaves!);
      }
      default:
        this.#emit(`on ${event}`, payload);
    }
  }

  /** Internal: the socket calls this with the reply to a message. */
  answered(ref: string, reply: unknown): void {
    const details = reply as JoinDetails | undefined;
    if (ref !== this.#joinRef || this.state === "joined" || details === undefined) return;
    // If missed messages follow the reply, the position is set from each of them instead.
    if (details.missed === 0) this.#position = { epoch: details.epoch, offset: details.offset };
    else if (details.recovered !== true) this.#position = undefined;
  }

  async #join(): Promise<void> {
    const wish = { ...this.#position, recent: this.#recent };
    let ref: string | null = null;
    try {
      const params = typeof this.#params === "function" ? this.#params() : this.#params;
      const sent = this.#port.send("phx_join", params, null, wish);
      const { answer } = sent;
      this.#joinRef = ref = sent.ref;
      const { response, details } = await (answer as Promise<
        { response: unknown; details?: JoinDetails }
      >);
      if (this.#joinRef !== ref) return;
      this.state = "joined";
      this.#retries = 0;
      this.#ready.resolve(response);
      this.#emit("joined", { response, recovered: details?.recovered });
      if (details?.recovered === false) this.#emit("lost", { reason: details.reason ?? "lost" });
      for (const { send } of this.#waiting.splice(0)) send();
    } catch (cause) {
      if (this.#joinRef !== ref) return;
      // The function that returns the parameters may have thrown.
      const error = cause instanceof ChannelClientError
        ? cause
        : new ChannelClientError("badparams", { cause }, `join of ${this.topic}: ${cause}: `);
      const { code } = error;
      if (code === "disconnected") return;
      if (code === "timeout" || code === "join crashed") return this.#rejoin();
      if (!this.#isWatched && !code.startsWith("unmatched")) console.warn(error.message);
      this.#end("rejected", error);
      this.#emit("closed", { reason: code });
    }
  }

  #rejoin(): void {
    this.#joinRef = null;
    clearTimeout(this.#timer);
    const most = Math.min(10_000, 500 * 2 ** this.#retries++);
    this.#timer = setTimeout(() => {
      if (this.#port.isOpen()) this.#join();
    }, most * (1 + Math.random()) / 2);
  }

  #end(state: "left" | "rejected", error: ChannelClientError): void {
    this.state = state;
    this.#joinRef = null;
    clearTimeout(this.#timer);
    this.#port.forget();
    this.#ready.reject(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #present(
    joins: Record<string, { metas: Present[] }>,
    leaves: Record<string, { metas: Present[] }>,
  ): void {
    const others = (key: string, metas: Present[]): Present[] => {
      const refs = new Set(metas.map((meta) => meta.phx_ref));
      return (this.presence.get(key) ?? []).filter((meta) => !refs.has(meta.phx_ref));
    };
    for (const [key, { metas }] of Object.entries(joins)) {
      this.presence.set(key, [...others(key, metas), ...metas]);
    }
    for (const [key, { metas }] of Object.entries(leaves)) {
      const left = others(key, metas);
      if (left.length > 0) this.presence.set(key, left);
      else this.presence.delete(key);
    }
    this.#emit("presence", this.presence);
  }

  #listen(event: string, listener: (detail: never) => void): () => void {
    const known = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, known.add(listener));
    return () => void known.delete(listener);
  }

  #emit(event: string, detail: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail as never);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
