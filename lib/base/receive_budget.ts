/**
 * Limits the memory for messages that have arrived partially: for all connections together, and per
 * remote address. One machine with many connections therefore cannot use all of this memory.
 *
 * @module
 */

/** A connection that holds memory for a partially received message. */
export interface Holder {
  /** The remote address of the connection. */
  readonly address: string;
  /** Number of bytes that the connection currently holds. */
  bytes: number;
  /** Ends the connection with this reason. */
  end(words: string): void;
}

/** Limits the memory for partially received messages, over all connections. */
export class ReceiveBudget {
  readonly bytesMax: number;
  /** Maximum number of bytes for one address. If it is `Infinity`, only the total is limited. */
  readonly bytesPerAddressMax: number;
  readonly #holders = new Set<Holder>();
  #bytes = 0;

  constructor(bytesMax: number, bytesPerAddressMax: number = Infinity) {
    this.bytesMax = bytesMax;
    this.bytesPerAddressMax = bytesPerAddressMax;
  }

  /** Number of bytes that all connections together hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Sets the number of bytes that a connection holds. If the connections of that address, or all
   * connections together, then exceed their limit, ends the one of them that holds the most memory.
   * A correct peer sends large messages one after another, so that connection is probably hostile.
   */
  hold(holder: Holder, bytes: number): void {
    const grows = bytes > holder.bytes;
    this.#bytes += bytes - holder.bytes;
    holder.bytes = bytes;
    if (bytes > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
    if (!grows) return;
    if (this.bytesPerAddressMax < Infinity && this.#endsOneOf(holder.address)) return;
    if (this.#bytes <= this.bytesMax) return;
    largest(this.#holders).end(`incomplete messages of ${this.#bytes} bytes in total`);
  }

  #endsOneOf(address: string): boolean {
    const holders = [...this.#holders].filter((holder) => holder.address === address);
    const bytes = holders.reduce((sum, holder) => sum + holder.bytes, 0);
    if (bytes <= this.bytesPerAddressMax) return false;
    largest(holders).end(`incomplete messages of ${bytes} bytes from ${address}`);
    return true;
  }
}

function largest(holders: Iterable<Holder>): Holder {
  let most: Holder | undefined;
  for (const holder of holders) if (most === undefined || holder.bytes > most.bytes) most = holder;
  return most!;
}
