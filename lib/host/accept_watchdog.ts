/**
 * Detects a listener that no longer accepts connections, and reopens it.
 *
 * After the process has run out of file descriptors once, Deno's `node:tls` listener never accepts
 * another connection, and reports no error. A listener that has accepted nothing for {@linkcode
 * WATCH_MS} therefore connects to itself. If the system establishes the connection and the listener
 * does not accept it within {@linkcode ACCEPT_MS}, the listener is stuck.
 *
 *     quiet ──WATCH_MS without an accept──▶ probing ──accepted──▶ quiet
 *       ▲                                      │ connected, not accepted: stuck
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

/** Time in milliseconds without an accepted connection after which a listener is probed. */
const WATCH_MS = 5_000;

/** Time in milliseconds within which a working listener accepts the probe. */
const ACCEPT_MS = 2_000;

/**
 * Number of steps in which {@linkcode ACCEPT_MS} is measured. A pause of the whole process counts
 * as one step, however long it is.
 */
const ACCEPT_STEPS = 4;

/**
 * Interval in milliseconds between attempts to reopen a listener, and between probes while the
 * process has no free descriptors.
 */
const RETRY_MS = 500;

/**
 * Matches errors that mean that the process or the system has no descriptors or memory for another
 * socket.
 */
const EXHAUSTED = /EMFILE|ENFILE|ENOBUFS|ENOMEM|too many open files/i;

/** Returns whether an error means that no more sockets can be created for now. */
export function isExhausted(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return EXHAUSTED.test(`${code} ${message}`);
}

/** A listener that the watchdog observes. */
export interface WatchedListener {
  /** Address of the listener; undefined while it is closed. */
  address(): Address | undefined;
  /** Closes the listener, and listens on the same address again. */
  reopen(): Promise<void>;
  report(report: ListenerReport): void;
}

/** Watches one listener, and reopens it when it accepts no connections. */
export class AcceptWatchdog {
  readonly #clock: Clock;
  readonly #listener: WatchedListener;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Whether the listener has accepted a connection since the last check. */
  #hasAccepted = false;
  /** Remote ports of the connections accepted since the probe began. */
  readonly #accepted = new Set<number>();
  /** Local port of the probe, once it is connected. */
  #probePort: number | undefined;
  #failedAt: number | undefined;
  /** Ends the probe that is running, if any. */
  #endProbe: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(clock: Clock, listener: WatchedListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#again(WATCH_MS);
  }

  /** Records that the listener has accepted a connection. */
  accepted(remotePort: number): void {
    this.#hasAccepted = true;
    if (this.#endProbe !== undefined) this.#accepted.add(remotePort);
  }

  /**
   * Returns whether an accepted connection is the watchdog's own probe, which must not be passed
   * on.
   */
  isProbe(remotePort: number): boolean {
    return remotePort === this.#probePort;
  }

  /** Reports that the listener could not be opened, and tries again until it is open. */
  lost(message: string): void {
    if (this.#isClosed) return;
    this.#failed(message);
    this.#again(RETRY_MS);
  }

  /** Whether the watchdog was closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Stops watching the listener. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#endProbe?.();
  }

  /** Resolves when no probe or reopening is running any more. Used after `close`. */
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
    // The next check detects whether the reopened listener accepts connections.
    this.#again(RETRY_MS);
  }

  /** Connects to the listener. Returns "unknown" if the probe could not connect, or was ended. */
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
        // If the listener has accepted other connections, it works, and the probe is queued behind
        // these connections.
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
