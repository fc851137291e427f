/**
 * Defines a byte stream to one peer, which behaves identically on every host: it passes received
 * data to a handler, and queues data to be sent.
 *
 * Rules for every host (`tests/host/contract.ts` checks them):
 *
 * - `write` never blocks and never throws. Data written in one turn is sent in one system call
 *   where the host can, at the next flush point (`Host.atFlush`).
 * - Bytes passed to `write` belong to the stream until `unsent` is 0 again; do not change them.
 * - Bytes passed to `data` belong to the host; they are only valid during the call.
 * - `close` is called exactly once, and nothing is called after it. `abort` calls it at once.
 * - A pause delays the peer's `end` too. `resume` may call `data` at once.
 *
 * @module
 */

/** Address of one end of a stream. */
export interface Address {
  /** A host name or an address, without brackets. */
  readonly hostname: string;
  /** The port, from 1 to 65535; 0 for a Unix socket, or if a proxy has not reported it. */
  readonly port: number;
  /** The certificate, in DER, of a client that was required to present one. */
  readonly certificate?: Uint8Array | undefined;
}

/** The reason why a stream ended. */
export type StreamEnd =
  /** Both sides have ended their data. */
  | { readonly kind: "closed" }
  /** This side has called `abort`. */
  | { readonly kind: "aborted" }
  /** The peer or the network broke the connection; `message` is the system's message. */
  | { readonly kind: "broken"; readonly message: string };

/** Receives the events of a stream. */
export interface StreamHandler {
  /** Called when bytes were received. */
  data(bytes: Uint8Array): void;
  /** Called when the system has accepted all written data: `unsent` is 0 again. */
  drain(): void;
  /** Called when the peer sends no more data. Writing is still possible. */
  end(): void;
  /** Called when the stream has ended. */
  close(end: StreamEnd): void;
}

/** One open byte stream. */
export interface Stream {
  /** Address of the peer, as the system reports it. */
  readonly remote: Address;
  /**
   * The peer's certificate in DER, if TLS is used, the peer presented one, and the host can read
   * it.
   */
  readonly peerCertificate: Uint8Array | undefined;
  /**
   * Receives the events of the stream. Events that occur before a handler is set are held back. The
   * owner passes the stream on by replacing the handler.
   */
  handler: StreamHandler;
  /** Number of written bytes that the system has not accepted yet. */
  readonly unsent: number;
  /** Whether reading is paused. */
  readonly isPaused: boolean;
  /** Queues bytes. Drops them after `end` or `close`. */
  write(bytes: Uint8Array): void;
  /**
   * Pauses reading: `data` and `end` are not called until `resume` is called, and a peer that sends
   * more is slowed down. Has no effect if reading is already paused.
   */
  pause(): void;
  /** Resumes reading after `pause`. Has no effect unless reading is paused. */
  resume(): void;
  /** Sends the queued data, then ends the writing side. Reading continues. */
  end(): void;
  /**
   * Ends the stream now, in both directions, and drops the queue. With `keepsSent`, bytes that the
   * system has accepted still reach the peer; without it, the connection may be reset and they are
   * lost.
   */
  abort(keepsSent?: boolean): void;
}

/** A handler that ignores everything: the initial handler of streams without an owner. */
export const IGNORE: StreamHandler = {
  data() {},
  drain() {},
  end() {},
  close() {},
};
