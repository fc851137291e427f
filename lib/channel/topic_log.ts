/**
 * The messages that a topic keeps, and from which positions they continue.
 *
 * Offsets increase by one and never go back. An epoch is a part of them that one home has assigned. When another
 * node takes over, it begins a new epoch after the last message that the copy has. So a client that
 * has seen messages of the old epoch beyond that end, which the copy never got, is known to have diverged.
 *
 *     epochs     a: 1 … 57         b: 58 … 60
 *     position   (a, 40): 41 … 60 are missing    (a, 58): diverged    (c, 7): lost
 *
 * @module
 */
import type { Position } from "./channel.ts";

/** Bytes of messages that one topic keeps. */
const BYTES_MAX = 16 * 1024 * 1024;

/** The number of epochs that are remembered. */
const EPOCHS_MAX = 64;

/** A message. */
export interface LogEntry {
  readonly offset: number;
  /** When it was appended, by the clock of this node, in milliseconds; on the wire, its age. */
  readonly at: number;
  readonly frame: string | Uint8Array;
  /** The client that does not receive it: the node of its hub, and its number there. */
  readonly except: readonly [node: string, id: number] | undefined;
}

/** A part of the offsets: from its first one to that of the next epoch. */
export interface Epoch {
  readonly id: string;
  /** Increases by one with each epoch. */
  readonly number: number;
  readonly from: number;
}

/** A log as nodes send it to each other. */
export interface LogState {
  readonly epochs: readonly Epoch[];
  readonly entries: readonly LogEntry[];
  /** The offset of the last message, kept or not. */
  readonly last: number;
}

/** Why a client's missing messages are not there. */
export type LostReason =
  /** They are not kept any more. */
  | "expired"
  /** No node that keeps the topic knows the client's epoch. */
  | "lost"
  /** The client has seen messages that the surviving copies never received. */
  | "diverged";

/** The answer to a position. */
export type LogAnswer =
  | { readonly recovered: true; readonly missed: readonly LogEntry[] }
  | { readonly recovered: false; readonly reason: LostReason };

/** The messages of one topic. */
export class TopicLog {
  readonly #size: number;
  readonly #ttl: number;
  #epochs: Epoch[];
  #entries: LogEntry[];
  #bytes = 0;
  #last: number;

  /** `now`: the time of this node, in milliseconds. */
  constructor(state: LogState, { size, ttl }: { size: number; ttl: number }, now: number) {
    this.#size = size;
    this.#ttl = ttl;
    this.#epochs = [...state.epochs];
    this.#entries = aged(state.entries, now);
    this.#last = state.last;
    for (const { frame } of this.#entries) this.#bytes += frame.length;
  }

  /** The offset of the last message; 0: there was none. */
  get last(): number {
    return this.#last;
  }

  /** The current epoch. */
  get epoch(): Epoch {
    return this.#epochs.at(-1)!;
  }

  /** The position of the last message. */
  get position(): Position {
    return { epoch: this.epoch.id, offset: this.#last };
  }

  /** Begins an epoch. */
  begin(id: string): void {
    const number = (this.#epochs.at(-1)?.number ?? 0) + 1;
    this.#epochs.push({ id, number, from: this.#last + 1 });
    if (this.#epochs.length > EPOCHS_MAX) this.#epochs.shift();
  }

  /** Adds a message. */
  append(frame: string | Uint8Array, at: number, except: LogEntry["except"]): LogEntry {
    const entry = { offset: ++this.#last, at, frame, except };
    this.#entries.push(entry);
    this.#bytes += frame.length;
    this.#trim(at);
    return entry;
  }

  /** Adds messages that the home has sent. Those before the last known one are ignored. */
  extend(entries: readonly LogEntry[], now: number): void {
    for (const entry of aged(entries, now)) {
      if (entry.offset !== this.#last + 1) continue;
      this.#last++;
      this.#entries.push(entry);
      this.#bytes += entry.frame.length;
    }
    this.#trim(now);
  }

  /** Returns the messages after a position, up to `to`. */
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

  /** The last `count` messages up to `to`. */
  recent(count: number, to: number, now: number): readonly LogEntry[] {
    this.#trim(now);
    return this.slice(Math.max(0, to - count), to);
  }

  /** The messages after an offset, up to `to`. */
  slice(offset: number, to: number): readonly LogEntry[] {
    const first = this.#entries[0]?.offset ?? this.#last + 1;
    return this.#entries.slice(Math.max(0, offset + 1 - first), Math.max(0, to + 1 - first));
  }

  /** All of it, for another node. */
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

/** Of two copies of a log that which is ahead: of the later epoch, then with more messages. */
export function isAhead(one: LogState, other: LogState): boolean {
  const [a, b] = [one.epochs.at(-1)?.number ?? 0, other.epochs.at(-1)?.number ?? 0];
  return a === b ? one.last > other.last : a > b;
}

/** Turns times into ages, and ages into times: the clocks of two nodes differ. */
export function aged(entries: readonly LogEntry[], now: number): LogEntry[] {
  return entries.map((entry) => ({ ...entry, at: now - entry.at }));
}
