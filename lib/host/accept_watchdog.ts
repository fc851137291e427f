/**
 * Notices a listener that accepts nothing any more, and has it opened again.
 *
 * After the process has been out of descriptors once, Deno's `node:tls` listener accepts no connection
 * for the rest of its life, and reports nothing. So a listener that has accepted nothing for a while
 * connects to itself: a connection that the system has made and the listener does not accept within
 * {@linkcode ACCEPT_MS} shows that it is deaf.
 *
 *     quiet ──WATCH_MS without an accept──▶ probing ──accepted──▶ quiet
 *       ▲                                      │ connected, not accepted: deaf
 *       │                                      ▼
 *       └───────────── open again ───────── reopening ◀─┐
 *                                              └─failed─┘ after RETRY_MS
 *
 * @module
 */
import { connect } from "node:net";
import type { Clock, Timer } from "../base/clock.ts";
import type { ListenerReport } from "./host.ts";
import type { Address } from "./stream.ts";

/** A listener that has accepted nothing for this long is probed. Milliseconds. */
const WATCH_MS = 5_000;

/** A working listener accepts a connection within this time. Milliseconds. */
const ACCEPT_MS = 2_000;

/** The time is measured in this many steps: after a pause of the whole process it must not count at once. */
const ACCEPT_STEPS = 4;

/** Time between attempts to open a listener again, and to probe while out of descriptors. Milliseconds. */
const RETRY_MS = 500;

/** Errors that mean that the process, or the system, has no descriptor or memory left for a socket. */
const EXHAUSTED = /EMFILE|ENFILE|ENOBUFS|ENOMEM|too many open files/i;

/** Whether an error means that no more sockets can be made for now. */
export function isExhausted(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return EXHAUSTED.test(`${code} ${message}`);
}

/** A listener under watch. */
export interface WatchedListener {
  /** Where it listens; undefined while it does not. */
  address(): Address | undefined;
  /** Closes it and listens on the same address again. */
  reopen(): Promise<void>;
  report(report: ListenerReport): void;
}

/** Watches one listener. */
export class AcceptWatchdog {
  readonly #clock: Clock;
  readonly #listener: WatchedListener;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Something has been accepted since the last look. */
  #hasAccepted = false;
  /** Remote ports of what has been accepted since the probe began. */
  readonly #accepted = new Set<number>();
  /** The local port of the probe, when it has connected. */
  #probePort: number | undefined;
  #failedAt: number | undefined;
  /** Ends a probe that is under way. */
  #endProbe: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(clock: Clock, listener: WatchedListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#again(WATCH_MS);
  }

  /** The listener has accepted a connection. */
  accepted(remotePort: number): void {
    this.#hasAccepted = true;
    if (this.#endProbe !== undefined) this.#accepted.add(remotePort);
  }

  /** Whether an accepted connection is the probe, which is of no concern to anybody else. */
  isProbe(remotePort: number): boolean {
    return remotePort === this.#probePort;
  }

  /** The listener could not be opened: reports that, and opens it again until that works. */
  lost(message: string): void {
    if (this.#isClosed) return;
    this.#failed(message);
    this.#again(RETRY_MS);
  }

  /** Whether it watches no more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Watches no more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#endProbe?.();
  }

  /** Resolves when nothing of it is under way; for after `close`. */
  get done(): Promise<void> {
    return this.#looking;
  }

  #again(ms: number): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(ms, () => {
      this.#looking = this.#look();
    });
  }

  async #look(): Promise<void> {
    const address = this.#listener.address();
    if (address === undefined) return await this.#reopen();
    if (this.#hasAccepted) {
      this.#hasAccepted = false;
      this.#recovered();
      return this.#again(WATCH_MS);
    }
    switch (await this.#probe(address)) {
      case "accepted":
        this.#hasAccepted = false;
        this.#recovered();
        return this.#again(WATCH_MS);
      case "exhausted":
        this.#failed("out of file descriptors");
        return this.#again(RETRY_MS);
      case "deaf":
        if (this.#isClosed) return;
        this.#failed("it does not accept connections any more");
        return await this.#reopen();
      case "unknown":
        return this.#again(WATCH_MS);
    }
  }

  async #reopen(): Promise<void> {
    try {
      await this.#listener.reopen();
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return this.#again(RETRY_MS);
    }
    // Whether it accepts is what the next look shows.
    this.#again(RETRY_MS);
  }

  /** Connects to the listener. "unknown": the system does not let us, which shows nothing. */
  #probe({ hostname, port }: Address): Promise<"accepted" | "deaf" | "exhausted" | "unknown"> {
    this.#accepted.clear();
    this.#probePort = undefined;
    return new Promise((done) => {
      let steps = 0;
      const socket = connect({ host: hostname, port });
      const settle = (outcome: "accepted" | "deaf" | "exhausted" | "unknown"): void => {
        timer.cancel();
        this.#endProbe = undefined;
        socket.once("close", () => done(outcome));
        socket.destroy();
      };
      const timer = this.#clock.every(ACCEPT_MS / ACCEPT_STEPS, () => {
        if (this.#probePort !== undefined && this.#accepted.has(this.#probePort)) {
          return settle("accepted");
        }
        if (++steps < ACCEPT_STEPS) return;
        // Others that are accepted show that it works, and that much waits in front of the probe.
        if (this.#accepted.size > 0) settle("accepted");
        else settle(this.#probePort === undefined ? "unknown" : "deaf");
      });
      this.#endProbe = () => settle("unknown");
      socket.once("connect", () => this.#probePort = socket.localPort);
      socket.on("error", (error) => settle(isExhausted(error) ? "exhausted" : "unknown"));
    });
  }

  #failed(message: string): void {
    if (this.#failedAt !== undefined) return;
    this.#failedAt = this.#clock.now();
    this.#listener.report({ state: "failed", message });
  }

  #recovered(): void {
    if (this.#failedAt === undefined) return;
    const ms = this.#clock.now() - this.#failedAt;
    this.#failedAt = undefined;
    this.#listener.report({ state: "recovered", message: `after ${Math.round(ms)} ms` });
  }
}
