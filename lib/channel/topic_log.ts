/**
 * Stores the log of a topic: its recent messages, and the epochs that their positions belong to.
 *
 * Offsets increase by one. An epoch is the range of offsets that one home has assigned. A node that
 * takes over begins a new epoch after the last message of its copy. A client may have received
 * messages of the old epoch after that offset, which the copy never received. The client's position
 * then shows that the client has diverged from the log.
 *
 *     epochs     a: 1 … 57         b: 58 … 60
 *     position   (a, 40): 41 … 60 are missing    (a, 58): diverged    (c, 7): lost
 *
 * @module
 */
import type { Position } from "./channel.ts";

/**
 * Maximum total length of the messages in a log, in bytes, or in characters for texts. The oldest
 * messages are dropped.
 */
const BYTES_MAX = 16 * 1024 * 1024;

/** Maximum number of epochs in a log. The oldest are dropped. */
const EPOCHS_MAX = 64;

/** A message in the log. */
export interface LogEntry {
  readonly offset: number;
  /**
   * The time at which the entry was appended, by the clock of this node, in milliseconds. Between
   * nodes, the age is sent instead.
   */
  readonly at: number;
  readonly frame: string | Uint8Array;
  /**
   * The client that does not receive the message: the node of its hub, and its number on that node.
   */
  readonly except: readonly [node: string, id: number] | undefined;
}

/** An epoch: the offsets from its `from` up to, but not including, `from` of the next epoch. */
export interface Epoch {
  readonly id: string;
  /** Increases by one from each epoch to the next. */
  readonly number: number;
  readonly from: number;
}

/** A log as sent between nodes. */
export interface LogState {
  readonly epochs: readonly Epoch[];
  readonly entries: readonly LogEntry[];
  /** The offset of the last message, even if it has expired. */
  readonly last: number;
}

/** The reason why the messages that a client has missed are unavailable. */
export type LostReason =
  /** The messages are no longer in the log. */
  | "expired"
  /** The log does not contain the client's epoch. */
  | "lost"
  /** The client has received messages that the surviving copies never received. */
  | "diverged";

/** The messages after a position, or the reason why they are unavailable. */
export type LogAnswer =
  | { readonly recovered: true; readonly missed: readonly LogEntry[] }
  | { readonly recovered: false; readonly reason: LostReason };

/** The log of one topic. */
export class TopicLog {
  readonly #size: number;
  readonly #ttl: number;
  #epochs: Epoch[];
  #entries: LogEntry[];
  #bytes = 0;
  #last: number;

  /** `now` is the current time of this node in milliseconds. */
  constructor(state: LogState, { size, ttl }: { size: number; ttl: number }, now: number) {
    this.#size = size;
    this.#ttl = ttl;
    this.#epochs = [...state.epochs];
    this.#entries = aged(state.entries, now);
    this.#last = state.last;
    for (const { frame } of this.#entries) this.#bytes += frame.length;
  }

  /** Returns the offset of the last message, or 0 if there are no messages. */
  get last(): number {
    return this.#last;
  }

  /** Returns the current epoch. */
  get epoch(): Epoch {
    return this.#epochs.at(-1)!;
  }

  /** Returns the position of the last message. */
  get position(): Position {
    return { epoch: this.epoch.id, offset: this.#last };
  }

  /** Begins a new epoch with this identifier. */
  begin(id: string): void {
    const number = (this.#epochs.at(-1)?.number ?? 0) + 1;
    this.#epochs.push({ id, number, from: this.#last + 1 });
    if (this.#epochs.length > EPOCHS_MAX) this.#epochs.shift();
  }

  /** Appends a message. `at` is the current time in milliseconds. */
  append(frame: string | Uint8Array, at: number, except: LogEntry["except"]): LogEntry {
    const entry = { offset: ++this.#last, at, frame, except };
    this.#entries.push(entry);
    this.#bytes += frame.length;
    this.#trim(at);
    return entry;
  }

  /** Appends messages received from the home. Ignores messages that are already in the log. */
  extend(entries: readonly LogEntry[], now: number): void {
    for (const entry of aged(entries, now)) {
      if (entry.offset !== this.#last + 1) continue;
      this.#last++;
      this.#entries.push(entry);
      this.#bytes += entry.frame.length;
    }
    this.#trim(now);
  }

  /** Returns the messages after a position, up to the offset `to`. */
  after({ epoch, offset }: Position, to: number, now: number): LogAnswer {
    this.#trim(now);
    const at = this.#epochs.findIndex(({ id }) => id === epoch);
    if (at < 0) return { recovered: false, reason: "lost" };
    const end = (this.#epochs[at + 1]?.from ?? this.#last + 1) - 1;
    if (offset > end) return { recovered: false, reason: "diverged" };
    const first = this.#entries[0]?.offset ?? this.#last + 1;
    if (offset < first - 1) return { recovered: false, reason: "expired" };
    return { recovered: true, missed: this.slice(offset, to) };
  }

  /** Returns the last `count` messages up to the offset `to`. */
  recent(count: number, to: number, now: number): readonly LogEntry[] {
    this.#trim(now);
    return this.slice(Math.max(0, to - count), to);
  }

  /** Returns the messages after an offset, up to the offset `to`. */
  slice(offset: number, to: number): readonly LogEntry[] {
    const first = this.#entries[0]?.offset ?? this.#last + 1;
    return this.#entries.slice(Math.max(0, offset + 1 - first), Math.max(0, to + 1 - first));
  }

  /** Returns the log as sent to another node. */
  state(now: number): LogState {
    return { epochs: [...this.#epochs], entries: aged(this.#entries, now), last: this.#last };
  }

  #trim(now: number): void {
    let drop = Math.max(0, this.#entries.length - this.#size);
    for (let i = 0; i < drop; i++) this.#bytes -= this.#entries[i]!.frame.length;
    for (; drop < this.#entries.length; drop++) {
      const { at, frame } = this.#entries[drop]!;
      if (at + this.#ttl > now && this.#bytes <= BYTES_MAX) break;
      this.#bytes -= frame.length;
    }
    if (drop > 0) this.#entries.splice(0, drop);
  }
}

/**
 * Returns whether `one` is ahead of `other`. The epoch numbers are compared first, and then the
 * last offsets.
 */
export function isAhead(one: LogState, other: LogState): boolean {
  const [a, b] = [one.epochs.at(-1)?.number ?? 0, other.epochs.at(-1)?.number ?? 0];
  return a === b ? one.last > other.last : a > b;
}

/** Converts times to ages, or ages to times, because the clocks of nodes differ. */
export function aged(entries: readonly LogEntry[], now: number): LogEntry[] {
  return entries.map((entry) => ({ ...entry, at: now - entry.at }));
}
