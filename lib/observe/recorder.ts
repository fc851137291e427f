/**
 * The flight recorder: a ring of recent events of a node. It is always on.
 *
 * It records log entries, events of the node, and samples of messages: types and times, no
 * contents. A sample is taken when the scheduler reads its clock, at most every {@linkcode
 * SAMPLE_MS}, so that there is no cost per message.
 *
 * @module
 */
import { Actor } from "../actor/actor.ts";
import type { Runnable } from "../actor/scheduler.ts";
import type { LogLevel } from "../base/log.ts";
import type { Pid } from "../term/pid.ts";
import { messageType } from "./message_type.ts";

/** Number of entries that the recorder keeps. */
export const RECORDED_MAX = 1_000;

/** Maximum length of a recorded text, in characters. */
const TEXT_CHARS_MAX = 2_000;

/** Minimum time between two samples of messages, in milliseconds. */
export const SAMPLE_MS = 5;

/** An entry of the flight recorder. */
export interface Recorded {
  /** The consecutive number of the entry. */
  readonly number: number;
  /** When the entry was recorded: milliseconds since 1970. */
  readonly time: number;
  /** The name of the event, as in `LogEntry`. "message" if the entry is a sample of a message. */
  readonly event: string;
  /** The level of a log entry. Undefined for entries that are not from the log. */
  readonly level: LogLevel | undefined;
  /** The text of the entry. For a sample, the type of the message. */
  readonly message: string;
  /** The actor that the entry is about, if any. */
  readonly pid: Pid | undefined;
}

/** The flight recorder: keeps the last {@linkcode RECORDED_MAX} entries. */
export class Recorder {
  readonly #wall: () => number;
  readonly #ring: Recorded[] = [];
  #count = 0;
  #sampledAt = -Infinity;

  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** Adds an entry, and drops the oldest one if the recorder is full. */
  record(event: string, message: string, pid?: Pid, level?: LogLevel): void {
    const number = this.#count++;
    const text = message.slice(0, TEXT_CHARS_MAX);
    this.#ring[number % RECORDED_MAX] = {
      number,
      time: this.#wall(),
      event,
      level,
      message: text,
      pid,
    };
  }

  /** Records the type of the message that an actor is about to handle. */
  sample(runnable: Runnable, now: number): void {
    if (now - this.#sampledAt < SAMPLE_MS || !(runnable instanceof Actor)) return;
    this.#sampledAt = now;
    const message = runnable.current ?? runnable.peek(1)[0];
    if (message === undefined) return;
    this.record("message", messageType(message), runnable.pid as Pid);
  }

  /** Returns the entries whose number is at least `number`, in order. Default: all entries. */
  since(number: number = 0): Recorded[] {
    const first = Math.max(number, this.#count - RECORDED_MAX, 0);
    const list: Recorded[] = [];
    for (let at = first; at < this.#count; at++) list.push(this.#ring[at % RECORDED_MAX]!);
    return list;
  }
}
