/**
 * Connects the rooms and the channels of a node with the transport of its option `relay`.
 *
 *     rooms, channels ─▶ encode ─▶ transport ═══▶ transport ─▶ decode ─▶ members here, unless of the same origin
 *
 * Messages from a transport are only delivered on this node, and never forwarded. Deterministic.
 *
 * @module
 */
import { describeFully } from "../actor/describe.ts";
import { EMPTY, utf8, utf8Text } from "../base/bytes.ts";
import { decodeRelayed, encodeRelayed, RELAYED } from "./relay_message.ts";
import type { RelayPort, RelayTransport } from "./relay_transport.ts";
import { hashOf } from "./rendezvous.ts";
import { ROOM_BUCKETS } from "../mesh/room_interest.ts";

/** Maximum time for a transport to stop, in milliseconds. */
const STOP_MS = 5_000;

const SHIFT = 32 - Math.log2(ROOM_BUCKETS);

/** Returns the key of a room or topic: the bucket in which nodes announce it. */
export function bucketOf(name: string): number {
  return hashOf(name) >>> SHIFT;
}

/** Delivers messages to the clients of topics. Implemented by channels. */
export interface TopicSink {
  /** Delivers a frame to the clients of a topic on this node. */
  deliver(topic: string, frame: Uint8Array, isText: boolean): void;
  /** Stores an event in the history of a topic, for all nodes of the mesh. */
  store(topic: string, frame: string | Uint8Array): Promise<void>;
}

/** The link of a node to its transport. */
export class RelayLink implements RelayPort {
  origin = "";
  /** Whether the transport carries all messages, and the mesh carries none. */
  readonly isAlone: boolean;
  /** Receives the messages for topics. Set by the channels of the node. */
  topics: TopicSink | undefined = undefined;
  /** Number of messages that were dropped because they could not be decoded. */
  malformed = 0;
  readonly warn: (words: string) => void;
  readonly after: RelayPort["after"];
  readonly #transport: RelayTransport;
  #originBytes: Uint8Array = EMPTY;
  readonly #rooms: { deliver(room: string, data: Uint8Array, text: boolean): void };
  /** The number of `enter` calls without a matching `exit`, by subscribed key. */
  readonly #keys = new Map<number, number>();

  constructor(
    transport: RelayTransport,
    rooms: { deliver(room: string, data: Uint8Array, text: boolean): void },
    { warn, after }: Pick<RelayPort, "warn" | "after">,
  ) {
    this.#transport = transport;
    this.#rooms = rooms;
    this.warn = warn;
    this.after = after;
    this.isAlone = transport.mesh === undefined;
  }

  /** Starts the transport. `self`: the name and the incarnation of the node. */
  start(self: string): Promise<void> {
    this.origin = this.#transport.mesh ?? self;
    this.#originBytes = utf8(this.origin);
    return this.#transport.start(this);
  }

  /** Stops the transport. Waits for at most 5 seconds. Never rejects: a failure is logged. */
  stop(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.after(STOP_MS, () => reject(`it takes more than ${STOP_MS} ms`));
    try {
      this.#transport.stop().then(resolve, reject);
    } catch (error) {
      reject(error);
    }
    return promise.catch((error) =>
      this.warn(`the relay did not stop, and the node stops without it: ${describeFully(error)}`)
    ).finally(() => timer.cancel());
  }

  /** Sends a broadcast to a room. */
  room(key: number, room: string, data: string | Uint8Array): void {
    this.#transport.publish(key, encodeRelayed(RELAYED.ROOM, this.#originBytes, room, data));
  }

  /** Sends a frame to the clients of a topic. */
  topic(topic: string, frame: string | Uint8Array): void {
    const message = encodeRelayed(RELAYED.TOPIC, this.#originBytes, topic, frame);
    this.#transport.publish(bucketOf(topic), message);
  }

  /** Sends an event to the histories of other meshes. */
  event(topic: string, frame: string | Uint8Array): void {
    this.#transport.publishEvent(encodeRelayed(RELAYED.EVENT, this.#originBytes, topic, frame));
  }

  /** Begins to receive the messages of a key. */
  enter(key: number): void {
    const count = this.#keys.get(key) ?? 0;
    this.#keys.set(key, count + 1);
    if (count === 0) this.#transport.subscribe(key);
  }

  /** Reverts one call of `enter`. The last call for a key unsubscribes from it. */
  exit(key: number): void {
    const count = this.#keys.get(key) ?? 0;
    if (count > 1) this.#keys.set(key, count - 1);
    else if (this.#keys.delete(key)) this.#transport.unsubscribe(key);
  }

  /** Sets whether this node receives the events for its mesh. */
  receiveEvents(isReceiver: boolean): void {
    this.#transport.receiveEvents(isReceiver);
  }

  /** Resolves when the subscriptions to all entered keys are in effect. */
  flush(): Promise<void> {
    return this.#transport.flush();
  }

  received(bytes: Uint8Array): void {
    const relayed = decodeRelayed(bytes);
    if (relayed === undefined || relayed.kind === RELAYED.EVENT) return this.#drop();
    const { kind, origin, name, message, isText } = relayed;
    if (origin === this.origin) return;
    if (kind === RELAYED.ROOM) this.#rooms.deliver(name, message, isText);
    else this.topics?.deliver(name, message, isText);
  }

  receivedEvent(bytes: Uint8Array): Promise<void> {
    const relayed = decodeRelayed(bytes);
    if (relayed === undefined || relayed.kind !== RELAYED.EVENT) this.#drop();
    else if (relayed.origin !== this.origin && this.topics !== undefined) {
      const { name, message, isText } = relayed;
      return this.topics.store(name, isText ? utf8Text(message)! : message.slice());
    }
    return DONE;
  }

  #drop(): void {
    if (this.malformed++ > 0) return;
    this.warn("the relay delivered a message that is malformed or of a later version: dropped");
  }
}

const DONE: Promise<void> = Promise.resolve();
