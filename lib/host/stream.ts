/**
 * A byte stream to one peer, the same on every host: pushes what it reads, queues what it is given.
 *
 * Rules that every host keeps (`tests/host/contract.ts` checks them):
 *
 * - `write` never blocks and never throws. What is written in one turn leaves in one system call
 *   where the host can, at the next flush point (`Host.atFlush`).
 * - Bytes given to `write` belong to the stream until `unsent` is 0 again; do not change them.
 * - Bytes given to `data` belong to the host; they are valid during the call only.
 * - `close` is called exactly once, and nothing is called after it. `abort` calls it at once.
 * - A pause holds back the peer's `end` too. `resume` may call `data` at once.
 *
 * @module
 */

/** Where one end of a stream is. */
export interface Address {
  /** A host name or an address, without brackets. */
  readonly hostname: string;
  /** From 1 to 65535. */
  readonly port: number;
}

/** Why a stream ended. */
export type StreamEnd =
  /** Both sides said that they had no more to send. */
  | { readonly kind: "closed" }
  /** This side called `abort`. */
  | { readonly kind: "aborted" }
  /** The peer or the network broke it off; `message` is the system's word for it. */
  | { readonly kind: "broken"; readonly message: string };

/** Who is told what happens to a stream. */
export interface StreamHandler {
  /** Bytes came. */
  data(bytes: Uint8Array): void;
  /** All that was written has been handed to the system: `unsent` is 0 again. */
  drain(): void;
  /** The peer will send no more. Writing is still possible. */
  end(): void;
  /** It is over. */
  close(end: StreamEnd): void;
}

/** One open byte stream. */
export interface Stream {
  /** Where the peer is, as the system sees it. */
  readonly remote: Address;
  /** The peer's certificate in DER: under TLS, when the peer showed one and the host can read it. */
  readonly peerCertificate: Uint8Array | undefined;
  /** Who is told. What happens before one is given is held for it. Replace it to hand the stream on. */
  handler: StreamHandler;
  /** Bytes that were written and not yet handed to the system. */
  readonly unsent: number;
  /** Queues bytes. After `end` or `close` they are dropped. */
  write(bytes: Uint8Array): void;
  /** Stops calling `data` until `resume`, so that the peer is held back. Not before the end of this call. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then says that no more will come. Reading goes on. */
  end(): void;
  /**
   * Ends it now, both ways. What is queued is lost. With `keepsSent`, bytes that the system has taken
   * already still reach the peer; without it the connection may be reset, and they are lost too.
   */
  abort(keepsSent?: boolean): void;
}

/** A handler that ignores everything: a starting point for streams not yet handed to anybody. */
export const IGNORE: StreamHandler = {
  data() {},
  drain() {},
  end() {},
  close() {},
};
