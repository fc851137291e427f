/**
 * Implements a relay over NATS, for the option `relay` of `Node.start`. It connects meshes, or
 * replaces the mesh.
 *
 *     rooms and topics   PREFIX.k.KEY    core NATS: at most once, only to nodes with members of that key
 *     events of history  PREFIX.events   JetStream, if given: stored, at least once; else core NATS
 *
 * This file imports no npm package: the user passes the connection, whose type is declared here.
 *
 * Longer than 400 lines: it has both transports of one relay, and the types of the user's
 * connection.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import { checkNames } from "../base/spelling.ts";
import type { RelayPort, RelayTransport } from "./relay_transport.ts";
import { hashOf } from "./rendezvous.ts";
import { SendWindow } from "./send_window.ts";

/**
 * Maximum number of subscriptions to single keys. If a node needs more keys, one subscription to
 * all keys replaces these subscriptions. The node subscribes to single keys again when it needs at
 * most half of this number.
 */
const SUBSCRIPTIONS_MAX = 4096;

/** Default of `queueBytesMax`. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;

/** The payload limit of a NATS server with default settings, in bytes. */
const PAYLOAD_BYTES_MAX = 1024 * 1024;

/** Default time for which JetStream keeps events, in milliseconds. */
const KEEP_MS = 24 * 60 * 60 * 1000;

/**
 * Delay before an event that could not be stored is delivered again, and before a failed consumer
 * is restarted, in milliseconds.
 */
const RETRY_MS = 1_000;

/**
 * Maximum number of attempts to store an event, both in JetStream and in the history of its topic.
 */
const ATTEMPTS_MAX = 20;

/**
 * Time after which JetStream delivers an event again, in milliseconds, unless the node that
 * processes the event confirms it or reports progress. It is longer than one attempt to store the
 * event.
 */
const ACK_WAIT_MS = 15_000;

/**
 * Maximum number of events received without JetStream that are being stored at once. Further events
 * are dropped.
 */
const STORING_MAX = 1_000;

/** Maximum time for which `stop` waits for messages that are being sent, in milliseconds. */
const STOP_MS = 1_000;

/** Number of nanoseconds in a millisecond. JetStream measures time in nanoseconds. */
const NS = 1_000_000;

/** The part of a NATS message that the relay reads. */
export interface NatsMessage {
  /** The payload of the message. */
  readonly data: Uint8Array;
}

/**
 * A connection of `@nats-io/transport-node`, `@nats-io/transport-deno` or `@nats-io/nats-core`,
 * version 3.
 */
export interface NatsConnection {
  /**
   * The server's information about itself. `max_payload`: maximum length of a payload, in bytes.
   */
  readonly info?: { readonly max_payload?: number } | undefined;
  /** Publishes a message. */
  publish(subject: string, payload: Uint8Array): void;
  /** Subscribes to a subject. */
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: NatsMessage): void },
  ): { unsubscribe(): void };
  /** Resolves when the server has received all messages that were published before. */
  flush(): Promise<void>;
  /** Iterates over the changes of the connection. */
  status(): AsyncIterable<{ readonly type: string }>;
  /** Returns whether the connection is closed. */
  isClosed(): boolean;
}

/** A stored message of JetStream. */
export interface NatsStoredMessage extends NatsMessage {
  /** Confirms the message. */
  ack(): void;
  /** Reports progress, so that the message is not delivered again yet. */
  working(): void;
  /** Requests that the message is delivered again, after `millis` milliseconds. */
  nak(millis?: number): void;
}

/** The result of `await jetstreamManager(connection)` of `@nats-io/jetstream`, version 3. */
export interface NatsJetStream {
  /** Creates and finds streams. */
  readonly streams: {
    add(config: { name: string; subjects: string[]; max_age: number }): Promise<unknown>;
    info(name: string): Promise<unknown>;
  };
  /** Creates consumers. */
  readonly consumers: {
    // deno-lint-ignore no-explicit-any -- the type of its second argument depends on the package's version
    add(stream: string, config: any): Promise<unknown>;
  };
  /** Returns the client, which publishes and consumes. */
  jetstream(): {
    publish(subject: string, payload: Uint8Array, options: { msgID: string }): Promise<unknown>;
    readonly consumers: {
      get(stream: string, consumer: string): Promise<{
        consume(options: { max_messages: number }): Promise<
          AsyncIterable<NatsStoredMessage> & { close(): Promise<unknown> }
        >;
      }>;
    };
  };
}

/** Options of {@linkcode natsRelay}. */
export interface NatsRelayOptions {
  /**
   * The name of this node's mesh. With a name, the relay connects meshes: each mesh must have its
   * own name, and all nodes of a mesh must use the relay with that name. Default: no name. The
   * relay then carries all messages of rooms and channels, and the mesh carries none of them.
   */
  readonly mesh?: string | undefined;
  /** The beginning of all subjects: letters, digits, `-` and `_`. Default `"firn"`. */
  readonly prefix?: string | undefined;
  /**
   * Maximum number of bytes that wait while NATS is disconnected or slow. Further messages are
   * dropped. Default 8 MiB.
   */
  readonly queueBytesMax?: number | undefined;
  /**
   * JetStream, which stores events of channels with history until each mesh has received them. The
   * relay creates the stream `PREFIX_events` if it does not exist. Default: no JetStream; a mesh
   * that is disconnected when an event is sent then never receives that event.
   */
  readonly jetstream?: NatsJetStream | undefined;
  /** Time for which a new stream keeps events, in milliseconds. Default: one day. */
  readonly keep?: number | undefined;
}

const OPTIONS: Readonly<Record<keyof NatsRelayOptions, true>> = {
  mesh: true,
  prefix: true,
  queueBytesMax: true,
  jetstream: true,
  keep: true,
};

/**
 * Returns a relay over NATS for the option `relay` of `Node.start`. The user must close the
 * connection after the node has stopped. Connect with `maxReconnectAttempts: -1`, so that the
 * client reconnects forever.
 *
 * Broadcasts to rooms and topics arrive at most once, in the order of their sender. While NATS is
 * disconnected, up to `queueBytesMax` of them wait, and further ones are dropped. Messages are
 * limited by `max_payload` of the server, by default 1 MiB, less 516 bytes; longer ones are
 * rejected with `code` "toolarge". Presence, the results of `count` and `list`, and `channels.user`
 * stay within a mesh.
 *
 * @throws {ArgumentError} `code` "badarg": an invalid option, or a connection that is closed or of
 * another kind.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { natsRelay } from "@firn/firn/cluster";
 * import { assertThrows } from "@std/assert";
 *
 * // import { connect } from "@nats-io/transport-node";
 * // const connection = await connect({ servers: "nats://127.0.0.1", maxReconnectAttempts: -1 });
 * // await using node = await Node.start({ relay: natsRelay(connection, { mesh: "paris" }) });
 * assertThrows(() => natsRelay({} as never), RangeError, "pass a connection");
 * ```
 */
export function natsRelay(
  connection: NatsConnection,
  options: NatsRelayOptions = {},
): RelayTransport {
  const bad = (words: string): ArgumentError => new ArgumentError(`natsRelay: ${words}`);
  checkNames(options, OPTIONS, bad);
  if (typeof connection?.publish !== "function" || typeof connection.status !== "function") {
    throw bad("pass a connection of @nats-io/transport-node, version 3");
  }
  if (connection.isClosed()) throw bad("the connection is closed");
  const { mesh, prefix = "firn", queueBytesMax = QUEUE_BYTES_MAX, keep = KEEP_MS } = options;
  if (mesh !== undefined && !(typeof mesh === "string" && mesh.length > 0 && mesh.length <= 80)) {
    throw bad("option mesh is a text of 1 to 80 characters");
  }
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(prefix)) {
    throw bad("option prefix has letters, digits, - and _ only");
  }
  if (!(queueBytesMax >= 1024)) throw bad("option queueBytesMax is 1024 or more");
  if (!(keep >= 1000)) throw bad("option keep is 1000 milliseconds or more");
  return new NatsRelay(connection, {
    mesh,
    prefix,
    queueBytesMax,
    keep,
    jetstream: options.jetstream,
  });
}

interface Terms {
  readonly mesh: string | undefined;
  readonly prefix: string;
  readonly queueBytesMax: number;
  readonly keep: number;
  readonly jetstream: NatsJetStream | undefined;
}

interface Subscription {
  unsubscribe(): void;
}

class NatsRelay implements RelayTransport {
  readonly mesh: string | undefined;
  readonly messageBytesMax: number;
  readonly #nats: NatsConnection;
  readonly #terms: Terms;
  readonly #window: SendWindow;
  readonly #keys = new Map<number, Subscription | undefined>();
  /** The subscription to all keys, which replaces those to single keys. */
  #all: Subscription | undefined;
  #events: { stop(): void } | undefined;
  #port: RelayPort | undefined;
  #statuses: AsyncIterator<{ readonly type: string }> | undefined;
  #isOver = false;
  /** A unique prefix of the identifiers of this relay's events. */
  readonly #unique = crypto.randomUUID();
  #stored = 0;

  constructor(nats: NatsConnection, terms: Terms) {
    this.#nats = nats;
    this.#terms = terms;
    this.mesh = terms.mesh;
    this.messageBytesMax = nats.info?.max_payload ?? PAYLOAD_BYTES_MAX;
    this.#window = new SendWindow({
      send: (subject, payload) => this.#send(subject, payload),
      flush: () => nats.flush(),
      full: () => {
        const words = `${terms.queueBytesMax} bytes wait for NATS: further messages are dropped`;
        this.#port?.warn(words);
      },
    }, terms.queueBytesMax);
  }

  async start(port: RelayPort): Promise<void> {
    if (this.#port !== undefined) {
      throw new ArgumentError("natsRelay: this relay is already used by another node");
    }
    this.#port = port;
    void this.#watch();
    const { jetstream, keep } = this.#terms;
    if (jetstream === undefined) return;
    const stream = { name: this.#stream, subjects: [this.#eventSubject], max_age: keep * NS };
    // If the operator has created the stream with other settings, those settings are kept.
    await jetstream.streams.add(stream).catch(() => jetstream.streams.info(this.#stream));
    await jetstream.consumers.add(this.#stream, {
      durable_name: this.#consumer,
      ack_policy: "explicit",
      deliver_policy: "new",
      ack_wait: ACK_WAIT_MS * NS,
      // Only one event is delivered at a time. Otherwise, if a node is killed while it handles an
      // event, later events would overtake that event.
      max_ack_pending: 1,
      // The consumer of a mesh that no longer exists is removed when its events expire.
      inactive_threshold: keep * NS,
    });
  }

  publish(key: number, message: Uint8Array): void {
    this.#window.push(this.#subjectOf(key), message);
  }

  publishEvent(message: Uint8Array): void {
    this.#window.push(this.#eventSubject, message);
  }

  subscribe(key: number): void {
    this.#keys.set(key, undefined);
    if (this.#keys.size > SUBSCRIPTIONS_MAX && this.#all === undefined) {
      this.#all = this.#listen(`${this.#terms.prefix}.k.*`);
      for (const [key, single] of this.#keys) {
        single?.unsubscribe();
        this.#keys.set(key, undefined);
      }
    }
    if (this.#all === undefined) this.#keys.set(key, this.#listen(this.#subjectOf(key)));
  }

  unsubscribe(key: number): void {
    this.#keys.get(key)?.unsubscribe();
    this.#keys.delete(key);
    if (this.#all === undefined || this.#keys.size > SUBSCRIPTIONS_MAX / 2) return;
    for (const key of this.#keys.keys()) this.#keys.set(key, this.#listen(this.#subjectOf(key)));
    this.#all.unsubscribe();
    this.#all = undefined;
  }

  receiveEvents(isReceiver: boolean): void {
    if (isReceiver === (this.#events !== undefined) || this.#isOver) return;
    if (!isReceiver) {
      this.#events!.stop();
      this.#events = undefined;
    } else {this.#events = this.#terms.jetstream === undefined
        ? this.#subscribeEvents()
        : this.#consume();}
  }

  flush(): Promise<void> {
    return this.#nats.flush();
  }

  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.receiveEvents(false);
    this.#isOver = true;
    for (const single of this.#keys.values()) single?.unsubscribe();
    this.#all?.unsubscribe();
    this.#keys.clear();
    if (!this.#nats.isClosed()) {
      const flushed = this.#drain().catch(() => {});
      await new Promise<void>((over) => {
        const late = this.#port?.after(STOP_MS, over);
        flushed.then(() => {
          late?.cancel();
          over();
        });
      });
    }
    this.#window.clear();
    void this.#statuses?.return?.();
  }

  /** Resolves when NATS has received all queued messages, which are sent in several windows. */
  async #drain(): Promise<void> {
    do await this.#nats.flush(); while (!this.#window.isEmpty);
  }

  get #stream(): string {
    return `${this.#terms.prefix}_events`;
  }

  get #eventSubject(): string {
    return `${this.#terms.prefix}.events`;
  }

  /** The name of the consumer of this mesh. */
  get #consumer(): string {
    const { origin } = this.#port!;
    // The incarnation is not part of the name, so that a restarted node continues with the same
    // consumer.
    const name = this.mesh ?? origin.split("#")[0]!;
    return `${name.replace(/[^A-Za-z0-9_-]/g, "_")}_${hashOf(name).toString(36)}`;
  }

  #subjectOf(key: number): string {
    return `${this.#terms.prefix}.k.${key.toString(36)}`;
  }

  #send(subject: string, payload: Uint8Array): void {
    const { jetstream } = this.#terms;
    if (jetstream === undefined || subject !== this.#eventSubject) {
      return this.#nats.publish(subject, payload);
    }
    this.#store(jetstream, payload, `${this.#unique}.${++this.#stored}`, 1);
  }

  /** Publishes to JetStream. JetStream drops a second message with the same identifier. */
  #store(jetstream: NatsJetStream, payload: Uint8Array, msgID: string, attempt: number): void {
    jetstream.jetstream().publish(this.#eventSubject, payload, { msgID }).catch((error) => {
      if (attempt < ATTEMPTS_MAX && !this.#isOver) {
        this.#port!.after(RETRY_MS, () => this.#store(jetstream, payload, msgID, attempt + 1));
      } else this.#port!.warn(`JetStream did not store an event: ${(error as Error).message}`);
    });
  }

  #listen(subject: string): Subscription {
    return this.#nats.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#port!.received(message.data);
        else this.#port!.warn(`NATS ended the subscription to ${subject}: ${error.message}`);
      },
    });
  }

  /** Subscribes to events over core NATS. Used without JetStream. */
  #subscribeEvents(): { stop(): void } {
    let storing = 0;
    const subscription = this.#nats.subscribe(this.#eventSubject, {
      callback: (error, message) => {
        if (error !== null || storing >= STORING_MAX) return;
        storing++;
        this.#port!.receivedEvent(message.data)
          .catch((error) => this.#port!.warn(`an event was lost: ${(error as Error).message}`))
          .finally(() => storing--);
      },
    });
    return { stop: () => subscription.unsubscribe() };
  }

  /** Consumes events of JetStream, one after another. Restarts the consumer after failures. */
  #consume(): { stop(): void } {
    let isStopped = false;
    let close: () => void = () => {};
    const run = async (): Promise<void> => {
      while (!isStopped) {
        try {
          const jetstream = this.#terms.jetstream!.jetstream();
          const consumer = await jetstream.consumers.get(this.#stream, this.#consumer);
          const messages = await consumer.consume({ max_messages: 100 });
          close = () => void messages.close().catch(() => {});
          if (isStopped) close();
          for await (const message of messages) {
            if (isStopped) {
              message.nak();
              break;
            }
            if (await this.#received(message, () => isStopped)) message.ack();
            else message.nak(RETRY_MS);
          }
        } catch (error) {
          if (!isStopped) this.#port!.warn(`events of JetStream: ${(error as Error).message}`);
        }
        if (!isStopped) await this.#pause();
      }
    };
    void run();
    return {
      stop: () => {
        isStopped = true;
        close();
      },
    };
  }

  /**
   * Stores an event in the history of its topic. Retries after a failure, so that later events do
   * not overtake it.
   */
  async #received(message: NatsStoredMessage, isStopped: () => boolean): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && !isStopped(); attempt++) {
      try {
        if (attempt > 1) message.working();
        await this.#port!.receivedEvent(message.data);
        return true;
      } catch {
        await this.#pause();
      }
    }
    return false;
  }

  #pause(): Promise<void> {
    return new Promise((over) => this.#port!.after(RETRY_MS, over));
  }

  /**
   * Makes the send window queue messages while NATS is disconnected, and send them after it has
   * reconnected.
   */
  async #watch(): Promise<void> {
    this.#statuses = this.#nats.status()[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await this.#statuses.next();
      if (done || this.#isOver) return;
      if (value.type === "disconnect") {
        this.#window.isConnected = false;
        this.#port!.warn("NATS is disconnected: messages to other nodes wait, and may be dropped");
      } else if (value.type === "reconnect") {
        this.#window.isConnected = true;
        this.#port!.warn("NATS is connected again");
      }
    }
  }
}
