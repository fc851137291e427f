/**
 * Defines the transport of a relay: a system that carries messages between nodes, instead of the
 * mesh or between meshes.
 *
 * @module
 */

/**
 * Receives the messages that other nodes have sent. A node implements it for its {@linkcode
 * RelayTransport}.
 */
export interface RelayPort {
  /**
   * The origin of this node's messages: the name of its mesh, or the node's own name if the
   * transport connects no meshes. 1 to 255 bytes. A transport that stores messages uses it as the
   * name of the receiver.
   */
  readonly origin: string;
  /**
   * Receives a message that was sent by {@linkcode RelayTransport.publish}. Drops malformed
   * messages.
   */
  received(message: Uint8Array): void;
  /**
   * Receives an event that was sent by {@linkcode RelayTransport.publishEvent}. Resolves when it is
   * stored. If it rejects, for example while the topic's home changes, the transport may deliver
   * the event again.
   */
  receivedEvent(message: Uint8Array): Promise<void>;
  /** Logs a warning. */
  warn(words: string): void;
  /** Calls a function once, after `ms` milliseconds. */
  after(ms: number, task: () => void): { cancel(): void };
}

/**
 * Carries messages of rooms and channels between nodes: the option `relay` of `Node.start`.
 * `natsRelay` returns a transport for NATS. For another system, implement this interface.
 *
 * A transport belongs to one node. It must keep the order of each sender's messages, but may lose
 * messages. It may also deliver a message to its sender, or to a node that has not subscribed to
 * its key.
 */
export interface RelayTransport {
  /**
   * The name of the mesh of this node, if the transport connects meshes. The mesh then carries
   * messages between its own nodes, and the transport carries messages to other meshes. Without a
   * name, the transport carries all messages.
   */
  readonly mesh?: string | undefined;
  /** The longest message, in bytes. Longer messages to rooms and topics are rejected. */
  readonly messageBytesMax: number;
  /** Begins to deliver messages. Called once. If it rejects, the node does not start. */
  start(port: RelayPort): Promise<void>;
  /** Sends a message to the nodes that are subscribed to its key. Never blocks and never throws. */
  publish(key: number, message: Uint8Array): void;
  /**
   * Begins to receive the messages of a key, from 0 to 262143: a hash of the name of a room or
   * topic.
   */
  subscribe(key: number): void;
  /** Stops receiving the messages of a key. */
  unsubscribe(key: number): void;
  /** Sends an event of a topic with history to all other meshes. Never blocks and never throws. */
  publishEvent(message: Uint8Array): void;
  /**
   * Sets whether this node receives events, for its whole mesh. Called again when the nodes of the
   * mesh change.
   */
  receiveEvents(isReceiver: boolean): void;
  /** Resolves when earlier subscriptions are in effect. Rejects if this cannot be determined. */
  flush(): Promise<void>;
  /**
   * Ends all subscriptions, after waiting up to one second until all queued messages were sent. If
   * it rejects or takes longer than 5 seconds, the node logs a warning and continues to stop.
   */
  stop(): Promise<void>;
}
