/**
 * Writes the flight recorder to a file, on SIGUSR1 and after a crash.
 *
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Recorder } from "./recorder.ts";

/**
 * Delay in milliseconds from a crash to the writing of the file, so that the file includes the
 * consequences of the crash.
 */
const AFTER_CRASH_MS = 500;

/** Minimum time between two writes after crashes, in milliseconds. */
const INTERVAL_MS = 10_000;

/** The part of the host that is used here. */
export interface RecorderHost {
  readonly clock: Clock;
  onUserSignal?(task: () => void): () => void;
  writeText?(path: string, text: string): void;
}

/** Writes the recorder file of one node. */
export class RecorderFile {
  readonly #host: RecorderHost;
  readonly #recorder: Recorder;
  readonly #path: string;
  readonly #log: (level: "info" | "warn", message: string) => void;
  readonly #ignoreSignal: (() => void) | undefined;
  #timer: Timer | undefined;
  #writtenAt = -Infinity;

  constructor(
    host: RecorderHost,
    recorder: Recorder,
    path: string,
    log: (level: "info" | "warn", message: string) => void,
  ) {
    this.#host = host;
    this.#recorder = recorder;
    this.#path = path;
    this.#log = log;
    this.#ignoreSignal = host.onUserSignal?.(() => this.write());
  }

  /** Called when an actor has crashed: schedules one write of the file. */
  crashed(): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#host;
    const wait = Math.max(AFTER_CRASH_MS, this.#writtenAt + INTERVAL_MS - clock.now());
    this.#timer = clock.after(wait, () => {
      this.#timer = undefined;
      this.#writtenAt = clock.now();
      this.write();
    });
  }

  /** Writes all entries to the file, each as a line of JSON. Replaces its previous content. */
  write(): void {
    const lines = this.#recorder.since().map((entry) => `${JSON.stringify(entry)}\n`);
    try {
      this.#host.writeText?.(this.#path, lines.join(""));
      this.#log("info", `the flight recorder was written to ${this.#path}`);
    } catch (error) {
      this.#log("warn", `the flight recorder cannot be written to ${this.#path}: ${error}`);
    }
  }

  /** Writes the file now if a write is scheduled, and stops. */
  stop(): void {
    this.#ignoreSignal?.();
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.write();
  }
}
