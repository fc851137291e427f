/**
 * What the hub of a node knows of clients.
 *
 * @module
 */
import type { Member } from "../ws/rooms.ts";

/** A client in a topic. */
export interface TopicClient {
  readonly topic: string;
  /** A number that no other client of this node has or had. */
  readonly id: number;
  readonly user: string | undefined;
  /** What it is to rooms. */
  readonly member: Member;
  /** Sends a frame, after what was broadcast before. */
  send(frame: string | Uint8Array): void;
}

/** A client's connection. */
export interface ClientConnection {
  readonly user: string | undefined;
  /** Sends a frame, after what was broadcast before. */
  send(frame: string | Uint8Array): void;
  /** Sends an event about a topic that it need not have joined. */
  notify(topic: string, event: string, payload: unknown): void;
  /** Takes it out of a topic, and informs it. */
  removeFrom(topic: string): void;
  close(code: number, reason: string): void;
}
