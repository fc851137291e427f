/**
 * Defines the interfaces through which the hub of a node uses clients and their connections.
 *
 * @module
 */
import type { Member } from "../ws/room.ts";

/** A client that has joined a topic. */
export interface TopicClient {
  readonly topic: string;
  /** A number that is unique among all clients that this node has had. */
  readonly id: number;
  readonly user: string | undefined;
  /** The member of rooms that represents the client. */
  readonly member: Member;
  /** Sends a frame, after all earlier broadcasts. */
  send(frame: string | Uint8Array): void;
}

/** The connection of a client, as the hub uses it. */
export interface ClientConnection {
  readonly user: string | undefined;
  /** Sends a frame, after all earlier broadcasts. */
  send(frame: string | Uint8Array): void;
  /** Sends an event of a topic, whether the client has joined it or not. */
  notify(topic: string, event: string, payload: unknown): void;
  /** Removes the client from a topic, and notifies it. */
  removeFrom(topic: string): void;
  close(code: number, reason: string): void;
}
