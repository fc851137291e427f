/**
 * Memory for what has come in part: large messages in fragments, frames that are not whole, and deliveries
 * that wait behind a large message. Bounded for the node and for each remote address, so that one machine
 * cannot take it all under many node names.
 *
 * @module
 */

/** How many of the longest messages may be incomplete at once, of all nodes and of those at one address. */
const MESSAGES_MAX = 16;
const MESSAGES_PER_ADDRESS_MAX = 8;

/** One session's part. */
export interface Holder {
  /** The remote address. */
  readonly address: string;
  /** Bytes that it holds now. */
  bytes: number;
  /** Ends the session, for these words. */
  end(words: string): void;
}

/** The memory of a node's sessions. */
export class ReceiveBudget {
  readonly bytesMax: number;
  readonly bytesPerAddressMax: number;
  readonly #holders = new Set<Holder>();
  #bytes = 0;

  /** `messageBytesMax`: the longest message. */
  constructor(messageBytesMax: number) {
    this.bytesMax = MESSAGES_MAX * messageBytesMax;
    this.bytesPerAddressMax = MESSAGES_PER_ADDRESS_MAX * messageBytesMax;
  }

  /** Bytes that all sessions hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A session holds so many bytes now. Above a limit the session that holds the most of the address, or of
   * all, is ended: an honest node sends one large message after the other, and holds little.
   */
  hold(holder: Holder, bytes: number): void {
    const grows = bytes > holder.bytes;
    this.#bytes += bytes - holder.bytes;
    holder.bytes = bytes;
    if (bytes > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
    if (!grows) return;
    let ofAddress = 0;
    let largest = holder;
    for (const other of this.#holders) {
      if (other.address !== holder.address) continue;
      ofAddress += other.bytes;
      if (other.bytes > largest.bytes) largest = other;
    }
    if (ofAddress > this.bytesPerAddressMax) {
      return largest.end(`incomplete messages of ${ofAddress} bytes from ${holder.address}`);
    }
    if (this.#bytes <= this.bytesMax) return;
    for (const other of this.#holders) if (other.bytes > largest.bytes) largest = other;
    largest.end(`incomplete messages of ${this.#bytes} bytes from all nodes`);
  }
}
